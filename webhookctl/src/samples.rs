//! The samples of unit tests: an endpoint, an event, its item in the ledger and its delivery.

use crate::commands::endpoint::blank;
use jiff::Timestamp;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::{Attempt, Delivery, Sent, State};
use webhook_gateway::store::endpoints::circuit::Circuit;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus};
use webhook_gateway::store::ledger::{LedgerItem, StoredBody};

/// 2026-09-21T14:13:20Z, in milliseconds.
pub(crate) const NOW: i64 = 1_790_000_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millisecond(NOW).unwrap()
}

/// An active endpoint that gets every event.
pub(crate) fn endpoint() -> Endpoint {
    named("search", "https://search.example.com/hooks")
}

/// The same with another name and URL.
pub(crate) fn named(name: &str, url: &str) -> Endpoint {
    let [id, name, url] = ["ep_1", name, url].map(str::to_owned);
    blank(id, name, url, Timestamp::UNIX_EPOCH)
}

/// The same with its circuit, after a change.
pub(crate) fn status(change: impl FnOnce(&mut EndpointStatus)) -> EndpointStatus {
    let mut status = EndpointStatus {
        endpoint: endpoint(),
        circuit: Circuit::default(),
    };
    change(&mut status);
    status
}

/// An event of the source `studio`, accepted now.
pub(crate) fn event(key: &str, id: &str) -> EventMeta {
    EventMeta {
        key: key.to_owned(),
        id: id.to_owned(),
        event_type: "a.b".to_owned(),
        source: "studio".to_owned(),
        provider: "people-force".to_owned(),
        accepted_at: NOW,
        conflict: false,
        replayed: false,
    }
}

/// The same as the ledger has it.
pub(crate) fn item(key: &str, id: &str) -> LedgerItem {
    LedgerItem {
        event: event(key, id),
        state: "accepted".to_owned(),
        reason: None,
        headers: Default::default(),
        body: StoredBody::Inline(b"{}".to_vec()),
        digest: None,
        matched: None,
        fields: Default::default(),
        expires_at: 0,
        released_as: None,
        republished_at: None,
    }
}

/// A delivery that failed twice.
pub(crate) fn delivery(state: State) -> Delivery {
    let id = "ep_1_1790000000000_d";
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sent = Sent {
        url: "https://example.com/hook".to_owned(),
        headers: vec![
            header("content-type", "application/cloudevents+json"),
            header("webhook-id", id),
            header("authorization", "Bearer hunter2"),
        ],
    };
    let mut record = Delivery::new("ep_1", id.to_owned(), event("studio#evt-1", "evt-1"));
    for (at, duration_ms, status, error, response) in [
        (NOW + 1_000, 30, Some(500), None, Some("it is\n down")),
        (NOW + 6_000, 20_000, None, Some("timeout"), None),
    ] {
        let attempt = Attempt {
            at,
            duration_ms,
            status,
            error: error.map(str::to_owned),
            reason: error.map(|_| "there was no reply in time".to_owned()),
            response: response.map(str::to_owned),
        };
        record.tried(attempt, sent.clone());
    }
    record.state = state;
    record.updated_at = NOW + 7_000;
    record
}
