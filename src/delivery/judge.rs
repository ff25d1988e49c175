//! What the attempts of an invocation say of their endpoints: failures are counted in a row, circuits open and close,
//! an endpoint is disabled, and the operator is told. What becomes of the deliveries is left to `settle`.

use super::Delivery;
use super::circuit::{Circuit, CircuitError, Failures, News};
use super::job::{Job, Origin, Verdict};
use super::notice::Notice;
use super::outcome::Outcome;
use crate::endpoints::Standing;
use crate::metrics::NewsLine;
use jiff::Timestamp;
use std::collections::HashMap;

/// Why an endpoint is disabled that says it is gone.
const GONE: &str = "it answered 410 Gone";

/// Why an endpoint is disabled that failed for too long.
const DEAD: &str = "nothing but failures for 5 days";

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
    gone: bool,
    failures: Failures,
}

impl Delivery {
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
        standing: &Standing,
        tally: &Tally,
        now: Timestamp,
    ) -> Result<After, CircuitError> {
        let Standing { endpoint, circuit } = standing;
        let id = &endpoint.id;
        let mut after = After {
            circuit: circuit.clone(),
            is_active: true,
        };
        if tally.succeeded && !circuit.is_clean(tally.is_probed) {
            if self.circuits.clear(id, circuit, tally.is_probed).await? {
                self.tell(standing, News::Recovered.name(), None).await;
            }
            after.circuit = Circuit {
                wait_until: circuit.wait_until.filter(|_| !tally.is_probed),
                ..Circuit::default()
            };
        }
        if tally.failures.count == 0 {
            return Ok(after);
        }
        after.circuit = self.circuits.count(id, tally.failures, now).await?;
        let reason = if tally.gone { GONE } else { DEAD };
        if tally.gone || after.circuit.is_beyond_patience(now) {
            after.is_active = !self.disable(standing, reason, now).await;
        } else if after.circuit.is_to_open() {
            if self.circuits.open(id, now).await? {
                self.tell(standing, News::Opened.name(), None).await;
            }
            after.circuit.opened_at = Some(now.as_millisecond());
            after.circuit.probes = 0;
        }
        Ok(after)
    }

    /// Disables an endpoint; whether it is inactive now.
    async fn disable(&self, standing: &Standing, reason: &str, now: Timestamp) -> bool {
        match self
            .endpoints
            .disable(&standing.endpoint.id, reason, now)
            .await
        {
            Ok(is_news) => {
                if is_news {
                    self.tell(standing, News::Disabled.name(), Some(reason))
                        .await;
                }
                true
            }
            Err(error) => {
                tracing::error!(endpoint.id = standing.endpoint.id, %error, "endpoint is not disabled");
                false
            }
        }
    }

    /// Tells the operator; what was not told is told later, as the circuit keeps it.
    pub(super) async fn tell(&self, standing: &Standing, news: &str, reason: Option<&str>) {
        let endpoint = &standing.endpoint;
        let now = Timestamp::now();
        let notice = Notice::of_endpoint(endpoint, news, reason, now);
        match self.notices.give(&self.queues, &notice, now).await {
            Err(error) => {
                tracing::error!(endpoint.id = endpoint.id, news, %error, "notice is not given")
            }
            Ok(()) => {
                self.metrics.news(NewsLine::of(&endpoint.id, news, reason));
                if let Err(error) = self.circuits.told(&endpoint.id, news).await {
                    tracing::warn!(endpoint.id = endpoint.id, %error, "notice may come twice");
                }
            }
        }
    }
}

/// What the attempts came to, by endpoint, in their order; but what an endpoint asks for is heard last, as a success
/// beside it was under way before.
fn tally<'a>(jobs: &[(Job<'a>, Verdict)]) -> Vec<(&'a Standing, Tally)> {
    let mut tallies: Vec<(&Standing, Tally)> = Vec::new();
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
        let Some((_, tally)) = tallies.get_mut(index) else {
            continue;
        };
        if outcome == Some(Outcome::Delivered) {
            tally.succeeded = true;
            tally.is_probed |= job.origin == Origin::Held;
            tally.failures = Failures::default();
            continue;
        }
        tally.failures.count += 1;
        tally.failures.is_probe |= job.origin == Origin::Held && standing.circuit.is_open();
        tally.gone |= outcome == Some(Outcome::Gone);
        if let Some(Outcome::Wait(until)) = outcome {
            tally.failures.wait_until = tally.failures.wait_until.max(Some(until.as_millisecond()));
        }
    }
    tallies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::history::Record;
    use crate::delivery::plan;
    use crate::endpoints::test::{endpoint, event};
    use std::time::{Duration, Instant};

    fn standing() -> Standing {
        Standing {
            endpoint: endpoint(),
            circuit: Circuit::default(),
        }
    }

    fn job(standing: &Standing, origin: Origin) -> Job<'_> {
        Job {
            standing: Some(standing),
            origin,
            record: Record::new("ep_1", "ep_1_1_1".to_owned(), event()),
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
        let standing = standing();
        let tried = |outcome: &Outcome| (job(&standing, queue()), Verdict::Tried(*outcome));
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
            count: 1,
            is_probe: false,
            wait_until: Some(5),
        };
        assert_eq!((asked.succeeded, asked.failures), (true, failures));
        let gone = tallied(&[Outcome::Gone, Outcome::Delivered]);
        assert!(gone.gone && gone.failures.count == 1);
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
