//! `webhookctl event replay`: which events are meant, and that each is sent in its turn. Where to is left to `target`.

use super::checkpoint::Course;
use super::index::{Filter, Index, Kind};
use super::list::Listed;
use super::target::Target;
use crate::Result;
use crate::output::Output;
use crate::pace::{batch_size, interrupted, pause};
use crate::progress::Progress;
use crate::recorded::Recorded;
use crate::stack::Stack;
use crate::time;
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::pin::pin;
use tokio::time::{Instant, sleep_until};
use webhook_gateway::event::EventRef;

/// Easily borne by most endpoints.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true))]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["id", "since"]))]
pub(crate) struct Replay {
    /// The id of an event; may be given more than once.
    #[arg(long, value_name = "ID", conflicts_with_all = ["event_type", "since", "until"])]
    id: Vec<String>,
    /// Those of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Those of these types, with `*` for any characters.
    #[arg(long = "type", value_name = "PATTERN")]
    event_type: Option<String>,
    /// Those accepted since then: 2h or 3d before now, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    pub(super) since: Option<Timestamp>,
    /// Those accepted before then; now, unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "since")]
    pub(super) until: Option<Timestamp>,
    /// To the endpoint of this id or name.
    #[arg(long, value_name = "ENDPOINT", group = "where")]
    pub(super) endpoint: Option<String>,
    /// To this queue: `events`, the name of a subscription, or a URL.
    #[arg(long, value_name = "QUEUE", group = "where")]
    pub(super) queue: Option<String>,
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

impl Replay {
    /// What tells it from other replays: the words of the command, as they were typed.
    pub(super) fn words(&self) -> String {
        let how = ["--restart", "--json"];
        let mut words: Vec<_> = std::env::args().skip(1).collect();
        words.retain(|word| !how.contains(&&**word));
        if let Some(rate) = words.iter().position(|word| word == "--rate") {
            words.drain(rate..(rate + 2).min(words.len()));
        }
        words.retain(|word| !word.starts_with("--rate="));
        words.join("\n")
    }

