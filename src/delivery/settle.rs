//! What is done about each delivery once it is tried, held or skipped: its endpoint's circuit is told, its record
//! written, its message acknowledged, put off or kept. What an answer comes to is decided by `outcome`.
//!
//! Whatever cannot be written keeps its message, which comes again: a delivery may be repeated, never forgotten.

use super::Delivery;
use super::backoff::visibility;
use super::circuit::{Circuit, CircuitError, Failures, News};
use super::history::{HeldEntry, HistoryError, Record, State, Write};
use super::message::{Message, Order};
use super::notice::Notice;
use super::outcome::Outcome;
use crate::endpoints::{self, EndpointError, Standing};
use crate::ledger::ReadError;
use crate::metrics::DeliveryLine;
use crate::queues::{SendError, Waits};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why an endpoint is disabled that says it is gone.
const GONE: &str = "it answered 410 Gone";

/// Why an endpoint is disabled that failed for too long.
const DEAD: &str = "nothing but failures for 5 days";

/// A delivery that something is done about.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// Its endpoint, as it was at the beginning; none if it was deleted.
    pub(super) standing: Option<&'a Standing>,
    /// Where it came from, which is where it goes back to.
    pub(super) origin: Origin,
    /// What becomes of it.
    pub(super) record: Record,
}

/// Where a delivery came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The delivery queue.
    Queue {
        /// The id of the message.
        message: String,
        /// Its receipt handle.
        receipt: String,
        /// When it was received.
        received: Instant,
    },
    /// The queue of what is held.
    Held,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was tried.
    Tried(Outcome),
    /// It waits for its endpoint.
    Hold,
    /// It can never be delivered.
    Skip(String),
    /// It was dealt with before, and is only to be taken out of what is held.
    Release,
}

/// What came of settling.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The ids of the messages that are not done with.
    pub(super) kept: Vec<String>,
    /// The endpoints that were tried, as they are now.
    pub(super) after: HashMap<String, After>,
    /// Whether all of it is written.
    pub(super) is_written: bool,
}

/// An endpoint that was tried, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct After {
    /// What was seen of it.
    pub(super) circuit: Circuit,
    /// Whether it still gets deliveries.
    pub(super) is_active: bool,
}

