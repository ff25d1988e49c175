//! `webhookctl dead-letter`: what the gateway's own code could not handle, looked at and sent back to where it belongs.
//! Taking messages off the queue is left to `queue`, and why they are there to `reason`.

mod queue;
mod reason;

use crate::Result;
use crate::output::{Output, Row};
use crate::progress::Progress;
use crate::stack::Stack;
use clap::{Args, Subcommand};
use queue::{Letter, Queue};
use reason::Kind;
use serde::Serialize;
use serde_json::{Value, json};
use std::num::NonZeroUsize;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Messages get there in three ways: a subscribed queue refused an event, a message of the delivery queue could not be read,
or the delivery queue gave up on one that was received too often. To look at them takes them off the queue for a
moment: the queue hands out some of them at a time, so that a long list may not be all.

Examples:
  webhookctl dead-letter list
  webhookctl dead-letter redrive --reason refused --dry-run")]
pub(crate) enum Command {
    /// Lists what is there, with the reason.
    #[command(after_help = "\
With --json: {\"id\": …, \"reason\": …, \"detail\": …, \"queue\": …, \"event\": …, \"sent_at\": …} each. The reason is refused, unreadable,
given-up or unknown, and the queue where it would be sent back to.

Example:
  webhookctl dead-letter list --json | jq -r 'select(.reason == \"refused\").queue'")]
    List(Most),
    /// Shows a message: its attributes, and its body.
    #[command(after_help = "\
With --json: what `dead-letter list --json` has for it, with \"attributes\": {…} and \"body\": ….

Example:
  webhookctl dead-letter show 1b7c6b0e-7f6c-4f2f-9d0c-5d0f0e6a2c11")]
    Show(Show),
    /// Sends messages back to where they belong, and takes them off the queue.
    #[command(after_help = "\
A message is taken off only once it is sent, so that one may be sent twice if this is killed in between: with the same
event id, which consumers and the delivery function drop. A queue that refuses it again leaves it where it is. What is
unreadable would come back: it is sent only if it is named by its id. It fails if an id is of none of them.

With --json: {\"id\": …, \"outcome\": …, \"queue\": …, \"problem\": …} each. The outcome is sent, would-be-sent, or kept.

Examples:
  webhookctl dead-letter redrive --reason refused --dry-run
  webhookctl dead-letter redrive --all
  webhookctl dead-letter redrive 1b7c6b0e-7f6c-4f2f-9d0c-5d0f0e6a2c11")]
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub(crate) struct Most {
    /// How many are looked at, at most.
    #[arg(long, value_name = "N", default_value = "1000")]
    limit: NonZeroUsize,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of the message, or of its event.
    id: String,
    #[command(flatten)]
    most: Most,
}

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// Ids of messages, or of their events.
    #[arg(required_unless_present_any = ["all", "reason"], conflicts_with_all = ["all", "reason"])]
    ids: Vec<String>,
    /// All but those that are unreadable.
    #[arg(long, conflicts_with = "reason")]
    all: bool,
    /// Those that are there for this reason.
    #[arg(long)]
    reason: Option<Kind>,
    /// Tells what would be sent, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    most: Most,
}

/// A message as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    reason: &'static str,
    detail: Option<String>,
    queue: Option<String>,
    event: Option<String>,
    sent_at: Option<String>,
}

impl Listed {
    fn of(letter: &Letter) -> Self {
        Self {
            id: letter.id.clone(),
            reason: letter.reason.kind.name(),
            detail: letter.reason.detail.clone(),
            queue: letter.reason.queue.clone(),
            event: letter.event.clone(),
            sent_at: letter.sent_at.and_then(crate::time::shown),
        }
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            ("sent", or_dash(&self.sent_at)),
            ("id", self.id.clone()),
            ("event", or_dash(&self.event)),
            ("reason", self.reason.to_owned()),
            ("detail", or_dash(&self.detail)),
            ("queue", or_dash(&self.queue)),
        ]
    }
}

/// What became of a message.
#[derive(Debug, Serialize)]
struct Redriven {
    id: String,
    outcome: &'static str,
    queue: Option<String>,
    problem: Option<String>,
}

