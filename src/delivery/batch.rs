//! The deliveries of a batch: each is planned, and what is to be tried is tried side by side. How an attempt is made
//! is left to `attempt`, and what is done afterwards to `settle`.

use super::job::{Job, Verdict};
use super::plan::{Plan, begin_anew, plan};
use super::{DeliveryFunction, Received, random};
use crate::aws::sqs::Waits;
use crate::backoff;
use crate::messages::{DeliverEvent, MAX_DELAY, Message, early_by};
use crate::store::deliveries::Delivery;
use crate::store::endpoints::circuit::SLOW;
use crate::store::endpoints::{Endpoint, EndpointStatus, delivery_id};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// What is left of an invocation for settling, after the longest attempt that is begun in it.
const MARGIN: Duration = Duration::from_secs(3);

/// So long after the first attempts are done, they are settled without the slower ones.
const LINGER: Duration = Duration::from_millis(250);

/// For so long it is good to say that an attempt hangs; it is said again in time while it does.
const SLOW_FOR: Duration = Duration::from_secs(3);

/// When a copy of a message that is being worked on is looked at, in seconds.
const COPY: i32 = 30;

/// A delivery that is to be tried.
struct Due<'a> {
    job: Job<'a>,
    endpoint: &'a Endpoint,
    /// Until when an invocation had the turn, if the endpoint is not known to be quick.
    slow_until: Option<i64>,
    received: &'a Received,
}

