//! Deliveries on their way through an invocation: what was attempted, and what is decided without an attempt.

use super::Received;
use super::lifecycle::{Disposition, Origin, Tried};
use crate::store::deliveries::Delivery;
use crate::store::endpoints::EndpointStatus;

/// A delivery that was attempted.
#[derive(Debug)]
pub(super) struct Attempted<'a> {
    pub(super) delivery: Delivery,
    /// Its endpoint before the attempt.
    pub(super) status: &'a EndpointStatus,
    /// Its message; none if it comes from what is held.
    pub(super) received: Option<&'a Received>,
    pub(super) tried: Tried,
}

/// A delivery from the queue that is settled without an attempt.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub(super) delivery: Delivery,
    pub(super) received: &'a Received,
    pub(super) disposition: Disposition,
}

impl Attempted<'_> {
    /// Where it comes from. What is held is a probe if the circuit was open before the attempt.
    pub(super) fn origin(&self) -> Origin {
        match self.received {
            Some(_) => Origin::Queue,
            None if self.status.circuit.is_open() => Origin::Probe,
            None => Origin::Held,
        }
    }
}
