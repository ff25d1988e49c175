//! The life of a delivery: what becomes of one event on its way to one endpoint. Pure, and decided here
//! alone.
//!
//! A delivery comes from its message on the delivery queue, or from the queue of what is held for its
//! endpoint. Each time it passes through four steps:
//!
//! 1. [`before`] looks at the delivery and at its endpoint. It says whether an attempt is made.
//! 2. The attempt gives an [`Answer`], which is what the endpoint said and nothing else, or a [`NoAnswer`].
//! 3. The endpoint's circuit is updated by the answers. It may open or close, and the endpoint may be
//!    disabled.
//! 4. [`after`] decides what becomes of the delivery, by the answer and by the endpoint as it is after step
//!    3. [`apply`] puts the delivery into its new state and says what is written and what happens to its
//!    message.
//!
//! Step 3 comes before step 4, and a decision is final. The tenth failure in a row therefore opens the
//! circuit first, and the delivery that failed is held, not retried. If it was also the last attempt, the
//! delivery is exhausted.
//!
//! A 429 with `Retry-After` holds a delivery whatever its schedule: `attempts` goes up, `failures` does not,
//! and the probe sends it after the wait.
//!
//! The process may die between an answer and the write that records it. Then no record says that there was an
//! attempt, and the message is still on the queue, or the entry still in the queue of what is held. The
//! delivery comes again, and the endpoint gets the event a second time under the same `webhook-id`. The other
//! order, to delete first and to write then, would lose deliveries. `settle.rs` keeps this order for each
//! [`Change`].

use crate::backoff::jittered;
use crate::store::deliveries::{Delivery, State};
use crate::store::endpoints::{self, DEFAULT_RETRY, EndpointStatus};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::time::Duration;

/// A delivery whose message was received so often while its endpoint hangs is held: the queue gives up on a
/// message after 50 receives.
pub const HOLD_AFTER_RECEIVES: u32 = 20;

/// What happens to a delivery from the delivery queue before an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<'a> {
    /// It is sent to this endpoint.
    Attempt(&'a EndpointStatus),
    /// Its message comes again after so long: another invocation waits for the endpoint, which may be
    /// hanging.
    Defer(Duration),
    /// It is held until its endpoint takes deliveries.
    Hold(HoldReason),
    /// It can never be delivered.
    Skip(SkipReason),
    /// It was settled before, and its message is a copy.
    Settled,
}

/// What the endpoint said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has the event: 2xx.
    Delivered,
    /// It wants no deliveries any more: 410.
    Gone,
    /// It wants to be left alone for a while: 429 or 503 with a valid `Retry-After`.
    Busy {
        /// The end of the wait, at most 12 hours from now.
        until: Timestamp,
    },
    /// Anything else, or no answer at all.
    Failed,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// The gateway could not read the event's body, which is not the endpoint's fault.
    Unread,
    /// The endpoint's settings make no request. This counts as a failure of the endpoint.
    Unsendable(HoldReason),
    /// The event has no body that can be sent.
    Undeliverable(SkipReason),
}

/// What an attempt came to.
pub type Tried = Result<Answer, NoAnswer>;

/// Where a delivery comes from, which is where it goes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its message on the delivery queue.
    Queue,
    /// The queue of what is held for its endpoint, whose circuit is closed.
    Held,
    /// The same queue, while the circuit is open: this delivery probes the endpoint.
    Probe,
}

/// What becomes of a delivery. Final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The endpoint has it.
    Delivered,
    /// It is sent again after so long.
    Retry(Duration),
    /// It is held until its endpoint takes deliveries.
    Hold(HoldReason),
    /// Its attempts are used up. The operator can resend it.
    Exhausted,
    /// It can never be delivered.
    Skip(SkipReason),
}

/// Why a delivery is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The operator paused the endpoint.
    Paused,
    /// The endpoint is disabled.
    Disabled,
    /// The endpoint failed too often in a row.
    CircuitOpen,
    /// The endpoint asked for it by `Retry-After`.
    Busy,
    /// The endpoint has a rate, which its probe keeps.
    Rate,
    /// None of the endpoint's secrets signs.
    Secret,
    /// A header of the endpoint cannot be sent.
    Headers,
    /// The endpoint is slow: its probe alone sends to it.
    Slow,
    /// The delivery was held before, and its turn comes.
    Draining,
}

