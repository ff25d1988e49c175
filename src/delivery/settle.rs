//! Settles deliveries: updates their endpoints' circuits, writes what `lifecycle.rs` decides, and
//! acknowledges their messages. A message whose delivery could not be written comes again: a delivery may be
//! repeated, but not lost.

use super::attempted::{Attempted, Decided};
use super::lifecycle::{Change, Disposition, HoldReason, Origin, after, apply};
use super::line::{line, outcome};
use super::{DeliveryFunction, Received, random};
use crate::aws::error::AwsError;
use crate::aws::sqs::{MAX_ENTRIES, VisibilityChanges};
use crate::backoff::visibility;
use crate::messages::{DeliverEvent, MAX_DELAY, Message};
use crate::metrics::DeliveryLine;
use crate::store::deliveries::{Delivery, HeldEntry, Write};
use crate::store::endpoints::EndpointStatus;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// What came of settling.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The ids of the messages that are not done with.
    pub(super) unfinished: Vec<String>,
    /// The endpoints that were attempted, as they are now.
    pub(super) after: HashMap<String, EndpointStatus>,
    /// Whether all of it is written.
    pub(super) is_written: bool,
}

/// A delivery in its new state, and what is done about it.
struct Settling<'a> {
    delivery: Delivery,
    received: Option<&'a Received>,
    change: Change,
}

/// All that is to be written.
#[derive(Default)]
struct Changes<'a> {
    settlings: Vec<Settling<'a>>,
    lines: Vec<DeliveryLine>,
}

impl DeliveryFunction {
    /// Settles deliveries that were attempted, in the order of their attempts, and others without an attempt.
    /// Of the endpoints that are `under_way`, further attempts of this batch are not done.
    pub(super) async fn settle(
        &self,
        attempted: Vec<Attempted<'_>>,
        decided: Vec<Decided<'_>>,
        under_way: &[&str],
    ) -> Settled {
        let now = Timestamp::now();
        // The circuits first: what becomes of a delivery depends on whether its endpoint still takes
        // deliveries.
        let after = self
            .health
            .update_circuits(&attempted, under_way, now)
            .await;
        let mut changes = Changes::default();
        for one in attempted {
            // An attempt that says nothing of its endpoint updates no circuit.
            let status = after.get(&one.delivery.endpoint).unwrap_or(one.status);
            changes.add_attempted(one, status, now);
        }
        for one in decided {
            changes.add_decided(one, now);
        }
        let (unfinished, is_written) = self.carry_out(changes).await;
        Settled {
            unfinished,
            after,
            is_written,
        }
    }

    /// Writes all of it; the ids of the messages that are not done with, and whether all is written.
    ///
    /// The order of the steps is what makes it safe to die after any of them: a message or an entry among
    /// what is held is removed last. What was done before is done once more when the message comes again, and
    /// does no harm.
    async fn carry_out(&self, changes: Changes<'_>) -> (Vec<String>, bool) {
        let Changes {
            mut settlings,
            lines,
        } = changes;
        // A message before the record that says "pending", and before the entry goes: a delivery that is in
        // both places is found settled in the second, one that is in neither is lost.
        let mut is_written = self.requeue(&mut settlings).await;
        // Entries before records: no probe finds a record that says "held" without an entry.
        if let Err(error) = self.deliveries.write(&entries(&settlings)).await {
            tracing::error!(%error, "deliveries are not settled");
            return (ids(&settlings), false);
        }
        let records: Vec<_> = settlings
            .iter()
            .map(|settling| &settling.delivery)
            .collect();
        let written = self.deliveries.record_all(&records).await;
        let mut done = Done::default();
        for (settling, written) in settlings.iter().zip(written) {
            is_written &= done.add(settling, written);
        }
        // Entries go after the records: one that is left over is found and removed by the next probe.
        if let Err(error) = self.deliveries.write(&done.releases).await {
            tracing::error!(%error, "deliveries are not taken out of what is held");
            is_written = false;
        }
        // The probe after the entries: a probe that ended before them, having found nothing, has released its
        // lease by now, and a probe that still has it will find them.
        if let Err(error) = self.health.ensure_probes(&held_for(&settlings)).await {
            tracing::error!(%error, "held deliveries are not sure to be probed");
            return (ids(&settlings), false);
        }
        self.queue.change_visibility(done.visibility).await;
        for line in lines {
            self.metrics.delivery(line);
        }
        (done.unfinished, is_written)
    }

