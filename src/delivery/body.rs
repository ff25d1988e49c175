//! The body of a request: the event in structured JSON, or the provider's own bytes. Pure: the same event
//! makes the same bytes, at each attempt and for the operator who asks for them later. Where the recorded
//! bytes come from is left to others.

use crate::event::{CONTENT_TYPE, CloudEvent, EventMeta, NotAnEvent, Recording};
use crate::providers::NormalizeError;
use crate::store::endpoints::Format;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The provider of what the gateway itself tells an endpoint.
pub const GATEWAY: &str = "webhook-gateway";

/// The type of the event by which an endpoint is tried; it is in no ledger.
pub const PING: &str = "io.webhook-gateway.endpoint.ping";

/// Why an event has no body.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The recorded bytes are none of the provider's payloads.
    #[error(transparent)]
    NotUnderstood(#[from] NormalizeError),
    /// What was recorded is no event.
    #[error(transparent)]
    NotAnEvent(#[from] NotAnEvent),
    /// It was accepted at no time.
    #[error("the event has no valid time of its acceptance: {0}")]
    NoTime(#[from] jiff::Error),
    /// The event could not be written.
    #[error("the event was not encoded: {0}")]
    NotEncoded(#[from] serde_json::Error),
}

/// A ping as a CloudEvent.
#[derive(Serialize)]
struct PingEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    r#type: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

/// The content type and the bytes of the request that takes an event to an endpoint of this format. A ping
/// has nothing recorded.
pub fn body(format: Format, recording: Recording<'_>) -> Result<(String, Vec<u8>), BodyError> {
    if recording.event.is_ping() {
        return ping(format, recording.event);
    }
    match format {
        Format::CloudEvents => Ok((CONTENT_TYPE.to_owned(), cloud_event(recording)?.into())),
        Format::Raw => Ok((recording.content_type.to_owned(), recording.body.to_vec())),
    }
}

fn cloud_event(recording: Recording<'_>) -> Result<String, BodyError> {
    Timestamp::from_millisecond(recording.event.accepted_at)?;
    let content = recording.content()?;
    Ok(CloudEvent::recorded(recording, &content)?.encode()?)
}

fn ping(format: Format, event: &EventMeta) -> Result<(String, Vec<u8>), BodyError> {
    let data = json!({"ping": event.id});
    match format {
        Format::Raw => Ok(("application/json".to_owned(), serde_json::to_vec(&data)?)),
        Format::CloudEvents => {
            let event = PingEvent {
                specversion: "1.0",
                id: &event.id,
                source: format!("urn:{GATEWAY}"),
                r#type: &event.event_type,
                time: Timestamp::from_millisecond(event.accepted_at)?.to_string(),
                datacontenttype: "application/json",
                data,
            };
            Ok((CONTENT_TYPE.to_owned(), serde_json::to_vec(&event)?))
        }
    }
}

impl EventMeta {
    /// Whether it is the gateway's own, which no ledger has.
    pub fn is_ping(&self) -> bool {
        self.provider == GATEWAY && self.event_type == PING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::recipe::Authenticity;
    use crate::providers::recorded::RecordedFields;

    fn event(provider: &str, event_type: &str) -> EventMeta {
        EventMeta {
            key: "hr#1".to_owned(),
            id: "1".to_owned(),
            event_type: event_type.to_owned(),
            source: "hr".to_owned(),
            provider: provider.to_owned(),
            accepted_at: 1_790_000_000_250,
            conflict: true,
            replayed: false,
        }
    }

    fn made(format: Format, event: &EventMeta, raw: &[u8]) -> Result<(String, Vec<u8>), BodyError> {
        let fields = RecordedFields::proof(Authenticity::Signature);
        let recording = Recording {
            event,
            fields: &fields,
            content_type: "text/x",
            body: raw,
        };
        body(format, recording)
    }

    fn text(format: Format, event: &EventMeta, raw: &str) -> (String, String) {
        let (content_type, bytes) = made(format, event, raw.as_bytes()).unwrap();
        (content_type, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn an_event_is_the_same_text_each_time() {
        let raw = r#"{"action": "employee_hired", "data":{"id": 7,  "x":1.50}}"#;
        let event = event("people-force", "io.peopleforce.employee_hired");
        let (content_type, text) = text(Format::CloudEvents, &event, raw);
        assert_eq!(content_type, "application/cloudevents+json");

        let expected = concat!(
            r#"{"specversion":"1.0","id":"1","source":"urn:webhook:hr","type":"io.peopleforce.employee_hired","#,
            r#""subject":"employee/7","time":"2026-09-21T14:13:20.25Z","provider":"people-force","gatewaysource":"hr","#,
            r#""recordedtime":"2026-09-21T14:13:20.25Z","authenticity":"signature","conflict":true,"partitionkey":"employee/7","#,
            r#""datacontenttype":"application/json","#,
            r#""data":{"action": "employee_hired", "data":{"id": 7,  "x":1.50}}}"#
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn raw_bytes_stay_as_they_came_whatever_they_are() {
        let event = event("people-force", "a.b");
        let raw = b"\xff\0 {";
        let (content_type, bytes) = made(Format::Raw, &event, raw).unwrap();
        assert_eq!((&*content_type, &*bytes), ("text/x", &raw[..]));
    }

    #[test]
    fn a_ping_is_made_of_its_name_alone() {
        let ping = event(GATEWAY, PING);
        let (content_type, event) = text(Format::CloudEvents, &ping, "");
        assert_eq!(content_type, "application/cloudevents+json");
        assert_eq!(
            event,
            r#"{"specversion":"1.0","id":"1","source":"urn:webhook-gateway","type":"io.webhook-gateway.endpoint.ping","time":"2026-09-21T14:13:20.25Z","datacontenttype":"application/json","data":{"ping":"1"}}"#
        );
        let (content_type, data) = text(Format::Raw, &ping, "");
        assert_eq!(content_type, "application/json");
        assert_eq!(data, r#"{"ping":"1"}"#);
    }

    #[test]
    fn what_makes_no_event_says_why() {
        let of = |event: &EventMeta, raw: &str| {
            let body = made(Format::CloudEvents, event, raw.as_bytes());
            body.unwrap_err().to_string()
        };
        let unknown = of(&event("nobody", PING), "{}");
        assert_eq!(unknown, "there is no provider \"nobody\"");
        let known = event("people-force", "a.b");
        assert!(of(&known, "{").contains("not JSON"));
        let mut timeless = known;
        timeless.accepted_at = i64::MAX;
        assert!(of(&timeless, "{}").contains("no valid time"));
    }
}