/// Why a delivery can never be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// The endpoint was deleted.
    EndpointDeleted,
    /// The ledger does not have the event any more.
    EventForgotten,
    /// The event has no body that can be sent, for this reason.
    NoBody(String),
}

/// What is written of a delivery, and what then happens to its message or to its entry among what is held.
/// Each is done in the order of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its record is written, its message deleted.
    Acknowledge,
    /// Its record is written, its message comes again after so long.
    Reschedule(Duration),
    /// Its entry is put among what is held, its record written, a probe ensured, its message deleted.
    Hold,
    /// Its record is written, its entry stays.
    StayHeld,
    /// A message that is due after so long is sent for it, its record written, its entry removed.
    Requeue(Duration),
    /// Its record is written, its entry removed.
    Release,
}

/// Decides on a delivery from the delivery queue, whose message was received so often.
pub fn before<'a>(
    delivery: &Delivery,
    endpoint: Option<&'a EndpointStatus>,
    receives: u32,
    now: Timestamp,
) -> Step<'a> {
    match delivery.state {
        State::Delivered | State::Exhausted | State::Skipped => return Step::Settled,
        State::Pending | State::Held => {}
    }
    let Some(status) = endpoint else {
        return Step::Skip(SkipReason::EndpointDeleted);
    };
    if let Some(reason) = why_closed(status) {
        return Step::Hold(reason);
    }
    let EndpointStatus { endpoint, circuit } = status;
    // From here on the endpoint takes deliveries. Each of these leaves them to its probe, which sends one
    // after the other, at its time.
    if !circuit.wait(now).is_zero() {
        return Step::Hold(HoldReason::Busy);
    }
    if endpoint.rate.is_some() {
        return Step::Hold(HoldReason::Rate);
    }
    if circuit.is_slow() {
        return Step::Hold(HoldReason::Slow);
    }
    // The probe that drains what is held has this delivery already.
    if delivery.state == State::Held {
        return Step::Hold(HoldReason::Draining);
    }
    match circuit.hanging_for(now) {
        Some(_) if receives >= HOLD_AFTER_RECEIVES => Step::Hold(HoldReason::Slow),
        Some(left) => Step::Defer(left),
        None => Step::Attempt(status),
    }
}

/// Whether a delivery that is held was delivered before: only its entry is left, and is removed.
pub fn is_leftover(delivery: &Delivery) -> bool {
    delivery.state == State::Delivered
}

/// Decides what becomes of a delivery after an attempt, by its endpoint as it is after its circuit was
/// updated. `jitter` is a random number from 0 to 1.
pub fn after(
    tried: &Tried,
    delivery: &Delivery,
    endpoint: &EndpointStatus,
    origin: Origin,
    jitter: f64,
) -> Disposition {
    let closed = why_closed(endpoint);
    match tried {
        Ok(Answer::Delivered) => Disposition::Delivered,
        // Step 3 disabled the endpoint. If that failed, the probe asks it once more.
        Ok(Answer::Gone) => Disposition::Hold(HoldReason::Disabled),
        // To be busy is no failure: the schedule is where it was, however often the endpoint asks.
        Ok(Answer::Busy { .. }) => Disposition::Hold(closed.unwrap_or(HoldReason::Busy)),
        Ok(Answer::Failed) => {
            match (origin, next_wait(tried, delivery, &endpoint.endpoint.retry)) {
                // That it probed a dead endpoint is not the delivery's fault: a probe uses up nothing.
                (Origin::Probe, _) => Disposition::Hold(closed.unwrap_or(HoldReason::Draining)),
                // Also where the endpoint is closed: it would be held only to be exhausted later.
                (Origin::Queue | Origin::Held, None) => Disposition::Exhausted,
                (Origin::Queue | Origin::Held, Some(wait)) => match closed {
                    Some(reason) => Disposition::Hold(reason),
                    None => Disposition::Retry(jittered(wait, jitter)),
                },
            }
        }
        // The gateway's own fault, whatever the endpoint is. It has a schedule of its own.
        Err(NoAnswer::Unread) => match next_wait(tried, delivery, &endpoint.endpoint.retry) {
            Some(wait) => Disposition::Retry(jittered(wait, jitter)),
            None => Disposition::Exhausted,
        },
        Err(NoAnswer::Unsendable(reason)) => Disposition::Hold(*reason),
        Err(NoAnswer::Undeliverable(reason)) => Disposition::Skip(reason.clone()),
    }
}

