//! The probe: the one message that drains what is held for an endpoint. While the circuit is open it sends
//! the oldest delivery, and waits longer each time that this fails. Once one succeeds it drains the rest, the
//! oldest first, at the endpoint's rate. It ends when nothing is held any more.
//!
//! A probe that comes is due: the queue keeps its wait, not a clock here. The lease says when it is due for
//! one purpose: whoever sees that a probe is long overdue sends another in its place.

use super::attempted::Attempted;
use super::batch::fits;
use super::lifecycle::is_leftover;
use super::probe_lease::time_after;
use super::queue::QueueError;
use super::settle::Settled;
use super::{DeliveryFunction, Received};
use crate::aws::error::AwsError;
use crate::backoff::{OLDEST, stay};
use crate::lease::{Claim, Reschedule};
use crate::messages::{Probe, early_by};
use crate::store::deliveries::{Delivery, HeldEntry, Write};
use crate::store::endpoints::circuit::Circuit;
use crate::store::endpoints::{EndpointStatus, State};
use futures_util::future::join_all;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many deliveries a second are drained where the endpoint has no rate of its own.
const RATE: u32 = 10;

/// How long a probe that fails by the gateway's own fault waits before another takes its place.
const PAUSE: Duration = Duration::from_mins(5);

/// The unit of rates.
const SECOND: Duration = Duration::from_secs(1);

/// How many of the oldest deliveries are looked at for one to probe with.
const WINDOW: u32 = 10;

/// From so many receives on, another message takes the place of a probe: the queue gives up on a message
/// after 50.
pub const REPLACE_MESSAGE_AFTER_RECEIVES: u32 = 20;

/// Why a probe is not sure to be under way.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// A table was not read or not written.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The probe was not sent.
    #[error("{0}")]
    Queue(#[from] QueueError),
}

/// What came of draining some deliveries.
enum Drained {
    /// The probe goes on at once: so many were taken, and the endpoint takes more.
    Some(u32),
    /// Nothing is held.
    Empty,
    /// The endpoint is to be left alone for so long.
    Wait(Duration),
    /// The endpoint was disabled.
    Inactive,
    /// A part failed by the gateway's own fault.
    Failed,
}

impl DeliveryFunction {
    /// Drains what is held for an endpoint, at most as much as is due in a second.
    pub(super) async fn run_probe(
        &self,
        probe: &Probe,
        received: &Received,
        status: Option<&EndpointStatus>,
    ) -> Reschedule {
        let failed = |error: ProbeError| {
            tracing::error!(endpoint.id = probe.endpoint, %error, "probe failed");
            Reschedule::Again
        };
        let next = self.probe(probe, status, received).await;
        let next = next.unwrap_or_else(failed);
        let Some(status) = status else {
            return next;
        };
        // Until a probe has the lease, another in its place would not know which owner to supersede.
        let holds = status.circuit.lease().is_held_by(&probe.claim);
        let is_old = holds && received.receives >= REPLACE_MESSAGE_AFTER_RECEIVES;
        let is_too_long = |wait| holds && received.age + wait > OLDEST;
        let wait = match next {
            Reschedule::After(wait) if is_old || is_too_long(wait) => wait,
            Reschedule::After(wait) => return self.keep(probe, &status.circuit, wait).await,
            Reschedule::Again if is_old => PAUSE,
            Reschedule::Again | Reschedule::Done => return next,
        };
        self.replace(probe, wait).await.unwrap_or_else(failed)
    }

    /// Keeps the lease until a probe comes again, and writes when that is, unless it is written already.
    async fn keep(&self, probe: &Probe, circuit: &Circuit, wait: Duration) -> Reschedule {
        let due = time_after(Timestamp::now(), wait);
        if circuit.lease().is_held_by(&probe.claim) && circuit.is_probe_due_by(due) {
            return Reschedule::After(wait);
        }
        match self.health.acquire_lease(probe, due).await {
            Ok(has_lease) => Reschedule::by_lease(has_lease, wait),
            Err(error) => {
                // Another may take its place too early. This one then ends when it comes.
                tracing::warn!(endpoint.id = probe.endpoint, %error, "probe");
                Reschedule::After(wait)
            }
        }
    }

