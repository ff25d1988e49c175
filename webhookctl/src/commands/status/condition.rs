//! How an endpoint is doing, in a word, and when it is tried next. Pure.

use jiff::Timestamp;
use webhook_gateway::store::deliveries::{Delivery, State as Course};
use webhook_gateway::store::endpoints::{EndpointStatus, State};

/// The state of an endpoint, or that of its circuit.
pub(crate) fn state(standing: &EndpointStatus, now: Timestamp) -> &'static str {
    let circuit = &standing.circuit;
    match standing.endpoint.state {
        State::Paused => "paused",
        State::Disabled => "disabled",
        State::Active if circuit.is_open() => "open",
        State::Active if !circuit.wait(now).is_zero() => "waiting",
        State::Active if circuit.is_slow() || circuit.hanging_for(now).is_some() => "slow",
        State::Active => "active",
    }
}

/// When the endpoint is tried next, at the latest, by the newest of its deliveries; in milliseconds.
///
/// An endpoint that is left alone is tried after that, with what is held for it.
pub(crate) fn next_attempt(
    standing: &EndpointStatus,
    newest: &[Delivery],
    now: Timestamp,
) -> Option<i64> {
    if standing.endpoint.state != State::Active {
        return None;
    }
    let wait = standing.circuit.wait(now);
    if !wait.is_zero() {
        let wait = i64::try_from(wait.as_millis()).ok()?;
        return now.as_millisecond().checked_add(wait);
    }
    let pending = newest
        .iter()
        .filter(|pending| pending.state == Course::Pending);
    pending.filter_map(|pending| pending.next_attempt_at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::sample;
    use webhook_gateway::event::EventMeta;
    use webhook_gateway::store::endpoints::circuit::Circuit;

    const NOW: i64 = 1_790_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW).unwrap()
    }

    fn standing(change: impl FnOnce(&mut EndpointStatus)) -> EndpointStatus {
        let mut standing = EndpointStatus {
            endpoint: sample(),
            circuit: Circuit::default(),
        };
        change(&mut standing);
        standing
    }

    fn pending(next: Option<i64>, state: Course) -> Delivery {
        let event = EventMeta {
            key: "studio#1".to_owned(),
            id: "1".to_owned(),
            event_type: "a.b".to_owned(),
            source: "studio".to_owned(),
            provider: "creative-force".to_owned(),
            accepted_at: NOW,
            conflict: false,
            replayed: false,
        };
        let mut record = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event);
        record.state = state;
        record.next_attempt_at = next;
        record
    }

    #[test]
    fn an_endpoint_has_a_state_and_is_tried_next_by_it() {
        let newest = [
            pending(Some(NOW + 9), Course::Pending),
            pending(Some(NOW + 5), Course::Pending),
            pending(Some(NOW + 1), Course::Exhausted),
            pending(None, Course::Pending),
        ];
        let changes: [(fn(&mut EndpointStatus), _, _); 7] = [
            (|_| {}, "active", Some(NOW + 5)),
            (
                |status| status.endpoint.state = State::Paused,
                "paused",
                None,
            ),
            (
                |status| status.endpoint.state = State::Disabled,
                "disabled",
                None,
            ),
            (
                |status| status.circuit.opened_at = Some(1),
                "open",
                Some(NOW + 60_000),
            ),
            (
                |status| status.circuit.wait_until = Some(NOW + 70),
                "waiting",
                Some(NOW + 70),
            ),
            (
                |status| status.circuit.hanging_until = Some(NOW + 70),
                "slow",
                Some(NOW + 5),
            ),
            (
                |status| status.circuit.slow_since = Some(1),
                "slow",
                Some(NOW + 5),
            ),
        ];
        for (change, name, next) in changes {
            let standing = standing(change);
            assert_eq!(state(&standing, now()), name);
            assert_eq!(next_attempt(&standing, &newest, now()), next, "{name}");
        }
        assert_eq!(next_attempt(&standing(|_| {}), &[], now()), None);
    }
}
