//! `webhookctl dead-letter`: messages that could not be handled, shown and sent back to their queues.

mod list;
mod queue;
mod reason;
mod redrive;
mod show;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::{Args, Subcommand};
use queue::Letter;
use serde::Serialize;
use std::num::NonZeroUsize;
use webhook_gateway::store::endpoints::Endpoint;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A message is on the dead-letter queue for one of three reasons: a subscribed queue refused an event, a message
of the delivery queue could not be read, or the delivery queue gave up on a message that was received too
often. These commands hide the messages from other readers for a moment. The queue hands out some of its
messages at a time: a long list may not be complete.

Examples:
  webhookctl dead-letter list
  webhookctl dead-letter redrive --reason refused --dry-run")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Redrive(redrive::Redrive),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(arguments, stack, output).await,
        Command::Redrive(arguments) => redrive::run(arguments, stack, output).await,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// The most messages to read.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) limit: NonZeroUsize,
}

#[derive(Debug, Serialize)]
struct DeadLetterRow {
    id: String,
    reason: &'static str,
    detail: Option<String>,
    queue: Option<String>,
    event: Option<String>,
    source: Option<String>,
    endpoint: Option<String>,
    /// `None` for a deleted endpoint.
    endpoint_name: Option<String>,
    sent_at: Option<String>,
}

impl DeadLetterRow {
    pub(crate) const COLUMNS: &[&str] = &[
        "sent_at",
        "id",
        "event",
        "source",
        "endpoint_name",
        "reason",
        "detail",
        "queue",
    ];

    fn of(letter: &Letter, endpoints: &[Endpoint]) -> Self {
        let reason = &letter.reason;
        let is_it = |endpoint: &&Endpoint| Some(&endpoint.id) == reason.endpoint.as_ref();
        let endpoint = endpoints.iter().find(is_it);
        Self {
            id: letter.id.clone(),
            reason: reason.kind.name(),
            detail: reason.detail.clone(),
            queue: reason.queue.clone(),
            event: letter.event.clone(),
            source: letter.source.clone(),
            endpoint: reason.endpoint.clone(),
            endpoint_name: endpoint.map(|endpoint| endpoint.name.clone()),
            sent_at: letter.sent_at.and_then(crate::time::shown),
        }
    }
}

/// The endpoints, if any of these messages is about one. Without them, the rows have no names.
async fn endpoints(letters: &[Letter], stack: &Stack, output: &Output) -> Result<Vec<Endpoint>> {
    if letters
        .iter()
        .all(|letter| letter.reason.endpoint.is_none())
    {
        return Ok(Vec::new());
    }
    let endpoints = stack.endpoints()?.list().await;
    Ok(endpoints.unwrap_or_else(|error| {
        output.note(&format!("the names of endpoints are not shown: {error}"));
        Vec::new()
    }))
}

/// The error about an id that no message has.
fn unknown(id: &str, looked_at: usize) -> String {
    format!(
        "there is no dead letter {id} among the {looked_at} that were read: see `webhookctl dead-letter list`"
    )
}