/// Puts a delivery into its new state, counts its failure, and says what is done about it.
pub fn apply(
    delivery: &mut Delivery,
    tried: Option<&Tried>,
    disposition: Disposition,
    origin: Origin,
    now: Timestamp,
) -> Change {
    if tried == Some(&Ok(Answer::Failed)) && origin != Origin::Probe {
        delivery.failures += 1;
    }
    let is_queued = origin == Origin::Queue;
    let settled = if is_queued {
        Change::Acknowledge
    } else {
        Change::Release
    };
    let (state, reason, change) = match disposition {
        Disposition::Delivered => (State::Delivered, None, settled),
        Disposition::Exhausted => (State::Exhausted, None, settled),
        Disposition::Skip(reason) => (State::Skipped, Some(reason.to_string()), settled),
        Disposition::Retry(wait) if is_queued => (State::Pending, None, Change::Reschedule(wait)),
        Disposition::Retry(wait) => (State::Pending, None, Change::Requeue(wait)),
        Disposition::Hold(reason) => {
            let change = if is_queued {
                Change::Hold
            } else {
                Change::StayHeld
            };
            (State::Held, Some(reason.to_string()), change)
        }
    };
    delivery.turn(state, reason, now);
    if let Change::Reschedule(wait) | Change::Requeue(wait) = change {
        let due = SignedDuration::try_from(wait).ok();
        let due = due.and_then(|wait| now.checked_add(wait).ok());
        delivery.next_attempt_at = due.map(Timestamp::as_millisecond);
    }
    change
}

/// The wait that the schedule has after this attempt; none if the attempts are used up. The delivery does not
/// count the attempt yet.
pub(super) fn next_wait(tried: &Tried, delivery: &Delivery, retry: &[u64]) -> Option<Duration> {
    let (failures, schedule) = match tried {
        // An endpoint that is tried only once does not give up a delivery because the gateway cannot read the
        // event.
        Err(NoAnswer::Unread) => (delivery.unread().saturating_sub(1), &DEFAULT_RETRY[..]),
        Ok(_) | Err(NoAnswer::Unsendable(_) | NoAnswer::Undeliverable(_)) => {
            (delivery.failures, retry)
        }
    };
    let next = usize::try_from(failures).unwrap_or(usize::MAX);
    schedule
        .get(next)
        .map(|seconds| Duration::from_secs(*seconds))
}

/// Why an endpoint gets no deliveries at all, if it does not.
fn why_closed(EndpointStatus { endpoint, circuit }: &EndpointStatus) -> Option<HoldReason> {
    match endpoint.state {
        endpoints::State::Paused => Some(HoldReason::Paused),
        endpoints::State::Disabled => Some(HoldReason::Disabled),
        endpoints::State::Active => circuit.is_open().then_some(HoldReason::CircuitOpen),
    }
}