/// Why a probe is not sure to be under way.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The endpoints were not read.
    #[error("{0}")]
    Read(#[from] EndpointError),
    /// It was not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// It was not given its charge.
    #[error("{0}")]
    Charge(#[from] CircuitError),
    /// It has no form.
    #[error("the probe was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// What is held was not read.
    #[error("{0}")]
    History(#[from] HistoryError),
    /// The events were not read.
    #[error("{0}")]
    Ledger(#[from] ReadError),
}

/// What an endpoint's attempts came to, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    succeeded: bool,
    gone: bool,
    failures: Failures,
}

/// All that is to be written.
#[derive(Default)]
struct Effects {
    writes: Vec<Write>,
    /// Records that must not replace a delivery by a copy; and the wait of their message, if it is to come again.
    careful: Vec<(Record, Origin, Option<Duration>)>,
    /// Deliveries that go from what is held to the queue.
    requeued: Vec<(Record, Duration)>,
    /// The endpoints of what was put into the queue of what is held.
    held: BTreeSet<String>,
    /// The messages that all of this is about.
    messages: Vec<String>,
    lines: Vec<DeliveryLine>,
}

impl Delivery {
    /// Settles deliveries, in the order in which they were tried.
    pub(super) async fn settle(&self, jobs: Vec<(Job<'_>, Verdict)>) -> Settled {
        let now = Timestamp::now();
        let after = self.judge(&jobs, now).await;
        let mut effects = Effects::default();
        for (job, verdict) in jobs {
            effects.add(job, verdict, &after, now);
        }
        let (kept, is_written) = self.carry_out(effects).await;
        Settled {
            kept,
            after,
            is_written,
        }
    }

    /// Tells the circuits of what was tried, and opens or closes them, or disables an endpoint.
    async fn judge(&self, jobs: &[(Job<'_>, Verdict)], now: Timestamp) -> HashMap<String, After> {
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
        if tally.succeeded && !circuit.is_clean() {
            if self.circuits.clear(id, circuit).await? {
                self.tell(standing, News::Recovered.name(), None).await;
            }
            after.circuit = Circuit::default();
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
        let notice = Notice {
            news,
            endpoint: &endpoint.id,
            name: &endpoint.name,
            reason,
        };
        tracing::warn!(endpoint.id = endpoint.id, news, reason, "endpoint");
        match self
            .notices
            .give(&self.queues, notice, Timestamp::now())
            .await
        {
            Err(error) => {
                tracing::error!(endpoint.id = endpoint.id, news, %error, "notice is not given")
            }
            Ok(()) => {
                if let Err(error) = self.circuits.told(&endpoint.id, news).await {
                    tracing::warn!(endpoint.id = endpoint.id, %error, "notice may come twice");
                }
            }
        }
    }

    /// Writes all of it; the ids of the messages that are not done with, and whether all is written.
    async fn carry_out(&self, mut effects: Effects) -> (Vec<String>, bool) {
        let requeued = self.requeue(&mut effects).await;
        if let Err(error) = &requeued {
            tracing::error!(%error, "held deliveries are not requeued");
        }
        if let Err(error) = self.history.write(&effects.writes).await {
            tracing::error!(%error, "deliveries are not settled");
            return (effects.messages, false);
        }
        let mut kept = Vec::new();
        let mut waits = Waits::new();
        for (record, origin, wait) in effects.careful {
            let written = self.history.write_unless_delivered(&record).await;
            let Origin::Queue {
                message,
                receipt,
                received,
            } = origin
            else {
                continue;
            };
            match (written, wait) {
                (Ok(true), Some(wait)) => {
                    waits.push((receipt, visibility(wait, received.elapsed())));
                    kept.push(message);
                }
                (Ok(_), _) => {}
                (Err(error), _) => {
                    tracing::error!(delivery.id = record.id, %error, "delivery is not settled");
                    kept.push(message);
                }
            }
        }
        if let Err(error) = self.ensure_probes(&effects.held).await {
            tracing::error!(%error, "held deliveries are not sure to be probed");
            return (effects.messages, false);
        }
        self.put_off(waits).await;
        for line in effects.lines {
            self.metrics.delivery(line);
        }
        (kept, requeued.is_ok())
    }

    /// Sends deliveries from what is held to the queue, and writes that, if it was sent.
    async fn requeue(&self, effects: &mut Effects) -> Result<(), SendError> {
        let mut messages = Vec::new();
        for (record, wait) in &effects.requeued {
            let seconds = visibility(*wait, Duration::ZERO);
            let not_before = record
                .next_attempt_at
                .filter(|_| seconds > super::message::MAX_DELAY);
            let order = Message::Delivery(Order {
                endpoint: record.endpoint.clone(),
                event: record.event.clone(),
                resend: record.resend.clone(),
                not_before,
            });
            messages.extend(order.queued(seconds).map(Arc::new).ok());
        }
        for batch in messages.chunks(crate::queues::MAX_ENTRIES) {
            self.queues
                .send(&self.delivery_queue_url, batch.to_vec())
                .await?;
        }
        for (record, _) in effects.requeued.drain(..) {
            effects.writes.push(record.release());
            effects.writes.push(Write::Record(Box::new(record)));
        }
        Ok(())
    }

    /// Sees to it that each of these endpoints has a probe under way, if it may get deliveries at all.
    ///
    /// What is held was written before, and the endpoints are read after that: a probe that ended in between, having
    /// found nothing, has given up its charge by then.
    pub(super) async fn ensure_probes(&self, ids: &BTreeSet<String>) -> Result<(), ProbeError> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let ids = ids.iter().map(String::as_str).collect();
        for standing in self.endpoints.standings(&ids).await?.values() {
            let is_active = standing.endpoint.state == endpoints::State::Active;
            if is_active && standing.circuit.probe.is_none() {
                let probe =
                    self.send_probe(&standing.endpoint.id, None, standing.circuit.wait(now), now);
                let probe = probe.await?;
                // Another that was faster has the charge; this one then ends when it arrives.
                self.circuits
                    .charge(&standing.endpoint.id, &probe, None)
                    .await?;
            }
        }
        Ok(())
    }

    /// Puts messages off.
    pub(super) async fn put_off(&self, waits: Waits) {
        let left = self.queues.put_off(&self.delivery_queue_url, waits).await;
        if left > 0 {
            tracing::warn!(
                messages = left,
                "messages come again after the queue's own visibility timeout"
            );
        }
    }
}

/// What the attempts came to, by endpoint, in their order.
fn tally<'a>(jobs: &[(Job<'a>, Verdict)]) -> Vec<(&'a Standing, Tally)> {
    let mut tallies: Vec<(&Standing, Tally)> = Vec::new();
    for (job, verdict) in jobs {
        let (Some(standing), Verdict::Tried(outcome)) = (job.standing, verdict) else {
            continue;
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
        if *outcome == Outcome::Delivered {
            tally.succeeded = true;
            tally.failures = Failures::default();
            continue;
        }
        tally.failures.count += 1;
        tally.failures.is_probe |= job.origin == Origin::Held && standing.circuit.is_open();
        tally.gone |= *outcome == Outcome::Gone;
        if let Outcome::Wait(until) = outcome {
            tally.failures.wait_until = tally.failures.wait_until.max(Some(until.as_millisecond()));
        }
    }
    tallies
}

/// What an outcome means for a delivery, as its endpoint is now.
fn disposed(outcome: Outcome, is_held: bool, after: &After) -> Verdict {
    let is_shut = !after.is_active || after.circuit.is_open();
    match outcome {
        Outcome::Gone | Outcome::Wait(_) => Verdict::Hold,
        Outcome::Retry(_) if is_shut => Verdict::Hold,
        // To probe a dead endpoint is no fault of the delivery that it is probed with.
        Outcome::Exhausted if is_shut && is_held => Verdict::Hold,
        outcome => Verdict::Tried(outcome),
    }
}

impl Effects {
    fn add(
        &mut self,
        job: Job<'_>,
        verdict: Verdict,
        after: &HashMap<String, After>,
        now: Timestamp,
    ) {
        let Job {
            origin, mut record, ..
        } = job;
        let is_held = origin == Origin::Held;
        let outcome = match &verdict {
            Verdict::Tried(outcome) => Some(outcome.name()),
            _ => None,
        };
        let verdict = match (verdict, after.get(&record.endpoint)) {
            (Verdict::Tried(outcome), Some(after)) => disposed(outcome, is_held, after),
            (verdict, _) => verdict,
        };
        if let Origin::Queue { message, .. } = &origin {
            self.messages.push(message.clone());
        }
        match verdict {
            Verdict::Tried(Outcome::Delivered) => {
                record.turn(State::Delivered, None, now);
                self.line(&record, outcome);
                self.end(record, is_held);
            }
            Verdict::Tried(Outcome::Retry(wait)) => {
                record.turn(State::Pending, None, now);
                let due = SignedDuration::try_from(wait)
                    .ok()
                    .and_then(|wait| now.checked_add(wait).ok());
                record.next_attempt_at = due.map(Timestamp::as_millisecond);
                self.line(&record, outcome);
                if is_held {
                    self.requeued.push((record, wait));
                } else {
                    self.careful.push((record, origin, Some(wait)));
                }
            }
            Verdict::Tried(_) => {
                record.turn(State::Exhausted, None, now);
                self.line(&record, outcome);
                if is_held {
                    self.end(record, true);
                } else {
                    self.careful.push((record, origin, None));
                }
            }
            Verdict::Release => self.writes.push(record.release()),
            Verdict::Skip(reason) => {
                record.turn(State::Skipped, Some(reason), now);
                self.line(&record, outcome);
                self.end(record, is_held);
            }
            Verdict::Hold => {
                record.turn(State::Held, None, now);
                self.line(&record, outcome);
                if !is_held {
                    self.writes.push(Write::Hold(HeldEntry::of(&record)));
                    self.held.insert(record.endpoint.clone());
                }
                self.writes.push(Write::Record(Box::new(record)));
            }
        }
    }

    fn end(&mut self, record: Record, is_held: bool) {
        if is_held {
            self.writes.push(record.release());
        }
        self.writes.push(Write::Record(Box::new(record)));
    }

    fn line(&mut self, record: &Record, outcome: Option<&'static str>) {
        self.lines.push(DeliveryLine::of(record, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::test::{endpoint, event};

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
        assert_eq!(
            tallied(&[until(5), Outcome::Delivered]).failures.wait_until,
            None
        );
        assert!(tallied(&[Outcome::Gone]).gone);
    }

    #[test]
    fn what_was_not_tried_does_not_count() {
        let standing = standing();
        let jobs = [
            (job(&standing, queue()), Verdict::Hold),
            (job(&standing, queue()), Verdict::Skip(String::new())),
        ];
        assert!(tally(&jobs).is_empty());
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

    #[test]
    fn a_failure_is_held_where_its_endpoint_is_shut() {
        let well = After {
            circuit: Circuit::default(),
            is_active: true,
        };
        let mut open = well.clone();
        open.circuit.opened_at = Some(1);
        let mut disabled = well.clone();
        disabled.is_active = false;
        assert_eq!(disposed(retry(), false, &well), Verdict::Tried(retry()));
        for shut in [&open, &disabled] {
            assert_eq!(disposed(retry(), false, shut), Verdict::Hold);
            assert_eq!(disposed(retry(), true, shut), Verdict::Hold);
            assert_eq!(disposed(Outcome::Exhausted, true, shut), Verdict::Hold);
            assert_eq!(
                disposed(Outcome::Exhausted, false, shut),
                Verdict::Tried(Outcome::Exhausted)
            );
            assert_eq!(
                disposed(Outcome::Delivered, true, shut),
                Verdict::Tried(Outcome::Delivered)
            );
        }
        assert_eq!(disposed(Outcome::Gone, false, &disabled), Verdict::Hold);
        assert_eq!(
            disposed(Outcome::Wait(Timestamp::MAX), false, &well),
            Verdict::Hold
        );
    }
}
