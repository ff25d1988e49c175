//! Sees to it that each endpoint for which deliveries are held has one probe, by its [lease](crate::lease).

use super::circuits::EndpointHealth;
use super::probe::ProbeError;
use super::queue::QueueError;
use crate::aws::error::AwsError;
use crate::backoff::visibility;
use crate::lease::Claim;
use crate::messages::{MAX_DELAY, Message, Probe};
use crate::store::endpoints::{EndpointStatus, State};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

impl EndpointHealth {
    /// Sees to it that each of these endpoints has a probe, if it may get deliveries at all.
    pub(super) async fn ensure_probes(&self, ids: &BTreeSet<String>) -> Result<(), ProbeError> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let ids = ids.iter().map(String::as_str).collect();
        // Read after the entries were written: see the order of steps in `settle.rs`.
        for status in self.endpoints.statuses(&ids).await?.values() {
            let EndpointStatus { endpoint, circuit } = status;
            if endpoint.state != State::Active {
                continue;
            }
            if circuit.probe.is_none() {
                let (probe, wait) = (Claim::new(None), circuit.wait(now));
                self.send_probe(&endpoint.id, &probe, wait, now).await?;
                // If another was faster, this one ends when it comes.
                self.circuits
                    .acquire_lease(&endpoint.id, &probe, time_after(now, wait))
                    .await?;
            } else if circuit.is_probe_lost(now) {
                self.replace_lost_probe(status, now).await?;
            }
        }
        Ok(())
    }

    /// Sends probes in the place of those that are lost, as far as these endpoints show any.
    pub(super) async fn replace_lost_probes(&self, statuses: &HashMap<String, EndpointStatus>) {
        let now = Timestamp::now();
        let lost = statuses.values().filter(|status| {
            status.endpoint.state == State::Active && status.circuit.is_probe_lost(now)
        });
        for status in lost {
            if let Err(error) = self.replace_lost_probe(status, now).await {
                tracing::error!(endpoint.id = status.endpoint.id, %error, "lost probe");
            }
        }
    }

    /// Sends a probe in the place of one that is lost.
    ///
    /// Here the lease comes before the message, on the condition that nothing changed: of all invocations
    /// that see the loss at the same time, one sends a probe. If it dies in between, the new probe is lost,
    /// and replaced in its turn.
    async fn replace_lost_probe(
        &self,
        EndpointStatus { endpoint, circuit }: &EndpointStatus,
        now: Timestamp,
    ) -> Result<(), ProbeError> {
        let (id, wait) = (&endpoint.id, circuit.wait(now));
        let probe = Claim::new(circuit.probe.clone());
        let due = time_after(now, wait);
        if !self
            .circuits
            .take_over_lease(id, circuit, &probe, due)
            .await?
        {
            return Ok(());
        }
        tracing::warn!(
            endpoint.id = id,
            lost = circuit.probe,
            "the probe is lost: another takes its place"
        );
        let sent = self.send_probe(id, &probe, wait, now).await;
        if sent.is_err() {
            // Without an owner, the next delivery that is held sends a probe.
            self.circuits.release_lease(id, &probe).await?;
        }
        Ok(sent?)
    }

    /// Sends a probe, which acquires the lease when it comes, if it does not have it by then.
    pub(super) async fn send_probe(
        &self,
        endpoint: &str,
        claim: &Claim,
        wait: Duration,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let seconds = visibility(wait, Duration::ZERO);
        let is_long = seconds > MAX_DELAY;
        let probe = Message::Probe(Probe {
            endpoint: endpoint.to_owned(),
            claim: claim.clone(),
            not_before: is_long.then(|| time_after(now, wait).as_millisecond()),
        });
        self.queue.send(&probe, seconds).await
    }

    /// Acquires the lease for a probe that is due then; whether it has it.
    pub(super) async fn acquire_lease(
        &self,
        probe: &Probe,
        due: Timestamp,
    ) -> Result<bool, AwsError> {
        self.circuits
            .acquire_lease(&probe.endpoint, &probe.claim, due)
            .await
    }
}

/// The time after a wait.
pub(super) fn time_after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(now)
}
