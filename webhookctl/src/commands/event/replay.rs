//! `webhookctl event replay`: that each event is sent in its turn, and how far that has come. Which events
//! are meant is left to `chosen`, and where to they go to `target`.

use super::chosen::chosen;
use super::index::Kind;
use super::progress::{ReplayProgress, Tally};
use super::target::Target;
use crate::Result;
use crate::commands::source::note_unknown;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::progress::Progress;
use crate::rate_limit::{interrupted, paced};
use crate::stack::Stack;
use crate::time;
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use webhook_gateway::event::EventMeta;

/// Easily borne by most endpoints.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The most events that the ledger has forgotten and that are named.
const MAX_NAMED: usize = 20;

/// The most events of a table.
const MAX_ROWS: usize = 100;

/// Sends events again, from the ledger: to an endpoint, to a queue, or to all that want them.
#[derive(Debug, Args)]
#[command(after_help = "\
The event keeps its id, and carries \"replayed\": true. Events are counted first, then sent, the oldest first,
at --rate. An endpoint gets those that it wants by type and source, whether or not it had them before, and
whether or not it existed then; one that is paused or disabled, when it is active again. A request has the
same `webhook-id` as the first time.

The command prints the id of the replay. After an interruption, the same command with --resume and this id
goes on where it stopped, with the same span of time, for 7 days; at most ten events are sent twice. What the
ledger has forgotten is named; what is quarantined is not sent.

--queue takes `events`, the name of a subscription (which gets what it wants), or the URL of a queue (which
gets all).

With --json: {\"replayed\": …, \"of\": …, \"forgotten\": …, \"unwanted\": …}, counted over all runs; with
--dry-run {\"key\": …, \"id\": …, \"type\": …, \"source\": …, \"provider\": …, \"accepted_at\": …} each.

Examples:
  webhookctl event replay --id 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11 --all
  webhookctl event replay --source studio --since 3d --endpoint search --dry-run
  webhookctl event replay --source studio --since 3d --all --resume 0c8d2b8e3f0f4a8e9c669b6c1c2d7c11
  webhookctl event replay --type 'io.peopleforce.*' --since 2026-11-01 --until 2026-11-08 \\
      --queue payroll --rate 50")]
#[command(group = ArgGroup::new("where").required(true))]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["id", "since"]))]
pub(crate) struct Replay {
    /// The id of an event, or its key in the ledger; may be given more than once.
    #[arg(long, value_name = "ID", conflicts_with_all = ["event_type", "since", "until", "state"])]
    pub(crate) id: Vec<String>,
    /// Those of this source.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Those of these types, with `*` for any characters.
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) event_type: Option<String>,
    /// Those accepted since then: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    pub(crate) since: Option<Timestamp>,
    /// Those accepted before then; now, unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "since")]
    pub(crate) until: Option<Timestamp>,
    /// Those in this state: accepted or conflict.
    #[arg(long, value_parser = state, requires = "since")]
    pub(crate) state: Option<Kind>,
    /// To the endpoint of this id or name.
    #[arg(long, value_name = "ENDPOINT", group = "where")]
    pub(crate) endpoint: Option<String>,
    /// To this queue: `events`, the name of a subscription, or a URL.
    #[arg(long, value_name = "QUEUE", group = "where")]
    pub(crate) queue: Option<String>,
    /// To the events queue, and to every subscription and endpoint that wants them now.
    #[arg(long, group = "where")]
    all: bool,
    /// How many events a second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE)]
    rate: NonZeroU32,
    /// Lists what would be sent, and sends nothing.
    #[arg(long)]
    dry_run: bool,
    /// Goes on where the replay of this id stopped.
    #[arg(long, value_name = "REPLAY", conflicts_with = "dry_run")]
    pub(crate) resume: Option<String>,
}

/// An event that would be sent.
#[derive(Serialize)]
struct DueRow<'e> {
    key: &'e str,
    id: &'e str,
    r#type: &'e str,
    source: &'e str,
    provider: &'e str,
    accepted_at: Option<String>,
}

impl<'e> DueRow<'e> {
    const COLUMNS: &'static [&'static str] = &["accepted_at", "id", "type", "source"];

    fn of(event: &'e EventMeta) -> Self {
        Self {
            key: &event.key,
            id: &event.id,
            r#type: &event.event_type,
            source: &event.source,
            provider: &event.provider,
            accepted_at: time::shown(event.accepted_at),
        }
    }
}

/// A replay under way.
struct Replayer<'a> {
    target: Target,
    recorded: &'a LedgerReader,
    progress: ReplayProgress,
    /// Some of the events that the ledger has forgotten.
    forgotten: Vec<String>,
}

