//! The watch over a source that may fall silent: its message is put off until the source would be silent, again and again
//! while it is heard. Once it is not, the operator is told, and the watch ends.
//!
//! The charge is given up after the notice was given: a copy that comes before that tells the same again, under the
//! same id, and one that comes after it ends.

use super::notification::{Notice, NoticeError};
use super::probe::Next;
use super::{DeliveryFunction, Received};
use crate::aws::error::AwsError;
use crate::backoff;
use crate::messages::SilenceCheck;
use crate::metrics::SilentLine;
use crate::silence::{self, SilenceError, Step};
use crate::store::journal::SourceActivity;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// From so many receives on, a message is sent anew: the queue gives up on it after 50.
const RENEWAL: u32 = 10;

/// Why a message is not done with.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Journal(#[from] AwsError),
    #[error("{0}")]
    SilenceCheck(#[from] SilenceError),
    #[error("{0}")]
    Notice(#[from] NoticeError),
}

impl DeliveryFunction {
    /// Looks whether a source is silent.
    pub(super) async fn run_watch(&self, watch: &SilenceCheck, received: &Received) -> Next {
        let failed = |error: Failure| {
            tracing::error!(source = watch.source, %error, "watch failed");
            Next::Again
        };
        self.look(watch, received).await.unwrap_or_else(failed)
    }

    async fn look(&self, watch: &SilenceCheck, received: &Received) -> Result<Next, Failure> {
        let now = Timestamp::now();
        let heard = self.journal.activity_of(&watch.source).await?;
        let is_old = received.receives >= RENEWAL;
        match silence::step(watch, &heard, now) {
            Step::End => Ok(Next::Done),
            // It may come early: then it is put off once more.
            Step::PutOff(wait) => match backoff::stay(wait, received.age) {
                Some(wait) if !is_old => self.put_watch_off(watch, wait, now).await,
                _ => self.renew_watch(watch, &heard, now).await,
            },
            Step::Silent => match self.tell_silence(watch, &heard, now).await {
                Err(error) if is_old => {
                    tracing::error!(source = watch.source, %error, "watch failed");
                    self.renew_watch(watch, &heard, now).await
                }
                next => next,
            },
        }
    }

    /// Keeps the charge until the message comes again.
    async fn put_watch_off(
        &self,
        watch: &SilenceCheck,
        wait: Duration,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        let seconds = backoff::visibility(wait, Duration::ZERO);
        let comes = now + SignedDuration::from_secs(seconds.into());
        let replaces = watch.replaces.as_deref();
        let charge = self
            .journal
            .charge_watch(&watch.source, &watch.id, replaces, comes);
        Ok(match charge.await? {
            true => Next::After(wait),
            false => Next::Done,
        })
    }

    /// Sends another message in the place of this one, which the queue would give up on some day.
    async fn renew_watch(
        &self,
        watch: &SilenceCheck,
        heard: &SourceActivity,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        let queue = &self.delivery_queue_url;
        silence::begin(
            &watch.source,
            heard,
            now,
            &self.journal,
            &self.queues,
            queue,
        )
        .await?;
        Ok(Next::Done)
    }

    /// Tells the operator, and ends.
    async fn tell_silence(
        &self,
        watch: &SilenceCheck,
        heard: &SourceActivity,
        now: Timestamp,
    ) -> Result<Next, Failure> {
        let SilenceCheck {
            source,
            id,
            replaces,
        } = watch;
        let due = silence::due_at(heard).unwrap_or(now);
        let notice = Notice::of_silence(source, heard, due);
        self.notices.give(&self.queues, &notice, now).await?;
        self.metrics
            .silent(SilentLine::of(source, heard.last_accepted_at));
        let ends = self
            .journal
            .fall_silent(source, id, replaces.as_deref(), heard, now);
        Ok(match ends.await? {
            true => Next::Done,
            // It was heard meanwhile.
            false => Next::After(Duration::ZERO),
        })
    }
}
