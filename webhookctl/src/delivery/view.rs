//! What may be seen of a delivery: where it stands, and its attempts.

use super::request::Request;
use crate::output::Row;
use crate::time::shown;
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::store::deliveries::{Attempt, Delivery};

/// Where a delivery stands.
#[derive(Serialize)]
pub(crate) struct Listed {
    id: String,
    event: String,
    r#type: String,
    source: String,
    endpoint: String,
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
pub(crate) struct Shown {
    #[serde(flatten)]
    listed: Listed,
    /// The endpoint's name, if it is still there.
    #[serde(skip)]
    name: Option<String>,
    pub(crate) history: Vec<Tried>,
    pub(crate) request: Option<Request>,
}

/// One attempt.
#[derive(Serialize)]
pub(crate) struct Tried {
    at: Option<String>,
    status: Option<u16>,
    error: Option<String>,
    reason: Option<String>,
    duration_ms: u64,
    response: Option<String>,
}

impl Listed {
    pub(crate) fn of(record: &Delivery) -> Self {
        let event = &record.event;
        Self {
            id: record.id.clone(),
            event: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            endpoint: record.endpoint.clone(),
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

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("event", self.event.clone()),
            ("type", self.r#type.clone()),
            ("state", self.state.to_owned()),
            ("attempts", self.attempts.to_string()),
            ("last", plain(&self.last)),
            ("updated", or_dash(self.updated_at.as_deref())),
        ]
    }
}

impl Shown {
    pub(crate) fn of(record: &Delivery, name: Option<&str>, body: Option<Vec<u8>>) -> Self {
        Self {
            listed: Listed::of(record),
            name: name.map(str::to_owned),
            history: record.history.iter().map(Tried::of).collect(),
            request: record.request.as_ref().map(|sent| Request::of(sent, body)),
        }
    }
}

impl Row for Shown {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let Listed {
            endpoint, state, ..
        } = &self.listed;
        let state = match &self.listed.reason {
            Some(reason) => format!("{state}: {reason}"),
            None => (*state).to_owned(),
        };
        let endpoint = match &self.name {
            Some(name) => format!("{endpoint} ({name})"),
            None => format!("{endpoint} (removed)"),
        };
        let mut cells = vec![
            ("id", self.listed.id.clone()),
            ("event", self.listed.event.clone()),
            ("type", self.listed.r#type.clone()),
            ("source", self.listed.source.clone()),
            ("endpoint", endpoint),
            ("state", state),
            ("attempts", self.listed.attempts.to_string()),
            ("accepted", or_dash(self.listed.accepted_at.as_deref())),
            ("updated", or_dash(self.listed.updated_at.as_deref())),
        ];
        let next = self.listed.next_attempt_at.clone();
        cells.extend(next.map(|next| ("next attempt", next)));
        cells
    }
}

impl Tried {
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

impl Row for Tried {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let status = self.status.map(|status| status.to_string());
        let words = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let response = self.response.as_ref().map(words);
        vec![
            ("at", or_dash(self.at.as_deref())),
            ("result", or_dash(status.as_ref().or(self.error.as_ref()))),
            ("ms", self.duration_ms.to_string()),
            ("reason", or_dash(self.reason.as_ref())),
            ("response", or_dash(response)),
        ]
    }
}

fn result(attempt: &Attempt) -> Value {
    match (attempt.status, &attempt.error) {
        (Some(status), _) => status.into(),
        (None, Some(error)) => error.clone().into(),
        (None, None) => Value::Null,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn or_dash(text: Option<impl AsRef<str>>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::record;
    use serde_json::json;
    use webhook_gateway::store::deliveries::State;

    #[test]
    fn a_delivery_is_listed_with_its_last_result() {
        let mut delivery = record(State::Pending);
        delivery.next_attempt_at = Some(1_790_000_300_000);
        let expected = json!({
            "id": "ep_1_1790000000000_d", "event": "evt-1", "type": "a.b", "source": "studio",
            "endpoint": "ep_1", "state": "pending", "reason": null, "attempts": 2, "last": "timeout",
            "accepted_at": "2026-09-21T14:13:20.000Z", "updated_at": "2026-09-21T14:13:27.000Z",
            "next_attempt_at": "2026-09-21T14:18:20.000Z",
        });
        let listed = Listed::of(&delivery);
        assert_eq!(serde_json::to_value(&listed).unwrap(), expected);
        let cells: Vec<_> = listed.cells().into_iter().map(|(_, text)| text).collect();
        let id = "ep_1_1790000000000_d";
        let updated = "2026-09-21T14:13:27.000Z";
        assert_eq!(
            cells,
            [id, "evt-1", "a.b", "pending", "2", "timeout", updated]
        );

        delivery.history.pop();
        let listed = serde_json::to_value(Listed::of(&delivery)).unwrap();
        assert_eq!(listed["last"], 500);
        delivery.history.clear();
        let listed = serde_json::to_value(Listed::of(&delivery)).unwrap();
        assert_eq!(listed["last"], Value::Null);
    }

    #[test]
    fn a_delivery_is_shown_with_its_attempts_and_what_was_sent() {
        let shown = |body: &[u8]| {
            let shown = Shown::of(&record(State::Exhausted), Some("search"), Some(body.into()));
            serde_json::to_value(shown).unwrap()
        };
        let text = shown(b"{\"a\":1.50}");
        assert_eq!(text["state"], "exhausted");
        assert_eq!(text["attempts"], 2);
        let expected = json!([
            {"at": "2026-09-21T14:13:21.000Z", "status": 500, "error": null, "reason": null, "duration_ms": 30,
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

    #[test]
    fn an_answer_is_one_line_of_a_table() {
        let record = record(State::Exhausted);
        let shown = Shown::of(&record, None, None);
        let (name, response) = shown.history[0].cells().pop().unwrap();
        assert_eq!((name, &*response), ("response", "it is down"));
    }
}
