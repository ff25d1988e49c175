//! The balance: every accepted event and every owed delivery is counted once. Pure: from the ledger, the
//! journal, the endpoints, the deliveries and the delivery queue.

use jiff::SignedDuration;
use std::collections::HashMap;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::{Delivery, RETENTION, State};
use webhook_gateway::store::endpoints::{Endpoint, delivery_id};
use webhook_gateway::store::ledger::ItemSummary;

/// A delivery that is overdue by this much is missing.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// A record may be deleted up to this long before its expiry.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// The present time, and the longest time between two steps, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: i64,
    pub(crate) grace: i64,
}

/// An event that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) event: EventMeta,
    /// The time of the last publication, in milliseconds.
    pub(crate) at: i64,
    pub(crate) quarantined: bool,
}

/// The published events, each once: by key and time of acceptance.
pub(crate) type Published = HashMap<(String, i64), Publication>;

/// Accepted = published + quarantined + in flight + missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) accepted: usize,
    pub(crate) published: usize,
    pub(crate) quarantined: usize,
    pub(crate) in_flight: usize,
    /// Events that were recorded but never published.
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
    /// Deliveries without a record, while the queue has messages that may be theirs.
    pub(crate) doubtful: usize,
    /// The number of these that must be missing: the queue has too few messages for all.
    pub(crate) surely_missing: usize,
    pub(crate) missing: Vec<Missing>,
}

/// A missing delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) endpoint: String,
    pub(crate) endpoint_name: String,
    pub(crate) id: String,
    pub(crate) event: EventMeta,
    /// Whether it had an attempt, and the next one is overdue.
    pub(crate) is_overdue: bool,
}

/// The state of a delivery, by its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryState {
    event: EventMeta,
    state: State,
    /// The time of its next step, in milliseconds.
    due: i64,
}

impl Clock {
    /// Whether a step at this time may still have its next one ahead.
    fn is_recent(self, at: i64) -> bool {
        at.saturating_add(self.grace) > self.now
    }
}

impl DeliveryState {
    pub(crate) fn of(record: Delivery) -> Self {
        Self {
            due: record.next_attempt_at.unwrap_or(record.updated_at),
            event: record.event,
            state: record.state,
        }
    }
}

impl Events {
    /// Counts the items of the ledger. An event that came again or was published again is one event.
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
                // The released event is an item of its own.
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
    /// Counts the deliveries of an endpoint: those with a record, and those that it is owed.
    pub(crate) fn add(
        &mut self,
        endpoint: &Endpoint,
        published: &Published,
        mut records: HashMap<String, DeliveryState>,
        clock: Clock,
    ) {
        for publication in published
            .values()
            .filter(|published| is_owed(published, endpoint, clock))
        {
            let id = delivery_id(&endpoint.id, &publication.event);
            match records.remove(&id) {
                Some(state_of) => self.count(endpoint, id, state_of, clock),
                None if clock.is_recent(publication.at) => {
                    self.all += 1;
                    self.in_flight += 1;
                }
                None => self.miss(endpoint, id, publication.event.clone(), false),
            }
        }
        // Such as an event that was replayed to an endpoint that was created later.
        for (id, state_of) in records {
            self.count(endpoint, id, state_of, clock);
        }
    }

    fn count(&mut self, endpoint: &Endpoint, id: String, state_of: DeliveryState, clock: Clock) {
        let counter = match state_of.state {
            State::Delivered => &mut self.delivered,
            State::Held => &mut self.held,
            State::Exhausted => &mut self.exhausted,
            State::Skipped => &mut self.skipped,
            State::Pending => {
                let late = clock.now.saturating_sub(state_of.due);
                if i128::from(late) > OVERDUE.as_millis() {
                    return self.miss(endpoint, id, state_of.event, true);
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

    /// Ends the count, with the number of messages that were on the queue before the records were read.
    ///
    /// Each delivery in flight is a message. While there are messages, it is not known which deliveries
    /// they are.
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

/// Whether an endpoint is owed a delivery of an event whose record is still kept.
fn is_owed(publication: &Publication, endpoint: &Endpoint, clock: Clock) -> bool {
    let event = &publication.event;
    let kept = (RETENTION - MARGIN).as_millis();
    !publication.quarantined
        && endpoint.matches(&event.event_type, &event.source)
        && endpoint.wants_since() <= publication.at
        && i128::from(clock.now.saturating_sub(publication.at)) < kept
}

/// The oldest first.
fn place(event: &EventMeta) -> (i64, &str) {
    (event.accepted_at, &event.key)
}

#[cfg(test)]
mod tests;