    /// Sends messages for the deliveries that go from what is held to the queue; whether all were sent. A
    /// delivery whose message was not sent stays held, with its attempt.
    async fn requeue(&self, settlings: &mut [Settling<'_>]) -> bool {
        let now = Timestamp::now();
        let mut requeued: Vec<_> = settlings
            .iter_mut()
            .filter_map(|settling| match settling.change {
                Change::Requeue(wait) => Some((settling, wait)),
                _ => None,
            })
            .collect();
        let mut is_whole = true;
        for batch in requeued.chunks_mut(MAX_ENTRIES) {
            let messages: Vec<_> = batch
                .iter()
                .map(|(settling, wait)| message(&settling.delivery, *wait))
                .collect();
            let sent = self
                .queue
                .send_batch(&messages)
                .await
                .unwrap_or_else(|error| {
                    tracing::error!(%error, "held deliveries are not requeued");
                    vec![false; messages.len()]
                });
            for ((settling, _), is_sent) in batch.iter_mut().zip(sent) {
                if !is_sent {
                    is_whole = false;
                    let hold = Disposition::Hold(HoldReason::Draining);
                    settling.change = apply(&mut settling.delivery, None, hold, Origin::Held, now);
                }
            }
        }
        is_whole
    }
}

/// The message that has a delivery sent after so long, and for how many seconds it is kept back.
fn message(delivery: &Delivery, wait: Duration) -> (Message, i32) {
    let seconds = visibility(wait, Duration::ZERO);
    let message = Message::Delivery(DeliverEvent {
        endpoint: delivery.endpoint.clone(),
        event: delivery.event.clone(),
        resend: delivery.resend.clone(),
        not_before: delivery.next_attempt_at.filter(|_| seconds > MAX_DELAY),
    });
    (message, seconds)
}

/// The entries of what goes from the queue to what is held.
fn entries(settlings: &[Settling<'_>]) -> Vec<Write> {
    let held = settlings
        .iter()
        .filter(|settling| settling.change == Change::Hold);
    held.map(|settling| Write::Hold(HeldEntry::of(&settling.delivery)))
        .collect()
}

/// The endpoints of what goes from the queue to what is held.
fn held_for(settlings: &[Settling<'_>]) -> BTreeSet<String> {
    let held = settlings
        .iter()
        .filter(|settling| settling.change == Change::Hold);
    held.map(|settling| settling.delivery.endpoint.clone())
        .collect()
}

/// The ids of all messages.
fn ids(settlings: &[Settling<'_>]) -> Vec<String> {
    let received = settlings.iter().filter_map(|settling| settling.received);
    received.map(|received| received.id.clone()).collect()
}

impl<'a> Changes<'a> {
    /// Adds a delivery that was attempted, whose endpoint is this afterwards.
    fn add_attempted(&mut self, attempted: Attempted<'a>, status: &EndpointStatus, now: Timestamp) {
        let origin = attempted.origin();
        let Attempted {
            mut delivery,
            received,
            tried,
            ..
        } = attempted;
        let disposition = after(&tried, &delivery, status, origin, random());
        let outcome = outcome(&tried, &delivery, &status.endpoint.retry);
        let change = apply(&mut delivery, Some(&tried), disposition, origin, now);
        self.add(delivery, received, change, outcome);
    }

    fn add_decided(&mut self, decided: Decided<'a>, now: Timestamp) {
        let Decided {
            mut delivery,
            received,
            disposition,
        } = decided;
        let change = apply(&mut delivery, None, disposition, Origin::Queue, now);
        self.add(delivery, Some(received), change, None);
    }

    fn add(
        &mut self,
        delivery: Delivery,
        received: Option<&'a Received>,
        change: Change,
        outcome: Option<&'static str>,
    ) {
        self.lines.push(line(&delivery, outcome));
        self.settlings.push(Settling {
            delivery,
            received,
            change,
        });
    }
}

/// What is left to be done once records are written.
#[derive(Default)]
struct Done {
    /// The ids of the messages that are not done with.
    unfinished: Vec<String>,
    visibility: VisibilityChanges,
    /// Entries that are removed.
    releases: Vec<Write>,
}

impl Done {
    /// Adds a delivery whose record was written: as it stands, or, if it says false, beside a delivery that
    /// was delivered meanwhile. Whether it was written.
    fn add(&mut self, settling: &Settling<'_>, written: Result<bool, AwsError>) -> bool {
        let Settling {
            delivery,
            received,
            change,
        } = settling;
        match (&written, change) {
            (Ok(_), Change::Release | Change::Requeue(_)) => self.releases.push(delivery.release()),
            (Ok(true), Change::Reschedule(wait)) => {
                if let Some(received) = received {
                    let seconds = visibility(*wait, received.at.elapsed());
                    self.visibility.push((received.receipt.clone(), seconds));
                    self.unfinished.push(received.id.clone());
                }
            }
            // Delivered meanwhile: its message is not needed any more.
            (Ok(false), Change::Reschedule(_)) => {}
            (Ok(_), Change::Acknowledge | Change::Hold | Change::StayHeld) => {}
            (Err(error), _) => {
                tracing::error!(delivery.id = delivery.id, %error, "delivery is not settled");
                self.unfinished
                    .extend(received.map(|received| received.id.clone()));
            }
        }
        written.is_ok()
    }
}
