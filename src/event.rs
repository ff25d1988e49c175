//! The event as it stands on the queues: a CloudEvent 1.0 in structured JSON.
//!
//! The payload goes in as the text it came as: no number, key order or duplicate key of it changes.

use crate::providers::attribute::{OWN, is_media_type};
use crate::providers::mapping::{BodyKind, Content};
use crate::providers::recipe::Authenticity;
use crate::providers::recorded::RecordedFields;
use crate::providers::{self, NormalizeError, Normalized, UnknownProvider, Verified};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The content type of a [`CloudEvent`] in structured mode.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// What stands before the payload in the JSON of an event.
const MEMBER: &str = ",\"data\":";

/// The source of the gateway's own events.
pub(crate) const GATEWAY_SOURCE: &str = "urn:webhook-gateway";

/// The content type of what came with none, or with one that is none.
pub(crate) const UNKNOWN_CONTENT_TYPE: &str = "application/octet-stream";

/// The type of quarantined events.
pub const QUARANTINED: &str = "io.webhook-gateway.event.quarantined";

/// What the gateway knows of a recorded event: enough to find it in the ledger and to make the same bytes of
/// it again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventMeta {
    /// Its key in the ledger: the source, `#`, and the id or the hash of the body.
    pub key: String,
    /// The provider's id where it has one.
    pub id: String,
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The name of the source that it came in by.
    pub source: String,
    /// Whose it is, by name.
    pub provider: String,
    /// When it was accepted, in milliseconds.
    pub accepted_at: i64,
    /// Whether an earlier event had the same id, but another body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conflict: bool,
    /// Whether the operator has it sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

/// A recorded webhook, of which an event is made.
#[derive(Debug, Clone, Copy)]
pub struct Recording<'a> {
    /// The event that it is.
    pub event: &'a EventMeta,
    /// What was recorded with its body.
    pub fields: &'a RecordedFields,
    /// The content type that it came with.
    pub content_type: &'a str,
    /// The exact bytes of its body.
    pub body: &'a [u8],
}

/// Why a recorded webhook is no event.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEvent {
    /// The recorded bytes are none of the provider's payloads.
    #[error(transparent)]
    NotUnderstood(#[from] NormalizeError),
    /// No provider has this name.
    #[error(transparent)]
    UnknownProvider(#[from] UnknownProvider),
}

impl<'a> Recording<'a> {
    /// The content of its body, which the event borrows from.
    pub fn content(&self) -> Result<Content<'a>, NormalizeError> {
        self.fields.content(Verified::recorded(self.body))
    }
}

/// An event, ready to be encoded.
#[derive(Debug)]
pub struct CloudEvent<'a> {
    id: &'a str,
    source: Cow<'a, str>,
    event_type: Cow<'a, str>,
    subject: Option<Cow<'a, str>>,
    time: Cow<'a, str>,
    /// Members as they came with the provider's own CloudEvent, but those of the gateway.
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Extensions of the gateway.
    extensions: Vec<(&'a str, Extension<'a>)>,
    data: Data<'a>,
}

#[derive(Debug)]
enum Data<'a> {
    /// Valid JSON, as [`Normalized`] has it.
    Json(Option<&'a str>),
    Base64 {
        content_type: &'a str,
        bytes: &'a [u8],
    },
}

impl<'a> Data<'a> {
    /// Bytes of any kind, with the content type that they came with, if it is one.
    fn bytes(content_type: &'a str, bytes: &'a [u8]) -> Self {
        let content_type = Some(content_type).filter(|text| is_media_type(text));
        Self::Base64 {
            content_type: content_type.unwrap_or(UNKNOWN_CONTENT_TYPE),
            bytes,
        }
    }
}

#[derive(Debug)]
enum Extension<'a> {
    Text(Cow<'a, str>),
    True,
}

impl EventMeta {
    /// When it was accepted.
    pub fn recorded_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.accepted_at).unwrap_or_default()
    }
}

impl<'a> CloudEvent<'a> {
    /// The event that a recorded webhook is.
    pub fn recorded(
        recording: Recording<'a>,
        content: &'a Content<'_>,
    ) -> Result<Self, NotAnEvent> {
        let Recording { event, fields, .. } = recording;
        let Some(code) = providers::code_of(&event.provider)? else {
            return Ok(Self::mapped(recording, content)?);
        };
        let normalized = code.normalize(Verified::recorded(recording.body))?;
        Ok(Self::accepted(event, fields.authenticity, normalized))
    }

    /// The event of a webhook that a recipe read.
    fn mapped(recording: Recording<'a>, content: &'a Content<'_>) -> Result<Self, NormalizeError> {
        let Recording { event, fields, .. } = recording;
        let normalized = fields.event(Some(&event.id), &event.event_type, content)?;
        let mut made = Self::accepted(event, fields.authenticity, normalized);
        let forwarded = fields.extensions.iter();
        made.extensions
            .extend(forwarded.map(|(name, value)| (&**name, Extension::Text(value.into()))));
        if fields.body == BodyKind::Any {
            made.data = Data::bytes(recording.content_type, recording.body);
        }
        Ok(made)
    }

