//! Sends what is missing on its way: an event by a mark in the ledger, which the stream path takes for a new one; a
//! delivery by another message. Either is done again without harm: the id is the same.

use super::balance::Missing;
use crate::Result;
use crate::commands::delivery::PacedSender;
use crate::output::Output;
use crate::progress::Progress;
use crate::rate_limit::{Interrupted, Pace, batch_size, interrupted};
use jiff::Timestamp;
use std::fmt::Display;
use std::num::NonZeroU32;
use webhook_gateway::messages::DeliverEvent;
use webhook_gateway::store::ledger::{ItemSummary, Ledger};

/// Has the stream path publish events again; returns how many.
pub(crate) async fn events(
    missing: &[ItemSummary],
    ledger: &Ledger,
    rate: NonZeroU32,
    output: Output,
) -> Result<usize> {
    let mut progress = Progress::counting("events are published again", output);
    let mut republished = 0;
    let mut pace = Pace::new(rate, interrupted());
    for lines in missing.chunks(batch_size(rate)) {
        let turn = pace.turn(lines.len()).await;
        turn.map_err(|Interrupted| unfinished("interrupted", republished))?;
        for line in lines {
            let marked = ledger.republish(line, Timestamp::now()).await;
            let marked = marked.map_err(|error| unfinished(error, republished))?;
            republished += usize::from(marked);
        }
        progress.at(republished);
    }
    progress.end();
    Ok(republished)
}

fn unfinished(why: impl Display, republished: usize) -> String {
    format!("{why}; {republished} events are published again: run it again for the rest")
}

/// Puts deliveries on the queue again; how many are.
pub(crate) async fn deliveries(
    missing: Vec<Missing>,
    sending: &PacedSender<'_>,
    output: Output,
) -> Result<usize> {
    let mut progress = Progress::begin(missing.len(), output);
    let orders = missing.into_iter().map(|missing| DeliverEvent {
        endpoint: missing.endpoint,
        event: missing.event,
        resend: None,
        not_before: None,
    });
    let outcome = sending
        .send(orders.collect(), &mut progress, interrupted())
        .await;
    progress.end();
    match outcome.problem {
        None => Ok(outcome.sent),
        Some(problem) => Err(format!(
            "{problem}; {} deliveries are on the queue again: run it again for the rest",
            outcome.sent
        )
        .into()),
    }
}
