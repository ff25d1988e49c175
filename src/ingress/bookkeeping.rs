//! What the journal is told of a batch, once all of it is published: what was, who was heard, and who is to be watched. What
//! is new about the payloads is left to `drift`.
//!
//! What was published is published, whether the journal hears of it or not: to offer the batch again would send all of it
//! twice. So nothing fails here but by a line in the log.

use super::Ingress;
use super::drift::Sightings;
use crate::silence::{self, SilenceError};
use crate::store::journal::{Heard, Published};
use crate::store::sources::SourceTable;
use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// For so long after a source declared its gap, or took it back, what is known of the sources may be older.
const SETTLED: SignedDuration = SignedDuration::from_mins(1);

/// What the journal is to say of a batch.
#[derive(Default)]
pub(super) struct Notes {
    published: Vec<Published>,
    /// When each source was heard of last, by its name and the id of the secret that matched.
    heard: BTreeMap<(String, Option<String>), Timestamp>,
    pub(super) sightings: Sightings,
}

impl Notes {
    /// Adds an event that was published, and the id of the secret that made its signature.
    pub(super) fn add(&mut self, published: Published, secret: Option<String>) {
        let event = &published.event;
        if let Ok(at) = Timestamp::from_millisecond(event.accepted_at) {
            let last = self.heard.entry((event.source.clone(), secret));
            last.and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
        self.published.push(published);
    }

    /// Adds the notes of a part of a batch, but nothing of events that have a message on no queue: the operator finds them
    /// by it.
    pub(super) fn extend(&mut self, part: Self, nowhere: &BTreeSet<String>) {
        let published = part.published.into_iter();
        self.published
            .extend(published.filter(|it| !nowhere.contains(&it.event.key)));
        for (who, at) in part.heard {
            let last = self.heard.entry(who);
            last.and_modify(|last| *last = at.max(*last)).or_insert(at);
        }
        self.sightings.extend(part.sightings);
    }
}

/// What a source declares, as far as it is not written down yet.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// All of it is.
    None,
    /// This gap.
    Gap(SignedDuration),
    /// That it declares none any more.
    NoGap,
}

impl Ingress {
    /// Tells the journal.
    pub(super) async fn note(&self, notes: Notes, now: Instant) {
        let published = async {
            let noted = self
                .journal
                .note_published(&notes.published, Timestamp::now());
            if let Err(error) = noted.await {
                tracing::error!(%error, "what was published is not noted");
            }
        };
        let mut heard: Vec<_> = notes.heard.into_iter().collect();
        // A later time would keep an earlier one, by another secret, from being noted.
        heard.sort_by_key(|(_, at)| *at);
        let heard = async {
            for ((source, secret), at) in heard {
                let noted = self.note_heard(&source, secret.as_deref(), at, now);
                if let Err(error) = noted.await {
                    tracing::error!(source, %error, "that a source was heard is not noted");
                    // The others would fail as well, each in its own time.
                    break;
                }
            }
        };
        join(published, heard).await;
        self.look_for_drift(notes.sightings).await;
    }

    /// Notes that a source was heard, if that was not noted a moment ago, and sees to it that it is watched.
    async fn note_heard(
        &self,
        source: &str,
        secret: Option<&str>,
        at: Timestamp,
        now: Instant,
    ) -> Result<(), SilenceError> {
        if self.journal.is_noted(source, secret, now).await {
            return Ok(());
        }
        let heard = self.journal.note_heard(source, secret, at, now).await?;
        let Some(mut heard) = heard else {
            return Ok(());
        };
        let sources = self.sources.current(now).await;
        let now = Timestamp::now();
        match sources.map_or(Change::None, |it| change(source, &it, &heard, now)) {
            Change::None => {}
            Change::Gap(gap) => heard = self.journal.declare_gap(source, gap, now).await?,
            Change::NoGap => return Ok(self.journal.forget_gap(source, now).await?),
        }
        if silence::is_wanted(&heard, now) {
            let queue = &self.delivery_queue_url;
            silence::begin(source, &heard, now, &self.journal, &self.queues, queue).await?;
        }
        Ok(())
    }
}

/// What a source declares, if it is not what is known of it.
fn change(source: &str, sources: &SourceTable, heard: &Heard, now: Timestamp) -> Change {
    let declared = match sources.get(source) {
        None => None,
        Some(Ok(source)) => source.silent_after,
        // It may be mended.
        Some(Err(_)) => return Change::None,
    };
    let is_settled = |at: Timestamp| now.duration_since(at) >= SETTLED;
    if !heard.declared_at.is_none_or(is_settled) {
        return Change::None;
    }
    match (declared, heard.silent_after) {
        (None, Some(_)) => Change::NoGap,
        (Some(gap), known) if known != Some(gap) => Change::Gap(gap),
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
            ("watched", None, None, Change::Gap(hours(2))),
            ("watched", Some(hours(1)), Some(60), Change::Gap(hours(2))),
            ("watched", Some(hours(1)), Some(59), Change::None),
            ("watched", None, Some(59), Change::None),
            ("watched", Some(hours(2)), None, Change::None),
            ("free", Some(hours(2)), Some(60), Change::NoGap),
            ("free", Some(hours(2)), Some(59), Change::None),
            ("free", None, None, Change::None),
            ("removed", Some(hours(2)), None, Change::NoGap),
            ("broken", Some(hours(1)), None, Change::None),
        ] {
            let heard = Heard {
                silent_after: known,
                declared_at: ago.map(|ago| now - SignedDuration::from_secs(ago)),
                ..Heard::default()
            };
            let change = change(source, &sources, &heard, now);
            assert_eq!(change, expected, "{source} {heard:?}");
        }
    }
}
