//! A delivery that an invocation does something about: where it came from, and what is to become of it.

use super::outcome::Outcome;
use crate::store::deliveries::Delivery;
use crate::store::endpoints::EndpointStatus;
use std::time::Instant;

/// A delivery that something is done about.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// Its endpoint, as it was at the beginning; none if it was deleted.
    pub(super) standing: Option<&'a EndpointStatus>,
    /// Where it came from, which is where it goes back to.
    pub(super) origin: Origin,
    /// What becomes of it.
    pub(super) record: Delivery,
}

impl Job<'_> {
    /// Whether it is the probe of a circuit that was open at the beginning.
    pub(super) fn is_probe(&self) -> bool {
        let is_open = |standing: &EndpointStatus| standing.circuit.is_open();
        self.origin == Origin::Held && self.standing.is_some_and(is_open)
    }
}

/// Where a delivery came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The delivery queue.
    Queue {
        /// The id of the message.
        message: String,
        /// Its receipt handle.
        receipt: String,
        /// When it was received.
        received: Instant,
    },
    /// The queue of what is held.
    Held,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was tried.
    Tried(Outcome),
    /// Its endpoint's settings make no request, for this reason: it waits, and the endpoint has failed.
    Faulty(&'static str),
    /// The gateway could not read its event, which is no failure of the endpoint: it is tried again, or exhausted.
    Unread(Outcome),
    /// It waits for its endpoint, for this reason.
    Hold(&'static str),
    /// It can never be delivered.
    Skip(String),
    /// It was dealt with before, and is only to be taken out of what is held.
    Release,
}
