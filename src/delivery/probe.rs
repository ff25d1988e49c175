//! The probe: the one message that works off what is held for an endpoint. While the circuit is open it tries the
//! oldest delivery, and waits longer each time that fails; once one succeeds it drains the rest, the oldest first, at
//! the endpoint's rate. It ends when nothing is held any more.
//!
//! That a probe arrives means that it is due: how long it waits is told to the queue, not kept by a clock here. When it is
//! due is noted in the circuit for one purpose: whoever sees that a probe is long overdue sends another in its place.

use super::batch::fits;
use super::job::{Job, Origin, Verdict};
use super::plan::RENEWAL;
use super::settle::Settled;
use super::{DeliveryFunction, Received};
use crate::aws::error::AwsError;
use crate::aws::sqs::SendError;
use crate::backoff::{OLDEST, stay, visibility};
use crate::messages::{MAX_DELAY, Message, Probe, early_by};
use crate::store::deliveries::{Delivery, HeldEntry, State as Course};
use crate::store::endpoints::circuit::Circuit;
use crate::store::endpoints::{EndpointStatus, State};
use futures_util::future::join_all;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many deliveries a second are drained where the endpoint has no rate of its own.
const RATE: u32 = 10;

/// How long a probe that fails by our own fault waits before it is sent anew.
const PAUSE: Duration = Duration::from_mins(5);

/// What rates are counted in.
const SECOND: Duration = Duration::from_secs(1);

/// How many of the oldest are looked at for one to probe with.
const WINDOW: u32 = 10;

/// What is to be done about the message of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It ends.
    Done,
    /// It goes on after so long.
    After(Duration),
    /// Something failed that is ours: it comes again.
    Again,
}

/// Why a probe is not sure to be under way.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// A table was not read or not written.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// It was not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// It has no form.
    #[error("the probe was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

