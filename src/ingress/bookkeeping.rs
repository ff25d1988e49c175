//! The journal's record of a batch, once all of it is published: the events, and the activity of their
//! sources.
//!
//! The events are published, whether the journal is written or not: to offer the batch again would send all
//! of it twice. Therefore a failure here is only a line in the log.

use super::IngressFunction;
use super::drift::DriftCandidates;
use crate::silence::{self, SilenceError};
use crate::store::journal::{Published, SourceActivity};
use crate::store::sources::SourceTable;
use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// The cached sources may be this much older than a change of the silence threshold.
const SETTLED: SignedDuration = SignedDuration::from_mins(1);

/// The journal's record of a batch.
#[derive(Default)]
pub(super) struct BatchRecord {
    published: Vec<Published>,
    /// When each source was last active, by its name and the id of the secret that matched.
    activity: BTreeMap<(String, Option<String>), Timestamp>,
    pub(super) candidates: DriftCandidates,
}

impl BatchRecord {
    /// Adds an event that was published, and the id of the secret that made its signature.
    pub(super) fn add(&mut self, published: Published, secret: Option<String>) {
        let event = &published.event;
        if let Ok(at) = Timestamp::from_millisecond(event.accepted_at) {
            let last = self.activity.entry((event.source.clone(), secret));
            last.and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
        self.published.push(published);
    }

    /// Adds the record of a part of a batch, without the events that have a message on no queue: so the
    /// operator finds them.
    pub(super) fn extend(&mut self, part: Self, nowhere: &BTreeSet<String>) {
        let published = part.published.into_iter();
        self.published
            .extend(published.filter(|published| !nowhere.contains(&published.event.key)));
        for (who, at) in part.activity {
            let last = self.activity.entry(who);
            last.and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
        self.candidates.extend(part.candidates);
    }
}

/// How the silence threshold in the journal differs from that of the configuration.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// All of it is.
    None,
    /// This silence threshold.
    Set(SignedDuration),
    /// That it declares none any more.
    Clear,
}

impl IngressFunction {
    /// Writes it into the journal.
    pub(super) async fn write_journal(&self, record: BatchRecord, now: Instant) {
        let published = async {
            let noted =
                self.journal
                    .note_published(&record.published, self.retention, Timestamp::now());
            if let Err(error) = noted.await {
                tracing::error!(%error, "what was published is not noted");
            }
        };
        let mut activity: Vec<_> = record.activity.into_iter().collect();
        // A later time would keep an earlier one, by another secret, from being noted.
        activity.sort_by_key(|(_, at)| *at);
        let activity = async {
            for ((source, secret), at) in activity {
                let noted = self.record_activity(&source, secret.as_deref(), at, now);
                if let Err(error) = noted.await {
                    tracing::error!(source, %error, "the activity of a source is not recorded");
                    // The others would fail as well, each in its own time.
                    break;
                }
            }
        };
        join(published, activity).await;
        self.check_drift(record.candidates).await;
    }

    /// Records the activity of a source, unless it was recorded a moment ago, and sees to it that it is
    /// watched.
    async fn record_activity(
        &self,
        source: &str,
        secret: Option<&str>,
        at: Timestamp,
        now: Instant,
    ) -> Result<(), SilenceError> {
        if self.journal.is_recently_recorded(source, secret, now).await {
            return Ok(());
        }
        let activity = self
            .journal
            .record_activity(source, secret, at, now)
            .await?;
        let Some(mut activity) = activity else {
            return Ok(());
        };
        let sources = self.sources.current(now).await;
        let now = Timestamp::now();
        match sources.map_or(Change::None, |sources| {
            change(source, &sources, &activity, now)
        }) {
            Change::None => {}
            Change::Set(gap) => activity = self.journal.set_threshold(source, gap, now).await?,
            Change::Clear => return Ok(self.journal.clear_threshold(source, now).await?),
        }
        if silence::is_wanted(&activity, now) {
            let queue = &self.delivery_queue_url;
            silence::begin(source, &activity, now, &self.journal, &self.queues, queue).await?;
        }
        Ok(())
    }
}

/// The change that the configuration of a source asks for.
fn change(
    source: &str,
    sources: &SourceTable,
    activity: &SourceActivity,
    now: Timestamp,
) -> Change {
    let declared = match sources.get(source) {
        None => None,
        Some(Ok(source)) => source.silent_after,
        // It may be fixed.
        Some(Err(_)) => return Change::None,
    };
    let is_settled = |at: Timestamp| now.duration_since(at) >= SETTLED;
    if !activity.declared_at.is_none_or(is_settled) {
        return Change::None;
    }
    match (declared, activity.silent_after) {
        (None, Some(_)) => Change::Clear,
        (Some(gap), known) if known != Some(gap) => Change::Set(gap),
        _ => Change::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_declares_is_written_down_once_it_is_settled() {
        let json = r#"{"sources": {
            "watched": {"provider": "creads", "secrets": ["s"], "silent_after": "2h"},
            "free": {"provider": "creads", "secrets": ["s"]},
            "broken": {"provider": "creads", "silent_after": "2h"}}}"#;
        let sources = SourceTable::parse(json).unwrap();
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours;
        for (source, known, ago, expected) in [
            ("watched", None, None, Change::Set(hours(2))),
            ("watched", Some(hours(1)), Some(60), Change::Set(hours(2))),
            ("watched", Some(hours(1)), Some(59), Change::None),
            ("watched", None, Some(59), Change::None),
            ("watched", Some(hours(2)), None, Change::None),
            ("free", Some(hours(2)), Some(60), Change::Clear),
            ("free", Some(hours(2)), Some(59), Change::None),
            ("free", None, None, Change::None),
            ("removed", Some(hours(2)), None, Change::Clear),
            ("broken", Some(hours(1)), None, Change::None),
        ] {
            let activity = SourceActivity {
                silent_after: known,
                declared_at: ago.map(|ago| now - SignedDuration::from_secs(ago)),
                ..SourceActivity::default()
            };
            let change = change(source, &sources, &activity, now);
            assert_eq!(change, expected, "{source} {activity:?}");
        }
    }
}
