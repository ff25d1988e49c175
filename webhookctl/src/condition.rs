//! How an endpoint is doing, in one word: lists, `status`, `doctor` and `event explain` say the same. Pure.

use crate::output::Output;
use jiff::Timestamp;
use std::time::Duration;
use webhook_gateway::store::endpoints::circuit::Circuit;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, State};

/// The state of an endpoint or, while it is active, that of its circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The gateway disabled it: its deliveries are held.
    Disabled,
    /// The operator paused it: its deliveries are held.
    Paused,
    /// Its circuit opened after failures in a row: its deliveries are held, and its probe tries it.
    Open,
    /// It asked for a wait: its deliveries are held for so long.
    Waiting(Duration),
    /// It is slow: its deliveries are held, and its probe sends one at a time.
    Slow,
    /// An attempt hangs: no other one starts for so long.
    Hanging(Duration),
    /// It gets its deliveries.
    Active,
}

impl Condition {
    pub(crate) fn of(status: &EndpointStatus, now: Timestamp) -> Self {
        match status.endpoint.state {
            State::Disabled => Self::Disabled,
            State::Paused => Self::Paused,
            State::Active => Self::of_circuit(&status.circuit, now),
        }
    }

    fn of_circuit(circuit: &Circuit, now: Timestamp) -> Self {
        let wait = circuit.wait(now);
        match circuit.hanging_for(now) {
            _ if circuit.is_open() => Self::Open,
            _ if !wait.is_zero() => Self::Waiting(wait),
            _ if circuit.is_slow() => Self::Slow,
            Some(left) => Self::Hanging(left),
            None => Self::Active,
        }
    }

    /// The word for tables and JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::Open => "open",
            Self::Waiting(_) => "waiting",
            Self::Slow | Self::Hanging(_) => "slow",
            Self::Active => "active",
        }
    }

    /// Why a new delivery is held, if it is.
    pub(crate) fn holds(self) -> Option<&'static str> {
        match self {
            Self::Disabled => Some("the endpoint is disabled"),
            Self::Paused => Some("the endpoint is paused"),
            Self::Open => Some("the endpoint's circuit is open"),
            Self::Waiting(_) => Some("the endpoint asked for a wait"),
            Self::Slow => Some("the endpoint is slow"),
            Self::Hanging(_) | Self::Active => None,
        }
    }
}

/// Why the deliveries of an endpoint are held until the operator acts, whatever its circuit is.
pub(crate) fn held_by_state(endpoint: &Endpoint) -> Option<&'static str> {
    match endpoint.state {
        State::Active => None,
        State::Paused => Condition::Paused.holds(),
        State::Disabled => Condition::Disabled.holds(),
    }
}

/// Writes a note if the deliveries of an endpoint, which are `resent` or `replayed`, are held.
pub(crate) fn note_if_held(endpoint: &Endpoint, sent: &str, output: &Output) {
    if let Some(reason) = held_by_state(endpoint) {
        output.note(&format!(
            "{reason}: deliveries that are {sent} to {} are held until it is active again",
            endpoint.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{NOW, now, status};

    #[test]
    fn an_endpoint_is_in_one_condition() {
        let millis = Duration::from_millis;
        let changes: [(fn(&mut EndpointStatus), _, _); 8] = [
            (|_| {}, Condition::Active, "active"),
            (
                |status| {
                    status.endpoint.state = State::Paused;
                    status.circuit.opened_at = Some(1);
                },
                Condition::Paused,
                "paused",
            ),
            (
                |status| status.endpoint.state = State::Disabled,
                Condition::Disabled,
                "disabled",
            ),
            (
                |status| {
                    status.circuit.opened_at = Some(1);
                    status.circuit.slow_since = Some(1);
                },
                Condition::Open,
                "open",
            ),
            (
                |status| {
                    status.circuit.wait_until = Some(NOW + 70);
                    status.circuit.hanging_until = Some(NOW + 9);
                },
                Condition::Waiting(millis(70)),
                "waiting",
            ),
            (
                |status| status.circuit.slow_since = Some(1),
                Condition::Slow,
                "slow",
            ),
            (
                |status| status.circuit.hanging_until = Some(NOW + 70),
                Condition::Hanging(millis(70)),
                "slow",
            ),
            (
                |status| status.circuit.hanging_until = Some(NOW),
                Condition::Active,
                "active",
            ),
        ];
        for (change, expected, name) in changes {
            let condition = Condition::of(&status(change), now());
            assert_eq!((condition, condition.name()), (expected, name));
        }
    }
}
