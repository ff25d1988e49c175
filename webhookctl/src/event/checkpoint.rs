//! Where a replay stopped: found again by what it sends and where to, however that is said.

use super::index::Kind;
use super::replay::Replay;
use crate::Result;
use crate::failure;
use crate::output::Output;
use crate::stack::Stack;
use crate::time::{self, Given};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;
use webhook_gateway::crypto::mac::sha256;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::journal::{Checkpoint, Journal};

/// A replay that is under way.
pub(crate) struct Course {
    journal: Journal,
    name: String,
    pub(crate) checkpoint: Checkpoint,
}

/// What became of some events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All of them.
    pub(crate) done: usize,
    /// The ledger does not have them any more.
    pub(crate) forgotten: usize,
    /// Nobody there wants them.
    pub(crate) unwanted: usize,
}

impl Course {
    /// That of a command, from its beginning.
    pub(crate) fn new(replay: &Replay, stack: &Stack, output: Output) -> Result<Self> {
        let now = Timestamp::now();
        let until = replay.until.map(|it| it.at(now));
        let since = match replay.since.map(|it| it.at(now)) {
            Some(since) => time::bounded(since, until, stack.retention()?, output)?,
            None => Timestamp::UNIX_EPOCH,
        };
        let table = stack.output("JournalTableName")?.to_owned();
        let client = aws_sdk_dynamodb::Client::new(&stack.aws);
        Ok(Self {
            journal: Journal::new(client, table),
            name: name(replay),
            checkpoint: Checkpoint {
                replay: Uuid::new_v4().simple().to_string(),
                since,
                until: until.unwrap_or(now),
                last: None,
                done: 0,
                forgotten: 0,
                unwanted: 0,
            },
        })
    }

    /// Goes on where the same command stopped, if it did; whether that is so.
    pub(crate) async fn go_on(&mut self) -> Result<bool> {
        let stopped = self.journal.checkpoint(&self.name).await;
        let stopped = stopped.map_err(failure::journal)?;
        let is_under_way = stopped.is_some();
        if let Some(stopped) = stopped {
            self.checkpoint = stopped;
        }
        Ok(is_under_way)
    }

    /// Whether an event is still to be done.
    pub(crate) fn is_left(&self, event: &EventMeta) -> bool {
        is_after(event, self.checkpoint.last.as_ref())
    }

    /// Notes that all up to this event are done, and what became of those since the last note.
    pub(crate) async fn reach(&mut self, event: &EventMeta, tally: Tally) -> Result<()> {
        let checkpoint = &mut self.checkpoint;
        checkpoint.last = Some((event.accepted_at, event.key.clone()));
        checkpoint.done += tally.done;
        checkpoint.forgotten += tally.forgotten;
        checkpoint.unwanted += tally.unwanted;
        let saved = self.journal.save(&self.name, checkpoint).await;
        Ok(saved.map_err(failure::journal)?)
    }

    /// Forgets where it is: all is done.
    pub(crate) async fn end(&self) -> Result<()> {
        let forgotten = self.journal.forget(&self.name).await;
        Ok(forgotten.map_err(failure::journal)?)
    }
}

/// By what a replay is found again: which events it sends, and where to.
fn name(replay: &Replay) -> String {
    let ids: BTreeSet<_> = replay.id.iter().collect();
    let selection = json!({
        "ids": ids, "source": replay.source, "type": replay.event_type, "state": replay.state.map(Kind::name),
        "since": replay.since.map(Given::name), "until": replay.until.map(Given::name),
        "endpoint": replay.endpoint, "queue": replay.queue,
    });
    hex::encode(sha256(selection.to_string().as_bytes()))[..32].to_owned()
}

fn is_after(event: &EventMeta, last: Option<&(i64, String)>) -> bool {
    last.is_none_or(|(at, key)| (event.accepted_at, &*event.key) > (*at, &**key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::replay::tests::parse;
    use crate::recorded::tests::kept;

    #[test]
    fn a_command_is_found_again_by_what_it_does_and_not_by_how() {
        let name = |line: &str| name(&parse(line).unwrap());
        for (command, same) in [
            ("--since 3d --all", "--all --since 3d"),
            ("--since 3d --all", "--since=72h --all --rate 5"),
            ("--since 3d --all", "--since 3d --rate=50 --all --restart"),
            ("--id 1 --id 2 --all", "--all --id 2 --id 1 --id 1"),
            (
                "--since 2026-11-20 --queue events",
                "--queue events --since 2026-11-20T00:00:00Z",
            ),
        ] {
            assert_eq!(name(command), name(same), "{same}");
        }
        let command = name("--since 3d --all");
        for other in [
            "--since 2d --all",
            "--since 3d --until 1d --all",
            "--since 3d --queue events",
            "--since 3d --endpoint events",
            "--since 3d --all --type a",
            "--since 3d --all --source a",
            "--since 3d --all --state conflict",
            "--id 3d --all",
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
