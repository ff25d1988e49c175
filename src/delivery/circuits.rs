//! What the attempts of an invocation show of their endpoints: failures are counted in a row, circuits open
//! and close, endpoints are disabled, and the operator is notified. `lifecycle.rs` decides about the
//! deliveries afterwards.

use super::attempted::Attempted;
use super::hanging::{HANGS_AFTER, pace};
use super::lifecycle::{Answer, NoAnswer, Origin};
use super::notification::{Notice, NoticeError, Notices};
use super::queue::DeliveryQueue;
use crate::aws::error::AwsError;
use crate::lease::Claim;
use crate::metrics::{EndpointEventLine, Metrics};
use crate::store::endpoints::circuit::{
    Circuits, DISABLE_AFTER, EndpointEvent, Failures, Pace, Transition,
};
use crate::store::endpoints::{EndpointStatus, Endpoints, State};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Why an endpoint is disabled that says it is gone.
const GONE: &str = "it answered 410 Gone";

/// The endpoints with their circuits, and how the operator is notified of them.
pub(super) struct EndpointHealth {
    pub(super) endpoints: Endpoints,
    pub(super) circuits: Circuits,
    pub(super) queue: Arc<DeliveryQueue>,
    pub(super) notices: Notices,
    pub(super) metrics: Metrics,
}

/// The attempts at an endpoint, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    succeeded: bool,
    /// Whether a delivery from what is held succeeded.
    is_probed: bool,
    /// Whether an attempt was slow, however it ended.
    is_slow: bool,
    gone: bool,
    failures: Failures,
}

impl EndpointHealth {
    /// Updates the circuits by these attempts; opens or closes them, or disables an endpoint. The endpoints
    /// as they are then. Of the endpoints that are `under_way`, further attempts of the batch are not done.
    pub(super) async fn update_circuits(
        &self,
        attempted: &[Attempted<'_>],
        under_way: &[&str],
        now: Timestamp,
    ) -> HashMap<String, EndpointStatus> {
        let mut after = HashMap::new();
        for (before, tally) in tally(attempted) {
            let id = before.endpoint.id.clone();
            let circuit = &before.circuit;
            let pace = if under_way.contains(&&*id) && !tally.is_slow {
                // The trial is not over: an attempt that is under way may still be slow.
                Pace::AsKnown
            } else {
                pace(tally.is_slow, tally.succeeded, circuit, now)
            };
            let updated = self.update_circuit(before, &tally, pace, now).await;
            let updated = updated.unwrap_or_else(|error| {
                // Better a failure too few than a delivery that is not settled.
                tracing::error!(endpoint.id = id, %error, "circuit is not updated");
                before.clone()
            });
            after.insert(id, updated);
        }
        after
    }

    async fn update_circuit(
        &self,
        before: &EndpointStatus,
        tally: &Tally,
        pace: Pace,
        now: Timestamp,
    ) -> Result<EndpointStatus, AwsError> {
        let EndpointStatus { endpoint, circuit } = before;
        let id = &endpoint.id;
        let mut after = before.clone();
        // Most successes clear nothing and cost no write.
        let has_nothing_to_clear =
            circuit.has_nothing_to_clear(tally.is_probed) && pace == Pace::AsKnown;
        if tally.succeeded && !has_nothing_to_clear {
            let recovered = Transition::new(EndpointEvent::Recovered, now);
            let cleared = self
                .circuits
                .clear(id, circuit, tally.is_probed, pace, recovered)
                .await?;
            if circuit.is_open() && cleared.is_some() {
                self.notify(before, recovered, None).await;
            }
            after.circuit = cleared.unwrap_or_default();
        }
        if tally.failures.is_none() {
            return Ok(after);
        }
        // The failures that are left came after the success; they are counted on what it cleared.
        after.circuit = self.circuits.count(id, tally.failures, pace, now).await?;
        if tally.gone {
            self.disable(&mut after, GONE, now).await;
        } else if after.circuit.should_disable(now) {
            self.disable(&mut after, &dead(), now).await;
        } else if after.circuit.should_open() {
            let opened = Transition::new(EndpointEvent::Opened, now);
            match self.circuits.open(id, opened).await? {
                Some(circuit) => {
                    self.notify(before, opened, None).await;
                    after.circuit = circuit;
                }
                // Another invocation opened it a moment ago, and notifies the operator.
                None => {
                    after.circuit.opened_at = Some(now.as_millisecond());
                    after.circuit.probes = 0;
                }
            }
        }
        Ok(after)
    }

    /// Disables an endpoint. If that fails, the endpoint stays active, and the next failure disables it.
    async fn disable(&self, status: &mut EndpointStatus, reason: &str, now: Timestamp) {
        let id = &status.endpoint.id;
        let disabled = Transition::new(EndpointEvent::Disabled, now);
        match self.endpoints.disable(id, reason, disabled).await {
            Ok(is_first) => {
                if is_first {
                    self.notify(status, disabled, Some(reason)).await;
                }
                status.endpoint.state = State::Disabled;
            }
            Err(error) => {
                tracing::error!(endpoint.id = id, %error, "endpoint is not disabled");
            }
        }
    }

    /// Sends the notices whose claim is over: the invocation that had it could not send them, or died.
    pub(super) async fn send_pending_notices(&self, statuses: &HashMap<String, EndpointStatus>) {
        let now = Timestamp::now();
        for status in statuses.values() {
            let id = &status.endpoint.id;
            let pending = status.circuit.notice.filter(|notice| notice.is_due(now));
            let Some(transition) = pending else {
                continue;
            };
            let reason = match transition.news {
                EndpointEvent::Disabled => status.endpoint.reason.as_deref(),
                EndpointEvent::Opened | EndpointEvent::Recovered => None,
            };
            match self.circuits.claim(id, transition, now).await {
                Ok(Some(claimed)) => self.notify(status, claimed, reason).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(endpoint.id = id, %error, "notice is not claimed");
                }
            }
        }
    }

