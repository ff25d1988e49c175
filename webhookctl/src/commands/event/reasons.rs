//! Why an endpoint got an event, or did not. Pure: from the endpoint as it is now, and from its delivery.

use super::nothing::Nothing;
use crate::condition::Condition;
use crate::time::shown;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::{Delivery, RETENTION, State as DeliveryState};
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus};
use webhook_gateway::store::journal::Removed;
use webhook_gateway::store::subscriptions::is_match;

/// The outcome of an event at an endpoint.
#[derive(Debug, Serialize, PartialEq)]
pub(crate) struct EndpointOutcome {
    endpoint: String,
    name: Option<String>,
    /// The time at which the endpoint was deleted, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_at: Option<String>,
    /// The state of the delivery, `on-its-way`, or `none`.
    state: &'static str,
    reason: Option<String>,
    attempts: u32,
    /// The status of the last attempt, or the reason why it had none.
    last: Value,
    /// A sentence about the failure of the last attempt, if the status does not explain it.
    last_reason: Option<String>,
    /// The time of the last change.
    pub(crate) updated_at: Option<String>,
    next_attempt_at: Option<String>,
    /// The reason why the endpoint got nothing, if it is not to get the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nothing: Option<Nothing>,
}

impl EndpointOutcome {
    /// The outcome at an endpoint that exists.
    pub(crate) fn of(
        status: &EndpointStatus,
        event: &EventMeta,
        record: Option<&Delivery>,
        now: Timestamp,
    ) -> Self {
        let endpoint = &status.endpoint;
        let name = Some(endpoint.name.clone());
        match record {
            Some(record) => Self::recorded(name, record),
            None => {
                let (state, reason, nothing) = without_record(status, event, now);
                Self {
                    endpoint: endpoint.id.clone(),
                    name,
                    removed_at: None,
                    state,
                    reason,
                    attempts: 0,
                    last: Value::Null,
                    last_reason: None,
                    updated_at: None,
                    next_attempt_at: None,
                    nothing,
                }
            }
        }
    }

    /// The outcome at a deleted endpoint.
    pub(crate) fn removed(endpoint: &Removed, record: &Delivery) -> Self {
        Self {
            removed_at: shown(endpoint.at.as_millisecond()),
            ..Self::recorded(endpoint.name.clone(), record)
        }
    }

    /// The outcome by the record of a delivery.
    fn recorded(name: Option<String>, record: &Delivery) -> Self {
        let last = record.history.last();
        let last_reason = last.and_then(|endpoint| endpoint.reason.clone());
        let last = last.map_or(Value::Null, |endpoint| {
            match (&endpoint.status, &endpoint.error) {
                (Some(status), _) => (*status).into(),
                (None, error) => error.clone().into(),
            }
        });
        Self {
            endpoint: record.endpoint.clone(),
            name,
            removed_at: None,
            state: record.state.name(),
            reason: of_record(record),
            attempts: record.attempts,
            last,
            last_reason,
            updated_at: shown(record.updated_at),
            next_attempt_at: record.next_attempt_at.and_then(shown),
            nothing: None,
        }
    }

    /// The name, or the id of an endpoint whose name is not known.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.endpoint)
    }

    /// As a sentence.
    pub(crate) fn text(&self) -> String {
        let state = match self.state {
            "none" => "nothing",
            "on-its-way" => "on its way",
            state => state,
        };
        let name = self.name.as_deref().unwrap_or("of unknown name");
        let mut text = format!("endpoint {name} ({})", self.endpoint);
        if let Some(at) = &self.removed_at {
            text += &format!(", deleted at {at}");
        }
        text += &format!(": {state}");
        if let Some(reason) = &self.reason {
            text += &format!(", because {reason}");
        }
        let last = match &self.last {
            Value::String(error) => error.clone(),
            status => status.to_string(),
        };
        match self.attempts {
            0 => {}
            1 => text += &format!("; 1 attempt: {last}"),
            attempts => text += &format!("; {attempts} attempts, the last: {last}"),
        }
        if let Some(reason) = &self.last_reason {
            text += &format!(" ({reason})");
        }
        if let Some(next) = &self.next_attempt_at {
            text += &format!("; the next at {next}");
        }
        text
    }
}

