//! What is done about each delivery once it is tried, held or skipped: its endpoint's circuit is told, its record
//! written, its message acknowledged, put off or kept. What an answer comes to is decided by `outcome`.
//!
//! Whatever cannot be written keeps its message, which comes again: a delivery may be repeated, never forgotten.

use super::DeliveryFunction;
use super::circuits::After;
use super::job::{Job, Origin, Verdict};
use super::outcome::Outcome;
use super::plan;
use crate::aws::sqs::{self, MAX_ENTRIES, Refused, Waits};
use crate::backoff::visibility;
use crate::messages::{DeliverEvent, MAX_DELAY, Message};
use crate::metrics::DeliveryLine;
use crate::store::deliveries::{Delivery, HeldEntry, State, Write};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

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

/// All that is to be written.
#[derive(Default)]
struct Effects {
    /// What is put into the queue of what is held, before its records are written.
    holds: Vec<Write>,
    records: Vec<Settling>,
    /// What is taken out of it, after they are written.
    releases: Vec<Write>,
    /// Deliveries that go from what is held to the queue.
    requeued: Vec<(Delivery, Duration)>,
    /// The endpoints of what was put into the queue of what is held.
    held: BTreeSet<String>,
    /// The messages that all of this is about.
    messages: Vec<String>,
    lines: Vec<DeliveryLine>,
}

/// A record that is to be written, and what is done once it is.
struct Settling {
    record: Delivery,
    origin: Origin,
    /// How long its message waits, if it is to come again.
    wait: Option<Duration>,
    /// Whether it is taken out of the queue of what is held.
    is_released: bool,
}

impl DeliveryFunction {
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

    /// Writes all of it; the ids of the messages that are not done with, and whether all is written.
    async fn carry_out(&self, mut effects: Effects) -> (Vec<String>, bool) {
        let is_requeued = self.requeue(&mut effects).await;
        if let Err(error) = self.history.write(&effects.holds).await {
            tracing::error!(%error, "deliveries are not settled");
            return (effects.messages, false);
        }
        let mut kept = Vec::new();
        let mut waits = Waits::new();
        let mut is_written = is_requeued;
        let records = effects.records.iter();
        let written = join_all(records.map(|it| self.history.record(&it.record))).await;
        for (settling, written) in effects.records.into_iter().zip(written) {
            let Settling {
                record,
                origin,
                wait,
                is_released,
            } = settling;
            match written {
                Ok(_) if is_released => effects.releases.push(record.release()),
                Ok(_) => {}
                Err(ref error) => {
                    tracing::error!(delivery.id = record.id, %error, "delivery is not settled");
                    is_written = false;
                }
            }
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
                (Err(_), _) => kept.push(message),
            }
        }
        if let Err(error) = self.history.write(&effects.releases).await {
            tracing::error!(%error, "deliveries are not taken out of what is held");
            is_written = false;
        }
        if let Err(error) = self.ensure_probes(&effects.held).await {
            tracing::error!(%error, "held deliveries are not sure to be probed");
            return (effects.messages, false);
        }
        self.put_off(waits).await;
        for line in effects.lines {
            self.metrics.delivery(line);
        }
        (kept, is_written)
    }

    /// Sends deliveries from what is held to the queue, and writes that; whether all were sent. One that was not sent
    /// stays held, with its attempt.
    async fn requeue(&self, effects: &mut Effects) -> bool {
        let now = Timestamp::now();
        let mut requeued = std::mem::take(&mut effects.requeued);
        let mut is_whole = true;
        while !requeued.is_empty() {
            let rest = requeued.split_off(requeued.len().min(MAX_ENTRIES));
            let batch = std::mem::replace(&mut requeued, rest);
            let queued = self.send_orders(&batch).await;
            for ((mut record, _), is_queued) in batch.into_iter().zip(queued) {
                if !is_queued {
                    is_whole = false;
                    record.turn(State::Held, Some(plan::DRAINING.to_owned()), now);
                }
                effects.write(record, Origin::Held, None, is_queued);
            }
        }
        is_whole
    }

    /// Sends the orders of a batch of deliveries; whether each is on the queue for sure.
    async fn send_orders(&self, batch: &[(Delivery, Duration)]) -> Vec<bool> {
        let messages: Result<Vec<_>, _> = batch
            .iter()
            .map(|(record, wait)| order(record, *wait).map(Arc::new))
            .collect();
        let messages = match messages {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, "held deliveries are not requeued");
                return vec![false; batch.len()];
            }
        };
        let sent = self.queues.send(&self.delivery_queue_url, messages.clone());
        let refused = match sent.await {
            Ok(refused) => refused,
            Err(error) => {
                tracing::error!(%error, "held deliveries are not requeued");
                return vec![false; batch.len()];
            }
        };
        for Refused { code, .. } in &refused {
            tracing::error!(code, "the delivery queue refuses a held delivery");
        }
        let is_refused = |it: &Arc<_>| refused.iter().any(|one| Arc::ptr_eq(&one.message, it));
        messages.iter().map(|it| !is_refused(it)).collect()
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

