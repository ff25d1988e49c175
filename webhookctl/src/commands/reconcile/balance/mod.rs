//! What became of everything: each event that was accepted, and each delivery that is owed, counted once.
//! Pure: from what the ledger, the journal, the endpoints, the records and the delivery queue say.

use jiff::SignedDuration;
use std::collections::HashMap;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::{Delivery, RETENTION, State};
use webhook_gateway::store::endpoints::{Endpoint, delivery_id};
use webhook_gateway::store::ledger::ItemSummary;

/// A delivery that is this far beyond its time is not waited for any more.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// Up to this long before its time a record may be forgotten.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// When it is, and how long anything may be on its way; in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: i64,
    pub(crate) grace: i64,
}

/// An event that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) event: EventMeta,
    /// When, the last time, in milliseconds.
    pub(crate) at: i64,
    pub(crate) quarantined: bool,
}

/// What was published, each event once: by its key, and when it was accepted under that key.
pub(crate) type Published = HashMap<(String, i64), Publication>;

/// Accepted = published + quarantined + in flight + missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) accepted: usize,
    pub(crate) published: usize,
    pub(crate) quarantined: usize,
    pub(crate) in_flight: usize,
    /// What was recorded, and never published.
    pub(crate) missing: Vec<ItemSummary>,
}

/// All = delivered + held + exhausted + skipped + in flight + in flight or missing + missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    pub(crate) all: usize,
    pub(crate) delivered: usize,
    pub(crate) held: usize,
    pub(crate) exhausted: usize,
    pub(crate) skipped: usize,
    pub(crate) in_flight: usize,
    /// What nothing is known of, while there are messages on the queue that it may be.
    pub(crate) doubtful: usize,
    /// How many of these are missing at least, as there are too few messages.
    pub(crate) surely_missing: usize,
    pub(crate) missing: Vec<Missing>,
}

/// A delivery that nobody works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) endpoint: String,
    pub(crate) endpoint_name: String,
    pub(crate) id: String,
    pub(crate) event: EventMeta,
    /// Whether it was tried, and its next attempt never came.
    pub(crate) is_overdue: bool,
}

/// Where a delivery stands, as its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    event: EventMeta,
    state: State,
    /// When something is to happen, in milliseconds.
    due: i64,
}

impl Clock {
    /// Whether what happened then may still be on its way.
    fn is_recent(self, at: i64) -> bool {
        at.saturating_add(self.grace) > self.now
    }
}

impl Standing {
    pub(crate) fn of(record: Delivery) -> Self {
        Self {
            due: record.next_attempt_at.unwrap_or(record.updated_at),
            event: record.event,
            state: record.state,
        }
    }
}

impl Events {
    /// What became of what is in the ledger. An event that came again, or was published again, is one event.
    pub(crate) fn of(lines: Vec<ItemSummary>, published: &Published, clock: Clock) -> Self {
        let mut events = Self {
            accepted: lines.len(),
            ..Self::default()
        };
        for line in lines {
            let name = (line.event.key.clone(), line.event.accepted_at);
            let last = line
                .event
                .accepted_at
                .max(line.republished_at.unwrap_or_default());
            match published.get(&name) {
                Some(published) if published.quarantined => events.quarantined += 1,
                Some(_) => events.published += 1,
                // What it became is an event of its own.
                None if line.state == "released" => events.quarantined += 1,
                None if clock.is_recent(last) => events.in_flight += 1,
                None => events.missing.push(line),
            }
        }
        events
            .missing
            .sort_by(|a, b| place(&a.event).cmp(&place(&b.event)));
        events
    }
}

impl Deliveries {
    /// Adds what became of everything for an endpoint: of what there are records of, and of what it is owed.
    pub(crate) fn add(
        &mut self,
        endpoint: &Endpoint,
        published: &Published,
        mut records: HashMap<String, Standing>,
        clock: Clock,
    ) {
        for publication in published
            .values()
            .filter(|published| is_owed(published, endpoint, clock))
        {
            let id = delivery_id(&endpoint.id, &publication.event);
            match records.remove(&id) {
                Some(standing) => self.count(endpoint, id, standing, clock),
                None if clock.is_recent(publication.at) => {
                    self.all += 1;
                    self.in_flight += 1;
                }
                None => self.miss(endpoint, id, publication.event.clone(), false),
            }
        }
        // Such as what was replayed to an endpoint that was created later.
        for (id, standing) in records {
            self.count(endpoint, id, standing, clock);
        }
    }

    fn count(&mut self, endpoint: &Endpoint, id: String, standing: Standing, clock: Clock) {
        let counter = match standing.state {
            State::Delivered => &mut self.delivered,
            State::Held => &mut self.held,
            State::Exhausted => &mut self.exhausted,
            State::Skipped => &mut self.skipped,
            State::Pending => {
                let late = clock.now.saturating_sub(standing.due);
                if i128::from(late) > OVERDUE.as_millis() {
                    return self.miss(endpoint, id, standing.event, true);
                }
                &mut self.in_flight
            }
        };
        *counter += 1;
        self.all += 1;
    }

    fn miss(&mut self, endpoint: &Endpoint, id: String, event: EventMeta, is_overdue: bool) {
        self.all += 1;
        self.missing.push(Missing {
            endpoint: endpoint.id.clone(),
            endpoint_name: endpoint.name.clone(),
            id,
            event,
            is_overdue,
        });
    }

    /// What it comes to, with so many messages on the queue before the records were read.
    ///
    /// Each delivery that is on its way is a message. While there are any, nobody knows whose they are.
    pub(crate) fn close(&mut self, messages: u64) {
        self.missing
            .sort_by(|a, b| (place(&a.event), &a.id).cmp(&(place(&b.event), &b.id)));
        if messages > 0 {
            let unknown = std::mem::take(&mut self.missing).len();
            let messages = usize::try_from(messages).unwrap_or(usize::MAX);
            self.doubtful = unknown;
            self.surely_missing = (self.in_flight + unknown)
                .saturating_sub(messages)
                .min(unknown);
        }
    }
}

/// Whether an event was published for an endpoint, and is still told of.
fn is_owed(publication: &Publication, endpoint: &Endpoint, clock: Clock) -> bool {
    let event = &publication.event;
    let told_of = (RETENTION - MARGIN).as_millis();
    !publication.quarantined
        && endpoint.matches(&event.event_type, &event.source)
        && endpoint.wants_since() <= publication.at
        && i128::from(clock.now.saturating_sub(publication.at)) < told_of
}

/// The oldest first.
fn place(event: &EventMeta) -> (i64, &str) {
    (event.accepted_at, &event.key)
}

#[cfg(test)]
mod tests;
