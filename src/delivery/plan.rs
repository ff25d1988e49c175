//! What is to be done about a delivery before it is tried. Pure: from what the operator says of the endpoint, what was
//! seen of it, and what became of the delivery so far.

use crate::store::deliveries::{Delivery, State as Course};
use crate::store::endpoints::{EndpointStatus, State};
use jiff::Timestamp;
use std::time::Duration;

/// Why a delivery to an endpoint that is not there any more is skipped.
pub const DELETED: &str = "the endpoint was deleted";

/// Why a delivery of an event that the ledger has forgotten is skipped.
pub const FORGOTTEN: &str = "the ledger does not have the event any more";

/// Why a delivery is held: the operator paused its endpoint,
pub const PAUSED: &str = "the endpoint is paused";

/// the endpoint is disabled,
pub const DISABLED: &str = "the endpoint is disabled";

/// it failed too often in a row,
pub const OPEN: &str = "the endpoint's circuit is open";

/// it asked for it by `Retry-After`,
pub const ASKED: &str = "the endpoint asked to be left alone";

/// it has a rate, which the probe keeps,
pub const PACED: &str = "the endpoint's rate is kept";

/// none of its secrets signs,
pub const SECRET: &str = "its secret cannot be opened";

/// a header of its own cannot be sent,
pub const HEADERS: &str = "its headers cannot be sent";

/// it is slow, so that its probe alone tries it,
pub const SLOW: &str = "the endpoint is slow";

/// or it was held before, and its turn comes.
pub const DRAINING: &str = "what was held before it comes first";

/// From so many receives on, a message is replaced or its delivery held: the queue gives up on it after 50.
pub const RENEWAL: u32 = 20;

