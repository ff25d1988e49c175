//! `webhookctl dead-letter list`.

use super::queue::Queue;
use super::{DeadLetterRow, Limit, endpoints};
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;

/// Lists the messages of the dead-letter queue, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"id\": …, \"reason\": …, \"detail\": …, \"queue\": …, \"event\": …, \"source\": …,
\"endpoint\": …, \"endpoint_name\": …, \"sent_at\": …} for each. The reason is refused, unreadable, given-up
or unknown. The queue is the one that a redrive sends the message to.

Example:
  webhookctl dead-letter list --json | jq -r 'select(.reason == \"refused\").queue'")]
pub(crate) struct List {
    #[command(flatten)]
    most: Limit,
}

pub(crate) async fn run(List { most }: List, stack: &Stack, output: &Output) -> Result<()> {
    let queue = Queue::of(stack)?;
    let letters = queue.take(most.limit.get()).await?;
    queue.put_back(&letters).await;
    let endpoints = endpoints(&letters, stack, output).await?;
    let rows = letters
        .iter()
        .map(|letter| DeadLetterRow::of(letter, &endpoints));
    let rows: Vec<_> = rows.collect();
    match rows.len() {
        0 => output.note("the dead-letter queue is empty"),
        many if many == most.limit.get() => output.note("there may be more: use --limit"),
        _ => {}
    }
    output.list(&rows, DeadLetterRow::COLUMNS)
}
