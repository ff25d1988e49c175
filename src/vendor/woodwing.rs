//! WoodWing Studio Server: <https://woodwing.github.io/enterprise-integration-guide/1248-webhooks>.
//!
//! ```text
//! X-Hook-Signature: hex(HMAC-SHA256(secret token, body))
//! body:             a CloudEvent 1.0 in structured mode
//! ```
//!
//! What arrives is a CloudEvent already, so all of it goes on as it is; a member that is null counts as not set.

use super::json::Object;
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, delivery_id, is_name};
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(super) const SIGNATURE_HEADER: &str = "x-hook-signature";

/// The member that says what happened.
pub(super) const TYPE_PATH: &str = "$.type";

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

pub(super) fn normalize<'a>(payload: &Object<'a>) -> Result<Normalized<'a>, NormalizeError> {
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
    let others = payload
        .members()
        .filter(|(name, value)| !READ.contains(&&***name) && value.get() != "null");
    Ok(Normalized {
        id: Some(id.ok_or(NormalizeError::NoId { member: "id" })?),
        source: Some(required("source")?),
        event_type: required("type")?,
        subject: payload
            .string("subject")
            .filter(|subject| !subject.trim().is_empty()),
        time: payload.string("time").filter(|time| !time.is_empty()),
        actor: None,
        members: others
            .map(|(name, value)| (Cow::clone(name), value))
            .collect(),
        data: payload.get("data").map(RawValue::get),
    })
}

pub(super) fn event_types() -> Vec<String> {
    OBJECT_EVENTS
        .iter()
        .map(|event| format!("com.woodwing.studio/object/{event}"))
        .collect()
}
