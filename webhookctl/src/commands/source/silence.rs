//! The silence check of a source, begun and ended with the source's setting.

use crate::Result;
use crate::stack::Stack;
use crate::time::exact_duration;
use jiff::{SignedDuration, Timestamp};
use webhook_gateway::silence;
use webhook_gateway::store::sources::Source;

/// Begins or ends the silence check of a source, by its setting.
pub(crate) async fn follow(name: &str, source: &Source, stack: &Stack) -> Result<()> {
    match source.silent_after {
        Some(gap) => begin(name, gap, stack).await.map_err(|error| {
            let gap = exact_duration(gap);
            format!(
                "the source {name} is written, but is not watched before its next webhook: {error}; \
                    `webhookctl source update {name} --silent-after {gap}` tries again"
            )
            .into()
        }),
        None => end(name, stack).await,
    }
}

/// Begins the silence check of a source, even before its first webhook.
async fn begin(name: &str, gap: SignedDuration, stack: &Stack) -> Result<()> {
    let (journal, now) = (stack.journal()?, Timestamp::now());
    let heard = journal.set_threshold(name, gap, now).await;
    let heard = heard?;
    let queues = stack.queues();
    let queue = stack.delivery_queue()?;
    let begun = silence::begin(name, &heard, now, &journal, &queues, queue).await;
    Ok(begun?)
}

/// Ends the silence check of a source.
pub(crate) async fn end(name: &str, stack: &Stack) -> Result<()> {
    let ended = stack
        .journal()?
        .clear_threshold(name, Timestamp::now())
        .await;
    ended.map_err(|error| {
        format!("the source {name} is written, but may be reported silent once more: {error}")
            .into()
    })
}
