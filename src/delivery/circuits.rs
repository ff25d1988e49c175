//! What the attempts of an invocation say of their endpoints: failures are counted in a row, circuits open and close,
//! an endpoint is known to be slow or quick, it is disabled, and the operator is notified. What becomes of the deliveries
//! is left to `settle`.

use super::DeliveryFunction;
use super::job::{Job, Origin, Verdict};
use super::notification::{Notice, NoticeError};
use super::outcome::Outcome;
use super::probe::new_id;
use crate::aws::error::AwsError;
use crate::metrics::EndpointEventLine;
use crate::store::endpoints::EndpointStatus;
use crate::store::endpoints::circuit::{
    Circuit, EndpointEvent, Failures, PATIENCE, Pace, SLOW, Transition,
};
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Why an endpoint is disabled that says it is gone.
const GONE: &str = "it answered 410 Gone";

/// An endpoint that was tried, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct After {
    /// What was seen of it.
    pub(super) circuit: Circuit,
    /// Whether it still gets deliveries.
    pub(super) is_active: bool,
}

/// What an endpoint's attempts came to, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    succeeded: bool,
    /// Whether a probe is among what succeeded.
    is_probed: bool,
    /// Whether an attempt was slow, however it ended.
    is_slow: bool,
    gone: bool,
    failures: Failures,
}

