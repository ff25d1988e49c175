//! A delivery as it is printed: its state and its attempts.

use super::request::Request;
use crate::time::shown;
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::store::deliveries::{Attempt, Delivery};

/// The state of a delivery.
#[derive(Serialize)]
pub(crate) struct DeliveryRow {
    id: String,
    event: String,
    r#type: String,
    source: String,
    endpoint: String,
    /// `None` for a deleted endpoint.
    endpoint_name: Option<String>,
    state: &'static str,
    reason: Option<String>,
    attempts: u32,
    last: Value,
    accepted_at: Option<String>,
    updated_at: Option<String>,
    next_attempt_at: Option<String>,
}

/// A delivery with its attempts and its last request.
#[derive(Serialize)]
pub(crate) struct DeliveryDetails {
    #[serde(flatten)]
    listed: DeliveryRow,
    pub(crate) history: Vec<AttemptRow>,
    pub(crate) request: Option<Request>,
}

/// One attempt.
#[derive(Serialize)]
pub(crate) struct AttemptRow {
    at: Option<String>,
    status: Option<u16>,
    error: Option<String>,
    reason: Option<String>,
    duration_ms: u64,
    response: Option<String>,
}

impl DeliveryRow {
    pub(crate) fn of(record: &Delivery, endpoint_name: Option<&str>) -> Self {
        let event = &record.event;
        Self {
            id: record.id.clone(),
            event: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            endpoint: record.endpoint.clone(),
            endpoint_name: endpoint_name.map(str::to_owned),
            state: record.state.name(),
            reason: record.reason.clone(),
            attempts: record.attempts,
            last: record.history.last().map_or(Value::Null, result),
            accepted_at: shown(event.accepted_at),
            updated_at: shown(record.updated_at),
            next_attempt_at: record.next_attempt_at.and_then(shown),
        }
    }
}

impl DeliveryRow {
    pub(crate) const COLUMNS: &[&str] = &[
        "id",
        "event",
        "type",
        "endpoint_name",
        "state",
        "attempts",
        "last",
        "updated_at",
    ];
}

impl DeliveryDetails {
    pub(crate) fn of(record: &Delivery, name: Option<&str>, body: Option<Vec<u8>>) -> Self {
        Self {
            listed: DeliveryRow::of(record, name),
            history: record.history.iter().map(AttemptRow::of).collect(),
            request: record.request.as_ref().map(|sent| Request::of(sent, body)),
        }
    }
}

impl DeliveryDetails {
    pub(crate) const COLUMNS: &[&str] = &[
        "id",
        "event",
        "type",
        "source",
        "endpoint",
        "endpoint_name",
        "state",
        "reason",
        "attempts",
        "accepted_at",
        "updated_at",
        "next_attempt_at",
    ];
}

impl AttemptRow {
    fn of(attempt: &Attempt) -> Self {
        Self {
            at: shown(attempt.at),
            status: attempt.status,
            error: attempt.error.clone(),
            reason: attempt.reason.clone(),
            duration_ms: attempt.duration_ms,
            response: attempt.response.clone(),
        }
    }
}

impl AttemptRow {
    pub(crate) const COLUMNS: &[&str] =
        &["at", "status", "error", "duration_ms", "reason", "response"];
}

fn result(attempt: &Attempt) -> Value {
    match (attempt.status, &attempt.error) {
        (Some(status), _) => status.into(),
        (None, Some(error)) => error.clone().into(),
        (None, None) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::delivery;
    use serde_json::json;
    use webhook_gateway::store::deliveries::State;

    #[test]
    fn a_delivery_is_listed_with_its_last_result() {
        let mut delivery = delivery(State::Pending);
        delivery.next_attempt_at = Some(1_790_000_300_000);
        let expected = json!({
            "id": "ep_1_1790000000000_d", "event": "evt-1", "type": "a.b", "source": "studio",
            "endpoint": "ep_1", "endpoint_name": "search", "state": "pending", "reason": null,
            "attempts": 2, "last": "timeout",
            "accepted_at": "2026-09-21T14:13:20.000Z", "updated_at": "2026-09-21T14:13:27.000Z",
            "next_attempt_at": "2026-09-21T14:18:20.000Z",
        });
        let listed = DeliveryRow::of(&delivery, Some("search"));
        assert_eq!(serde_json::to_value(&listed).unwrap(), expected);

        delivery.history.pop();
        let listed = serde_json::to_value(DeliveryRow::of(&delivery, Some("search"))).unwrap();
        assert_eq!(listed["last"], 500);
        delivery.history.clear();
        let listed = serde_json::to_value(DeliveryRow::of(&delivery, Some("search"))).unwrap();
        assert_eq!(listed["last"], Value::Null);
    }

    #[test]
    fn a_delivery_is_shown_with_its_attempts_and_what_was_sent() {
        let shown = |body: &[u8]| {
            let shown = DeliveryDetails::of(
                &delivery(State::Exhausted),
                Some("search"),
                Some(body.into()),
            );
            serde_json::to_value(shown).unwrap()
        };
        let text = shown(b"{\"a\":1.50}");
        assert_eq!(text["state"], "exhausted");
        assert_eq!(text["attempts"], 2);
        let expected = json!([
            {"at": "2026-09-21T14:13:21.000Z", "status": 500, "error": null, "reason": null,
             "duration_ms": 30,
             "response": "it is\n down"},
            {"at": "2026-09-21T14:13:26.000Z", "status": null, "error": "timeout",
             "reason": "there was no reply in time", "duration_ms": 20000,
             "response": null},
        ]);
        assert_eq!(text["history"], expected);
        let expected = json!({
            "method": "POST", "url": "https://example.com/hook", "body": "{\"a\":1.50}",
            "headers": {"content-type": "application/cloudevents+json", "webhook-id": "ep_1_1790000000000_d",
                        "authorization": "[redacted]"},
        });
        assert_eq!(text["request"], expected);
        let bytes = shown(b"\xff\0");
        assert_eq!(bytes["request"]["body"], Value::Null);
        assert_eq!(bytes["request"]["body_base64"], "/wA=");
    }
}
