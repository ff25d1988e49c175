//! When an endpoint is tried next. Pure.

use crate::condition::held_by_state;
use jiff::Timestamp;
use webhook_gateway::store::deliveries::{Delivery, State};
use webhook_gateway::store::endpoints::EndpointStatus;

/// The number of newest deliveries among which the next attempt of an endpoint is looked for.
pub(crate) const NEWEST: i32 = 100;

/// The time of the next attempt, at the latest, by the newest deliveries of the endpoint; in milliseconds.
///
/// What is held for an endpoint that waits is sent after the wait.
pub(crate) fn next_attempt(
    status: &EndpointStatus,
    newest: &[Delivery],
    now: Timestamp,
) -> Option<i64> {
    if held_by_state(&status.endpoint).is_some() {
        return None;
    }
    let wait = status.circuit.wait(now);
    if !wait.is_zero() {
        let wait = i64::try_from(wait.as_millis()).ok()?;
        return now.as_millisecond().checked_add(wait);
    }
    let pending = newest
        .iter()
        .filter(|delivery| delivery.state == State::Pending);
    pending
        .filter_map(|delivery| delivery.next_attempt_at)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{NOW, delivery, now, status};
    use webhook_gateway::store::endpoints;

    #[test]
    fn the_next_attempt_comes_after_a_wait_or_with_the_first_pending_delivery() {
        let of = |next, state| {
            let mut delivery = delivery(state);
            delivery.next_attempt_at = next;
            delivery
        };
        let newest = [
            of(Some(NOW + 9), State::Pending),
            of(Some(NOW + 5), State::Pending),
            of(Some(NOW + 1), State::Exhausted),
            of(None, State::Pending),
        ];
        let changes: [(fn(&mut EndpointStatus), _); 7] = [
            (|_| {}, Some(NOW + 5)),
            (
                |status| status.endpoint.state = endpoints::State::Paused,
                None,
            ),
            (
                |status| status.endpoint.state = endpoints::State::Disabled,
                None,
            ),
            (
                |status| status.circuit.opened_at = Some(1),
                Some(NOW + 60_000),
            ),
            (
                |status| status.circuit.wait_until = Some(NOW + 70),
                Some(NOW + 70),
            ),
            (
                |status| status.circuit.hanging_until = Some(NOW + 70),
                Some(NOW + 5),
            ),
            (|status| status.circuit.slow_since = Some(1), Some(NOW + 5)),
        ];
        for (change, expected) in changes {
            let status = status(change);
            assert_eq!(
                next_attempt(&status, &newest, now()),
                expected,
                "{status:?}"
            );
        }
        assert_eq!(next_attempt(&status(|_| {}), &[], now()), None);
    }
}