impl DeliveryFunction {
    /// Tells the circuits of what was tried, and opens or closes them, or disables an endpoint.
    pub(super) async fn judge(
        &self,
        jobs: &[(Job<'_>, Verdict)],
        now: Timestamp,
    ) -> HashMap<String, After> {
        let mut after = HashMap::new();
        for (standing, tally) in tally(jobs) {
            let id = standing.endpoint.id.clone();
            let judged = self.judge_one(standing, &tally, now).await;
            let judged = judged.unwrap_or_else(|error| {
                tracing::error!(endpoint.id = id, %error, "circuit is not told");
                After {
                    circuit: standing.circuit.clone(),
                    is_active: true,
                }
            });
            after.insert(id, judged);
        }
        after
    }

    async fn judge_one(
        &self,
        standing: &EndpointStatus,
        tally: &Tally,
        now: Timestamp,
    ) -> Result<After, AwsError> {
        let EndpointStatus { endpoint, circuit } = standing;
        let id = &endpoint.id;
        let pace = tally.pace(circuit, now);
        let mut after = After {
            circuit: circuit.clone(),
            is_active: true,
        };
        let is_forgotten = circuit.is_clean(tally.is_probed) && pace == Pace::AsKnown;
        if tally.succeeded && !is_forgotten {
            let recovered = Transition::new(EndpointEvent::Recovered, now);
            let cleared = self
                .circuits
                .clear(id, circuit, tally.is_probed, pace, recovered)
                .await?;
            if circuit.is_open() && cleared.is_some() {
                self.notify(standing, recovered, None).await;
            }
            after.circuit = cleared.unwrap_or_default();
        }
        if tally.failures.is_none() {
            return Ok(after);
        }
        after.circuit = self.circuits.count(id, tally.failures, pace, now).await?;
        if tally.gone {
            after.is_active = !self.disable(standing, GONE, now).await;
        } else if after.circuit.is_beyond_patience(now) {
            after.is_active = !self.disable(standing, &dead(), now).await;
        } else if after.circuit.is_to_open() {
            let opened = Transition::new(EndpointEvent::Opened, now);
            if self.circuits.open(id, opened).await? {
                self.notify(standing, opened, None).await;
            }
            after.circuit.opened_at = Some(now.as_millisecond());
            after.circuit.probes = 0;
        }
        Ok(after)
    }

    /// Disables an endpoint; whether it is inactive now.
    async fn disable(&self, standing: &EndpointStatus, reason: &str, now: Timestamp) -> bool {
        let disabled = Transition::new(EndpointEvent::Disabled, now);
        match self
            .endpoints
            .disable(&standing.endpoint.id, reason, disabled)
            .await
        {
            Ok(is_news) => {
                if is_news {
                    self.notify(standing, disabled, Some(reason)).await;
                }
                true
            }
            Err(error) => {
                tracing::error!(endpoint.id = standing.endpoint.id, %error, "endpoint is not disabled");
                false
            }
        }
    }

    /// Gives the notices whose claim is over: whoever had it could not give them, or died.
    pub(super) async fn notify_of_what_is_due(&self, statuses: &HashMap<String, EndpointStatus>) {
        let now = Timestamp::now();
        for standing in statuses.values() {
            let id = &standing.endpoint.id;
            let due = standing.circuit.notice.filter(|it| it.is_due(now));
            let Some(transition) = due else {
                continue;
            };
            let reason = match transition.news {
                EndpointEvent::Disabled => standing.endpoint.reason.as_deref(),
                EndpointEvent::Opened | EndpointEvent::Recovered => None,
            };
            match self.circuits.claim(id, transition, now).await {
                Ok(Some(claimed)) => self.notify(standing, claimed, reason).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(endpoint.id = id, %error, "notice is not claimed")
                }
            }
        }
    }

    /// Notifies the operator of a transition, to which this invocation has the claim. What cannot be given stays in the
    /// circuit, and is given later: a probe comes for that, as nothing else may come for the endpoint.
    async fn notify(
        &self,
        standing: &EndpointStatus,
        transition: Transition,
        reason: Option<&str>,
    ) {
        let id = &standing.endpoint.id;
        let news = transition.news.name();
        let Err(error) = self.give(standing, transition, reason).await else {
            self.metrics
                .endpoint_event(EndpointEventLine::of(id, transition.news, reason));
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
        let (probe, now) = (new_id(), Timestamp::now());
        let sent = self.send_probe(id, &probe, None, wait, now);
        if let Err(error) = sent.await {
            tracing::warn!(endpoint.id = id, %error, "notice waits for the next delivery");
        }
    }

    async fn give(
        &self,
        standing: &EndpointStatus,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<(), NoticeError> {
        let notice = Notice::of_endpoint(&standing.endpoint, transition, reason);
        if !transition.is_queued {
            let at = Timestamp::from_millisecond(transition.happened_at).unwrap_or_default();
            self.notices.queue(&self.queues, &notice, at).await?;
        }
        self.notices.publish(&notice).await
    }
}

/// Why an endpoint is disabled that took nothing for too long.
fn dead() -> String {
    format!("it took nothing for {} days", PATIENCE.as_hours() / 24)
}

impl Tally {
    /// What it says of the pace of an endpoint of which this was known.
    fn pace(&self, seen: &Circuit, now: Timestamp) -> Pace {
        let was_quick = seen.slow_until.is_none() && !seen.is_slow();
        match (self.is_slow, was_quick) {
            (true, true) => Pace::Doubtful,
            (true, false) => Pace::Slow,
            (false, true) => Pace::AsKnown,
            (false, false) if self.succeeded && seen.was_slow_lately(now) => Pace::Recovering,
            (false, false) if self.succeeded => Pace::Quick,
            // A failure at once says nothing of how long an answer takes.
            (false, false) => Pace::Unsure,
        }
    }
}

/// What the attempts came to, by endpoint, in their order; but what an endpoint asks for is heard last, as a success
/// beside it was under way before.
fn tally<'a>(jobs: &[(Job<'a>, Verdict)]) -> Vec<(&'a EndpointStatus, Tally)> {
    let mut tallies: Vec<(&EndpointStatus, Tally)> = Vec::new();
    let asks =
        |verdict: &Verdict| matches!(verdict, Verdict::Tried(Outcome::Gone | Outcome::Wait(_)));
    let (asking, others): (Vec<_>, Vec<_>) = jobs.iter().partition(|(_, verdict)| asks(verdict));
    for (job, verdict) in others.into_iter().chain(asking) {
        let (standing, outcome) = match (job.standing, verdict) {
            (Some(standing), Verdict::Tried(outcome)) => (standing, Some(*outcome)),
            (Some(standing), Verdict::Faulty(_)) => (standing, None),
            _ => continue,
        };
        let known = tallies
            .iter()
            .position(|(it, _)| it.endpoint.id == standing.endpoint.id);
        let index = known.unwrap_or_else(|| {
            tallies.push((standing, Tally::default()));
            tallies.len() - 1
        });
        if let Some((_, tally)) = tallies.get_mut(index) {
            tally.add(job, outcome);
        }
    }
    tallies
}