impl Row for Redriven {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("outcome", self.outcome.to_owned()),
            ("queue", self.queue.clone().unwrap_or_default()),
            ("problem", self.problem.clone().unwrap_or_default()),
        ]
    }
}

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    let queue = Queue::of(stack)?;
    match command {
        Command::List(most) => list(&most, &queue, output).await,
        Command::Show(arguments) => show(&arguments, &queue, output).await,
        Command::Redrive(arguments) => redrive(&arguments, &queue, output).await,
    }
}

async fn list(most: &Most, queue: &Queue, output: Output) -> Result<()> {
    let letters = queue.take(most.limit.get()).await?;
    queue.put_back(&letters).await;
    let rows: Vec<_> = letters.iter().map(Listed::of).collect();
    match rows.len() {
        0 => output.note("there is no dead letter"),
        many if many == most.limit.get() => output.note("there may be more: see --limit"),
        _ => {}
    }
    output.list(&rows)
}

async fn show(arguments: &Show, queue: &Queue, output: Output) -> Result<()> {
    let letters = queue.take(arguments.most.limit.get()).await?;
    queue.put_back(&letters).await;
    let letter = letters.iter().find(|it| it.is(&arguments.id));
    let letter = letter.ok_or_else(|| unknown(&arguments.id, letters.len()))?;
    let attributes: Value = letter
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), json!(value.string_value())))
        .collect();
    let listed = Listed::of(letter);
    if output.json {
        let mut shown = serde_json::to_value(&listed)?;
        shown["attributes"] = attributes;
        shown["body"] = json!(letter.body);
        return output.say("", &shown);
    }
    output.one(&listed)?;
    let mut text = "\n".to_owned();
    for (name, value) in attributes.as_object().into_iter().flatten() {
        text += &format!("{name}: {}\n", value.as_str().unwrap_or_default());
    }
    output.text(&format!("{text}\n{}", letter.body))
}

async fn redrive(arguments: &Redrive, queue: &Queue, output: Output) -> Result<()> {
    let letters = queue.take(arguments.most.limit.get()).await?;
    let looked_at = letters.len();
    let is_absent = |id: &&String| !letters.iter().any(|it| it.is(id));
    let absent: Vec<_> = arguments.ids.iter().filter(is_absent).cloned().collect();
    let (meant, others): (Vec<_>, Vec<_>) =
        letters.into_iter().partition(|it| is_meant(arguments, it));
    queue.put_back(&others).await;
    output.note(&format!("{} dead letters are meant", meant.len()));
    let mut progress = Progress::begin(meant.len(), output);
    let (mut rows, mut kept) = (Vec::new(), Vec::new());
    for letter in meant {
        let sent = match arguments.dry_run {
            true => Ok("would-be-sent"),
            false => queue.send_back(&letter).await.map(|()| "sent"),
        };
        rows.push(Redriven {
            id: letter.id.clone(),
            outcome: sent.as_ref().copied().unwrap_or("kept"),
            queue: letter.reason.queue.clone(),
            problem: sent.as_ref().err().map(ToString::to_string),
        });
        if !matches!(sent, Ok("sent")) {
            kept.push(letter);
        }
        progress.at(rows.len());
    }
    progress.end();
    queue.put_back(&kept).await;
    output.list(&rows)?;
    let stay = rows.iter().filter(|row| row.problem.is_some()).count();
    let stay = (stay > 0).then(|| format!("{stay} of {} stay where they are", rows.len()));
    let absent = (!absent.is_empty()).then(|| unknown(&absent.join(", "), looked_at));
    let problems: Vec<_> = stay.into_iter().chain(absent).collect();
    match &*problems {
        [] => Ok(()),
        problems => Err(problems.join("; ").into()),
    }
}

/// What is said of an id that no letter has.
fn unknown(id: &str, looked_at: usize) -> String {
    format!(
        "there is no dead letter {id} among {looked_at} that were looked at: see `webhookctl dead-letter list`"
    )
}

fn is_meant(arguments: &Redrive, letter: &Letter) -> bool {
    let kind = letter.reason.kind;
    match arguments.reason {
        Some(reason) => reason == kind,
        None if arguments.all => matches!(kind, Kind::Refused | Kind::GivenUp),
        None => arguments.ids.iter().any(|id| letter.is(id)),
    }
}
