//! Tries the recipes on the cases of `tests/vectors`, which are made outside of this code.

mod events;
mod handshakes;
mod names;
mod presets;
mod properties;
mod recipes;
mod recorded;
mod rules;
mod signing;
mod vectors;

use super::Incoming;
use super::recipe::{Recipe, RecipeError};
use super::verify::VerifyError;
use crate::crypto::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A request and what becomes of it.
#[derive(Deserialize)]
struct Case {
    name: String,
    why: String,
    secrets: Vec<String>,
    method: String,
    url: String,
    public_url: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    now: i64,
    expect: Value,
    /// Of a case without a preset.
    #[serde(default)]
    recipe: Map<String, Value>,
    #[serde(default)]
    handshake: String,
    verify_token: Option<String>,
    #[serde(default)]
    waiting: bool,
}

/// The file of this name in `tests/vectors`.
fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn headers(pairs: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// A recipe of its JSON, with a signature header and an event type if it has none.
fn recipe(mut json: Value) -> Result<Recipe, RecipeError> {
    let fields = json.as_object_mut().unwrap();
    fields
        .entry("event")
        .or_insert(json!({"type": "com.example"}));
    if matches!(
        fields.get("auth").and_then(Value::as_str),
        None | Some("hmac" | "hash" | "public-key")
    ) {
        fields
            .entry("signature_header")
            .or_insert(json!("X-Signature"));
    }
    Recipe::from_fields(fields)
}

/// A request with a body and headers.
struct Posted {
    headers: HeaderMap,
    body: Vec<u8>,
    now: Timestamp,
}

impl Posted {
    fn new(body: &[u8], pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            headers: headers(&pairs.collect::<Vec<_>>()),
            body: body.to_vec(),
            now: Timestamp::from_second(NOW).unwrap(),
        }
    }

    fn verify(&self, recipe: &Recipe, secrets: &[&str]) -> Result<Option<usize>, VerifyError> {
        let secrets: Vec<Secret> = secrets
            .iter()
            .map(|text| recipe.secret(text).unwrap())
            .collect();
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &self.headers,
            body: &self.body,
        };
        let verified = recipe.verify(&incoming, &secrets, URL, self.now)?;
        assert_eq!(verified.body(), self.body);
        Ok(verified.secret())
    }
}

const NOW: i64 = 1_764_244_800;
const URL: &str = "https://hooks.example.com/webhooks/source";

impl Case {
    fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            _ => panic!("{} has not one body", self.name),
        }
    }

    /// The secrets that the recipe can use.
    fn secrets(&self, recipe: &Recipe) -> Vec<Secret> {
        let secrets = self.secrets.iter();
        secrets
            .filter_map(|text| recipe.secret(text).ok())
            .collect()
    }

    fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }

    /// Runs something on the request.
    fn with<T>(&self, run: impl FnOnce(&Incoming<'_>) -> T) -> T {
        let (headers, body) = (headers(&self.headers), self.body());
        run(&Incoming {
            method: &self.method,
            query: self.query(),
            headers: &headers,
            body: &body,
        })
    }

    /// The position of the secret that matches.
    fn verify(&self, recipe: &Recipe) -> Result<Option<usize>, VerifyError> {
        let url = self.public_url.as_deref().unwrap_or(&self.url);
        let now = Timestamp::from_second(self.now).unwrap();
        self.with(|incoming| {
            let verified = recipe.verify(incoming, &self.secrets(recipe), url, now)?;
            Ok(verified.secret())
        })
    }
}