/// Starts the schedule of a delivery again, if the operator resends it and this was not done yet. An event
/// that is replayed says so from then on, in each attempt.
pub fn apply_resend(delivery: &mut Delivery, resend: Option<&str>, replayed: bool) {
    if let Some(resend) = resend.filter(|resend| delivery.resend.as_deref() != Some(*resend)) {
        delivery.event.replayed |= replayed;
        delivery.resend = Some(resend.to_owned());
        delivery.failures = 0;
        delivery.state = State::Pending;
        delivery.reason = None;
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paused => "the endpoint is paused",
            Self::Disabled => "the endpoint is disabled",
            Self::CircuitOpen => "the endpoint's circuit is open",
            Self::Busy => "the endpoint asked to be left alone",
            Self::Rate => "the endpoint's rate is kept",
            Self::Secret => "its secret cannot be opened",
            Self::Headers => "its headers cannot be sent",
            Self::Slow => "the endpoint is slow",
            Self::Draining => "what was held before it comes first",
        })
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndpointDeleted => "the endpoint was deleted",
            Self::EventForgotten => "the ledger does not have the event any more",
            Self::NoBody(reason) => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::deliveries::{Attempt, UNREAD};
    use crate::store::endpoints::circuit::Circuit;
    use crate::store::endpoints::test::{endpoint, event};

    const NOW: i64 = 1_790_000_000_000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW).unwrap()
    }

    fn delivery(state: State) -> Delivery {
        let mut delivery = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
        delivery.state = state;
        delivery
    }

    fn status(change: impl FnOnce(&mut EndpointStatus)) -> EndpointStatus {
        let (endpoint, circuit) = (endpoint(), Circuit::default());
        let mut status = EndpointStatus { endpoint, circuit };
        change(&mut status);
        status
    }

    fn well() -> EndpointStatus {
        status(|_| {})
    }

    fn open() -> EndpointStatus {
        status(|status| status.circuit.opened_at = Some(1))
    }

    fn disabled() -> EndpointStatus {
        status(|status| status.endpoint.state = endpoints::State::Disabled)
    }

    /// A delivery in this state, to this endpoint, received so often: what happens.
    type Before = (State, Option<EndpointStatus>, u32, Step<'static>);

    fn before_attempt() -> Vec<Before> {
        use HoldReason::{Busy, CircuitOpen, Disabled, Draining, Paused, Rate, Slow};
        use State::{Delivered, Exhausted, Held, Pending, Skipped};
        let hold = Step::Hold;
        // The one step that borrows is told by its name; see the test.
        let attempt = || Step::Skip(SkipReason::NoBody("attempt".to_owned()));
        let paused = || status(|status| status.endpoint.state = endpoints::State::Paused);
        let busy = |until| status(|status| status.circuit.wait_until = Some(until));
        let rated = || status(|status| status.endpoint.rate = Some(5));
        let slow = || status(|status| status.circuit.slow_since = Some(1));
        let hanging = |until| status(|status| status.circuit.hanging_until = Some(until));
        let failing = || status(|status| status.circuit.failures = 9);
        let probed_again = || {
            status(|status| {
                status.circuit.asked = 10;
            })
        };
        let open_and_paused = || {
            let mut both = open();
            both.endpoint.state = endpoints::State::Paused;
            both
        };
        let left = Step::Defer(Duration::from_secs(2));
        let deleted = || Step::Skip(SkipReason::EndpointDeleted);
        vec![
            (Delivered, Some(well()), 1, Step::Settled),
            (Exhausted, Some(well()), 1, Step::Settled),
            (Skipped, Some(well()), 1, Step::Settled),
            (Delivered, None, 1, Step::Settled),
            (Pending, None, 1, deleted()),
            (Held, None, 1, deleted()),
            (Pending, Some(well()), 1, attempt()),
            (Pending, Some(well()), 49, attempt()),
            (Pending, Some(failing()), 1, attempt()),
            (Held, Some(well()), 1, hold(Draining)),
            (Pending, Some(paused()), 1, hold(Paused)),
            (Held, Some(paused()), 1, hold(Paused)),
            (Pending, Some(open_and_paused()), 1, hold(Paused)),
            (Pending, Some(disabled()), 1, hold(Disabled)),
            (Held, Some(disabled()), 1, hold(Disabled)),
            (Pending, Some(open()), 1, hold(CircuitOpen)),
            (Held, Some(open()), 1, hold(CircuitOpen)),
            (Pending, Some(busy(NOW + 1)), 1, hold(Busy)),
            (Held, Some(busy(NOW + 1)), 1, hold(Busy)),
            (Pending, Some(busy(NOW)), 1, attempt()),
            (Pending, Some(probed_again()), 1, hold(Busy)),
            (Pending, Some(rated()), 1, hold(Rate)),
            (Held, Some(rated()), 1, hold(Rate)),
            (Pending, Some(slow()), 1, hold(Slow)),
            (Held, Some(slow()), 1, hold(Slow)),
            (Pending, Some(hanging(NOW + 2_000)), 1, left.clone()),
            (Pending, Some(hanging(NOW + 2_000)), 19, left),
            (Pending, Some(hanging(NOW + 2_000)), 20, hold(Slow)),
            (Pending, Some(hanging(NOW)), 20, attempt()),
            (Held, Some(hanging(NOW + 2_000)), 1, hold(Draining)),
        ]
    }

    #[test]
    fn whether_an_attempt_is_made_goes_by_the_delivery_and_by_its_endpoint() {
        for (state, endpoint, receives, expected) in before_attempt() {
            let what = format!("{state:?} {endpoint:?} {receives}");
            let expected = match (&endpoint, expected) {
                (Some(status), Step::Skip(SkipReason::NoBody(_))) => Step::Attempt(status),
                (_, expected) => expected,
            };
            let step = before(&delivery(state), endpoint.as_ref(), receives, now());
            assert_eq!(step, expected, "{what}");
        }
    }

    /// An attempt of a delivery that failed so often before, the endpoint after it, and where the delivery
    /// came from: what becomes of it, and whether its schedule goes on by a step.
    type After = (Tried, u32, EndpointStatus, Origin, Disposition, bool);

    /// The schedule of the default endpoint has 11 waits, the first of 5 s.
    fn after_attempt() -> Vec<After> {
        use Disposition::{Delivered, Exhausted, Hold, Retry, Skip};
        use HoldReason::{Busy, CircuitOpen, Disabled, Draining, Secret};
        use Origin::{Held, Probe, Queue};
        let (delivered, gone, failed) = (Answer::Delivered, Answer::Gone, Answer::Failed);
        let busy = Answer::Busy {
            until: Timestamp::MAX,
        };
        let once = || status(|status| status.endpoint.retry = Vec::new());
        let first = || Retry(Duration::from_secs(5));
        let unread = || Err(NoAnswer::Unread);
        let unsendable = || Err(NoAnswer::Unsendable(Secret));
        let skip = SkipReason::EventForgotten;
        let undeliverable = || Err(NoAnswer::Undeliverable(skip.clone()));
        vec![
            (Ok(delivered), 0, well(), Queue, Delivered, false),
            (Ok(delivered), 11, open(), Queue, Delivered, false),
            (Ok(delivered), 0, well(), Held, Delivered, false),
            (Ok(delivered), 0, well(), Probe, Delivered, false),
            (Ok(delivered), 0, disabled(), Probe, Delivered, false),
            (Ok(gone), 0, disabled(), Queue, Hold(Disabled), false),
            (Ok(gone), 11, open(), Probe, Hold(Disabled), false),
            (Ok(gone), 0, well(), Held, Hold(Disabled), false),
            // 429 with Retry-After on the first attempt, and on the last.
            (Ok(busy), 0, well(), Queue, Hold(Busy), false),
            (Ok(busy), 11, well(), Queue, Hold(Busy), false),
            (Ok(busy), 0, open(), Probe, Hold(CircuitOpen), false),
            (Ok(busy), 0, open(), Queue, Hold(CircuitOpen), false),
            (Ok(busy), 0, disabled(), Queue, Hold(Disabled), false),
            (Ok(failed), 0, well(), Queue, first(), true),
            (
                Ok(failed),
                1,
                well(),
                Queue,
                Retry(Duration::from_secs(300)),
                true,
            ),
            (
                Ok(failed),
                10,
                well(),
                Queue,
                Retry(Duration::from_hours(10)),
                true,
            ),
            (Ok(failed), 0, well(), Held, first(), true),
            (Ok(failed), 11, well(), Queue, Exhausted, true),
            (Ok(failed), 11, well(), Held, Exhausted, true),
            (Ok(failed), u32::MAX - 1, well(), Queue, Exhausted, true),
            (Ok(failed), 0, once(), Queue, Exhausted, true),
            // The tenth failure in a row opened the circuit; on the last attempt, too.
            (Ok(failed), 0, open(), Queue, Hold(CircuitOpen), true),
            (Ok(failed), 0, open(), Held, Hold(CircuitOpen), true),
            (Ok(failed), 0, disabled(), Queue, Hold(Disabled), true),
            (Ok(failed), 11, open(), Queue, Exhausted, true),
            (Ok(failed), 11, open(), Held, Exhausted, true),
            (Ok(failed), 11, disabled(), Queue, Exhausted, true),
            (Ok(failed), 0, open(), Probe, Hold(CircuitOpen), false),
            (Ok(failed), 11, open(), Probe, Hold(CircuitOpen), false),
            (Ok(failed), 11, disabled(), Probe, Hold(Disabled), false),
            (Ok(failed), 0, well(), Probe, Hold(Draining), false),
            (Ok(failed), 11, well(), Probe, Hold(Draining), false),
            (unread(), 0, well(), Queue, first(), false),
            (unread(), 11, once(), Queue, first(), false),
            (unread(), 0, open(), Held, first(), false),
            (unread(), 0, disabled(), Probe, first(), false),
            (unsendable(), 11, well(), Queue, Hold(Secret), false),
            (unsendable(), 0, open(), Probe, Hold(Secret), false),
            (undeliverable(), 0, well(), Queue, Skip(skip.clone()), false),
            (undeliverable(), 0, open(), Probe, Skip(skip.clone()), false),
        ]
    }

    /// A delivery that failed so often, whose last attempt could not read its event if it is so.
    fn tried_delivery(failures: u32, unread: usize) -> Delivery {
        let mut tried = delivery(State::Pending);
        tried.failures = failures;
        let attempt = Attempt {
            at: 0,
            duration_ms: 0,
            status: None,
            error: Some(UNREAD.to_owned()),
            reason: None,
            response: None,
        };
        tried.history = vec![attempt; unread];
        tried
    }

    #[test]
    fn what_becomes_of_a_delivery_goes_by_the_answer_and_by_its_endpoint() {
        for (tried, failures, status, origin, expected, counts) in after_attempt() {
            let what = format!("{tried:?} {failures} {status:?} {origin:?}");
            let mut delivery =
                tried_delivery(failures, usize::from(tried == Err(NoAnswer::Unread)));
            let disposition = after(&tried, &delivery, &status, origin, 0.5);
            assert_eq!(disposition, expected, "{what}");
            apply(&mut delivery, Some(&tried), disposition, origin, now());
            assert_eq!(delivery.failures, failures + u32::from(counts), "{what}");
        }
    }

    #[test]
    fn what_the_gateway_cannot_read_has_a_schedule_of_its_own() {
        let tried = Err(NoAnswer::Unread);
        for (unread, expected) in [
            (1, Disposition::Retry(Duration::from_secs(5))),
            (2, Disposition::Retry(Duration::from_secs(300))),
            (11, Disposition::Retry(Duration::from_hours(10))),
            (12, Disposition::Exhausted),
        ] {
            let delivery = tried_delivery(11, unread);
            let disposition = after(&tried, &delivery, &open(), Origin::Queue, 0.5);
            assert_eq!(disposition, expected, "{unread}");
        }
    }

    #[test]
    fn waits_are_a_fifth_shorter_or_longer() {
        for (jitter, seconds) in [(0.0, 4), (1.0, 6)] {
            for tried in [Ok(Answer::Failed), Err(NoAnswer::Unread)] {
                let retry = after(
                    &tried,
                    &tried_delivery(0, 1),
                    &well(),
                    Origin::Queue,
                    jitter,
                );
                assert_eq!(retry, Disposition::Retry(Duration::from_secs(seconds)));
            }
        }
    }

    /// What becomes of a delivery and where it came from: its state, why, and what is done.
    type Applied = (Disposition, Origin, State, Option<&'static str>, Change);

    fn applied() -> Vec<Applied> {
        use Disposition::{Delivered, Exhausted, Hold, Retry, Skip};
        use Origin::{Held, Probe, Queue};
        let wait = Duration::from_secs(5);
        let slow = (HoldReason::Slow, Some("the endpoint is slow"));
        let skip = || Skip(SkipReason::EndpointDeleted);
        let deleted = Some("the endpoint was deleted");
        vec![
            (
                Delivered,
                Queue,
                State::Delivered,
                None,
                Change::Acknowledge,
            ),
            (Delivered, Held, State::Delivered, None, Change::Release),
            (Delivered, Probe, State::Delivered, None, Change::Release),
            (
                Retry(wait),
                Queue,
                State::Pending,
                None,
                Change::Reschedule(wait),
            ),
            (
                Retry(wait),
                Held,
                State::Pending,
                None,
                Change::Requeue(wait),
            ),
            (
                Retry(wait),
                Probe,
                State::Pending,
                None,
                Change::Requeue(wait),
            ),
            (Hold(slow.0), Queue, State::Held, slow.1, Change::Hold),
            (Hold(slow.0), Held, State::Held, slow.1, Change::StayHeld),
            (Hold(slow.0), Probe, State::Held, slow.1, Change::StayHeld),
            (
                Exhausted,
                Queue,
                State::Exhausted,
                None,
                Change::Acknowledge,
            ),
            (Exhausted, Held, State::Exhausted, None, Change::Release),
            (Exhausted, Probe, State::Exhausted, None, Change::Release),
            (skip(), Queue, State::Skipped, deleted, Change::Acknowledge),
            (skip(), Held, State::Skipped, deleted, Change::Release),
            (skip(), Probe, State::Skipped, deleted, Change::Release),
        ]
    }

    #[test]
    fn what_becomes_of_a_delivery_is_written_and_moves_it() {
        for (disposition, origin, state, reason, change) in applied() {
            let what = format!("{disposition:?} {origin:?}");
            let mut delivery = delivery(State::Held);
            delivery.next_attempt_at = Some(1);
            let applied = apply(&mut delivery, None, disposition, origin, now());
            assert_eq!((applied, delivery.state), (change, state), "{what}");
            assert_eq!(delivery.reason.as_deref(), reason, "{what}");
            let due = (state == State::Pending).then_some(NOW + 5_000);
            assert_eq!(
                (delivery.next_attempt_at, delivery.updated_at),
                (due, NOW),
                "{what}"
            );
            assert_eq!(
                delivery.expires_at.is_none(),
                state == State::Held,
                "{what}"
            );
            assert_eq!(is_leftover(&delivery), state == State::Delivered, "{what}");
        }
    }

    #[test]
    fn a_resending_starts_the_schedule_again_and_once() {
        let step = |delivery: &Delivery| {
            matches!(before(delivery, Some(&well()), 1, now()), Step::Attempt(_))
        };
        let mut exhausted = tried_delivery(12, 0);
        exhausted.state = State::Exhausted;
        exhausted.attempts = 12;
        exhausted.reason = Some("why".to_owned());
        apply_resend(&mut exhausted, None, true);
        assert!(!exhausted.event.replayed && !step(&exhausted));
        apply_resend(&mut exhausted, Some("a"), false);
        assert!(step(&exhausted) && exhausted.reason.is_none());
        assert_eq!((exhausted.attempts, exhausted.failures), (12, 0));
        exhausted.state = State::Delivered;
        exhausted.failures = 1;
        apply_resend(&mut exhausted, Some("a"), false);
        assert!(!step(&exhausted));
        assert_eq!(exhausted.failures, 1);
    }

    #[test]
    fn an_event_that_is_replayed_says_so_from_then_on() {
        let mut delivered = delivery(State::Delivered);
        apply_resend(&mut delivered, Some("a"), true);
        assert!(delivered.event.replayed);
        delivered.state = State::Exhausted;
        for (resend, replayed) in [
            (Some("a"), true),
            (None, false),
            (Some("b"), false),
            (Some("c"), true),
        ] {
            apply_resend(&mut delivered, resend, replayed);
            assert!(delivered.event.replayed, "{resend:?}");
        }
    }

    #[test]
    fn each_reason_is_told_in_words_of_its_own() {
        use HoldReason::{
            Busy, CircuitOpen, Disabled, Draining, Headers, Paused, Rate, Secret, Slow,
        };
        for (reason, text) in [
            (Paused, "the endpoint is paused"),
            (Disabled, "the endpoint is disabled"),
            (CircuitOpen, "the endpoint's circuit is open"),
            (Busy, "the endpoint asked to be left alone"),
            (Rate, "the endpoint's rate is kept"),
            (Secret, "its secret cannot be opened"),
            (Headers, "its headers cannot be sent"),
            (Slow, "the endpoint is slow"),
            (Draining, "what was held before it comes first"),
        ] {
            assert_eq!(reason.to_string(), text);
        }
        let forgotten = "the ledger does not have the event any more";
        assert_eq!(SkipReason::EventForgotten.to_string(), forgotten);
        assert_eq!(SkipReason::NoBody("x".to_owned()).to_string(), "x");
    }
}