impl DeliveryFunction {
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
        for standing in self.endpoints.statuses(&ids).await?.values() {
            let EndpointStatus { endpoint, circuit } = standing;
            if endpoint.state != State::Active {
                continue;
            }
            if circuit.probe.is_none() {
                let (probe, wait) = (new_id(), circuit.wait(now));
                self.send_probe(&endpoint.id, &probe, None, wait, now)
                    .await?;
                // Another that was faster has the charge; this one then ends when it arrives.
                self.circuits
                    .charge(&endpoint.id, &probe, None, after(now, wait))
                    .await?;
            } else if circuit.is_probe_lost(now) {
                self.replace_lost_probe(standing, now).await?;
            }
        }
        Ok(())
    }

    /// Sends probes in the place of those that are lost, as far as these endpoints show any.
    pub(super) async fn replace_lost_probes(&self, statuses: &HashMap<String, EndpointStatus>) {
        let now = Timestamp::now();
        let lost = statuses
            .values()
            .filter(|it| it.endpoint.state == State::Active && it.circuit.is_probe_lost(now));
        for standing in lost {
            if let Err(error) = self.replace_lost_probe(standing, now).await {
                tracing::error!(endpoint.id = standing.endpoint.id, %error, "lost probe");
            }
        }
    }

    /// Sends a probe in the place of one that is lost.
    ///
    /// It gets the charge first, on the condition that nothing changed: of those who see the loss at the same time, one
    /// sends a probe. Should this invocation end in between, the new probe is lost, and is replaced in its turn.
    async fn replace_lost_probe(
        &self,
        EndpointStatus { endpoint, circuit }: &EndpointStatus,
        now: Timestamp,
    ) -> Result<(), ProbeError> {
        let (probe, wait) = (new_id(), circuit.wait(now));
        let due = after(now, wait);
        let replaced = self
            .circuits
            .replace_lost_probe(&endpoint.id, circuit, &probe, due);
        if !replaced.await? {
            return Ok(());
        }
        tracing::warn!(
            endpoint.id = endpoint.id,
            lost = circuit.probe,
            "the probe is lost: another takes its place"
        );
        let sent = self.send_probe(&endpoint.id, &probe, None, wait, now).await;
        if sent.is_err() {
            // Without a probe in charge, the next that is held sends one.
            self.circuits.discharge(&endpoint.id, &probe).await?;
        }
        sent
    }

    /// Works off what is held for an endpoint, a second's worth at most.
    pub(super) async fn run_probe(
        &self,
        probe: &Probe,
        received: &Received,
        standing: Option<&EndpointStatus>,
    ) -> Next {
        let failed = |error: ProbeError| {
            tracing::error!(endpoint.id = probe.endpoint, %error, "probe failed");
            Next::Again
        };
        // Until it has the charge, another in its place would not know whom to take it from.
        let has_charge = standing.is_some_and(|it| has_charge(probe, &it.circuit));
        let is_old = has_charge && received.receives >= RENEWAL;
        let is_too_long = |wait| has_charge && received.age + wait > OLDEST;
        let next = self.probe(probe, standing, received).await;
        let wait = match (next.unwrap_or_else(failed), standing) {
            (Next::After(wait), _) if is_old || is_too_long(wait) => wait,
            (Next::Again, _) if is_old => PAUSE,
            (Next::After(wait), Some(it)) => return self.keep(probe, &it.circuit, wait).await,
            (next, _) => return next,
        };
        self.renew(probe, wait).await.unwrap_or_else(failed)
    }

    /// Notes when a probe comes again, where that is not noted yet.
    async fn keep(&self, probe: &Probe, circuit: &Circuit, wait: Duration) -> Next {
        let due = after(Timestamp::now(), wait);
        if has_charge(probe, circuit) && circuit.notes_probe(due) {
            return Next::After(wait);
        }
        match self.charge(probe, due).await {
            Ok(false) => Next::Done,
            Ok(true) => Next::After(wait),
            Err(error) => {
                // Another may take its place too early. This one then ends when it comes.
                tracing::warn!(endpoint.id = probe.endpoint, %error, "probe");
                Next::After(wait)
            }
        }
    }

    async fn charge(&self, probe: &Probe, due: Timestamp) -> Result<bool, AwsError> {
        let replaces = probe.replaces.as_deref();
        self.circuits
            .charge(&probe.endpoint, &probe.id, replaces, due)
            .await
    }

    async fn probe(
        &self,
        probe: &Probe,
        standing: Option<&EndpointStatus>,
        received: &Received,
    ) -> Result<Next, ProbeError> {
        let now = Timestamp::now();
        let Some(standing) = standing else {
            return Ok(Next::Done);
        };
        if !is_in_charge(probe, &standing.circuit) {
            return Ok(Next::Done);
        }
        if standing.endpoint.state != State::Active {
            return self.give_up(probe).await;
        }
        if let Some(wait) = early(probe, now) {
            return Ok(Next::After(stay(wait, received.age).unwrap_or(wait)));
        }
        // One that is late says that it came, before anybody takes it for lost.
        let is_noted = has_charge(probe, &standing.circuit) && standing.circuit.notes_probe(now);
        if !is_noted && !self.charge(probe, now).await? {
            return Ok(Next::Done);
        }
        self.work_off(probe, standing.clone(), received.deadline)
            .await
    }

    /// Tries what is held until a second's worth is done, something fails, or nothing is left.
    async fn work_off(
        &self,
        probe: &Probe,
        mut standing: EndpointStatus,
        deadline: Instant,
    ) -> Result<Next, ProbeError> {
        let rate = standing.endpoint.rate.unwrap_or(RATE);
        let mut left = rate;
        while left > 0 && fits(&standing.endpoint, deadline) {
            let is_open = standing.circuit.is_open();
            let limit = if is_open {
                WINDOW
            } else if standing.circuit.is_slow() {
                // Side by side, as many take no longer than one.
                left
            } else {
                left.min(rate.div_ceil(10))
            };
            let held = self
                .history
                .held(&probe.endpoint, limit.cast_signed())
                .await?;
            if held.is_empty() {
                // The probe of what is held next knows nothing of what was sent in this second.
                let keeps_rate = standing.endpoint.rate.is_some() && left < rate;
                return if keeps_rate {
                    Ok(Next::After(SECOND))
                } else {
                    self.end(probe, is_open).await
                };
            }
            let (tries, settled) = self.try_held(held, &standing).await?;
            left = left.saturating_sub(u32::try_from(tries).unwrap_or(u32::MAX));
            let Some(settled) = settled else {
                return Ok(Next::Again);
            };
            let Some(after) = settled.after.get(&probe.endpoint) else {
                continue;
            };
            if !after.is_active {
                return self.give_up(probe).await;
            }
            standing.circuit = after.circuit.clone();
            let wait = standing.circuit.wait(Timestamp::now());
            if !wait.is_zero() {
                return Ok(Next::After(wait));
            }
        }
        Ok(Next::After(SECOND))
    }

    /// Gives up the charge, as the endpoint is not active; unless it is by now, and who made it so saw this probe in
    /// charge.
    async fn give_up(&self, probe: &Probe) -> Result<Next, ProbeError> {
        self.circuits.discharge(&probe.endpoint, &probe.id).await?;
        let endpoint = BTreeSet::from([probe.endpoint.clone()]);
        self.ensure_probes(&endpoint).await?;
        Ok(Next::Done)
    }

    /// Gives up the charge, as nothing is held; unless something is by now, whose holder saw this probe in charge.
    async fn end(&self, probe: &Probe, is_open: bool) -> Result<Next, ProbeError> {
        if is_open {
            self.circuits.half_open(&probe.endpoint).await?;
        }
        self.circuits.discharge(&probe.endpoint, &probe.id).await?;
        if self.history.held(&probe.endpoint, 1).await?.is_empty() {
            return Ok(Next::Done);
        }
        let due = after(Timestamp::now(), SECOND);
        let has_charge = self
            .circuits
            .charge(&probe.endpoint, &probe.id, None, due)
            .await?;
        Ok(if has_charge {
            Next::After(SECOND)
        } else {
            Next::Done
        })
    }

    /// Tries some of what is held, and settles it: one delivery while the circuit is open, else all whose bodies the
    /// memory has room for. How many were tried, and what came of it.
    ///
    /// None if a part of it failed by our own fault, to be tried again later.
    async fn try_held(
        &self,
        held: Vec<HeldEntry>,
        standing: &EndpointStatus,
    ) -> Result<(usize, Option<Settled>), ProbeError> {
        let endpoint = &standing.endpoint;
        let keys = held.iter().map(|entry| (&*endpoint.id, &*entry.id));
        let mut known = self.history.records(&keys.collect()).await?;
        let records = held.into_iter().map(|entry| {
            let record = known.remove(&entry.id);
            record.unwrap_or_else(|| Delivery::new(&endpoint.id, entry.id, entry.event))
        });
        let mut records: Vec<Delivery> = records.collect();
        if standing.circuit.is_open() {
            records = chosen(records, endpoint.retry.len()).into_iter().collect();
        }
        let events: Vec<_> = records.iter().map(|it| it.event.clone()).collect();
        let loads = self.load(&events).await?;
        records.retain(|it| !loads.is_later(&it.event));
        let tries = records.len();
        let jobs = records.into_iter().map(|record| Job {
            standing: Some(standing),
            origin: Origin::Held,
            record,
        });
        let sent = Notify::new();
        let tried = jobs.map(async |job| match job.record.state {
            // Only its entry was left.
            Course::Delivered => Some((job, Verdict::Release)),
            _ => self.try_once(job, endpoint, &loads, &sent).await,
        });
        let tried = join_all(tried).await;
        let is_whole = tried.iter().all(Option::is_some);
        let settled = self.settle(tried.into_iter().flatten().collect()).await;
        let is_done = is_whole && settled.is_written;
        Ok((tries, is_done.then_some(settled)))
    }

    /// Sends another probe in the place of this one, which the queue would give up on some day.
    async fn renew(&self, probe: &Probe, wait: Duration) -> Result<Next, ProbeError> {
        let (id, now) = (new_id(), Timestamp::now());
        self.send_probe(&probe.endpoint, &id, Some(&probe.id), wait, now)
            .await?;
        let due = after(now, wait);
        let charged = self
            .circuits
            .charge(&probe.endpoint, &id, Some(&probe.id), due);
        if let Err(error) = charged.await {
            // It takes the charge when it arrives.
            tracing::warn!(endpoint.id = probe.endpoint, %error, "probe");
        }
        Ok(Next::Done)
    }

    /// Sends a probe, which takes the charge when it arrives, if it does not have it by then.
    pub(super) async fn send_probe(
        &self,
        endpoint: &str,
        id: &str,
        replaces: Option<&str>,
        wait: Duration,
        now: Timestamp,
    ) -> Result<(), ProbeError> {
        let seconds = visibility(wait, Duration::ZERO);
        let is_long = seconds > MAX_DELAY;
        let probe = Message::Probe(Probe {
            endpoint: endpoint.to_owned(),
            id: id.to_owned(),
            replaces: replaces.map(str::to_owned),
            not_before: is_long.then(|| after(now, wait).as_millisecond()),
        });
        let message = probe.queued(seconds)?;
        Ok(self
            .queues
            .send_one(&self.delivery_queue_url, message)
            .await?)
    }
}