pub(crate) async fn run(arguments: Replay, stack: &Stack, output: Output) -> Result<()> {
    let recorded = stack.ledger()?;
    let progress = ReplayProgress::of(&arguments, stack, output).await?;
    let target = Target::of(&arguments, progress.id(), stack, output).await?;
    let events = chosen(&arguments, &progress, &recorded, stack, output).await?;
    if arguments.dry_run {
        return list(&events, output);
    }
    if events.is_empty() {
        note_unknown(arguments.source.as_slice(), stack, output).await;
    }
    output.note(&format!(
        "{} events to replay, at {} a second",
        events.len(),
        arguments.rate
    ));
    let (id, all) = (
        progress.id().to_owned(),
        progress.checkpoint.done + events.len(),
    );
    progress.save().await?;
    output.note(&format!(
        "if it is interrupted, run the same command with --resume {id} within 7 days"
    ));
    let mut replayer = Replayer {
        target,
        recorded: &recorded,
        progress,
        forgotten: Vec::new(),
    };
    let bar = Progress::begin(all, "events are sent", output);
    let sent = paced(&events, arguments.rate, bar, interrupted(), async |batch| {
        replayer.send(batch).await
    })
    .await;
    replayer.report(all, output)?;
    match sent {
        Ok(()) => replayer.progress.end().await,
        Err(problem) => {
            Err(format!("{problem}; the same command with --resume {id} goes on").into())
        }
    }
}

fn list(events: &[EventMeta], output: Output) -> Result<()> {
    let shown = if output.json { usize::MAX } else { MAX_ROWS };
    let rows: Vec<_> = events.iter().take(shown).map(DueRow::of).collect();
    output.list(&rows, DueRow::COLUMNS)?;
    output.note(&format!("{} events would be replayed", events.len()));
    Ok(())
}

impl Replayer<'_> {
    /// Sends a batch and notes that it is done; returns the number of events that are done in all runs.
    async fn send(&mut self, batch: &[EventMeta]) -> Result<usize> {
        let tally = self.send_batch(batch).await?;
        // Whatever ends it from here on, no more than this batch is sent twice.
        if let Some(last) = batch.last() {
            self.progress.advance(last, tally).await?;
        }
        Ok(self.progress.checkpoint.done)
    }

    async fn send_batch(&mut self, batch: &[EventMeta]) -> Result<Tally> {
        let keys: BTreeSet<_> = batch.iter().map(|event| &*event.key).collect();
        let stored = self.recorded.ledger.get_many(&keys).await;
        let stored = stored?;
        let mut messages = Vec::new();
        let mut tally = Tally::default();
        for event in batch {
            tally.done += 1;
            let Some(stored) = stored.get(&event.key).filter(|stored| stored.is_of(event)) else {
                tally.forgotten += 1;
                self.forgotten.push(event.key.clone());
                continue;
            };
            let of_event = self.target.messages(event, stored, self.recorded).await?;
            tally.unwanted += usize::from(of_event.is_empty());
            messages.extend(of_event);
        }
        self.target.send(messages).await?;
        Ok(tally)
    }

    /// What became of the events, in this run and those that it goes on from.
    fn report(&self, all: usize, output: Output) -> Result<()> {
        let checkpoint = &self.progress.checkpoint;
        let (forgotten, unwanted) = (checkpoint.forgotten, checkpoint.unwanted);
        for key in self.forgotten.iter().take(MAX_NAMED) {
            output.note(&format!("{key} is not sent: the ledger has forgotten it"));
        }
        if forgotten > 0 {
            output.note(&format!(
                "{forgotten} are not sent, in all: the ledger has forgotten them"
            ));
        }
        if unwanted > 0 {
            output.note(&format!(
                "{unwanted} are not sent: no recipient takes events of their type and source"
            ));
        }
        let replayed = checkpoint.done - forgotten - unwanted;
        output.result(
            &format!("replayed {replayed} of {all}"),
            &json!({"replayed": replayed, "of": all, "forgotten": forgotten, "unwanted": unwanted}),
        )
    }
}

/// The state of what can be replayed.
fn state(name: &str) -> std::result::Result<Kind, &'static str> {
    match name {
        "accepted" => Ok(Kind::Accepted),
        "conflict" => Ok(Kind::Conflict),
        "quarantined" => {
            Err("what is quarantined is no event yet: see `webhookctl quarantine release`")
        }
        _ => Err("it is accepted or conflict"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        replay: Replay,
    }

    pub(crate) fn parse(line: &str) -> Option<Replay> {
        let line = Line::try_parse_from(format!("replay {line}").split_whitespace());
        line.ok().map(|line| line.replay)
    }

    #[test]
    fn it_is_said_which_events_and_where_to() {
        assert!(
            parse("--id 1 --id 2 --all").is_some_and(|replay| replay.id.len() == 2 && replay.all)
        );
        assert!(parse("--id 1 --source studio --queue events").is_some());
        assert!(parse("--since 3d --state conflict --all").is_some());
        assert!(
            parse("--source studio --type a.* --since 3d --until 1d --endpoint search").is_some()
        );
        for wrong in [
            "",
            "--all",
            "--id 1",
            "--since 3d",
            "--until 3d --all",
            "--source studio --all",
            "--id 1 --since 3d --all",
            "--id 1 --all --queue events",
            "--id 1 --endpoint search --queue events",
            "--since 3d --all --rate 0",
            "--since 3d --all --state quarantined",
            "--id 1 --all --state accepted",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
