//! WoodWing Studio Server: <https://woodwing.github.io/enterprise-integration-guide/1248-webhooks>.
//!
//! ```text
//! X-Hook-Signature: hex(HMAC-SHA256(secret token, body))
//! body:             a CloudEvent 1.0 in structured mode
//! ```
//!
//! What arrives is a CloudEvent already, so all of it goes on as it is, but for what consumers could not read
//! or would take for somebody else's word: see `normalize`. A member that is null counts as not set.

use super::attribute::{
    is_extension_name, is_extension_value, is_media_type, is_rfc3339, is_uri, is_uri_reference,
};
use super::json::Object;
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, delivery_id, identifier, is_name};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The member that says what happened.
pub(super) const TYPE_PATH: &str = "$.type";

/// A webhook of more members is not taken for an event.
pub(super) const MAX_MEMBERS: usize = 1_000;

/// What all of the provider's types begin with.
const TYPE_PREFIX: &str = "com.woodwing.";

/// What every `source` that the gateway gives begins with.
const GATEWAY_SOURCE: &[u8] = b"urn:webhook";

/// The members that become fields of their own.
const READ: [&str; 7] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
];

const OBJECT_EVENTS: [&str; 7] = [
    "created",
    "deleted",
    "deleted-permanently",
    "restored",
    "copied",
    "saved",
    "properties-updated",
];

/// What the event says. Without its id, source and type it is none; other attributes that CloudEvents does
/// not allow are left out, and an invalid time is replaced by that of the acceptance.
pub(super) fn normalize<'a>(payload: &Object<'a>) -> Result<Normalized<'a>, NormalizeError> {
    if payload.len() > MAX_MEMBERS {
        return Err(NormalizeError::TooManyMembers);
    }
    let required = |member: &'static str| {
        let value = payload
            .string(member)
            .filter(|value| value.len() <= MAX_NAME_BYTES);
        value
            .filter(|value| is_name(value))
            .ok_or(NormalizeError::NotACloudEvent { member })
    };
    if payload.string("specversion").as_deref() != Some("1.0") {
        return Err(NormalizeError::NotACloudEvent {
            member: "specversion",
        });
    }
    let id = payload.string("id").and_then(delivery_id);
    let id = id.ok_or(NormalizeError::NoId { member: "id" })?;
    let source = required("source")?;
    if !is_uri_reference(&source) {
        return Err(NormalizeError::NotACloudEvent { member: "source" });
    }
    if is_of_the_gateway(&source) {
        return Err(NormalizeError::Foreign { member: "source" });
    }
    let event_type = required("type")?;
    if !event_type.starts_with(TYPE_PREFIX) {
        return Err(NormalizeError::Foreign { member: "type" });
    }
    // An event has one kind of data, or none.
    let binary = payload
        .get("data_base64")
        .filter(|json| json.get() != "null");
    let binary = binary.filter(|_| payload.get("data").is_none_or(|json| json.get() == "null"));
    if !binary.is_none_or(is_base64) {
        return Err(NormalizeError::NotACloudEvent {
            member: "data_base64",
        });
    }
    let data = payload.get("data").filter(|_| binary.is_none());
    if data.is_some_and(is_infinite) {
        return Err(NormalizeError::NotACloudEvent { member: "data" });
    }
    let is_allowed = |name: &str, value: &RawValue| match name {
        "data_base64" => binary.is_some(),
        "datacontenttype" => text(value).is_some_and(|text| is_media_type(&text)),
        "dataschema" => text(value).is_some_and(|text| is_uri(&text)),
        name => !READ.contains(&name) && is_extension_name(name) && is_extension_value(value),
    };
    let members = payload.members().into_iter();
    Ok(Normalized {
        id: Some(id),
        source: Some(source),
        event_type,
        subject: payload.string("subject").and_then(identifier),
        time: payload.string("time").filter(|time| is_rfc3339(time)),
        actor: None,
        members: members
            .filter(|(name, value)| is_allowed(name, value))
            .map(|(name, value)| (Cow::clone(name), value))
            .collect(),
        data: data.map(RawValue::get),
    })
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Whether a value is a number that is none to JavaScript. Within an array or an object, its SDK takes it.
fn is_infinite(value: &RawValue) -> bool {
    let is_number = value
        .get()
        .starts_with(|c: char| c == '-' || c.is_ascii_digit());
    is_number && serde_json::from_str::<f64>(value.get()).is_err()
}

fn is_base64(value: &RawValue) -> bool {
    text(value).is_some_and(|text| STANDARD.decode(text).is_ok())
}

/// Whether a `source` is one of the gateway's own, however it is written.
fn is_of_the_gateway(source: &str) -> bool {
    let mut source = source.as_bytes().to_vec();
    loop {
        source.retain(u8::is_ascii_graphic);
        source.make_ascii_lowercase();
        let decoded: Vec<u8> = percent_decode(&source).collect();
        if decoded == source {
            return source.starts_with(GATEWAY_SOURCE);
        }
        source = decoded;
    }
}

pub(super) fn event_types() -> Vec<String> {
    OBJECT_EVENTS
        .iter()
        .map(|event| format!("com.woodwing.studio/object/{event}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_the_gateway_is_known_in_any_spelling() {
        for gateways in [
            "urn:webhook:hr",
            "urn:webhook-gateway",
            "URN:WebHook:hr",
            "urn:%77ebhook:hr",
            "urn:%2577%65bhook:hr",
            "urn:web%68%6Fok%3Ahr",
            "urn:web%C2%ADhook:hr",
            "urn:%20webhook:hr",
        ] {
            assert!(is_of_the_gateway(gateways), "{gateways}");
        }
        for theirs in [
            "urn:uuid:0",
            "urn:web",
            "https://e.com/?urn:webhook:hr",
            "%",
            "%2",
        ] {
            assert!(!is_of_the_gateway(theirs), "{theirs}");
        }
    }

    #[test]
    fn an_event_has_a_thousand_members_and_no_more() {
        let event = |further: usize| {
            let further: String = (0..further).map(|n| format!(r#","x{n}":{n}"#)).collect();
            let attributes =
                r#""specversion":"1.0","id":"1","source":"urn:x","type":"com.woodwing.x""#;
            format!("{{{attributes}{further}}}")
        };
        let (most, more) = (event(MAX_MEMBERS - 4), event(MAX_MEMBERS - 3));
        let most = Object::from_body(most.as_bytes()).unwrap();
        assert_eq!(normalize(&most).unwrap().members.len(), MAX_MEMBERS - 4);
        let more = Object::from_body(more.as_bytes()).unwrap();
        assert_eq!(
            normalize(&more).unwrap_err(),
            NormalizeError::TooManyMembers
        );
    }
}
