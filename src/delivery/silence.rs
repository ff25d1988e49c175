//! Runs a silence check: reschedules its message until the source would be silent, and then notifies the
//! operator.
//!
//! The lease is released after the notice was given. A copy of the message that comes before that gives the
//! same notice under the same id; a copy that comes after it ends.

use super::notification::{Notice, NoticeError};
use super::{DeliveryFunction, Received};
use crate::aws::error::AwsError;
use crate::backoff;
use crate::lease::Reschedule;
use crate::messages::SilenceCheck;
use crate::metrics::SilentLine;
use crate::silence::{self, CheckStep, SilenceError};
use crate::store::journal::SourceActivity;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// From so many receives on, another message takes the place of a check: the queue gives up on a message
/// after 50.
const REPLACE_MESSAGE_AFTER_RECEIVES: u32 = 10;

/// Why a check is to come again.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("{0}")]
    Journal(#[from] AwsError),
    #[error("{0}")]
    Silence(#[from] SilenceError),
    #[error("{0}")]
    Notice(#[from] NoticeError),
}

impl DeliveryFunction {
    /// Checks whether a source is silent.
    pub(super) async fn check_silence(
        &self,
        check: &SilenceCheck,
        received: &Received,
    ) -> Reschedule {
        let failed = |error: CheckError| {
            tracing::error!(source = check.source, %error, "silence check failed");
            Reschedule::Again
        };
        self.run_check(check, received).await.unwrap_or_else(failed)
    }

    async fn run_check(
        &self,
        check: &SilenceCheck,
        received: &Received,
    ) -> Result<Reschedule, CheckError> {
        let now = Timestamp::now();
        let activity = self.journal.activity_of(&check.source).await?;
        let is_old = received.receives >= REPLACE_MESSAGE_AFTER_RECEIVES;
        match silence::check(check, &activity, now) {
            CheckStep::End => Ok(Reschedule::Done),
            // It may come early, as it is rescheduled for less than it has to wait. Then it is rescheduled
            // once more.
            CheckStep::Reschedule(wait) => match backoff::stay(wait, received.age) {
                Some(wait) if !is_old => self.keep_check(check, wait, now).await,
                _ => self.replace_check(check, &activity, now).await,
            },
            CheckStep::Silent => match self.notify_of_silence(check, &activity, now).await {
                // It would come again until the queue gives up on it, and with it on the source.
                Err(error) if is_old => {
                    tracing::error!(source = check.source, %error, "silence check failed");
                    self.replace_check(check, &activity, now).await
                }
                next => next,
            },
        }
    }

    /// Keeps the lease until the message comes again.
    async fn keep_check(
        &self,
        check: &SilenceCheck,
        wait: Duration,
        now: Timestamp,
    ) -> Result<Reschedule, CheckError> {
        let seconds = backoff::visibility(wait, Duration::ZERO);
        let comes = now + SignedDuration::from_secs(seconds.into());
        let lease = self
            .journal
            .acquire_lease(&check.source, &check.claim, comes);
        Ok(Reschedule::by_lease(lease.await?, wait))
    }

    /// Sends another message in the place of this one, on which the queue would give up some day.
    async fn replace_check(
        &self,
        check: &SilenceCheck,
        activity: &SourceActivity,
        now: Timestamp,
    ) -> Result<Reschedule, CheckError> {
        self.start_check(&check.source, activity, now).await?;
        Ok(Reschedule::Done)
    }

    /// Starts a check in the place of the one that has the lease.
    pub(super) async fn start_check(
        &self,
        source: &str,
        activity: &SourceActivity,
        now: Timestamp,
    ) -> Result<(), SilenceError> {
        let (queues, url) = (&self.queue.queues, &self.queue.url);
        silence::begin(source, activity, now, &self.journal, queues, url).await
    }

    /// Notifies the operator, and ends.
    async fn notify_of_silence(
        &self,
        check: &SilenceCheck,
        activity: &SourceActivity,
        now: Timestamp,
    ) -> Result<Reschedule, CheckError> {
        let SilenceCheck { source, claim } = check;
        let due = silence::due_at(activity).unwrap_or(now);
        let notice = Notice::of_silence(source, activity, due);
        self.health
            .notices
            .give(&self.queue.queues, &notice, now)
            .await?;
        self.metrics
            .silent(SilentLine::of(source, activity.last_accepted_at));
        // The notice first: a source that is marked as silent has no check, and its notice would never be
        // given.
        let is_marked = self.journal.mark_silent(source, claim, activity, now);
        Ok(match is_marked.await? {
            true => Reschedule::Done,
            // A webhook was accepted meanwhile.
            false => Reschedule::After(Duration::ZERO),
        })
    }
}