    /// An event that is understood.
    pub fn accepted(
        event: &'a EventMeta,
        authenticity: Authenticity,
        normalized: Normalized<'a>,
    ) -> Self {
        let accepted_at = event.recorded_at().to_string();
        let mut extensions = extensions(event, authenticity, &accepted_at);
        let further = [
            ("partitionkey", normalized.subject.clone()),
            ("actorid", normalized.actor),
        ];
        let further = further
            .into_iter()
            .filter_map(|(name, text)| Some((name, Extension::Text(text?))));
        extensions.extend(further);
        let mut members = normalized.members;
        members.retain(|(name, _)| !OWN.contains(&&**name));
        Self {
            id: &event.id,
            source: normalized.source.unwrap_or_else(|| source(event)),
            event_type: normalized.event_type,
            subject: normalized.subject,
            time: normalized.time.unwrap_or(accepted_at.into()),
            members,
            extensions,
            data: Data::Json(normalized.data),
        }
    }

    /// A webhook that is authentic, but not understood: its raw body, and the reason.
    pub fn quarantined(
        event: &'a EventMeta,
        authenticity: Authenticity,
        reason: &'a str,
        content_type: &'a str,
        body: &'a [u8],
    ) -> Self {
        let accepted_at = event.recorded_at().to_string();
        let mut extensions = extensions(event, authenticity, &accepted_at);
        extensions.push(("reason", Extension::Text(reason.into())));
        Self {
            id: &event.id,
            source: source(event),
            event_type: QUARANTINED.into(),
            subject: None,
            time: accepted_at.into(),
            members: Vec::new(),
            extensions,
            data: Data::bytes(content_type, body),
        }
    }

    /// The `source` of the event.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The `type` of the event.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The event in
    /// [JSON](https://github.com/cloudevents/spec/blob/ce%40v1.0.2/cloudevents/formats/json-format.md), in
    /// the characters that SQS takes.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        let mut json = serde_json::to_string(&Envelope(self))?;
        if let Data::Json(Some(data)) = self.data {
            // Put in as it is: to parse and write it again could change it, and takes longer than all the
            // rest.
            json.reserve(data.len() + MEMBER.len());
            json.insert_str(json.len() - 1, MEMBER);
            json.insert_str(json.len() - 1, data);
        }
        Ok(escape_noncharacters(json))
    }
}

/// What is no item of the ledger's as a quarantined event: the record of the stream as it is, and the reason.
pub(crate) fn unreadable(id: &str, reason: &str, record: &RawValue) -> String {
    let attributes = json!({
        "specversion": "1.0",
        "id": id,
        "source": GATEWAY_SOURCE,
        "type": QUARANTINED,
        "datacontenttype": "application/json",
        "reason": reason,
    });
    let attributes = attributes.to_string();
    let attributes = attributes.trim_end_matches('}');
    escape_noncharacters(format!("{attributes}{MEMBER}{record}}}"))
}

fn source(event: &EventMeta) -> Cow<'static, str> {
    format!("urn:webhook:{}", event.source).into()
}

fn extensions<'a>(
    event: &'a EventMeta,
    authenticity: Authenticity,
    accepted_at: &str,
) -> Vec<(&'a str, Extension<'a>)> {
    let mut extensions = vec![
        ("provider", Extension::Text(event.provider.as_str().into())),
        (
            "gatewaysource",
            Extension::Text(event.source.as_str().into()),
        ),
        (
            "recordedtime",
            Extension::Text(accepted_at.to_owned().into()),
        ),
        ("authenticity", Extension::Text(authenticity.name().into())),
    ];
    if event.conflict {
        extensions.push(("conflict", Extension::True));
    }
    if event.replayed {
        extensions.push(("replayed", Extension::True));
    }
    extensions
}

/// All members of an event but JSON `data`.
struct Envelope<'e>(&'e CloudEvent<'e>);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", event.id)?;
        map.serialize_entry("source", &event.source)?;
        map.serialize_entry("type", &event.event_type)?;
        if let Some(subject) = &event.subject {
            map.serialize_entry("subject", subject)?;
        }
        map.serialize_entry("time", &event.time)?;
        for (name, value) in &event.members {
            map.serialize_entry(name, value)?;
        }
        for (name, extension) in &event.extensions {
            match extension {
                Extension::Text(text) => map.serialize_entry(name, text)?,
                Extension::True => map.serialize_entry(name, &true)?,
            }
        }
        match event.data {
            Data::Json(_) => {
                let is_typed = |(name, _): &(Cow<'_, str>, _)| name == "datacontenttype";
                if !event.members.iter().any(is_typed) {
                    map.serialize_entry("datacontenttype", "application/json")?;
                }
            }
            Data::Base64 {
                content_type,
                bytes,
            } => {
                map.serialize_entry("datacontenttype", content_type)?;
                map.serialize_entry("data_base64", &STANDARD.encode(bytes))?;
            }
        }
        map.end()
    }
}

