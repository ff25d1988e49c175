//! The deliveries of a batch: what needs no attempt is settled at once, the rest is attempted side by side.

use super::attempted::{Attempted, Decided};
use super::hanging::{CLAIMED_FOR, HANGS_AFTER, Reported, deferral};
use super::lifecycle::{Disposition, Step, apply_resend, before};
use super::settle::Settled;
use super::{DeliveryFunction, Received, random};
use crate::aws::sqs::VisibilityChanges;
use crate::backoff;
use crate::messages::{DeliverEvent, MAX_DELAY, Message, early_by};
use crate::store::deliveries::Delivery;
use crate::store::endpoints::{Endpoint, EndpointStatus, delivery_id};
use futures_util::stream::{FuturesUnordered, Stream, StreamExt};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// What is left of an invocation for settling, after the longest attempt that is begun in it.
const SETTLE_RESERVE: Duration = Duration::from_secs(3);

/// Attempts that end within so long after another are settled together with it.
const SETTLE_WINDOW: Duration = Duration::from_millis(250);

/// When a copy of a message of the same batch comes again, in seconds.
const DUPLICATE_RECHECK: i32 = 30;

/// A delivery that is to be attempted.
struct Trial<'a> {
    delivery: Delivery,
    status: &'a EndpointStatus,
    received: &'a Received,
}

/// The deliveries of a batch, by what is done about them.
#[derive(Default)]
struct Batch<'a> {
    trials: Vec<Trial<'a>>,
    without_attempt: Vec<Decided<'a>>,
    /// Messages that are not due for so long that other messages take their place.
    replaced: Vec<(&'a Received, DeliverEvent)>,
    /// Messages that come again, untouched.
    visibility: VisibilityChanges,
    /// The ids of these.
    unfinished: Vec<String>,
}

impl DeliveryFunction {
    /// Delivers what can be delivered; the ids of the messages that are not done with.
    pub(super) async fn deliver(
        &self,
        messages: Vec<(&Received, DeliverEvent)>,
        statuses: &HashMap<String, EndpointStatus>,
    ) -> Vec<String> {
        let ids: Vec<_> = messages
            .iter()
            .map(|(_, message)| delivery_id(&message.endpoint, &message.event))
            .collect();
        let keys = messages
            .iter()
            .zip(&ids)
            .map(|((_, message), id)| (&*message.endpoint, &**id));
        let known = match self.deliveries.records(&keys.collect()).await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "deliveries are not readable");
                return ids_of(messages.iter().map(|(received, _)| *received));
            }
        };
        let mut batch = Batch::of(messages.into_iter().zip(ids), known, statuses);
        self.claim_trials(&mut batch).await;
        self.queue.change_visibility(batch.visibility).await;
        let mut unfinished = batch.unfinished;
        unfinished.extend(self.replace_messages(batch.replaced).await);
        let Settled {
            unfinished: left, ..
        } = self.settle(Vec::new(), batch.without_attempt, &[]).await;
        unfinished.extend(left);
        unfinished.extend(self.attempt_all(batch.trials).await);
        unfinished
    }

    /// Sends messages in the place of these; the ids of those for which none was sent.
    async fn replace_messages(&self, messages: Vec<(&Received, DeliverEvent)>) -> Vec<String> {
        let mut unfinished = Vec::new();
        for (received, message) in messages {
            let message = Message::Delivery(message);
            if let Err(error) = self.queue.send(&message, MAX_DELAY).await {
                tracing::error!(message.id = received.id, %error, "a message is not replaced");
                unfinished.push(received.id.clone());
            }
        }
        unfinished
    }

    /// Claims the trial of each endpoint that is not known to be quick, for all deliveries that the batch has
    /// for it. Where another invocation has the trial, the deliveries come again.
    async fn claim_trials(&self, batch: &mut Batch<'_>) {
        let until = Timestamp::now() + CLAIMED_FOR;
        let mut claims = HashMap::new();
        for trial in std::mem::take(&mut batch.trials) {
            let id = &trial.status.endpoint.id;
            let is_admitted = match (trial.status.circuit.hanging_until, claims.get(id)) {
                (None, _) => true,
                (Some(_), Some(is_claimed)) => *is_claimed,
                (Some(seen), None) => {
                    let is_claimed = self.health.claim_trial(id, seen, until).await;
                    claims.insert(id.clone(), is_claimed);
                    is_claimed
                }
            };
            if is_admitted {
                batch.trials.push(trial);
            } else {
                // By then the endpoint is known to be quick, or to be slow.
                batch.defer(trial.received, HANGS_AFTER);
            }
        }
    }

    /// Attempts deliveries side by side, and settles them as they are done; the ids of the messages that are
    /// not done with.
    async fn attempt_all(&self, trials: Vec<Trial<'_>>) -> Vec<String> {
        if trials.is_empty() {
            return Vec::new();
        }
        let events: Vec<_> = trials
            .iter()
            .map(|trial| trial.delivery.event.clone())
            .collect();
        let loads = match self.attempts.load(&events).await {
            Ok(loads) => loads,
            Err(error) => {
                tracing::error!(%error, "events are not readable");
                return ids_of(trials.iter().map(|trial| trial.received));
            }
        };
        // Another invocation has the memory for the rest.
        let is_later = |trial: &Trial<'_>| loads.is_later(&trial.delivery.event);
        let (later, now): (Vec<_>, Vec<_>) = trials.into_iter().partition(is_later);
        let mut unfinished = ids_of(later.iter().map(|trial| trial.received));
        let receipts = later
            .iter()
            .map(|trial| (trial.received.receipt.clone(), 0));
        self.queue.change_visibility(receipts.collect()).await;
        let reported = Reported::default();
        // The endpoints of the attempts that are not settled yet, one for each attempt.
        let mut under_way: Vec<&str> = now.iter().map(|trial| &*trial.status.endpoint.id).collect();
        let attempts = now.into_iter().map(async |mut trial| {
            let (sent, endpoint) = (Notify::new(), &trial.status.endpoint);
            let attempt = self
                .attempts
                .attempt(&mut trial.delivery, endpoint, &loads, &sent);
            let tried = self
                .health
                .report_while_hanging(attempt, &sent, trial.status, &reported)
                .await;
            let attempted = match tried {
                Some(tried) => Ok(Attempted {
                    delivery: trial.delivery,
                    status: trial.status,
                    received: Some(trial.received),
                    tried,
                }),
                None => Err(trial.received.id.clone()),
            };
            (&*trial.status.endpoint.id, attempted)
        });
        let mut pending: FuturesUnordered<_> = attempts.collect();
        while let Some(window) = next_window(&mut pending).await {
            let mut done = Vec::new();
            for (endpoint, attempted) in window {
                if let Some(place) = under_way.iter().position(|one| *one == endpoint) {
                    under_way.swap_remove(place);
                }
                match attempted {
                    Ok(attempted) => done.push(attempted),
                    Err(id) => unfinished.push(id),
                }
            }
            let settled = self.settle(done, Vec::new(), &under_way).await;
            unfinished.extend(settled.unfinished);
        }
        unfinished
    }
}

