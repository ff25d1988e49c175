//! The log and metric line of a delivery.

use super::lifecycle::{Answer, NoAnswer, Tried, next_wait};
use crate::metrics::DeliveryLine;
use crate::store::deliveries::{Delivery, State};
use std::time::{Duration, SystemTime};

/// What an attempt came to, in one word for logs and metrics; nothing if no request was made. The delivery
/// does not count the attempt yet.
pub(super) fn outcome(tried: &Tried, delivery: &Delivery, retry: &[u64]) -> Option<&'static str> {
    match tried {
        Ok(Answer::Delivered) => Some("delivered"),
        Ok(Answer::Gone) => Some("gone"),
        Ok(Answer::Busy { .. }) => Some("wait"),
        Ok(Answer::Failed) | Err(NoAnswer::Unread) => {
            let is_last = next_wait(tried, delivery, retry).is_none();
            Some(if is_last { "exhausted" } else { "retry" })
        }
        Err(NoAnswer::Unsendable(_) | NoAnswer::Undeliverable(_)) => None,
    }
}

/// The line of a delivery in its new state.
pub(super) fn line(delivery: &Delivery, outcome: Option<&'static str>) -> DeliveryLine {
    let count = |state| (delivery.state == state).then_some(1);
    let attempt = delivery.history.last().filter(|_| outcome.is_some());
    let duration = attempt.map(|attempt| Duration::from_millis(attempt.duration_ms));
    let latency = attempt.filter(|_| delivery.attempts == 1).map(|attempt| {
        let since = attempt.at.saturating_sub(delivery.event.accepted_at);
        Duration::from_millis(u64::try_from(since).unwrap_or_default() + attempt.duration_ms)
    });
    // A wait that the endpoint asks for is no failure.
    let is_failed = |outcome: &&str| matches!(*outcome, "gone" | "retry" | "exhausted");
    DeliveryLine {
        timestamp: SystemTime::now(),
        endpoint: delivery.endpoint.clone(),
        delivery_id: delivery.id.clone(),
        event_id: delivery.event.id.clone(),
        state: delivery.state.name(),
        outcome,
        attempts: delivery.attempts,
        status: attempt.and_then(|attempt| attempt.status),
        error: attempt.and_then(|attempt| attempt.error.clone()),
        reason: attempt
            .and_then(|attempt| attempt.reason.clone())
            .or(delivery.reason.clone()),
        attempt_ms: duration,
        latency_ms: latency,
        delivered: count(State::Delivered),
        failed_attempts: outcome.filter(is_failed).map(|_| 1),
        held: count(State::Held),
        exhausted: count(State::Exhausted),
        skipped: count(State::Skipped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::lifecycle::{HoldReason, SkipReason};
    use crate::store::endpoints::test::event;
    use jiff::Timestamp;

    #[test]
    fn each_outcome_has_a_word_of_its_own_and_a_wait_that_is_asked_for_is_no_failed_attempt() {
        let until = Timestamp::UNIX_EPOCH;
        let skip = NoAnswer::Undeliverable(SkipReason::EventForgotten);
        for (tried, retry, word, failed) in [
            (Ok(Answer::Delivered), &[5][..], Some("delivered"), None),
            (Ok(Answer::Gone), &[5], Some("gone"), Some(1)),
            (Ok(Answer::Busy { until }), &[], Some("wait"), None),
            (Ok(Answer::Failed), &[5], Some("retry"), Some(1)),
            (Ok(Answer::Failed), &[], Some("exhausted"), Some(1)),
            (Err(NoAnswer::Unread), &[], Some("retry"), Some(1)),
            (
                Err(NoAnswer::Unsendable(HoldReason::Secret)),
                &[5],
                None,
                None,
            ),
            (Err(skip), &[5], None, None),
        ] {
            let mut delivery = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
            let outcome = outcome(&tried, &delivery, retry);
            assert_eq!(outcome, word, "{tried:?}");
            delivery.turn(State::Held, None, until);
            assert_eq!(
                line(&delivery, outcome).failed_attempts,
                failed,
                "{tried:?}"
            );
        }
    }
}