    /// Sends another probe in the place of this one, on which the queue would give up some day.
    async fn replace(&self, probe: &Probe, wait: Duration) -> Result<Reschedule, ProbeError> {
        let now = Timestamp::now();
        let (id, claim) = (&probe.endpoint, Claim::new(Some(probe.claim.id.clone())));
        self.health.send_probe(id, &claim, wait, now).await?;
        let due = time_after(now, wait);
        if let Err(error) = self.health.circuits.acquire_lease(id, &claim, due).await {
            // It takes the lease when it comes.
            tracing::warn!(endpoint.id = id, %error, "probe");
        }
        Ok(Reschedule::Done)
    }

    async fn probe(
        &self,
        probe: &Probe,
        status: Option<&EndpointStatus>,
        received: &Received,
    ) -> Result<Reschedule, ProbeError> {
        let now = Timestamp::now();
        let Some(status) = status else {
            return Ok(Reschedule::Done);
        };
        let lease = status.circuit.lease();
        if !lease.is_open_to(&probe.claim) {
            return Ok(Reschedule::Done);
        }
        if status.endpoint.state != State::Active {
            return self.stop_for_inactive(probe).await;
        }
        if let Some(wait) = early_by(probe.not_before, now) {
            return Ok(Reschedule::After(stay(wait, received.age).unwrap_or(wait)));
        }
        // A probe that is late writes that it came before anybody takes it for lost.
        let is_known = lease.is_held_by(&probe.claim) && status.circuit.is_probe_due_by(now);
        if !is_known && !self.health.acquire_lease(probe, now).await? {
            return Ok(Reschedule::Done);
        }
        self.drain(probe, status.clone(), received.deadline).await
    }

    /// Sends what is held until as much is sent as is due in a second, something fails, or nothing is left.
    async fn drain(
        &self,
        probe: &Probe,
        mut status: EndpointStatus,
        deadline: Instant,
    ) -> Result<Reschedule, ProbeError> {
        let rate = status.endpoint.rate.unwrap_or(RATE);
        // What is left of this second's budget. Each invocation has one second's worth, and the next comes a
        // second later.
        let mut left = rate;
        while left > 0 && fits(&status.endpoint, deadline) {
            match self.drain_some(&mut status, rate, left).await? {
                Drained::Some(tries) => left = left.saturating_sub(tries),
                // A new probe would not know how much was sent in this second: this one comes once more
                // before it ends.
                Drained::Empty if status.endpoint.rate.is_some() && left < rate => break,
                Drained::Empty => return self.finish(probe, status.circuit.is_open()).await,
                Drained::Wait(wait) => return Ok(Reschedule::After(wait)),
                Drained::Inactive => return self.stop_for_inactive(probe).await,
                Drained::Failed => return Ok(Reschedule::Again),
            }
        }
        Ok(Reschedule::After(SECOND))
    }

    /// Sends some of what is held, and settles it.
    async fn drain_some(
        &self,
        status: &mut EndpointStatus,
        rate: u32,
        left: u32,
    ) -> Result<Drained, ProbeError> {
        let limit = if status.circuit.is_open() {
            WINDOW
        } else if status.circuit.is_slow() {
            // Side by side, as many take no longer than one.
            left
        } else {
            // A tenth of the rate at a time: an endpoint that fails again is found to fail after few.
            left.min(rate.div_ceil(10))
        };
        let id = status.endpoint.id.clone();
        let held = self.deliveries.held(&id, limit.cast_signed()).await?;
        if held.is_empty() {
            return Ok(Drained::Empty);
        }
        let (tries, settled) = self.attempt_held(held, status).await?;
        let Some(mut settled) = settled else {
            return Ok(Drained::Failed);
        };
        let Some(after) = settled.after.remove(&id) else {
            return Ok(Drained::Some(tries));
        };
        if after.endpoint.state != State::Active {
            return Ok(Drained::Inactive);
        }
        status.circuit = after.circuit;
        Ok(match status.circuit.wait(Timestamp::now()) {
            Duration::ZERO => Drained::Some(tries),
            wait => Drained::Wait(wait),
        })
    }

    /// Releases the lease because the endpoint is inactive. Then starts a new probe if the endpoint became
    /// active meanwhile: whoever activated it still saw this lease and started none.
    async fn stop_for_inactive(&self, probe: &Probe) -> Result<Reschedule, ProbeError> {
        let id = &probe.endpoint;
        self.health.circuits.release_lease(id, &probe.claim).await?;
        self.health
            .ensure_probes(&BTreeSet::from([id.clone()]))
            .await?;
        Ok(Reschedule::Done)
    }

