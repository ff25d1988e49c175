//! The cases of `tests/vectors/providers`, `recipes.json` and `handshakes.json`, with sources for them and as
//! requests of API Gateway.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use webhook_gateway::providers::presets;
use webhook_gateway::providers::recipe::Recipe;
use webhook_gateway::store::sources::Source;

/// A request and what becomes of it.
#[derive(Clone, Deserialize)]
pub struct Case {
    pub name: String,
    pub why: String,
    pub secrets: Vec<String>,
    pub method: String,
    pub url: String,
    pub public_url: Option<String>,
    pub headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    now: i64,
    pub expect: Value,
    /// Of a case without a preset.
    #[serde(default)]
    pub recipe: Map<String, Value>,
    #[serde(default)]
    pub handshake: String,
    pub verify_token: Option<String>,
    #[serde(default)]
    pub waiting: bool,
}

impl Case {
    pub fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => crate::from_base64(base64),
            _ => panic!("{} has not one body", self.name),
        }
    }
}

/// A case with a source for it.
pub struct Tried {
    pub name: String,
    pub entry: Value,
    pub case: Case,
}

impl Tried {
    /// A case of a preset.
    pub fn of(preset: &str, name: String, case: Case) -> Self {
        let mut entry = json!({"provider": preset, "secrets": case.secrets});
        if preset_of(preset)["handshake"] == "hub" {
            entry["verify_token"] = json!("a-token");
        }
        Self { name, entry, case }.with_url()
    }

    /// A case of a recipe.
    pub fn custom(name: String, case: Case) -> Self {
        let mut entry = json!({"provider": "custom", "secrets": case.secrets});
        entry.as_object_mut().unwrap().extend(case.recipe.clone());
        Self { name, entry, case }.with_url()
    }

    fn with_url(mut self) -> Self {
        if self.recipe().signs_url() {
            let url = self.case.public_url.as_ref().unwrap_or(&self.case.url);
            self.entry["public_url"] = json!(url);
        }
        self
    }

    /// The recipe of its source, whatever its secrets are.
    pub fn recipe(&self) -> Recipe {
        let mut fields: Map<String, Value> = self.entry.as_object().unwrap().clone();
        fields.remove("secrets");
        let provider = fields.remove("provider").unwrap();
        Recipe::of_source(provider.as_str().unwrap(), &fields).unwrap()
    }

    /// The status of the answer. Only a POST is a webhook, and a source without a usable secret is disabled.
    pub fn status(&self) -> u16 {
        let recipe = self.recipe();
        match Source::parse(&self.name, &self.entry) {
            _ if self.case.method != "POST" => 405,
            Err(_) => 503,
            Ok(_) if !self.is_authentic() => 401,
            Ok(_) => recipe.response().map_or(200, |response| response.status),
        }
    }

    pub fn is_authentic(&self) -> bool {
        self.case.expect["verified"] == true
    }

    pub fn expected(&self, field: &str) -> Option<&str> {
        self.case.expect[field].as_str()
    }
}

/// A source with the handshake of a case: of a preset that has it, if there is one.
pub fn source_with_handshake(case: &Case) -> Value {
    let preset = preset_with(&case.handshake);
    let mut entry = json!({"provider": preset, "secrets": case.secrets, "waiting": case.waiting});
    if preset == "custom" {
        entry["signature_header"] = json!("X-Signature");
        entry["event"] = json!({"type": "com.example"});
        if case.handshake != "none" {
            entry["handshake"] = json!(case.handshake);
        }
    }
    if let Some(token) = &case.verify_token {
        entry["verify_token"] = json!(token);
    }
    entry
}

/// The preset with this handshake that its cases are about; `custom` if no preset has the handshake.
pub fn preset_with(handshake: &str) -> &'static str {
    match handshake {
        "challenge" => "dropbox",
        "hub" => "meta",
        "validation-token" => "microsoft-graph",
        "slack" => "slack",
        "zoom" => "zoom",
        "okta" => "okta",
        "hook-secret" => "asana",
        "verification-token" => "notion",
        "header-echo" => "acrobat-sign",
        "ping" => "hibob",
        _ => "custom",
    }
}

/// The cases of a file in `tests/vectors`.
pub fn cases(file: &str) -> Vec<Case> {
    let path = crate::root().join("tests/vectors").join(file);
    let json = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The file of a preset.
pub fn preset_of(name: &str) -> Value {
    serde_json::from_str(presets::find(name).unwrap().json()).unwrap()
}

/// The invocation for a case, as a request for this source, received when the case says.
pub fn event_of(case: &Case, source: &str) -> Value {
    let mut event = crate::webhook::request(&case.method, source, "", &[]);
    let query = case.url.split_once('?').map_or("", |(_, query)| query);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["timeEpoch"] = json!(case.now * 1000);
    event["headers"] = json!({});
    for (name, value) in &case.headers {
        let value = json!(value);
        match event["headers"].get_mut(name) {
            None => event["headers"][name] = value,
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first.clone(), value]),
        }
    }
    event["body"] = json!(crate::base64(&case.body()));
    event["isBase64Encoded"] = json!(true);
    event
}