impl Tally {
    /// Adds what an attempt came to; none was made where the endpoint's settings make no request.
    fn add(&mut self, job: &Job<'_>, outcome: Option<Outcome>) {
        let took = job.record.history.last().filter(|_| outcome.is_some());
        self.is_slow |= took.is_some_and(|it| Duration::from_millis(it.duration_ms) > SLOW);
        match outcome {
            Some(Outcome::Delivered) => {
                self.succeeded = true;
                self.is_probed |= job.origin == Origin::Held;
                self.failures = Failures::default();
            }
            Some(Outcome::Wait(until)) => {
                let until = Some(until.as_millisecond());
                self.failures.wait_until = self.failures.wait_until.max(until);
                self.failures.is_asked_again |= job.origin == Origin::Held;
            }
            Some(Outcome::Gone | Outcome::Retry(_) | Outcome::Exhausted) | None => {
                self.failures.count += 1;
                self.failures.is_probe |= job.is_probe();
                self.gone |= outcome == Some(Outcome::Gone);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::plan;
    use crate::store::deliveries::{Attempt, Delivery};
    use crate::store::endpoints::test::{endpoint, event};
    use std::time::{Duration, Instant};

    fn standing() -> EndpointStatus {
        EndpointStatus {
            endpoint: endpoint(),
            circuit: Circuit::default(),
        }
    }

    fn job(standing: &EndpointStatus, origin: Origin) -> Job<'_> {
        Job {
            standing: Some(standing),
            origin,
            record: Delivery::new("ep_1", "ep_1_1_1".to_owned(), event()),
        }
    }

    fn queue() -> Origin {
        Origin::Queue {
            message: "m".to_owned(),
            receipt: "r".to_owned(),
            received: Instant::now(),
        }
    }

    fn retry() -> Outcome {
        Outcome::Retry(Duration::from_secs(5))
    }

    fn tallied(outcomes: &[Outcome]) -> Tally {
        let quick: Vec<_> = outcomes.iter().map(|outcome| (*outcome, 50)).collect();
        timed(&quick)
    }

    /// The tally of attempts that took so many milliseconds each.
    fn timed(outcomes: &[(Outcome, u64)]) -> Tally {
        let standing = standing();
        let tried = |(outcome, duration_ms): &(Outcome, u64)| {
            let mut job = job(&standing, queue());
            job.record.history.push(Attempt {
                at: 0,
                duration_ms: *duration_ms,
                status: None,
                error: None,
                reason: None,
                response: None,
            });
            (job, Verdict::Tried(*outcome))
        };
        let jobs: Vec<_> = outcomes.iter().map(tried).collect();
        let mut tallies = tally(&jobs);
        assert_eq!(tallies.len(), 1);
        tallies.remove(0).1
    }

    #[test]
    fn failures_count_in_a_row() {
        use Outcome::{Delivered, Exhausted};
        assert_eq!(tallied(&[retry(), Exhausted, retry()]).failures.count, 3);
        let mixed = tallied(&[retry(), retry(), Delivered, retry()]);
        assert_eq!((mixed.succeeded, mixed.failures.count), (true, 1));
        let recovered = tallied(&[retry(), Delivered]);
        assert_eq!((recovered.succeeded, recovered.failures.count), (true, 0));
    }

    #[test]
    fn the_longest_wait_that_was_asked_for_counts() {
        let until = |ms| Outcome::Wait(Timestamp::from_millisecond(ms).unwrap());
        let asked = tallied(&[until(5), until(9), until(7)]);
        assert_eq!(asked.failures.wait_until, Some(9));
    }

    #[test]
    fn a_success_beside_it_unsays_nothing_that_the_endpoint_asks_for() {
        let wait = Outcome::Wait(Timestamp::from_millisecond(5).unwrap());
        let asked = tallied(&[retry(), wait, Outcome::Delivered]);
        let failures = Failures {
            wait_until: Some(5),
            ..Failures::default()
        };
        assert_eq!((asked.succeeded, asked.failures), (true, failures));
        let gone = tallied(&[Outcome::Gone, Outcome::Delivered]);
        assert!(gone.gone && gone.failures.count == 1);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_no_failure_and_interrupts_none() {
        let wait = Outcome::Wait(Timestamp::from_millisecond(5).unwrap());
        for (outcomes, count) in [
            (&[wait][..], 0),
            (&[wait, wait, wait][..], 0),
            (&[retry(), wait, retry()][..], 2),
            (&[retry(), Outcome::Delivered, wait][..], 0),
        ] {
            let failures = tallied(outcomes).failures;
            assert_eq!((failures.count, failures.wait_until), (count, Some(5)));
            assert!(!failures.is_none() && !failures.is_asked_again);
        }
        assert!(tallied(&[Outcome::Delivered]).failures.is_none());
    }

    #[test]
    fn a_success_makes_an_endpoint_quick_when_none_was_slow_for_a_minute() {
        let tally = timed(&[(Outcome::Delivered, 10)]);
        let slow = Circuit {
            slow_since: Some(0),
            slow_at: Some(1_000),
            ..Circuit::default()
        };
        let pace = |ms| tally.pace(&slow, Timestamp::from_millisecond(ms).unwrap());
        assert_eq!(pace(60_999), Pace::Recovering);
        assert_eq!(pace(61_000), Pace::Quick);
    }

    #[test]
    fn only_a_quick_success_and_no_slow_attempt_make_an_endpoint_quick() {
        use Outcome::{Delivered, Exhausted};
        let wait = Outcome::Wait(Timestamp::from_millisecond(5).unwrap());
        let (quick, slow) = (2_000, 2_001);
        let unsure = |it: &mut Circuit| it.slow_until = Some(0);
        let known = |it: &mut Circuit| it.slow_since = Some(0);
        type Case<'a> = (&'a [(Outcome, u64)], Pace, Pace);
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
                &[(retry(), slow), (Delivered, quick)],
                Pace::Doubtful,
                Pace::Slow,
            ),
            (&[(Exhausted, slow)], Pace::Doubtful, Pace::Slow),
            (&[(wait, slow)], Pace::Doubtful, Pace::Slow),
            (&[(retry(), quick)], Pace::AsKnown, Pace::Unsure),
            (
                &[(retry(), quick), (Delivered, quick)],
                Pace::AsKnown,
                Pace::Quick,
            ),
        ];
        for (attempts, of_a_quick_one, of_another) in cases {
            let tally = timed(attempts);
            let pace = |change: fn(&mut Circuit)| {
                let mut circuit = Circuit::default();
                change(&mut circuit);
                tally.pace(&circuit, Timestamp::from_second(60).unwrap())
            };
            assert_eq!(pace(|_| {}), of_a_quick_one, "{attempts:?}");
            assert_eq!(pace(unsure), of_another, "{attempts:?}");
            assert_eq!(pace(known), of_another, "{attempts:?}");
        }
    }