fn of_record(record: &Delivery) -> Option<String> {
    match (record.state, &record.reason) {
        (_, Some(reason)) => Some(reason.clone()),
        (DeliveryState::Exhausted, None) => Some("its attempts are used up".to_owned()),
        (_, None) => None,
    }
}

/// The state of a delivery without a record, and the reason.
fn without_record(
    status: &EndpointStatus,
    event: &EventMeta,
    now: Timestamp,
) -> (&'static str, Option<String>, Option<Nothing>) {
    let endpoint = &status.endpoint;
    if let Some((nothing, filter)) = filtered(endpoint, event) {
        return (
            "none",
            Some(changed(endpoint, event, filter)),
            Some(nothing),
        );
    }
    if endpoint.created_at > event.accepted_at {
        let id = &event.id;
        let reason = format!(
            "it was created later: `webhookctl event replay --id {id} --endpoint {}` sends it",
            endpoint.id
        );
        return ("none", Some(reason), Some(Nothing::CreatedLater));
    }
    if now.as_millisecond() - event.accepted_at > RETENTION.as_secs() * 1000 {
        let reason = "the event is older than 30 days: its deliveries are not kept any more";
        return ("none", Some(reason.to_owned()), Some(Nothing::Expired));
    }
    let reason = match Condition::of(status, now).holds() {
        Some(reason) => Some(format!("{reason}: the delivery is about to be held")),
        None if is_changed(endpoint, event) => {
            Some("it takes such events today (the endpoint was changed after the event)".to_owned())
        }
        None => None,
    };
    ("on-its-way", reason, None)
}

/// The filter that keeps an event from an endpoint, if one does.
fn filtered(endpoint: &Endpoint, event: &EventMeta) -> Option<(Nothing, String)> {
    if !endpoint.sources.is_empty() && !endpoint.sources.contains(&event.source) {
        let sources = endpoint.sources.join(", ");
        let reason = format!(
            "it takes only events of {sources}, and this event is of {}",
            event.source
        );
        return Some((Nothing::Source, reason));
    }
    let takes = |pattern: &String| is_match(pattern, &event.event_type);
    (!endpoint.events.iter().any(takes)).then(|| {
        let events = endpoint.events.join(", ");
        let reason = format!(
            "it takes only {events}, and this event is {}",
            event.event_type
        );
        (Nothing::Type, reason)
    })
}

/// The reason, with a note that the filters may have been different.
fn changed(endpoint: &Endpoint, event: &EventMeta, reason: String) -> String {
    match is_changed(endpoint, event) {
        true => format!("{reason} (the endpoint was changed after the event)"),
        false => reason,
    }
}

