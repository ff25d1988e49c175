//! What is missing, sent on its way: an event by a mark in the ledger, which door 2 takes for a new one; a delivery by
//! another message. Either is done again without harm: the id is the same.

use super::account::Missing;
use crate::Result;
use crate::delivery::Sending;
use crate::failure;
use crate::output::Output;
use crate::pace::{Interrupted, Pace, batch_size, interrupted};
use crate::progress::Progress;
use jiff::Timestamp;
use std::fmt::Display;
use std::num::NonZeroU32;
use webhook_gateway::messages::DeliverEvent;
use webhook_gateway::store::ledger::{ItemSummary, Ledger};

/// Has door 2 publish events again; how many it will.
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
            let marked = marked.map_err(|error| unfinished(failure::scan(error), republished))?;
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
    sending: &Sending<'_>,
    output: Output,
) -> Result<usize> {
    let mut progress = Progress::begin(missing.len(), output);
    let orders = missing.into_iter().map(|it| DeliverEvent {
        endpoint: it.endpoint,
        event: it.event,
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
