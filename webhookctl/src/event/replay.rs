//! `webhookctl event replay`: that each event is sent in its turn, and how far that has come. Which events are meant is left
//! to `chosen`, and where to they go to `target`.

use super::checkpoint::{Course, Tally};
use super::chosen::chosen;
use super::index::Kind;
use super::target::Target;
use crate::Result;
use crate::failure;
use crate::output::{Output, Row};
use crate::pace::{Interrupted, Pace, batch_size, interrupted};
use crate::progress::Progress;
use crate::recorded::Recorded;
use crate::source::note_unknown;
use crate::stack::Stack;
use crate::time::{self, Given};
use clap::{ArgGroup, Args};
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

#[derive(Debug, Args)]
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
    #[arg(long, value_name = "TIME", value_parser = time::given)]
    pub(crate) since: Option<Given>,
    /// Those accepted before then; now, unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::given, requires = "since")]
    pub(crate) until: Option<Given>,
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
    /// Begins anew what was interrupted.
    #[arg(long)]
    restart: bool,
}

/// An event that would be sent.
#[derive(Serialize)]
struct Due<'e>(&'e EventMeta);

impl Row for Due<'_> {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let event = self.0;
        vec![
            (
                "accepted",
                time::shown(event.accepted_at).unwrap_or_default(),
            ),
            ("id", event.id.clone()),
            ("type", event.event_type.clone()),
            ("source", event.source.clone()),
        ]
    }
}

/// A replay under way.
struct Replaying<'a> {
    target: Target,
    recorded: &'a Recorded,
    course: Course,
    /// Some of the events that the ledger has forgotten.
    forgotten: Vec<String>,
}

pub(crate) async fn run(arguments: Replay, stack: &Stack, output: Output) -> Result<()> {
    let recorded = Recorded::to_read(stack)?;
    let mut course = Course::new(&arguments, stack, output)?;
    if !arguments.restart && !arguments.dry_run && course.go_on().await? {
        output.note(&format!(
            "going on where it stopped, after {} events; --restart begins anew",
            course.checkpoint.done
        ));
    }
    let target = Target::of(&arguments, &course.checkpoint.replay, stack, output).await?;
    let events = chosen(&arguments, &course, &recorded, stack, output).await?;
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
    let all = course.checkpoint.done + events.len();
    let mut progress = Progress::begin(all, output);
    let mut replaying = Replaying {
        target,
        recorded: &recorded,
        course,
        forgotten: Vec::new(),
    };
    let sent = replaying.send(&events, arguments.rate, &mut progress).await;
    progress.end();
    replaying.tell(all, output)?;
    match sent {
        Ok(()) => replaying.course.end().await,
        Err(problem) => Err(format!("{problem}; run the same command again to go on").into()),
    }
}

fn list(events: &[EventMeta], output: Output) -> Result<()> {
    let shown = if output.json { usize::MAX } else { MAX_ROWS };
    let rows: Vec<_> = events.iter().take(shown).map(Due).collect();
    output.list(&rows)?;
    output.note(&format!("{} events would be replayed", events.len()));
    Ok(())
}

impl Replaying<'_> {
    /// Sends the events in their turn; an error says why it ended before all were sent.
    async fn send(
        &mut self,
        events: &[EventMeta],
        rate: NonZeroU32,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut pace = Pace::new(rate, interrupted());
        for batch in events.chunks(batch_size(rate)) {
            let turn = pace.turn(batch.len()).await;
            turn.map_err(|Interrupted| "interrupted")?;
            let tally = self.send_batch(batch).await?;
            // Whatever ends it from here on, no more than this batch is sent twice.
            if let Some(last) = batch.last() {
                self.course.reach(last, tally).await?;
            }
            progress.at(self.course.checkpoint.done);
        }
        Ok(())
    }

    async fn send_batch(&mut self, batch: &[EventMeta]) -> Result<Tally> {
        let keys: BTreeSet<_> = batch.iter().map(|event| &*event.key).collect();
        let stored = self.recorded.ledger.get_many(&keys).await;
        let stored = stored.map_err(failure::ledger)?;
        let mut messages = Vec::new();
        let mut tally = Tally::default();
        for event in batch {
            tally.done += 1;
            let Some(stored) = stored.get(&event.key).filter(|it| it.is_of(event)) else {
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
    fn tell(&self, all: usize, output: Output) -> Result<()> {
        let checkpoint = &self.course.checkpoint;
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
                "{unwanted} are not sent: nobody there wants events of their type and source"
            ));
        }
        let replayed = checkpoint.done - forgotten - unwanted;
        output.say(
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
        assert!(parse("--id 1 --id 2 --all").is_some_and(|it| it.id.len() == 2 && it.all));
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
