//! The sources as they were last read from Secrets Manager: kept for a minute, and read anew for who misses
//! one.

use super::{SourceTable, SourcesError};
use crate::aws::error::AwsError;
use aws_sdk_secretsmanager::Client;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;

/// A removed secret or source is gone after at most a minute; the rest of it is for the request at hand.
const MAX_AGE: Duration = Duration::from_secs(50);

/// What is not found may have been added since, but forged requests must not become calls to Secrets Manager.
const MISS_INTERVAL: Duration = Duration::from_secs(10);

/// The secret in Secrets Manager that holds the sources, and what was last read of it.
#[derive(Debug)]
pub struct Sources {
    client: Client,
    secret_arn: String,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    table: Option<Arc<SourceTable>>,
    read_at: Option<Moment>,
    tried_at: Option<Moment>,
}

/// A point in time by two clocks: the one may stand still while Lambda freezes the function, the other may be
/// set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    steady: Instant,
    calendar: SystemTime,
}

impl Moment {
    /// How long ago another moment was, by the clock that says more.
    fn since(self, before: Self) -> Duration {
        let steady = self.steady.saturating_duration_since(before.steady);
        let calendar = self.calendar.duration_since(before.calendar);
        steady.max(calendar.unwrap_or_default())
    }
}

impl From<Instant> for Moment {
    fn from(steady: Instant) -> Self {
        let calendar = SystemTime::now();
        Self { steady, calendar }
    }
}

impl Cache {
    /// Whether the table is too old to be used as it is.
    fn is_stale(&self, now: Moment) -> bool {
        let is_old = |read_at| now.since(read_at) >= MAX_AGE;
        self.table.is_none() || (self.read_at.is_none_or(is_old) && self.may_retry(now))
    }

    /// Whether the last try is long enough ago for what was not found.
    fn may_retry(&self, now: Moment) -> bool {
        self.tried_at
            .is_none_or(|tried| now.since(tried) >= MISS_INTERVAL)
    }

    fn last_try_failed(&self) -> bool {
        self.tried_at != self.read_at
    }
}

impl Sources {
    /// Sources that are read when they are first asked for.
    pub fn new(client: Client, secret_arn: String) -> Self {
        Self {
            client,
            secret_arn,
            cache: Mutex::default(),
        }
    }

    /// The sources as they were at most a minute ago, or longer if Secrets Manager does not answer: going on
    /// with what is known loses nothing, and not every provider sends a webhook again.
    pub async fn current(&self, now: Instant) -> Result<Arc<SourceTable>, SourcesError> {
        let now = now.into();
        let mut cache = self.cache.lock().await;
        if cache.is_stale(now) {
            let refreshed = self.refresh(&mut cache, now).await;
            match (refreshed, &cache.table) {
                (Err(error), Some(_)) => {
                    tracing::error!(%error, "going on with the sources as they were")
                }
                (refreshed, _) => refreshed?,
            }
        }
        cache.table.clone().ok_or(SourcesError::NotRefreshed)
    }

    /// The sources read anew, for one who has not found what it looked for; `None` if they were read so
    /// shortly before that it will not be there now.
    pub async fn after_miss(&self, now: Instant) -> Result<Option<Arc<SourceTable>>, SourcesError> {
        let now = now.into();
        let mut cache = self.cache.lock().await;
        if cache.may_retry(now) {
            self.refresh(&mut cache, now).await?;
            return Ok(cache.table.clone());
        }
        if cache.last_try_failed() {
            Err(SourcesError::NotRefreshed)
        } else {
            Ok(None)
        }
    }

    async fn refresh(&self, cache: &mut Cache, now: Moment) -> Result<(), SourcesError> {
        cache.tried_at = Some(now);
        let answer = self
            .client
            .get_secret_value()
            .secret_id(&self.secret_arn)
            .send()
            .await;
        let answer = answer.map_err(AwsError::from)?;
        let table = SourceTable::parse(answer.secret_string().unwrap_or_default())?;
        if cache.table.as_deref() != Some(&table) {
            table.log_unusable();
            cache.table = Some(Arc::new(table));
        }
        cache.read_at = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_refreshed_when_it_is_old_and_for_a_miss_but_never_in_a_flood() {
        let start = Moment::from(Instant::now());
        let after = |seconds| {
            let passed = Duration::from_secs(seconds);
            Moment {
                steady: start.steady + passed,
                calendar: start.calendar + passed,
            }
        };
        let cache = |read_at, tried_at| Cache {
            table: Some(Arc::default()),
            read_at: Some(read_at),
            tried_at: Some(tried_at),
        };
        assert!(Cache::default().is_stale(start) && Cache::default().may_retry(start));
        let read = cache(start, start);
        assert!(!read.is_stale(after(49)) && read.is_stale(after(50)));
        assert!(!read.may_retry(after(9)) && read.may_retry(after(10)));
        assert!(!read.last_try_failed());
        let failed = cache(start, after(50));
        assert!(!failed.is_stale(after(59)) && failed.is_stale(after(60)));
        assert!(failed.last_try_failed());
    }

    #[test]
    fn of_two_clocks_the_one_that_says_more_counts() {
        let start = Moment::from(Instant::now());
        let hour = Duration::from_secs(3600);
        let frozen = Moment {
            calendar: start.calendar + hour,
            ..start
        };
        let set_back = Moment {
            steady: start.steady + hour,
            calendar: start.calendar - hour,
        };
        for later in [frozen, set_back] {
            assert_eq!(later.since(start), hour);
        }
    }
}
