//! Where a replay stopped: found again by the words of the command that began it.

use crate::Result;
use crate::failure;
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use webhook_gateway::event::EventRef;
use webhook_gateway::journal::{Checkpoint, Journal};
use webhook_gateway::signature::sha256;

/// Words of a command that say how it is to be done, and not what.
const MANNERS: [&str; 2] = ["--restart", "--json"];

/// A replay that is under way.
pub(super) struct Course {
    journal: Journal,
    name: String,
    pub(super) checkpoint: Checkpoint,
}

/// What became of some events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them.
    pub(super) done: usize,
    /// The ledger does not have them any more.
    pub(super) forgotten: usize,
    /// Nobody there wants them.
    pub(super) unwanted: usize,
}

impl Course {
    /// That of the command with these words, from its beginning.
    pub(super) fn new(
        words: impl Iterator<Item = String>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        stack: &Stack,
    ) -> Result<Self> {
        let table = stack.output("JournalTableName")?.to_owned();
        let client = aws_sdk_dynamodb::Client::new(&stack.aws);
        Ok(Self {
            journal: Journal::new(client, table, SignedDuration::ZERO),
            name: name(words),
            checkpoint: Checkpoint {
                replay: Uuid::new_v4().simple().to_string(),
                since: since.unwrap_or(Timestamp::UNIX_EPOCH),
                until: until.unwrap_or_else(Timestamp::now),
                last: None,
                done: 0,
                forgotten: 0,
                unwanted: 0,
            },
        })
    }

    /// Goes on where the same command stopped, if it did; whether that is so.
    pub(super) async fn go_on(&mut self) -> Result<bool> {
        let stopped = self.journal.checkpoint(&self.name).await;
        let stopped = stopped.map_err(failure::journal)?;
        let is_under_way = stopped.is_some();
        if let Some(stopped) = stopped {
            self.checkpoint = stopped;
        }
        Ok(is_under_way)
    }

    /// Whether an event is still to be done.
    pub(super) fn is_left(&self, event: &EventRef) -> bool {
        is_after(event, self.checkpoint.last.as_ref())
    }

    /// Notes that all up to this event are done, and what became of those since the last note.
    pub(super) async fn reach(&mut self, event: &EventRef, tally: Tally) -> Result<()> {
        let checkpoint = &mut self.checkpoint;
        checkpoint.last = Some((event.accepted_at, event.key.clone()));
        checkpoint.done += tally.done;
        checkpoint.forgotten += tally.forgotten;
        checkpoint.unwanted += tally.unwanted;
        let saved = self.journal.save(&self.name, checkpoint).await;
        Ok(saved.map_err(failure::journal)?)
    }

    /// Forgets where it is: all is done.
    pub(super) async fn end(&self) -> Result<()> {
        let forgotten = self.journal.forget(&self.name).await;
        Ok(forgotten.map_err(failure::journal)?)
    }
}

/// By what a command is found again: what it was told, but for how it was to do that.
fn name(words: impl Iterator<Item = String>) -> String {
    let mut said = String::new();
    let mut is_rate = false;
    for word in words {
        let was_rate = std::mem::replace(&mut is_rate, word == "--rate");
        let is_manner = MANNERS.contains(&&*word) || word.starts_with("--rate");
        if !was_rate && !is_manner {
            said.push_str(&word);
            said.push('\n');
        }
    }
    hex::encode(sha256(said.as_bytes()))[..32].to_owned()
}

fn is_after(event: &EventRef, last: Option<&(i64, String)>) -> bool {
    last.is_none_or(|(at, key)| (event.accepted_at, &*event.key) > (*at, &**key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::tests::kept;

    #[test]
    fn a_command_is_found_again_by_what_it_does_and_not_by_how() {
        let name = |line: &str| name(line.split(' ').map(str::to_owned));
        let command = name("event replay --since 3d --all");
        for same in [
            "event replay --since 3d --all --restart",
            "--json event replay --since 3d --all",
            "event replay --rate 5 --since 3d --all",
            "event replay --since 3d --rate=50 --all",
        ] {
            assert_eq!(name(same), command, "{same}");
        }
        for other in [
            "event replay --since 2d --all",
            "event replay --since 3d --queue events",
            "event replay --since 3d --all --type a",
        ] {
            assert_ne!(name(other), command, "{other}");
        }
    }

    #[test]
    fn what_is_done_is_known_by_its_time_and_its_key() {
        let event = kept("studio#5", "5").event;
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