/// The deliveries of a batch, by what is to be done about them.
#[derive(Default)]
struct Planned<'a> {
    due: Vec<Due<'a>>,
    /// What is settled without an attempt.
    decided: Vec<(Job<'a>, Verdict)>,
    /// Orders that are not due for so long that another message takes the place of theirs.
    anew: Vec<(&'a Received, DeliverEvent)>,
    /// Messages that come again, untouched.
    waits: Waits,
    /// The ids of these.
    kept: Vec<String>,
}

impl DeliveryFunction {
    /// Delivers what can be delivered; the ids of the messages that are not done with.
    pub(super) async fn deliver(
        &self,
        orders: Vec<(&Received, DeliverEvent)>,
        statuses: &HashMap<String, EndpointStatus>,
    ) -> Vec<String> {
        let ids: Vec<_> = orders
            .iter()
            .map(|(_, it)| delivery_id(&it.endpoint, &it.event))
            .collect();
        let keys = orders
            .iter()
            .zip(&ids)
            .map(|((_, order), id)| (&*order.endpoint, &**id));
        let records = match self.history.records(&keys.collect()).await {
            Ok(records) => records,
            Err(error) => {
                tracing::error!(%error, "deliveries are not readable");
                return orders.iter().map(|(it, _)| it.id.clone()).collect();
            }
        };
        let orders = orders.into_iter().zip(ids);
        let mut planned = Planned::of(orders, records, statuses);
        self.take_turns(&mut planned).await;
        let Planned {
            due,
            decided,
            anew,
            waits,
            mut kept,
        } = planned;
        self.put_off(waits).await;
        kept.extend(self.send_anew(anew).await);
        kept.extend(self.settle(decided).await.kept);
        kept.extend(self.try_all(due).await);
        kept
    }

    /// Sends orders anew; the ids of the messages whose orders were not sent.
    async fn send_anew(&self, orders: Vec<(&Received, DeliverEvent)>) -> Vec<String> {
        let mut kept = Vec::new();
        for (received, order) in orders {
            let sent = match Message::Delivery(order).queued(MAX_DELAY) {
                Ok(message) => {
                    self.queues
                        .send_one(&self.delivery_queue_url, message)
                        .await
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = sent {
                tracing::error!(message.id = received.id, %error, "an order is not sent anew");
                kept.push(received.id.clone());
            }
        }
        kept
    }

    /// Takes the turn at each endpoint that is not known to be quick, for all that the batch has for it; where another
    /// invocation has it, the deliveries come again. So an endpoint that hangs, however it answers in the end, takes the
    /// place of one invocation and no more.
    async fn take_turns(&self, planned: &mut Planned<'_>) {
        let until = Timestamp::now() + 2 * SLOW_FOR;
        let mut turns = HashMap::new();
        for due in std::mem::take(&mut planned.due) {
            let id = &due.endpoint.id;
            let is_its_turn = match (due.slow_until, turns.get(id)) {
                (None, _) => true,
                (Some(_), Some(is_its_turn)) => *is_its_turn,
                (Some(seen), None) => {
                    let taken = self.circuits.take_turn(id, seen, until).await;
                    let is_its_turn = taken.unwrap_or_else(|error| {
                        tracing::error!(endpoint.id = id, %error, "slow endpoint");
                        false
                    });
                    turns.insert(id.clone(), is_its_turn);
                    is_its_turn
                }
            };
            if is_its_turn {
                planned.due.push(due);
            } else {
                // By then it is known to be quick, or to be slow.
                planned.put_off_for(due.received, SLOW);
            }
        }
    }

    /// Tries deliveries side by side, and settles them as they are done: those that are done at about the same time
    /// together, so that none waits for one that is slow.
    async fn try_all(&self, due: Vec<Due<'_>>) -> Vec<String> {
        if due.is_empty() {
            return Vec::new();
        }
        let events: Vec<_> = due.iter().map(|it| it.job.record.event.clone()).collect();
        let loads = match self.load(&events).await {
            Ok(loads) => loads,
            Err(error) => {
                tracing::error!(%error, "events are not readable");
                return due.iter().map(|it| it.received.id.clone()).collect();
            }
        };
        // Another invocation has the memory for the rest.
        let is_later = |due: &Due<'_>| loads.is_later(&due.job.record.event);
        let (later, due): (Vec<_>, Vec<_>) = due.into_iter().partition(is_later);
        let mut kept: Vec<_> = later.iter().map(|it| it.received.id.clone()).collect();
        let waits = later.iter().map(|it| (it.received.receipt.clone(), 0));
        self.put_off(waits.collect()).await;
        let slow = Mutex::default();
        let tries = due.into_iter().map(async |due| {
            let sent = Notify::new();
            let (id, had_turn) = (&due.endpoint.id, due.slow_until.is_some());
            let attempt = self.try_once(due.job, due.endpoint, &loads, &sent);
            let tried = self.watch(attempt, &sent, id, had_turn, &slow).await;
            tried.ok_or_else(|| due.received.id.clone())
        });
        let mut pending: FuturesUnordered<_> = tries.collect();
        while let Some(first) = pending.next().await {
            let mut done = vec![first];
            let linger = tokio::time::sleep(LINGER);
            tokio::pin!(linger);
            while !pending.is_empty() {
                tokio::select! {
                    Some(next) = pending.next() => done.push(next),
                    () = &mut linger => break,
                }
            }
            let (jobs, failed): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
            kept.extend(failed.into_iter().filter_map(Result::err));
            let jobs = jobs.into_iter().filter_map(Result::ok).collect();
            kept.extend(self.settle(jobs).await.kept);
        }
        kept
    }
}

impl DeliveryFunction {
    /// Waits for an attempt; while it hangs, says so, once for all of the same endpoint.
    ///
    /// Otherwise a slow endpoint would take one invocation after another for as long as it takes to answer, and leave
    /// none for the others.
    async fn watch<T>(
        &self,
        attempt: impl Future<Output = T>,
        sent: &Notify,
        endpoint: &str,
        had_turn: bool,
        slow: &Mutex<HashSet<String>>,
    ) -> T {
        let mut attempt = pin!(attempt);
        // An answer is waited for from when the request is sent. A host that is not reached for as long hangs, too.
        let mut patience = tokio::select! {
            biased;
            done = &mut attempt => return done,
            () = sent.notified() => SLOW,
            () = tokio::time::sleep(SLOW) => Duration::ZERO,
        };
        let mut is_first = true;
        loop {
            if let Ok(done) = timeout(patience, &mut attempt).await {
                return done;
            }
            let is_said = is_first && !slow.lock().await.insert(endpoint.to_owned());
            if is_said {
                return attempt.await;
            }
            (is_first, patience) = (false, SLOW_FOR);
            let now = Timestamp::now();
            let until = now + 2 * SLOW_FOR;
            let said = self.circuits.slow(endpoint, had_turn, until, now).await;
            if let Err(error) = said {
                tracing::warn!(endpoint.id = endpoint, %error, "slow endpoint");
            }
        }
    }
}

/// Whether an attempt ends before the invocation does.
pub(super) fn fits(endpoint: &Endpoint, deadline: Instant) -> bool {
    Instant::now() + endpoint.timeout() + MARGIN <= deadline
}

impl<'a> Planned<'a> {
    fn of(
        orders: impl Iterator<Item = ((&'a Received, DeliverEvent), String)>,
        mut records: HashMap<String, Delivery>,
        statuses: &'a HashMap<String, EndpointStatus>,
    ) -> Self {
        let now = Timestamp::now();
        let mut planned = Self::default();
        let mut seen = HashSet::new();
        for ((received, order), id) in orders {
            if !seen.insert(id.clone()) {
                planned.put_off(received, COPY);
            } else if let Some(early) = early_by(order.not_before, now) {
                match backoff::stay(early, received.age) {
                    Some(wait) => {
                        planned.put_off(received, backoff::visibility(wait, received.at.elapsed()));
                    }
                    None => planned.anew.push((received, order)),
                }
            } else {
                let record = records.remove(&id);
                let replayed = order.event.replayed;
                let new = || Delivery::new(&order.endpoint, id, order.event);
                let mut record = record.unwrap_or_else(new);
                begin_anew(&mut record, order.resend.as_deref(), replayed);
                let standing = statuses.get(&record.endpoint);
                planned.add(received, record, standing, now);
            }
        }
        planned
    }

    fn add(
        &mut self,
        received: &'a Received,
        record: Delivery,
        standing: Option<&'a EndpointStatus>,
        now: Timestamp,
    ) {
        let plan = plan(&record, standing, received.receives, now);
        let job = Job {
            standing,
            origin: received.origin(),
            record,
        };
        match (plan, standing) {
            (Plan::Done, _) => {}
            (Plan::Skip(reason), _) => self.decided.push((job, Verdict::Skip(reason.to_owned()))),
            (Plan::Attempt, Some(standing)) if fits(&standing.endpoint, received.deadline) => {
                self.due.push(Due {
                    job,
                    endpoint: &standing.endpoint,
                    slow_until: standing.circuit.slow_until,
                    received,
                });
            }
            (Plan::Attempt, _) => self.put_off(received, 0),
            (Plan::Later(left), _) => self.put_off_for(received, left.min(SLOW)),
            (Plan::Hold(reason), _) => self.decided.push((job, Verdict::Hold(reason))),
        }
    }

    /// Puts a message off for as long as another invocation has the turn; longer each time, and never together with
    /// others.
    fn put_off_for(&mut self, received: &Received, wait: Duration) {
        let longer = SLOW_FOR * received.receives.saturating_sub(1);
        let wait = wait.mul_f64(1.0 + random() / 2.0) + longer;
        self.put_off(received, backoff::visibility(wait, received.at.elapsed()));
    }

    fn put_off(&mut self, received: &Received, seconds: i32) {
        self.waits.push((received.receipt.clone(), seconds));
        self.kept.push(received.id.clone());
    }
}
