//! Where a replay stopped: found again by the words of the command that began it.

use super::replay::Replay;
use crate::Result;
use crate::failure;
use crate::output::Output;
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use webhook_gateway::journal::{Checkpoint, Journal};
use webhook_gateway::signature::sha256;

/// A replay that is under way.
pub(super) struct Course {
    journal: Journal,
    name: String,
    pub(super) checkpoint: Checkpoint,
}

impl Course {
    /// That of a command: where it stopped, or from the beginning.
    pub(super) async fn of(replay: &Replay, stack: &Stack, output: Output) -> Result<Self> {
        let table = stack.output("JournalTableName")?.to_owned();
        let client = aws_sdk_dynamodb::Client::new(&stack.aws);
        let journal = Journal::new(client, table, SignedDuration::ZERO);
        let name = format!(
            "replay-{}",
            &hex::encode(sha256(replay.words().as_bytes()))[..32]
        );
        let stopped = match replay.begins_anew() {
            true => None,
            false => journal.checkpoint(&name).await.map_err(failure::journal)?,
        };
        if let Some(stopped) = &stopped {
            output.note(&format!(
                "going on where it stopped, after {} events; --restart begins anew",
                stopped.done
            ));
        }
        let now = Timestamp::now();
        let checkpoint = stopped.unwrap_or(Checkpoint {
            since: replay.since.unwrap_or(Timestamp::UNIX_EPOCH),
            until: replay.until.unwrap_or(now),
            last: None,
            done: 0,
        });
        Ok(Self {
            journal,
            name,
            checkpoint,
        })
    }

    /// Whether an event is still to be done.
    pub(super) fn is_left(&self, accepted_at: i64, key: &str) -> bool {
        let place = (accepted_at, key);
        let last = self.checkpoint.last.as_ref();
        last.is_none_or(|(at, key)| place > (*at, &**key))
    }

    /// Notes that all up to this event are done.
    pub(super) async fn reach(&mut self, accepted_at: i64, key: &str, done: usize) -> Result<()> {
        self.checkpoint.last = Some((accepted_at, key.to_owned()));
        self.checkpoint.done += done;
        let saved = self.journal.save(&self.name, &self.checkpoint).await;
        Ok(saved.map_err(failure::journal)?)
    }

    /// All is done.
    pub(super) async fn end(self) -> Result<()> {
        Ok(self
            .journal
            .forget(&self.name)
            .await
            .map_err(failure::journal)?)
    }
}