    pub(super) fn begins_anew(&self) -> bool {
        self.restart || self.dry_run
    }
}

/// What became of the events.
#[derive(Debug, Default)]
struct Sent {
    /// They are where they are wanted.
    events: usize,
    /// The ledger does not have them any more.
    forgotten: usize,
    /// Nobody there wants them.
    unwanted: usize,
}

pub(super) async fn run(arguments: Replay, stack: &Stack, output: Output) -> Result<()> {
    let recorded = Recorded::to_read(stack)?;
    let target = Target::of(&arguments, stack, output).await?;
    let mut course = Course::of(&arguments, stack, output).await?;
    let mut events = meant(&arguments, &course, &recorded, stack).await?;
    events.retain(|event| course.is_left(event.accepted_at, &event.key));
    if arguments.dry_run {
        let rows: Vec<_> = events
            .iter()
            .map(|event| Listed::of(event, "accepted", None))
            .collect();
        output.list(&rows)?;
        output.note(&format!("{} events would be replayed", rows.len()));
        return Ok(());
    }
    output.note(&format!(
        "{} events to replay, at {} a second",
        events.len(),
        arguments.rate
    ));
    let all = events.len();
    let mut progress = Progress::begin(all, output);
    let (sent, problem) = send(
        events,
        arguments.rate,
        &target,
        &recorded,
        &mut course,
        &mut progress,
    )
    .await;
    progress.end();
    if problem.is_none() {
        course.end().await?;
    }
    tell(&sent, all, output)?;
    problem.map_or(Ok(()), |problem| {
        Err(format!("{problem}; run the same command again to go on").into())
    })
}

/// The events that are meant, the oldest first.
async fn meant(
    arguments: &Replay,
    course: &Course,
    recorded: &Recorded,
    stack: &Stack,
) -> Result<Vec<EventRef>> {
    if arguments.id.is_empty() {
        let filter = Filter {
            source: arguments.source.clone(),
            event_type: arguments.event_type.clone(),
            // What is quarantined is no event yet.
            kind: Some(Kind::Accepted),
            since: course.checkpoint.since,
            until: Some(course.checkpoint.until),
        };
        let indexed = Index::of(stack, filter)?.all().await?;
        return Ok(indexed.into_iter().map(|it| it.published.event).collect());
    }
    let mut events = Vec::new();
    for id in &arguments.id {
        let kept = recorded
            .find(id, arguments.source.as_deref(), stack)
            .await?;
        if kept.state != "accepted" {
            return Err(format!(
                "the event {id} is {}: see `webhookctl quarantine show {id}`",
                kept.state
            )
            .into());
        }
        events.push(kept.event);
    }
    events.sort_by(|a, b| (a.accepted_at, &a.key).cmp(&(b.accepted_at, &b.key)));
    events.dedup();
    Ok(events)
}

/// Sends the events in their turn, and notes how far that has come; why it ended, if not because all are sent.
async fn send(
    events: Vec<EventRef>,
    rate: NonZeroU32,
    target: &Target,
    recorded: &Recorded,
    course: &mut Course,
    progress: &mut Progress,
) -> (Sent, Option<String>) {
    let mut sent = Sent::default();
    let mut interrupted = pin!(interrupted());
    let mut due = Instant::now();
    for batch in events.chunks(batch_size(rate)) {
        tokio::select! {
            // The interruption first: it has to be waited for before anything is sent.
            biased;
            () = &mut interrupted => return (sent, Some("interrupted".to_owned())),
            () = sleep_until(due) => {}
        }
        due = Instant::now() + pause(batch.len(), rate);
        if let Err(error) = send_batch(batch, target, recorded, course, &mut sent).await {
            return (sent, Some(error.to_string()));
        }
        progress.at(sent.events + sent.forgotten + sent.unwanted);
    }
    (sent, None)
}

async fn send_batch(
    batch: &[EventRef],
    target: &Target,
    recorded: &Recorded,
    course: &mut Course,
    sent: &mut Sent,
) -> Result<()> {
    let keys: BTreeSet<_> = batch.iter().map(|event| &*event.key).collect();
    let stored = recorded.ledger.bodies(&keys).await;
    let stored = stored.map_err(crate::failure::ledger)?;
    let mut messages = Vec::new();
    let (mut wanted, mut unwanted, mut forgotten) = (0, 0, 0);
    for event in batch {
        let Some(stored) = stored.get(&event.key).filter(|it| it.is_of(event)) else {
            forgotten += 1;
            continue;
        };
        let of_event = target.messages(event, stored, recorded).await?;
        *(if of_event.is_empty() {
            &mut unwanted
        } else {
            &mut wanted
        }) += 1;
        messages.extend(of_event);
    }
    target.send(messages).await?;
    sent.events += wanted;
    sent.unwanted += unwanted;
    sent.forgotten += forgotten;
    if let Some(last) = batch.last() {
        course
            .reach(last.accepted_at, &last.key, batch.len())
            .await?;
    }
    Ok(())
}

fn tell(sent: &Sent, all: usize, output: Output) -> Result<()> {
    if sent.forgotten > 0 {
        output.note(&format!(
            "{} are not sent: the ledger has forgotten them",
            sent.forgotten
        ));
    }
    if sent.unwanted > 0 {
        output.note(&format!(
            "{} are not sent: nobody there wants events of their type and source",
            sent.unwanted
        ));
    }
    output.say(
        &format!("replayed {} of {all}", sent.events),
        &json!({
            "replayed": sent.events, "of": all, "forgotten": sent.forgotten, "unwanted": sent.unwanted,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        replay: Replay,
    }

    fn parse(line: &str) -> Option<Replay> {
        let line = Line::try_parse_from(format!("replay {line}").split_whitespace());
        line.ok().map(|line| line.replay)
    }

    #[test]
    fn it_is_said_which_events_and_where_to() {
        assert!(parse("--id 1 --id 2 --all").is_some_and(|it| it.id.len() == 2 && it.all));
        assert!(parse("--id 1 --source studio --queue events").is_some());
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
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