    #[test]
    fn a_probe_that_is_asked_to_wait_is_asked_again() {
        for (origin, is_again) in [(queue(), false), (Origin::Held, true)] {
            let standing = standing();
            let wait = Outcome::Wait(Timestamp::from_millisecond(5).unwrap());
            let jobs = [
                (job(&standing, origin.clone()), Verdict::Tried(wait)),
                (job(&standing, origin), Verdict::Tried(wait)),
            ];
            assert_eq!(tally(&jobs)[0].1.failures.is_asked_again, is_again);
        }
    }

    #[test]
    fn what_was_not_tried_does_not_count() {
        let standing = standing();
        let jobs = [
            (job(&standing, queue()), Verdict::Hold(plan::OPEN)),
            (job(&standing, queue()), Verdict::Skip(String::new())),
            (job(&standing, queue()), Verdict::Unread(retry())),
            (job(&standing, queue()), Verdict::Unread(Outcome::Exhausted)),
        ];
        assert!(tally(&jobs).is_empty());
    }

    #[test]
    fn settings_that_make_no_request_count_as_failures() {
        let mut standing = standing();
        standing.circuit.opened_at = Some(1);
        let faulty = || Verdict::Faulty(plan::SECRET);
        let jobs = [
            (job(&standing, queue()), Verdict::Tried(Outcome::Delivered)),
            (job(&standing, queue()), faulty()),
            (job(&standing, Origin::Held), faulty()),
        ];
        let failures = tally(&jobs).remove(0).1.failures;
        assert_eq!((failures.count, failures.is_probe), (2, true));
    }

    #[test]
    fn only_a_failure_of_an_open_circuits_probe_counts_as_one() {
        for (origin, is_open, is_probe) in [
            (queue(), true, false),
            (Origin::Held, false, false),
            (Origin::Held, true, true),
        ] {
            let mut standing = standing();
            standing.circuit.opened_at = is_open.then_some(1);
            let jobs = [(job(&standing, origin), Verdict::Tried(retry()))];
            assert_eq!(tally(&jobs)[0].1.failures.is_probe, is_probe);
        }
    }
}