/// A name for a new probe.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The time after a wait.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(now)
}

/// Whether a probe has the charge.
fn has_charge(probe: &Probe, circuit: &Circuit) -> bool {
    circuit.probe.as_ref() == Some(&probe.id)
}

/// Whether a probe may act: it has the charge, or nobody has, or the one it was sent to replace.
fn is_in_charge(probe: &Probe, circuit: &Circuit) -> bool {
    let Some(charged) = &circuit.probe else {
        return true;
    };
    *charged == probe.id || probe.replaces.as_ref() == Some(charged)
}

fn early(probe: &Probe, now: Timestamp) -> Option<Duration> {
    early_by(probe.not_before, now)
}

/// The delivery to probe an open circuit with: the oldest that was tried no more often than its schedule has it, or else
/// the one that was tried least often.
///
/// One that its endpoint refuses, and nothing else, must not keep the circuit open for the others.
fn chosen(mut records: Vec<Delivery>, retries: usize) -> Option<Delivery> {
    let is_within = |it: &Delivery| usize::try_from(it.attempts).is_ok_and(|it| it <= retries);
    match records.iter().position(is_within) {
        Some(index) => Some(records.swap_remove(index)),
        None => records.into_iter().min_by_key(|it| it.attempts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::event;

    fn probe(id: &str, replaces: Option<&str>) -> Probe {
        Probe {
            endpoint: "ep_1".to_owned(),
            id: id.to_owned(),
            replaces: replaces.map(str::to_owned),
            not_before: None,
        }
    }

    #[test]
    fn one_probe_has_the_charge() {
        let charged = |probe: Option<&str>| Circuit {
            probe: probe.map(str::to_owned),
            ..Circuit::default()
        };
        assert!(is_in_charge(&probe("a", None), &charged(None)));
        assert!(is_in_charge(&probe("a", None), &charged(Some("a"))));
        assert!(is_in_charge(&probe("b", Some("a")), &charged(Some("a"))));
        assert!(!is_in_charge(&probe("b", None), &charged(Some("a"))));
        assert!(!is_in_charge(&probe("b", Some("c")), &charged(Some("a"))));
    }

    #[test]
    fn the_oldest_is_probed_with_until_it_was_tried_as_often_as_its_schedule_has_it() {
        let record = |id: &str, attempts| {
            let mut record = Delivery::new("ep_1", id.to_owned(), event());
            record.attempts = attempts;
            record
        };
        for (attempts, expected) in [
            (&[][..], None),
            (&[11][..], Some("0")),
            (&[1, 0, 1][..], Some("0")),
            (&[11, 0, 0][..], Some("0")),
            (&[12, 0, 0][..], Some("1")),
            (&[12, 13, 11][..], Some("2")),
            (&[13, 12, 12][..], Some("1")),
            (&[13, 13, 13][..], Some("0")),
        ] {
            let records = (0..).zip(attempts);
            let records =
                records.map(|(id, attempts): (usize, _)| record(&id.to_string(), *attempts));
            let id = chosen(records.collect(), 11).map(|it| it.id);
            assert_eq!(id.as_deref(), expected, "{attempts:?}");
        }
    }
}