/// Writes U+FFFE and U+FFFF, which JSON allows inside strings and
/// [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html) nowhere,
/// as the escapes that mean the same.
pub(crate) fn escape_noncharacters(json: String) -> String {
    // Both start with these bytes in UTF-8, and next to no text has them.
    if memchr::memmem::find(json.as_bytes(), b"\xef\xbf").is_none() {
        return json;
    }
    json.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const SIGNATURE: Authenticity = Authenticity::Signature;

    fn meta(conflict: bool) -> EventMeta {
        EventMeta {
            key: "studio#evt-1".to_owned(),
            id: "evt-1".to_owned(),
            event_type: "io.creativeforce.product.reset".to_owned(),
            source: "studio".to_owned(),
            provider: "creative-force".to_owned(),
            accepted_at: 1_795_341_600_250,
            conflict,
            replayed: false,
        }
    }

    fn normalized(data: &str) -> Normalized<'_> {
        Normalized {
            id: Some("evt-1".into()),
            source: None,
            event_type: "io.creativeforce.product.reset".into(),
            subject: Some("product/7".into()),
            time: None,
            actor: Some("ada".into()),
            members: Vec::new(),
            data: Some(data),
        }
    }

    #[test]
    fn an_accepted_event_says_all_that_is_known_of_it() {
        let meta = meta(true);
        let event = CloudEvent::accepted(&meta, SIGNATURE, normalized("{}"))
            .encode()
            .unwrap();
        let expected = json!({
            "specversion": "1.0", "id": "evt-1", "source": "urn:webhook:studio",
            "type": "io.creativeforce.product.reset", "subject": "product/7",
            "time": "2026-11-22T10:00:00.25Z", "datacontenttype": "application/json",
            "provider": "creative-force", "gatewaysource": "studio",
            "recordedtime": "2026-11-22T10:00:00.25Z", "partitionkey": "product/7",
            "actorid": "ada", "authenticity": "signature", "conflict": true, "data": {},
        });
        assert_eq!(serde_json::from_str::<Value>(&event).unwrap(), expected);
    }

    #[test]
    fn the_payload_is_the_text_it_came_as() {
        let data = r#"{"b":1.50, "a":1e400,"a":"\u00e9\/" , "big":12345678901234567890123}"#;
        let event = CloudEvent::accepted(&meta(false), SIGNATURE, normalized(data))
            .encode()
            .unwrap();
        assert!(event.ends_with(&format!(",\"data\":{data}}}")), "{event}");
    }

    #[test]
    fn what_sqs_refuses_is_escaped_and_means_the_same() {
        let data = "{\"a\":\"\u{fffe}\u{ffff}\u{fffd}\u{ffe0}\"}";
        let event = CloudEvent::accepted(&meta(false), SIGNATURE, normalized(data))
            .encode()
            .unwrap();
        assert!(event.contains("\\ufffe\\uffff\u{fffd}\u{ffe0}"), "{event}");
        let value: Value = serde_json::from_str(&event).unwrap();
        assert_eq!(value["data"]["a"], "\u{fffe}\u{ffff}\u{fffd}\u{ffe0}");
    }

    #[test]
    fn members_that_came_with_the_event_stay_but_those_of_the_gateway() {
        let theirs: &RawValue = serde_json::from_str(r#""theirs""#).unwrap();
        let meta = meta(false);
        let mut normalized = normalized("{}");
        let names = OWN.into_iter().chain(["datacontenttype", "x"]);
        normalized.members = names.map(|name| (name.into(), theirs)).collect();
        let event = CloudEvent::accepted(&meta, SIGNATURE, normalized)
            .encode()
            .unwrap();
        let value: Value = serde_json::from_str(&event).unwrap();
        for member in ["datacontenttype", "x"] {
            assert_eq!(value[member], "theirs");
            assert_eq!(event.matches(&format!("\"{member}\":")).count(), 1);
        }
        for member in OWN {
            assert_ne!(value[member], "theirs", "{member}");
        }
        assert_eq!(value["provider"], "creative-force");
        for member in ["conflict", "replayed", "reason"] {
            assert_eq!(value.get(member), None);
        }
    }

    #[test]
    fn a_quarantined_webhook_has_a_content_type_whatever_it_came_with() {
        let meta = meta(false);
        for content_type in ["", " ", "json", "a/b, a/b", "é/é"] {
            let event = CloudEvent::quarantined(&meta, SIGNATURE, "not JSON", content_type, b"");
            let value: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
            assert_eq!(value["datacontenttype"], UNKNOWN_CONTENT_TYPE);
        }
    }

    #[test]
    fn a_quarantined_webhook_keeps_its_raw_body() {
        let meta = meta(false);
        let event =
            CloudEvent::quarantined(&meta, SIGNATURE, "not JSON", "text/plain", b"\xff\0hi");
        let value: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
        assert_eq!(value["type"], QUARANTINED);
        assert_eq!(value["reason"], "not JSON");
        assert_eq!(value["datacontenttype"], "text/plain");
        assert_eq!(value["data_base64"], "/wBoaQ==");
        assert_eq!(value.get("data"), None);
    }
}
