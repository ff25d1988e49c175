//! The watch over a source, begun and ended with what the source declares. How it goes on is left to the gateway.

use crate::Result;
use crate::failure::{self, Failure};
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use webhook_gateway::aws::sqs::Queues;
use webhook_gateway::silence::{self, SilenceError};
use webhook_gateway::store::journal::Journal;
use webhook_gateway::store::sources::Source;

/// Watches over a source as it declares now: from now on, or not any more.
pub(crate) async fn follow(name: &str, source: &Source, stack: &Stack) -> Result<()> {
    match source.silent_after {
        Some(gap) => begin(name, gap, stack).await.map_err(|error| {
            format!("the source {name} is written, but not watched before its next webhook: {error}; `webhookctl source update {name} --silent-after {gap:#}` tries again").into()
        }),
        None => end(name, stack).await,
    }
}

/// Watches over a source that is not heard of until its next webhook, too.
async fn begin(name: &str, gap: SignedDuration, stack: &Stack) -> Result<()> {
    let (journal, now) = (journal(stack)?, Timestamp::now());
    let heard = journal.declare_gap(name, gap, now).await;
    let heard = heard.map_err(failure::journal)?;
    let queues = Queues::new(aws_sdk_sqs::Client::new(&stack.aws));
    let queue = stack.output("DeliveryQueueUrl")?;
    let begun = silence::begin(name, &heard, now, &journal, &queues, queue).await;
    Ok(begun.map_err(|error| match error {
        SilenceError::Journal(error) => failure::journal(error),
        SilenceError::Send(error) => failure::queue(error),
        SilenceError::Encode(_) => Failure::other(error),
    })?)
}

/// Has nobody watch over a source.
pub(crate) async fn end(name: &str, stack: &Stack) -> Result<()> {
    let ended = journal(stack)?.forget_gap(name, Timestamp::now()).await;
    ended.map_err(|error| {
        let why = failure::journal(error);
        format!("the source {name} is written, but may be told to be silent once more: {why}")
            .into()
    })
}

fn journal(stack: &Stack) -> Result<Journal> {
    let table = stack.output("JournalTableName")?.to_owned();
    let client = aws_sdk_dynamodb::Client::new(&stack.aws);
    Ok(Journal::new(client, table))
}