    /// Releases the lease because nothing is held. Then takes it once more if something is held by now:
    /// whoever held it still saw this lease and started no probe.
    async fn finish(&self, probe: &Probe, is_open: bool) -> Result<Reschedule, ProbeError> {
        let (id, circuits) = (&probe.endpoint, &self.health.circuits);
        if is_open {
            circuits.half_open(id).await?;
        }
        circuits.release_lease(id, &probe.claim).await?;
        if self.deliveries.held(id, 1).await?.is_empty() {
            return Ok(Reschedule::Done);
        }
        // It superseded its predecessor when it came; the lease is free now, or another probe's.
        let claim = Claim {
            id: probe.claim.id.clone(),
            replaces: None,
        };
        let due = time_after(Timestamp::now(), SECOND);
        Ok(match circuits.acquire_lease(id, &claim, due).await? {
            true => Reschedule::After(SECOND),
            false => Reschedule::Done,
        })
    }

    /// Attempts some of what is held, and settles it: one delivery while the circuit is open, else all whose
    /// bodies the memory has room for. How many there were, and what came of it.
    ///
    /// None if a part of it failed by the gateway's own fault, to be tried again later.
    async fn attempt_held(
        &self,
        held: Vec<HeldEntry>,
        status: &EndpointStatus,
    ) -> Result<(u32, Option<Settled>), ProbeError> {
        let endpoint = &status.endpoint;
        let keys = held.iter().map(|entry| (&*endpoint.id, &*entry.id));
        let mut known = self.deliveries.records(&keys.collect()).await?;
        let deliveries = held.into_iter().map(|entry| {
            let delivery = known.remove(&entry.id);
            delivery.unwrap_or_else(|| Delivery::new(&endpoint.id, entry.id, entry.event))
        });
        let mut deliveries: Vec<Delivery> = deliveries.collect();
        if status.circuit.is_open() {
            let one = delivery_to_probe_with(deliveries, endpoint.retry.len());
            deliveries = one.into_iter().collect();
        }
        let events: Vec<_> = deliveries
            .iter()
            .map(|delivery| delivery.event.clone())
            .collect();
        let loads = self.attempts.load(&events).await?;
        deliveries.retain(|delivery| !loads.is_later(&delivery.event));
        let tries = u32::try_from(deliveries.len()).unwrap_or(u32::MAX);
        let (leftovers, deliveries): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(is_leftover);
        let releases: Vec<Write> = leftovers.iter().map(Delivery::release).collect();
        self.deliveries.write(&releases).await?;
        let sent = Notify::new();
        let attempts = deliveries.into_iter().map(async |mut delivery| {
            let tried = self
                .attempts
                .attempt(&mut delivery, endpoint, &loads, &sent)
                .await?;
            Some(Attempted {
                delivery,
                status,
                received: None,
                tried,
            })
        });
        let tried = join_all(attempts).await;
        let is_whole = tried.iter().all(Option::is_some);
        let settled = self
            .settle(tried.into_iter().flatten().collect(), Vec::new(), &[])
            .await;
        let is_done = is_whole && settled.is_written;
        Ok((tries, is_done.then_some(settled)))
    }
}

/// The delivery to probe an open circuit with: the oldest that was tried no more often than its schedule has
/// it, or else the one that was tried least often.
///
/// Otherwise one delivery that its endpoint always rejects could keep the circuit open for all others.
fn delivery_to_probe_with(mut deliveries: Vec<Delivery>, retries: usize) -> Option<Delivery> {
    let is_within = |delivery: &Delivery| {
        usize::try_from(delivery.attempts).is_ok_and(|tried| tried <= retries)
    };
    match deliveries.iter().position(is_within) {
        Some(index) => Some(deliveries.swap_remove(index)),
        None => deliveries
            .into_iter()
            .min_by_key(|delivery| delivery.attempts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::event;

    #[test]
    fn the_oldest_is_probed_with_until_it_was_tried_as_often_as_its_schedule_has_it() {
        let delivery = |id: &str, attempts| {
            let mut delivery = Delivery::new("ep_1", id.to_owned(), event());
            delivery.attempts = attempts;
            delivery
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
            let deliveries = (0..).zip(attempts);
            let deliveries =
                deliveries.map(|(id, attempts): (usize, _)| delivery(&id.to_string(), *attempts));
            let chosen = delivery_to_probe_with(deliveries.collect(), 11);
            let id = chosen.map(|delivery| delivery.id);
            assert_eq!(id.as_deref(), expected, "{attempts:?}");
        }
    }
}