/// The message that has a delivery tried after so long.
fn order(record: &Delivery, wait: Duration) -> Result<sqs::Message, serde_json::Error> {
    let seconds = visibility(wait, Duration::ZERO);
    let order = Message::Delivery(DeliverEvent {
        endpoint: record.endpoint.clone(),
        event: record.event.clone(),
        resend: record.resend.clone(),
        not_before: record.next_attempt_at.filter(|_| seconds > MAX_DELAY),
    });
    order.queued(seconds)
}

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The endpoint has it.
    Delivered,
    /// It is tried again after so long.
    Pending(Duration),
    /// Its attempts are used up.
    Exhausted,
    /// It waits for its endpoint, for this reason.
    Held(&'static str),
    /// It can never be delivered, for this reason.
    Skipped(String),
    /// It was dealt with before, and is only taken out of what is held.
    Released,
}

impl Fate {
    /// By what its attempt came to and what its endpoint is by now; `is_probe` tells the probe of an open circuit.
    fn of_attempt(outcome: Outcome, is_probe: bool, after: Option<&After>) -> Self {
        let shut = match after {
            Some(After {
                is_active: false, ..
            }) => Some(plan::DISABLED),
            Some(After { circuit, .. }) if circuit.is_open() => Some(plan::OPEN),
            Some(_) | None => None,
        };
        match (outcome, shut) {
            (Outcome::Delivered, _) => Self::Delivered,
            (Outcome::Gone, _) => Self::Held(plan::DISABLED),
            (Outcome::Wait(_), shut) => Self::Held(shut.unwrap_or(plan::ASKED)),
            // To probe a dead endpoint is no fault of the delivery that it is probed with.
            (Outcome::Retry(_) | Outcome::Exhausted, shut) if is_probe => {
                Self::Held(shut.unwrap_or(plan::DRAINING))
            }
            (Outcome::Retry(_), Some(reason)) => Self::Held(reason),
            (Outcome::Retry(wait), None) => Self::Pending(wait),
            (Outcome::Exhausted, _) => Self::Exhausted,
        }
    }
}

