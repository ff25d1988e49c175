//! `webhookctl dead-letter redrive`.

use super::queue::{Letter, Queue};
use super::reason::Kind;
use super::{Limit, unknown};
use crate::Result;
use crate::output::Output;
use crate::progress::Progress;
use crate::stack::Stack;
use clap::Args;
use serde::Serialize;

/// Sends messages back to their queues.
#[derive(Debug, Args)]
#[command(after_help = "\
A message is deleted only after it is sent. If the command is killed in between, it is sent twice, with the
same event id: consumers and the delivery function drop the copy. A message that its queue refuses again stays
where it is. An unreadable message would come back: it is sent only if its id is given. The command fails if
no message has a given id.

With --json: {\"id\": …, \"outcome\": …, \"queue\": …, \"problem\": …} for each message. The outcome is sent,
would-be-sent, or kept.

Examples:
  webhookctl dead-letter redrive --reason refused --dry-run
  webhookctl dead-letter redrive --all
  webhookctl dead-letter redrive 1b7c6b0e-7f6c-4f2f-9d0c-5d0f0e6a2c11")]
pub(crate) struct Redrive {
    /// The ids of messages or of their events.
    #[arg(required_unless_present_any = ["all", "reason"], conflicts_with_all = ["all", "reason"])]
    ids: Vec<String>,
    /// Sends all messages except unreadable ones.
    #[arg(long, conflicts_with = "reason")]
    all: bool,
    /// Sends the messages with this reason.
    #[arg(long)]
    reason: Option<Kind>,
    /// Lists the messages and changes nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    most: Limit,
}

/// The outcome of a message.
#[derive(Debug, Serialize)]
struct Redriven {
    id: String,
    outcome: &'static str,
    queue: Option<String>,
    problem: Option<String>,
}

impl Redriven {
    pub(crate) const COLUMNS: &[&str] = &["id", "outcome", "queue", "problem"];
}

pub(crate) async fn run(arguments: Redrive, stack: &Stack, output: &Output) -> Result<()> {
    let queue = Queue::of(stack)?;
    let letters = queue.take(arguments.most.limit.get()).await?;
    let looked_at = letters.len();
    let is_absent = |id: &&String| !letters.iter().any(|letter| letter.is(id));
    let absent: Vec<_> = arguments.ids.iter().filter(is_absent).cloned().collect();
    let (meant, others): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .partition(|letter| is_meant(&arguments, letter));
    queue.put_back(&others).await;
    output.note(&format!("{} messages selected", meant.len()));
    let mut progress = Progress::begin(meant.len(), "messages are handled", output);
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
    drop(progress);
    queue.put_back(&kept).await;
    output.list(&rows, Redriven::COLUMNS)?;
    let stay = rows.iter().filter(|row| row.problem.is_some()).count();
    let stay = (stay > 0).then(|| format!("{stay} of {} messages stay where they are", rows.len()));
    let absent = (!absent.is_empty()).then(|| unknown(&absent.join(", "), looked_at));
    let problems: Vec<_> = stay.into_iter().chain(absent).collect();
    match &*problems {
        [] => Ok(()),
        problems => Err(problems.join("; ").into()),
    }
}

fn is_meant(arguments: &Redrive, letter: &Letter) -> bool {
    let kind = letter.reason.kind;
    match arguments.reason {
        Some(reason) => reason == kind,
        None if arguments.all => matches!(kind, Kind::Refused | Kind::GivenUp),
        None => arguments.ids.iter().any(|id| letter.is(id)),
    }
}