/// The attempts that are done next: the first, and those within a window after it. A delivery that is done
/// does not wait for a slow one, and deliveries that are done at about the same time share one update of
/// their circuit and one call for their messages.
async fn next_window<T>(attempts: &mut (impl Stream<Item = T> + Unpin)) -> Option<Vec<T>> {
    let mut window = vec![attempts.next().await?];
    let end = tokio::time::Instant::now() + SETTLE_WINDOW;
    while let Ok(Some(next)) = timeout_at(end, attempts.next()).await {
        window.push(next);
    }
    Some(window)
}

/// Whether an attempt ends before the invocation does.
pub(super) fn fits(endpoint: &Endpoint, deadline: Instant) -> bool {
    Instant::now() + endpoint.timeout() + SETTLE_RESERVE <= deadline
}

fn ids_of<'a>(messages: impl Iterator<Item = &'a Received>) -> Vec<String> {
    messages.map(|received| received.id.clone()).collect()
}

impl<'a> Batch<'a> {
    fn of(
        messages: impl Iterator<Item = ((&'a Received, DeliverEvent), String)>,
        mut known: HashMap<String, Delivery>,
        statuses: &'a HashMap<String, EndpointStatus>,
    ) -> Self {
        let now = Timestamp::now();
        let mut batch = Self::default();
        let mut seen = HashSet::new();
        for ((received, message), id) in messages {
            if !seen.insert(id.clone()) {
                batch.come_again(received, DUPLICATE_RECHECK);
            } else if let Some(early) = early_by(message.not_before, now) {
                match backoff::stay(early, received.age) {
                    Some(wait) => {
                        let seconds = backoff::visibility(wait, received.at.elapsed());
                        batch.come_again(received, seconds);
                    }
                    None => batch.replaced.push((received, message)),
                }
            } else {
                let delivery = known.remove(&id);
                let replayed = message.event.replayed;
                let new = || Delivery::new(&message.endpoint, id, message.event);
                let mut delivery = delivery.unwrap_or_else(new);
                apply_resend(&mut delivery, message.resend.as_deref(), replayed);
                let status = statuses.get(&delivery.endpoint);
                batch.add(received, delivery, status, now);
            }
        }
        batch
    }

    fn add(
        &mut self,
        received: &'a Received,
        delivery: Delivery,
        status: Option<&'a EndpointStatus>,
        now: Timestamp,
    ) {
        let disposition = match before(&delivery, status, received.receives, now) {
            Step::Settled => return,
            Step::Attempt(status) if fits(&status.endpoint, received.deadline) => {
                return self.trials.push(Trial {
                    delivery,
                    status,
                    received,
                });
            }
            // The next invocation has more time.
            Step::Attempt(_) => return self.come_again(received, 0),
            Step::Defer(left) => return self.defer(received, left.min(HANGS_AFTER)),
            Step::Hold(reason) => Disposition::Hold(reason),
            Step::Skip(reason) => Disposition::Skip(reason),
        };
        self.without_attempt.push(Decided {
            delivery,
            received,
            disposition,
        });
    }

    /// Has a message come again while another invocation waits for its endpoint.
    fn defer(&mut self, received: &Received, wait: Duration) {
        let wait = deferral(wait, received.receives, random());
        self.come_again(received, backoff::visibility(wait, received.at.elapsed()));
    }

    fn come_again(&mut self, received: &Received, seconds: i32) {
        self.visibility.push((received.receipt.clone(), seconds));
        self.unfinished.push(received.id.clone());
    }
}
