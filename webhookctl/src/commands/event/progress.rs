//! The progress of a replay, by which it is resumed.

use super::replay::Replay;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use jiff::Timestamp;
use uuid::Uuid;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::journal::{Checkpoint, Journal};

/// A replay that is under way.
pub(crate) struct ReplayProgress {
    journal: Journal,
    pub(crate) checkpoint: Checkpoint,
}

/// The outcome of some events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The number of events.
    pub(crate) done: usize,
    /// Those that the ledger no longer has.
    pub(crate) forgotten: usize,
    /// Those that no recipient takes.
    pub(crate) unwanted: usize,
}

impl ReplayProgress {
    /// Continues the replay that is resumed, or begins a new one.
    pub(crate) async fn of(replay: &Replay, stack: &Stack, output: &Output) -> Result<Self> {
        let journal = stack.journal()?;
        let checkpoint = match &replay.resume {
            Some(id) => journal.checkpoint(id).await?.ok_or_else(|| {
                format!("there is no replay {id} to resume: it ended, or it stopped more than 7 days ago")
            })?,
            None => beginning(replay, stack, output)?,
        };
        Ok(Self {
            journal,
            checkpoint,
        })
    }

    /// The id that resumes it.
    pub(crate) fn id(&self) -> &str {
        &self.checkpoint.replay
    }

    /// Saves the progress: the replay can be resumed from here.
    pub(crate) async fn save(&self) -> Result<()> {
        Ok(self.journal.save(self.id(), &self.checkpoint).await?)
    }

    /// Whether an event was not sent yet.
    pub(crate) fn is_left(&self, event: &EventMeta) -> bool {
        is_after(event, self.checkpoint.last.as_ref())
    }

    /// Notes that all events up to this one are done, with the outcome since the last note.
    pub(crate) async fn advance(&mut self, event: &EventMeta, tally: Tally) -> Result<()> {
        let checkpoint = &mut self.checkpoint;
        checkpoint.last = Some((event.accepted_at, event.key.clone()));
        checkpoint.done += tally.done;
        checkpoint.forgotten += tally.forgotten;
        checkpoint.unwanted += tally.unwanted;
        self.save().await
    }

    /// Deletes the progress: all events are done.
    pub(crate) async fn end(&self) -> Result<()> {
        Ok(self.journal.forget(self.id()).await?)
    }
}

fn beginning(replay: &Replay, stack: &Stack, output: &Output) -> Result<Checkpoint> {
    let now = Timestamp::now();
    let until = replay.until;
    let since = match replay.since {
        Some(since) => time::bounded(since, until, stack.retention()?, output)?,
        None => Timestamp::UNIX_EPOCH,
    };
    Ok(Checkpoint {
        replay: Uuid::new_v4().simple().to_string(),
        since,
        until: until.unwrap_or(now),
        last: None,
        done: 0,
        forgotten: 0,
        unwanted: 0,
    })
}

fn is_after(event: &EventMeta, last: Option<&(i64, String)>) -> bool {
    last.is_none_or(|(at, key)| (event.accepted_at, &*event.key) > (*at, &**key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;

    #[test]
    fn what_is_done_is_known_by_its_time_and_its_key() {
        let event = item("studio#5", "5").event;
        let at = event.accepted_at;
        for (last, expected) in [
            (None, true),
            (Some((at - 1, "studio#9")), true),
            (Some((at, "studio#4")), true),
            (Some((at, "studio#5")), false),
            (Some((at, "studio#6")), false),
            (Some((at + 1, "studio#1")), false),
        ] {
            let last = last.map(|(at, key)| (at, key.to_owned()));
            assert_eq!(is_after(&event, last.as_ref()), expected, "{last:?}");
        }
    }
}
