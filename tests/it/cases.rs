//! The cases of `tests/vectors/providers` and `tests/vectors/handshakes.json`, as requests of API Gateway.

use serde::Deserialize;
use serde_json::{Value, json};
use webhook_gateway::providers::presets;

/// A request and what becomes of it.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) secrets: Vec<String>,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) public_url: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    now: i64,
    pub(crate) expect: Value,
    #[serde(default)]
    pub(crate) handshake: String,
    pub(crate) verify_token: Option<String>,
    #[serde(default)]
    pub(crate) waiting: bool,
}

impl Case {
    pub(crate) fn body(&self) -> Vec<u8> {
        match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => testkit::from_base64(base64),
            _ => panic!("{} has not one body", self.name),
        }
    }
}

/// The cases of a file in `tests/vectors`.
pub(crate) fn cases(file: &str) -> Vec<Case> {
    let path = testkit::root().join("tests/vectors").join(file);
    let json = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The file of a preset.
pub(crate) fn preset_of(name: &str) -> Value {
    serde_json::from_str(presets::find(name).unwrap().json()).unwrap()
}

/// The invocation for a case, as a request for this source, received when the case says.
pub(crate) fn event_of(case: &Case, source: &str) -> Value {
    let mut event = testkit::webhook::request(&case.method, source, "", &[]);
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
    event["body"] = json!(testkit::base64(&case.body()));
    event["isBase64Encoded"] = json!(true);
    event
}
