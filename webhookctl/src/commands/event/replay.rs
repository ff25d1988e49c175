//! `webhookctl event replay`: sends events again. `chosen` selects the events, `target` their recipients,
//! and `progress` lets a replay be resumed.

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

/// A rate that most endpoints can take.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The most expired events that are named.
const MAX_NAMED: usize = 20;

/// The most rows of a table.
const MAX_ROWS: usize = 100;

/// Sends events from the ledger again: to an endpoint, to a queue, or to all recipients.
#[derive(Debug, Args)]
#[command(after_help = "\
An event keeps its id, and has \"replayed\": true. Events are counted first, then sent, the oldest first, at
--rate. An endpoint gets the events that match its types and sources, even those that it got before and those
that are older than the endpoint. A paused or disabled endpoint gets them when it is active again. A request
has the same `webhook-id` as the first time.

The command prints the id of the replay. After an interruption, run the same command with --resume and this id
within 7 days: it continues where it stopped, with the same span of time. At most ten events are sent twice.
Events that the ledger no longer has are named. Quarantined webhooks are not sent.

--queue takes `events`, the name of a subscription (which gets the events that match it), or the URL of a
queue (which gets all).

With --json: {\"replayed\": …, \"of\": …, \"forgotten\": …, \"unwanted\": …}, counted over all runs. With
--dry-run: {\"key\": …, \"id\": …, \"type\": …, \"source\": …, \"provider\": …, \"accepted_at\": …} for each
event.

Examples:
  webhookctl event replay --id 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11 --all
  webhookctl event replay --source studio --since 3d --endpoint search --dry-run
  webhookctl event replay --source studio --since 3d --all --resume 0c8d2b8e3f0f4a8e9c669b6c1c2d7c11
  webhookctl event replay --type 'io.peopleforce.*' --since 2026-11-01 --until 2026-11-08 \\
      --queue payroll --rate 50")]
#[command(group = ArgGroup::new("where").required(true))]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["id", "since"]))]
pub(crate) struct Replay {
    /// The id of an event, or its key in the ledger. The flag can be repeated.
    #[arg(long, value_name = "ID", conflicts_with_all = ["event_type", "since", "until", "state"])]
    pub(crate) id: Vec<String>,
    /// Sends events of this source.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Sends events of these types, with `*` for any characters.
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) event_type: Option<String>,
    /// Sends events accepted since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    pub(crate) since: Option<Timestamp>,
    /// Sends events accepted before this time. The default is now.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "since")]
    pub(crate) until: Option<Timestamp>,
    /// Sends events in this state: accepted or conflict.
    #[arg(long, value_parser = state, requires = "since")]
    pub(crate) state: Option<Kind>,
    /// Sends to the endpoint with this id or name.
    #[arg(long, value_name = "ENDPOINT", group = "where")]
    pub(crate) endpoint: Option<String>,
    /// Sends to this queue: `events`, the name of a subscription, or a URL.
    #[arg(long, value_name = "QUEUE", group = "where")]
    pub(crate) queue: Option<String>,
    /// Sends to the events queue, and to every subscription and endpoint that matches now.
    #[arg(long, group = "where")]
    all: bool,
    /// The number of events per second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE)]
    rate: NonZeroU32,
    /// Lists the events and sends nothing.
    #[arg(long)]
    dry_run: bool,
    /// Continues the replay with this id where it stopped.
    #[arg(long, value_name = "REPLAY", conflicts_with = "dry_run")]
    pub(crate) resume: Option<String>,
}

/// An event that a dry run lists.
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

/// A replay in progress.
struct Replayer<'a> {
    target: Target,
    recorded: &'a LedgerReader,
    progress: ReplayProgress,
    /// The keys of events that the ledger no longer has.
    forgotten: Vec<String>,
}

pub(crate) async fn run(arguments: Replay, stack: &Stack, output: &Output) -> Result<()> {
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
        "replaying {} events at {} per second",
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
            Err(format!("{problem}; the same command with --resume {id} continues").into())
        }
    }
}

fn list(events: &[EventMeta], output: &Output) -> Result<()> {
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
        // If the replay ends before this write, this batch is sent twice, and no other.
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

    /// Prints the outcome of this run and of the runs that it continues.
    fn report(&self, all: usize, output: &Output) -> Result<()> {
        let checkpoint = &self.progress.checkpoint;
        let (forgotten, unwanted) = (checkpoint.forgotten, checkpoint.unwanted);
        for key in self.forgotten.iter().take(MAX_NAMED) {
            output.note(&format!("{key} was not sent: the ledger no longer has it"));
        }
        if forgotten > 0 {
            output.note(&format!(
                "{forgotten} events in all were not sent: the ledger no longer has them"
            ));
        }
        if unwanted > 0 {
            output.note(&format!(
                "{unwanted} events were not sent: no recipient takes events of their type and source"
            ));
        }
        let replayed = checkpoint.done - forgotten - unwanted;
        output.result(
            &format!("replayed {replayed} of {all}"),
            &json!({"replayed": replayed, "of": all, "forgotten": forgotten, "unwanted": unwanted}),
        )
    }
}

/// The parser of a state that can be replayed.
fn state(name: &str) -> std::result::Result<Kind, &'static str> {
    match name {
        "accepted" => Ok(Kind::Accepted),
        "conflict" => Ok(Kind::Conflict),
        "quarantined" => {
            Err("quarantined webhooks cannot be replayed: see `webhookctl quarantine release`")
        }
        _ => Err("the state is accepted or conflict"),
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