    /// Notifies the operator of a transition, to which this invocation has the claim. A notice that cannot be
    /// given stays in the circuit and is given later. A probe is sent for it, as no other message may come
    /// for the endpoint.
    async fn notify(&self, status: &EndpointStatus, transition: Transition, reason: Option<&str>) {
        let id = &status.endpoint.id;
        let news = transition.news.name();
        let Err(error) = self.give(status, transition, reason).await else {
            let line = EndpointEventLine::of(id, transition.news, reason);
            self.metrics.endpoint_event(line);
            if let Err(error) = self.circuits.notified(id, transition).await {
                tracing::warn!(endpoint.id = id, %error, "notice may come twice");
            }
            return;
        };
        tracing::error!(endpoint.id = id, news, %error, "notice is not given");
        let released = Transition {
            claimed_until: 0,
            is_queued: transition.is_queued || matches!(error, NoticeError::Publish(_)),
            failures: transition.failures.saturating_add(1),
            ..transition
        };
        if let Err(error) = self.circuits.release(id, transition, released).await {
            tracing::warn!(endpoint.id = id, %error, "notice is given later");
        }
        let Some(wait) = released.again_after() else {
            tracing::error!(endpoint.id = id, "notice waits for the next delivery");
            return;
        };
        let claim = Claim::new(None);
        let sent = self.send_probe(id, &claim, wait, Timestamp::now());
        if let Err(error) = sent.await {
            tracing::warn!(endpoint.id = id, %error, "notice waits for the next delivery");
        }
    }

    async fn give(
        &self,
        status: &EndpointStatus,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<(), NoticeError> {
        let notice = Notice::of_endpoint(&status.endpoint, transition, reason);
        if !transition.is_queued {
            let at = Timestamp::from_millisecond(transition.happened_at).unwrap_or_default();
            self.notices.queue(&self.queue.queues, &notice, at).await?;
        }
        self.notices.publish(&notice).await
    }
}

/// Why an endpoint is disabled of which no attempt succeeded for too long.
fn dead() -> String {
    format!("it took nothing for {} days", DISABLE_AFTER.as_hours() / 24)
}

/// The attempts by endpoint, in their order; but the wishes of an endpoint come last, as a success beside
/// them was under way before. Only attempts that say something of the endpoint count.
fn tally<'a>(attempted: &[Attempted<'a>]) -> Vec<(&'a EndpointStatus, Tally)> {
    let is_wish =
        |one: &&Attempted<'_>| matches!(one.tried, Ok(Answer::Gone | Answer::Busy { .. }));
    let mut ordered: Vec<_> = attempted.iter().collect();
    // A stable sort: all else keeps its order, in which failures are counted in a row.
    ordered.sort_by_key(is_wish);
    let mut tallies: BTreeMap<&str, (&EndpointStatus, Tally)> = BTreeMap::new();
    for attempt in ordered {
        let answer = match attempt.tried {
            Ok(answer) => Some(answer),
            Err(NoAnswer::Unsendable(_)) => None,
            Err(NoAnswer::Unread | NoAnswer::Undeliverable(_)) => continue,
        };
        let status = attempt.status;
        let (_, tally) = tallies
            .entry(&status.endpoint.id)
            .or_insert_with(|| (status, Tally::default()));
        tally.add(attempt, answer);
    }
    tallies.into_values().collect()
}