/// What is to be done about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: it was dealt with, and this is a copy of its message.
    Done,
    /// It can never be delivered.
    Skip(&'static str),
    /// It waits for its endpoint, off the queue, for this reason.
    Hold(&'static str),
    /// It comes again after so long: another invocation has the turn at its endpoint, which is not known to be quick.
    Later(Duration),
    /// It is tried.
    Attempt,
}

/// Decides on a delivery from the queue, whose message was received so often.
pub fn plan(
    record: &Delivery,
    standing: Option<&EndpointStatus>,
    receives: u32,
    now: Timestamp,
) -> Plan {
    match record.state {
        Course::Delivered | Course::Exhausted | Course::Skipped => return Plan::Done,
        Course::Pending | Course::Held => {}
    }
    let Some(EndpointStatus { endpoint, circuit }) = standing else {
        return Plan::Skip(DELETED);
    };
    let reason = match endpoint.state {
        State::Paused => Some(PAUSED),
        State::Disabled => Some(DISABLED),
        State::Active if circuit.is_open() => Some(OPEN),
        State::Active if !circuit.wait(now).is_zero() => Some(ASKED),
        State::Active if endpoint.rate.is_some() => Some(PACED),
        State::Active if circuit.is_slow() => Some(SLOW),
        // The probe that works off what is held has it already.
        State::Active if record.state == Course::Held => Some(DRAINING),
        State::Active => None,
    };
    match (reason, circuit.slow(now)) {
        (Some(reason), _) => Plan::Hold(reason),
        // The queue gives up on a message that comes too often.
        (None, Some(_)) if receives >= RENEWAL => Plan::Hold(SLOW),
        (None, Some(left)) => Plan::Later(left),
        (None, None) => Plan::Attempt,
    }
}

/// Begins the schedule of a delivery anew, if the operator resends it and this was not done yet. An event that is
/// replayed says so from then on, in each attempt.
pub fn begin_anew(record: &mut Delivery, resend: Option<&str>, replayed: bool) {
    if let Some(resend) = resend.filter(|resend| record.resend.as_deref() != Some(*resend)) {
        record.event.replayed |= replayed;
        record.resend = Some(resend.to_owned());
        record.failures = 0;
        record.state = Course::Pending;
        record.reason = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::circuit::Circuit;
    use crate::store::endpoints::test::{endpoint, event};

    const NOW: i64 = 1_790_000_000_000;

    fn planned(record: &Delivery, standing: Option<&EndpointStatus>) -> Plan {
        plan(
            record,
            standing,
            1,
            Timestamp::from_millisecond(NOW).unwrap(),
        )
    }

    fn record(state: Course) -> Delivery {
        let mut record = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
        record.state = state;
        record
    }

    fn standing() -> EndpointStatus {
        EndpointStatus {
            endpoint: endpoint(),
            circuit: Circuit::default(),
        }
    }

    #[test]
    fn what_was_dealt_with_is_not_sent_again() {
        for state in [Course::Delivered, Course::Exhausted, Course::Skipped] {
            assert_eq!(planned(&record(state), Some(&standing())), Plan::Done);
            assert_eq!(planned(&record(state), None), Plan::Done);
        }
    }

    #[test]
    fn an_endpoint_that_is_well_gets_its_deliveries() {
        let pending = record(Course::Pending);
        assert_eq!(planned(&pending, Some(&standing())), Plan::Attempt);
        assert_eq!(planned(&pending, None), Plan::Skip(DELETED));
    }

    #[test]
    fn what_cannot_be_sent_now_is_held() {
        let changes: [(fn(&mut EndpointStatus), _); 6] = [
            (|it| it.endpoint.state = State::Paused, PAUSED),
            (|it| it.endpoint.state = State::Disabled, DISABLED),
            (|it| it.circuit.opened_at = Some(1), OPEN),
            (|it| it.circuit.wait_until = Some(NOW + 1), ASKED),
            (|it| it.endpoint.rate = Some(5), PACED),
            (|it| it.circuit.slow_since = Some(1), SLOW),
        ];
        for (change, reason) in changes {
            let mut standing = standing();
            change(&mut standing);
            for state in [Course::Pending, Course::Held] {
                let planned = planned(&record(state), Some(&standing));
                assert_eq!(planned, Plan::Hold(reason), "{state:?}");
            }
        }
        let held = planned(&record(Course::Held), Some(&standing()));
        assert_eq!(held, Plan::Hold(DRAINING));
        let mut over = standing();
        over.circuit.wait_until = Some(NOW);
        over.circuit.failures = 9;
        assert_eq!(
            planned(&record(Course::Pending), Some(&over)),
            Plan::Attempt
        );
    }

    #[test]
    fn where_another_invocation_has_the_turn_none_is_made() {
        let now = Timestamp::from_millisecond(NOW).unwrap();
        let mut slow = standing();
        slow.circuit.slow_until = Some(NOW + 2_000);
        let planned = |receives| plan(&record(Course::Pending), Some(&slow), receives, now);
        assert_eq!(planned(1), Plan::Later(Duration::from_secs(2)));
        assert_eq!(planned(19), Plan::Later(Duration::from_secs(2)));
        assert_eq!(planned(20), Plan::Hold(SLOW));
        slow.circuit.slow_until = Some(NOW);
        let planned = plan(&record(Course::Pending), Some(&slow), 20, now);
        assert_eq!(planned, Plan::Attempt, "the turn is free");
    }

    #[test]
    fn a_resending_begins_the_schedule_anew_and_once() {
        let mut exhausted = record(Course::Exhausted);
        exhausted.attempts = 12;
        exhausted.failures = 12;
        begin_anew(&mut exhausted, None, true);
        assert!(!exhausted.event.replayed);
        assert_eq!(planned(&exhausted, Some(&standing())), Plan::Done);
        begin_anew(&mut exhausted, Some("a"), false);
        assert_eq!(planned(&exhausted, Some(&standing())), Plan::Attempt);
        assert_eq!((exhausted.attempts, exhausted.failures), (12, 0));
        exhausted.state = Course::Delivered;
        exhausted.failures = 1;
        begin_anew(&mut exhausted, Some("a"), false);
        assert_eq!(planned(&exhausted, Some(&standing())), Plan::Done);
        assert_eq!(exhausted.failures, 1);
    }

    #[test]
    fn an_event_that_is_replayed_says_so_from_then_on() {
        let mut delivered = record(Course::Delivered);
        begin_anew(&mut delivered, Some("a"), true);
        assert!(delivered.event.replayed);
        delivered.state = Course::Exhausted;
        for (resend, replayed) in [(Some("a"), true), (None, false), (Some("b"), false)] {
            begin_anew(&mut delivered, resend, replayed);
            assert!(delivered.event.replayed, "{resend:?}");
        }
    }
}