/// Whether an attempt is one of the delivery's schedule, and used it up by a step.
fn is_failure(outcome: Outcome, is_probe: bool) -> bool {
    match outcome {
        Outcome::Retry(_) | Outcome::Exhausted => !is_probe,
        Outcome::Delivered | Outcome::Gone | Outcome::Wait(_) => false,
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
        let is_probe = job.is_probe();
        let Job {
            origin, mut record, ..
        } = job;
        let is_held = origin == Origin::Held;
        if let Origin::Queue { message, .. } = &origin {
            self.messages.push(message.clone());
        }
        let mut outcome = None;
        let fate = match verdict {
            Verdict::Tried(it) => {
                outcome = Some(it);
                record.failures += u32::from(is_failure(it, is_probe));
                Fate::of_attempt(it, is_probe, after.get(&record.endpoint))
            }
            // Of the gateway's own fault, whatever its endpoint is.
            Verdict::Unread(it) => {
                outcome = Some(it);
                Fate::of_attempt(it, false, None)
            }
            Verdict::Hold(reason) | Verdict::Faulty(reason) => Fate::Held(reason),
            Verdict::Skip(reason) => Fate::Skipped(reason),
            Verdict::Release => Fate::Released,
        };
        match fate {
            Fate::Delivered => {
                record.turn(State::Delivered, None, now);
                self.line(&record, outcome);
                self.write(record, origin, None, is_held);
            }
            Fate::Pending(wait) => {
                record.turn(State::Pending, None, now);
                let due = SignedDuration::try_from(wait)
                    .ok()
                    .and_then(|wait| now.checked_add(wait).ok());
                record.next_attempt_at = due.map(Timestamp::as_millisecond);
                self.line(&record, outcome);
                if is_held {
                    self.requeued.push((record, wait));
                } else {
                    self.write(record, origin, Some(wait), false);
                }
            }
            Fate::Exhausted => {
                record.turn(State::Exhausted, None, now);
                self.line(&record, outcome);
                self.write(record, origin, None, is_held);
            }
            Fate::Released => self.releases.push(record.release()),
            Fate::Skipped(reason) => {
                record.turn(State::Skipped, Some(reason), now);
                self.line(&record, outcome);
                self.write(record, origin, None, is_held);
            }
            Fate::Held(reason) => {
                record.turn(State::Held, Some(reason.to_owned()), now);
                self.line(&record, outcome);
                if !is_held {
                    self.holds.push(Write::Hold(HeldEntry::of(&record)));
                    self.held.insert(record.endpoint.clone());
                }
                self.write(record, origin, None, false);
            }
        }
    }

    fn write(
        &mut self,
        record: Delivery,
        origin: Origin,
        wait: Option<Duration>,
        is_released: bool,
    ) {
        self.records.push(Settling {
            record,
            origin,
            wait,
            is_released,
        });
    }

    fn line(&mut self, record: &Delivery, outcome: Option<Outcome>) {
        self.lines.push(DeliveryLine::of(record, outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::circuit::Circuit;

    #[test]
    fn what_becomes_of_a_delivery_goes_by_its_attempt_and_by_its_endpoint() {
        let well = After {
            circuit: Circuit::default(),
            is_active: true,
        };
        let mut open = well.clone();
        open.circuit.opened_at = Some(1);
        let mut disabled = well.clone();
        disabled.is_active = false;
        let (well, open, disabled) = (Some(&well), Some(&open), Some(&disabled));

        let wait = Duration::from_secs(5);
        let (retry, asked) = (Outcome::Retry(wait), Outcome::Wait(Timestamp::MAX));
        let (delivered, gone, exhausted) = (Outcome::Delivered, Outcome::Gone, Outcome::Exhausted);
        let held = |reason| Fate::Held(reason);
        for (outcome, is_probe, after, fate, counts) in [
            (delivered, false, well, Fate::Delivered, false),
            (delivered, false, open, Fate::Delivered, false),
            (delivered, true, well, Fate::Delivered, false),
            (delivered, true, disabled, Fate::Delivered, false),
            (delivered, false, None, Fate::Delivered, false),
            (gone, false, disabled, held(plan::DISABLED), false),
            (gone, true, open, held(plan::DISABLED), false),
            (gone, false, None, held(plan::DISABLED), false),
            (asked, false, well, held(plan::ASKED), false),
            (asked, false, None, held(plan::ASKED), false),
            (asked, true, open, held(plan::OPEN), false),
            (asked, false, disabled, held(plan::DISABLED), false),
            (retry, false, well, Fate::Pending(wait), true),
            (retry, false, None, Fate::Pending(wait), true),
            (retry, false, open, held(plan::OPEN), true),
            (retry, false, disabled, held(plan::DISABLED), true),
            (retry, true, open, held(plan::OPEN), false),
            (retry, true, disabled, held(plan::DISABLED), false),
            (retry, true, well, held(plan::DRAINING), false),
            (exhausted, false, well, Fate::Exhausted, true),
            (exhausted, false, None, Fate::Exhausted, true),
            (exhausted, false, open, Fate::Exhausted, true),
            (exhausted, false, disabled, Fate::Exhausted, true),
            (exhausted, true, open, held(plan::OPEN), false),
            (exhausted, true, well, held(plan::DRAINING), false),
        ] {
            let what = format!("{outcome:?}, {is_probe}, {after:?}");
            assert_eq!(Fate::of_attempt(outcome, is_probe, after), fate, "{what}");
            assert_eq!(is_failure(outcome, is_probe), counts, "{what}");
        }
    }
}