impl Tally {
    /// Adds an answer; there is none where the endpoint's settings make no request.
    fn add(&mut self, attempted: &Attempted<'_>, answer: Option<Answer>) {
        let history = &attempted.delivery.history;
        let attempt = history.last().filter(|_| answer.is_some());
        let is_slow = |ms| Duration::from_millis(ms) > HANGS_AFTER;
        self.is_slow |= attempt.is_some_and(|attempt| is_slow(attempt.duration_ms));
        let origin = attempted.origin();
        match answer {
            Some(Answer::Delivered) => {
                self.succeeded = true;
                self.is_probed |= origin != Origin::Queue;
                self.failures = Failures::default();
            }
            Some(Answer::Busy { until }) => {
                let until = Some(until.as_millisecond());
                self.failures.wait_until = self.failures.wait_until.max(until);
                self.failures.is_asked_again |= origin != Origin::Queue;
            }
            Some(Answer::Gone | Answer::Failed) | None => {
                self.failures.count += 1;
                self.failures.is_probe |= origin == Origin::Probe;
                self.gone |= answer == Some(Answer::Gone);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::lifecycle::{HoldReason, SkipReason, Tried};
    use crate::delivery::{Received, tests::received};
    use crate::store::deliveries::{Attempt, Delivery};
    use crate::store::endpoints::circuit::Circuit;
    use crate::store::endpoints::test::{endpoint, event};

    fn status() -> EndpointStatus {
        EndpointStatus {
            endpoint: endpoint(),
            circuit: Circuit::default(),
        }
    }

    fn attempted<'a>(
        status: &'a EndpointStatus,
        received: Option<&'a Received>,
        tried: Tried,
    ) -> Attempted<'a> {
        Attempted {
            delivery: Delivery::new("ep_1", "ep_1_1_1".to_owned(), event()),
            status,
            received,
            tried,
        }
    }

    fn tallied(answers: &[Answer]) -> Tally {
        let quick: Vec<_> = answers.iter().map(|answer| (*answer, 50)).collect();
        timed(&quick)
    }

    /// The tally of attempts that took so many milliseconds each.
    fn timed(answers: &[(Answer, u64)]) -> Tally {
        let (status, received) = (status(), received());
        let tried = |(answer, duration_ms): &(Answer, u64)| {
            let mut one = attempted(&status, Some(&received), Ok(*answer));
            one.delivery.history.push(Attempt {
                at: 0,
                duration_ms: *duration_ms,
                status: None,
                error: None,
                reason: None,
                response: None,
            });
            one
        };
        let all: Vec<_> = answers.iter().map(tried).collect();
        let mut tallies = tally(&all);
        assert_eq!(tallies.len(), 1);
        tallies.remove(0).1
    }

    #[test]
    fn failures_count_in_a_row() {
        use Answer::{Delivered, Failed};
        assert_eq!(tallied(&[Failed, Failed, Failed]).failures.count, 3);
        let mixed = tallied(&[Failed, Failed, Delivered, Failed]);
        assert_eq!((mixed.succeeded, mixed.failures.count), (true, 1));
        let recovered = tallied(&[Failed, Delivered]);
        assert_eq!((recovered.succeeded, recovered.failures.count), (true, 0));
    }

    #[test]
    fn the_longest_wait_that_was_asked_for_counts() {
        let until = |ms| Answer::Busy {
            until: Timestamp::from_millisecond(ms).unwrap(),
        };
        let asked = tallied(&[until(5), until(9), until(7)]);
        assert_eq!(asked.failures.wait_until, Some(9));
    }

    #[test]
    fn a_success_beside_it_unsays_nothing_that_the_endpoint_asks_for() {
        let wait = Answer::Busy {
            until: Timestamp::from_millisecond(5).unwrap(),
        };
        let asked = tallied(&[Answer::Failed, wait, Answer::Delivered]);
        let failures = Failures {
            wait_until: Some(5),
            ..Failures::default()
        };
        assert_eq!((asked.succeeded, asked.failures), (true, failures));
        let gone = tallied(&[Answer::Gone, Answer::Delivered]);
        assert!(gone.gone && gone.failures.count == 1);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_no_failure_and_interrupts_none() {
        let wait = Answer::Busy {
            until: Timestamp::from_millisecond(5).unwrap(),
        };
        for (answers, count) in [
            (&[wait][..], 0),
            (&[wait, wait, wait][..], 0),
            (&[Answer::Failed, wait, Answer::Failed][..], 2),
            (&[Answer::Failed, Answer::Delivered, wait][..], 0),
        ] {
            let failures = tallied(answers).failures;
            assert_eq!((failures.count, failures.wait_until), (count, Some(5)));
            assert!(!failures.is_none() && !failures.is_asked_again);
        }
        assert!(tallied(&[Answer::Delivered]).failures.is_none());
    }

    #[test]
    fn a_success_makes_an_endpoint_quick_when_none_was_slow_for_a_minute() {
        let tally = timed(&[(Answer::Delivered, 10)]);
        let slow = Circuit {
            slow_since: Some(0),
            slow_at: Some(1_000),
            ..Circuit::default()
        };
        let paced = |ms| {
            pace(
                tally.is_slow,
                tally.succeeded,
                &slow,
                Timestamp::from_millisecond(ms).unwrap(),
            )
        };
        assert_eq!(paced(60_999), Pace::Recovering);
        assert_eq!(paced(61_000), Pace::Quick);
    }

    #[test]
    fn only_a_quick_success_and_no_slow_attempt_make_an_endpoint_quick() {
        use Answer::{Delivered, Failed};
        let wait = Answer::Busy {
            until: Timestamp::from_millisecond(5).unwrap(),
        };
        let (quick, slow) = (2_000, 2_001);
        let unsure = |circuit: &mut Circuit| circuit.hanging_until = Some(0);
        let known = |circuit: &mut Circuit| circuit.slow_since = Some(0);
        type Case<'a> = (&'a [(Answer, u64)], Pace, Pace);
        let cases: [Case<'_>; 9] = [
            (&[(Delivered, quick)], Pace::AsKnown, Pace::Quick),
            (&[(Delivered, slow)], Pace::Doubtful, Pace::Slow),
            (
                &[(Delivered, quick), (Delivered, slow)],
                Pace::Doubtful,
                Pace::Slow,
            ),
            (
                &[(Delivered, slow), (Delivered, quick)],
                Pace::Doubtful,
                Pace::Slow,
            ),
            (
                &[(Failed, slow), (Delivered, quick)],
                Pace::Doubtful,
                Pace::Slow,
            ),
            (&[(Failed, slow)], Pace::Doubtful, Pace::Slow),
            (&[(wait, slow)], Pace::Doubtful, Pace::Slow),
            (&[(Failed, quick)], Pace::AsKnown, Pace::Unsure),
            (
                &[(Failed, quick), (Delivered, quick)],
                Pace::AsKnown,
                Pace::Quick,
            ),
        ];
        for (attempts, of_a_quick_one, of_another) in cases {
            let tally = timed(attempts);
            let paced = |change: fn(&mut Circuit)| {
                let mut circuit = Circuit::default();
                change(&mut circuit);
                let minute = Timestamp::from_second(60).unwrap();
                pace(tally.is_slow, tally.succeeded, &circuit, minute)
            };
            assert_eq!(paced(|_| {}), of_a_quick_one, "{attempts:?}");
            assert_eq!(paced(unsure), of_another, "{attempts:?}");
            assert_eq!(paced(known), of_another, "{attempts:?}");
        }
    }

    #[test]
    fn a_probe_that_is_asked_to_wait_is_asked_again() {
        let (status, message) = (status(), received());
        let busy = Answer::Busy {
            until: Timestamp::from_millisecond(5).unwrap(),
        };
        for (received, is_again) in [(Some(&message), false), (None, true)] {
            let tried = [
                attempted(&status, received, Ok(busy)),
                attempted(&status, received, Ok(busy)),
            ];
            assert_eq!(tally(&tried)[0].1.failures.is_asked_again, is_again);
        }
    }

    #[test]
    fn what_was_not_tried_does_not_count() {
        let (status, received) = (status(), received());
        let skip = NoAnswer::Undeliverable(SkipReason::EventForgotten);
        let tried = [
            attempted(&status, Some(&received), Err(skip)),
            attempted(&status, Some(&received), Err(NoAnswer::Unread)),
            attempted(&status, None, Err(NoAnswer::Unread)),
        ];
        assert!(tally(&tried).is_empty());
    }

    #[test]
    fn settings_that_make_no_request_count_as_failures() {
        let (mut status, received) = (status(), received());
        status.circuit.opened_at = Some(1);
        let unsendable = || Err(NoAnswer::Unsendable(HoldReason::Secret));
        let tried = [
            attempted(&status, Some(&received), Ok(Answer::Delivered)),
            attempted(&status, Some(&received), unsendable()),
            attempted(&status, None, unsendable()),
        ];
        let failures = tally(&tried).remove(0).1.failures;
        assert_eq!((failures.count, failures.is_probe), (2, true));
    }

    #[test]
    fn only_a_failure_of_an_open_circuits_probe_counts_as_one() {
        let message = received();
        for (received, is_open, is_probe) in [
            (Some(&message), true, false),
            (None, false, false),
            (None, true, true),
        ] {
            let mut status = status();
            status.circuit.opened_at = is_open.then_some(1);
            let tried = [attempted(&status, received, Ok(Answer::Failed))];
            assert_eq!(tally(&tried)[0].1.failures.is_probe, is_probe);
        }
    }
}
