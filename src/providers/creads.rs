//! Creads Partners: <https://github.com/creads/partners-doc/blob/master/src/webhooks.md>.
//!
//! ```text
//! X-Partners-Signature: hex(HMAC-SHA256(secret, body))
//! body: {"event": "resource.created", "resource_type": "Project", "resource_gid": "559befeeab59f",
//!        "resource": {…}}
//! ```
//!
//! No id and no time are sent: two webhooks are the same if their bodies are. The spelling of the resource
//! types is not documented: `Project Message`, `ProjectMessage` and `project_message` are all one.

use super::json::Object;
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, identifier, words};

const CATALOGUE: [(&str, &[&str]); 8] = [
    ("invitation", &["created", "updated", "deleted"]),
    ("organization", &["updated"]),
    ("product", &["updated"]),
    ("membership", &["created", "updated", "deleted"]),
    ("project", &["created", "updated", "deleted"]),
    ("project_message", &["created"]),
    ("work", &["created"]),
    ("webhook", &["created", "updated", "deleted"]),
];

pub(super) fn normalize<'a>(payload: &Object<'a>) -> Result<Normalized<'a>, NormalizeError> {
    let name = |member: &'static str, words: &[String]| {
        let name = words.join("_");
        let usable = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
        usable
            .then_some(name)
            .ok_or(NormalizeError::NoType { member })
    };
    let words_of = |member| words(&payload.string(member).unwrap_or_default());
    // "resource.created", whatever the resource is.
    let change = match &words_of("event")[..] {
        [first, change @ ..] if first == "resource" => name("event", change)?,
        change => name("event", change)?,
    };
    let resource = name("resource_type", &words_of("resource_type"))?;
    let gid = payload.scalar("resource_gid").and_then(identifier);
    Ok(Normalized {
        id: None,
        source: None,
        event_type: event_type(&resource, &change).into(),
        subject: gid.map(|gid| format!("{resource}/{gid}").into()),
        time: None,
        actor: None,
        members: Vec::new(),
        data: Some(payload.text()),
    })
}

pub(super) fn event_types() -> Vec<String> {
    let types = |(resource, changes): &(&str, &[&str])| -> Vec<String> {
        changes
            .iter()
            .map(|change| event_type(resource, change))
            .collect()
    };
    CATALOGUE.iter().flat_map(types).collect()
}

/// The member that says what the catalogue does not have: the change, or even its resource.
pub(super) fn type_path(event_type: &str) -> &'static str {
    let is_of = |resource: &str| event_type.starts_with(&self::event_type(resource, ""));
    match CATALOGUE.iter().any(|(resource, _)| is_of(resource)) {
        true => "$.event",
        false => "$.resource_type",
    }
}

/// Whether an event of this type happens to a resource once.
pub(super) fn happens_once(event_type: &str) -> bool {
    let change = event_type.rsplit('.').next();
    matches!(change, Some("created" | "deleted"))
}

fn event_type(resource: &str, change: &str) -> String {
    format!("com.creads.{resource}.{change}")
}
