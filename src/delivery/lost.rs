//! Probes and silence checks whose messages are lost. An invocation that runs one of them looks for the
//! others: nothing runs by the clock, and no delivery pays for it.

use super::DeliveryFunction;
use crate::aws::error::AwsError;
use crate::silence::{self, SilenceError};
use futures_util::future::join;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How often each copy of the function looks, at most.
const EVERY: Duration = Duration::from_hours(1);

/// How many endpoints are read at the same time: each has two items, and a batch reads a hundred.
const ENDPOINTS: usize = 50;

impl DeliveryFunction {
    /// Sends probes and silence checks in the place of all that are lost, unless this copy of the function
    /// has looked for them within the last hour.
    pub(super) async fn replace_lost(&self, now: Instant) {
        let mut looked_at = self.looked_at.lock().await;
        if looked_at.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            return;
        }
        *looked_at = Some(now);
        drop(looked_at);
        let (probes, checks) = join(self.look_at_endpoints(), self.look_at_sources()).await;
        if let Err(error) = probes {
            tracing::warn!(%error, "lost probes are not looked for");
        }
        if let Err(error) = checks {
            tracing::warn!(%error, "lost silence checks are not looked for");
        }
    }

    async fn look_at_endpoints(&self) -> Result<(), AwsError> {
        let endpoints = self.health.endpoints.list().await?;
        for some in endpoints.chunks(ENDPOINTS) {
            let ids = some.iter().map(|endpoint| &*endpoint.id).collect();
            let statuses = self.health.endpoints.statuses(&ids).await?;
            self.health.replace_lost_probes(&statuses).await;
        }
        Ok(())
    }

    async fn look_at_sources(&self) -> Result<(), SilenceError> {
        let now = Timestamp::now();
        for (source, activity) in self.journal.activity().await? {
            if silence::is_lost(&activity, now) {
                tracing::warn!(source, "the silence check is lost: another takes its place");
                self.start_check(&source, &activity, now).await?;
            }
        }
        Ok(())
    }
}
