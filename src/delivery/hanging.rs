//! Endpoints that hang: how an endpoint that answers late, or never, takes the place of one invocation and no
//! more.
//!
//! An endpoint is *quick* until an attempt takes longer than [`HANGS_AFTER`]. Then it is *hanging until* a
//! time, which the invocation that waits for the attempt moves on while it waits; the deliveries of other
//! invocations come again after that time. Once the time is past, the endpoint is *on trial*: the first
//! invocation that claims the trial sends all that its batch has for the endpoint, and the others wait once
//! more. A trial in which no attempt is slow and one succeeds makes the endpoint quick. A trial with a slow
//! attempt makes it *slow*: its deliveries are held, and its probe alone sends to it. An endpoint that is
//! slow by turns would be quick after each good turn; therefore an endpoint is quick again only when no
//! attempt was slow for a minute. Until then a success ends the slowness, but leaves the endpoint on trial.
//!
//! In the circuit, `slow_until` is there while the endpoint is not quick: in the future while it hangs or a
//! trial is claimed, in the past while it is on trial. `slow_since` is there while the endpoint is slow, and
//! `slow_at` is the time of the last slow attempt.

use super::circuits::EndpointHealth;
use crate::store::endpoints::EndpointStatus;
use crate::store::endpoints::circuit::{Circuit, Pace};
use jiff::Timestamp;
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// An attempt that takes longer is slow.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(2);

/// How often an invocation writes that its attempt still hangs.
const REPORT_EVERY: Duration = Duration::from_secs(3);

/// For so long an endpoint is hanging, or a trial claimed, if nothing more is written: twice the time after
/// which it is written again, so that a late write leaves no gap.
pub(super) const CLAIMED_FOR: Duration = Duration::from_secs(6);

/// The endpoints of a batch of which it is written that they hang.
pub(super) type Reported = Mutex<HashSet<String>>;

/// What the attempts of an invocation say of the pace of an endpoint whose circuit was this.
pub(super) fn pace(is_slow: bool, succeeded: bool, before: &Circuit, now: Timestamp) -> Pace {
    let was_quick = before.hanging_until.is_none() && !before.is_slow();
    match (is_slow, was_quick) {
        (true, true) => Pace::Doubtful,
        (true, false) => Pace::Slow,
        (false, true) => Pace::AsKnown,
        (false, false) if succeeded && before.was_slow_lately(now) => Pace::Recovering,
        (false, false) if succeeded => Pace::Quick,
        // A failure at once does not show how long an answer takes.
        (false, false) => Pace::Unsure,
    }
}

/// How long a delivery waits for an endpoint that hangs: longer each time its message was received, and never
/// together with others. `jitter` is a random number from 0 to 1.
pub(super) fn deferral(wait: Duration, receives: u32, jitter: f64) -> Duration {
    wait.mul_f64(1.0 + jitter / 2.0) + REPORT_EVERY * receives.saturating_sub(1)
}

impl EndpointHealth {
    /// Claims the trial of an endpoint that was seen to be hanging until then; false if another invocation
    /// has it.
    pub(super) async fn claim_trial(&self, id: &str, seen: i64, until: Timestamp) -> bool {
        let claimed = self.circuits.claim_trial(id, seen, until).await;
        claimed.unwrap_or_else(|error| {
            tracing::error!(endpoint.id = id, %error, "slow endpoint");
            false
        })
    }

    /// Waits for an attempt; while it hangs, writes that its endpoint does, once for all attempts of the
    /// batch.
    ///
    /// Otherwise a hanging endpoint would take one invocation after another for as long as it takes to
    /// answer, and leave none for the others.
    pub(super) async fn report_while_hanging<T>(
        &self,
        attempt: impl Future<Output = T>,
        sent: &Notify,
        EndpointStatus { endpoint, circuit }: &EndpointStatus,
        reported: &Reported,
    ) -> T {
        let mut attempt = pin!(attempt);
        // The time for an answer counts from when the request is sent. A host that is not reached for as long
        // hangs, too.
        let mut patience = tokio::select! {
            biased;
            done = &mut attempt => return done,
            () = sent.notified() => HANGS_AFTER,
            () = tokio::time::sleep(HANGS_AFTER) => Duration::ZERO,
        };
        let mut is_first = true;
        loop {
            if let Ok(done) = timeout(patience, &mut attempt).await {
                return done;
            }
            if is_first && !reported.lock().await.insert(endpoint.id.clone()) {
                return attempt.await;
            }
            (is_first, patience) = (false, REPORT_EVERY);
            let (now, is_trial) = (Timestamp::now(), circuit.hanging_until.is_some());
            let until = now + CLAIMED_FOR;
            let hanging = self
                .circuits
                .mark_hanging(&endpoint.id, is_trial, until, now);
            if let Err(error) = hanging.await {
                tracing::warn!(endpoint.id = endpoint.id, %error, "slow endpoint");
            }
        }
    }
}