fn is_changed(endpoint: &Endpoint, event: &EventMeta) -> bool {
    endpoint.updated_at > event.accepted_at && endpoint.updated_at > endpoint.created_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, item};
    use webhook_gateway::store::deliveries::{Attempt, Sent};
    use webhook_gateway::store::endpoints::State;

    type Change = fn(&mut Endpoint);

    fn status(change: impl FnOnce(&mut Endpoint)) -> EndpointStatus {
        samples::status(|status| {
            let endpoint = &mut status.endpoint;
            endpoint.events = vec!["a.*".to_owned()];
            endpoint.sources = vec!["studio".to_owned()];
            (endpoint.created_at, endpoint.updated_at) = (1, 1);
            change(endpoint);
        })
    }

    fn event() -> EventMeta {
        item("studio#1", "1").event
    }

    /// So many days after the event.
    fn now(days: i64) -> Timestamp {
        let ms = event().accepted_at + days * 24 * 3_600_000;
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn told(status: &EndpointStatus, record: Option<&Delivery>) -> (&'static str, String) {
        let account = EndpointOutcome::of(status, &event(), record, now(0));
        (account.state, account.reason.unwrap_or_default())
    }

    #[test]
    fn every_endpoint_without_a_delivery_has_its_reason() {
        let cases: [(Change, &str, &str); 8] = [
            (|_| {}, "on-its-way", ""),
            (|endpoint| endpoint.sources = Vec::new(), "on-its-way", ""),
            (
                |endpoint| endpoint.events = vec!["b.*".to_owned()],
                "none",
                "takes only b.*",
            ),
            (
                |endpoint| endpoint.sources = vec!["hr".to_owned()],
                "none",
                "only events of hr",
            ),
            (
                |endpoint| endpoint.created_at = i64::MAX,
                "none",
                "created later",
            ),
            (
                |endpoint| endpoint.state = State::Paused,
                "on-its-way",
                "paused",
            ),
            (
                |endpoint| endpoint.state = State::Disabled,
                "on-its-way",
                "disabled",
            ),
            (
                |endpoint| {
                    endpoint.events = vec!["b".to_owned()];
                    endpoint.updated_at = i64::MAX;
                },
                "none",
                "changed after",
            ),
        ];
        for (change, state, reason) in cases {
            let told = told(&status(change), None);
            assert_eq!(told.0, state, "{told:?}");
            assert!(told.1.contains(reason), "{told:?}");
        }
        let mut open = status(|_| {});
        open.circuit.opened_at = Some(1);
        assert!(told(&open, None).1.contains("circuit is open"));
        let mut waiting = status(|_| {});
        waiting.circuit.wait_until = Some(i64::MAX);
        assert!(told(&waiting, None).1.contains("asked for a wait"));
        let changed = status(|endpoint| endpoint.updated_at = i64::MAX);
        assert!(told(&changed, None).1.contains("changed after"));
        let of_old = EndpointOutcome::of(&status(|_| {}), &event(), None, now(31));
        assert!(
            of_old
                .text()
                .contains("nothing, because the event is older")
        );
    }

    #[test]
    fn what_became_of_a_delivery_counts_more_than_what_the_endpoint_is_now() {
        let other = status(|endpoint| endpoint.events = vec!["b".to_owned()]);
        let mut record = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
        let attempt = Attempt {
            at: 1,
            duration_ms: 1,
            status: None,
            error: Some("timeout".to_owned()),
            reason: Some("there was no reply in time".to_owned()),
            response: None,
        };
        let sent = Sent {
            url: String::new(),
            headers: Vec::new(),
        };
        record.tried(attempt, sent);
        record.state = DeliveryState::Exhausted;
        let account = EndpointOutcome::of(&other, &event(), Some(&record), now(0));
        let text = "endpoint search (ep_1): exhausted, because its attempts are used up; 1 attempt: timeout \
            (there was no reply in time)";
        assert_eq!(account.text(), text);
        record.state = DeliveryState::Held;
        record.reason = Some("the endpoint is paused".to_owned());
        assert_eq!(
            told(&other, Some(&record)),
            ("held", "the endpoint is paused".to_owned())
        );
    }

    #[test]
    fn an_endpoint_that_was_removed_is_told_of_by_what_it_got() {
        let endpoint = Removed {
            endpoint: "ep_1".to_owned(),
            name: Some("search".to_owned()),
            at: Timestamp::from_millisecond(1_790_000_000_000).unwrap(),
        };
        let mut record = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
        record.state = DeliveryState::Delivered;
        let account = EndpointOutcome::removed(&endpoint, &record);
        let text = "endpoint search (ep_1), deleted at 2026-09-21T14:13:20.000Z: delivered";
        assert_eq!(account.text(), text);
    }
}
