//! Repairs: an event by a mark in the ledger, after which the stream path publishes it like a new one; a
//! delivery by another message. A second repair does no harm: the id stays the same.

use super::balance::Missing;
use crate::Result;
use crate::commands::delivery::PacedSender;
use crate::output::Output;
use crate::progress::Progress;
use crate::rate_limit::{interrupted, paced};
use jiff::Timestamp;
use std::fmt::Display;
use std::num::NonZeroU32;
use webhook_gateway::messages::DeliverEvent;
use webhook_gateway::store::ledger::{ItemSummary, Ledger};

/// Lets the stream path publish events again. Returns their number.
pub(crate) async fn events(
    missing: &[ItemSummary],
    ledger: &Ledger,
    rate: NonZeroU32,
    output: &Output,
) -> Result<usize> {
    let progress = Progress::begin(missing.len(), "events are published again", output);
    let mut republished = 0;
    let ended = paced(missing, rate, progress, interrupted(), async |lines| {
        for line in lines {
            let marked = ledger.republish(line, Timestamp::now()).await?;
            republished += usize::from(marked);
        }
        Ok(republished)
    })
    .await;
    match ended {
        Ok(()) => Ok(republished),
        Err(why) => Err(unfinished(why, republished).into()),
    }
}

fn unfinished(why: impl Display, republished: usize) -> String {
    format!("{why}; {republished} events are published again: run the command again for the rest")
}

/// Puts deliveries on the queue again. Returns their number.
pub(crate) async fn deliveries(
    missing: Vec<Missing>,
    sending: &PacedSender<'_>,
    output: &Output,
) -> Result<usize> {
    let progress = Progress::begin(missing.len(), "deliveries are on the queue again", output);
    let orders = missing.into_iter().map(|missing| DeliverEvent {
        endpoint: missing.endpoint,
        event: missing.event,
        resend: None,
        not_before: None,
    });
    let outcome = sending.send(orders.collect(), progress, interrupted());
    let outcome = outcome.await;
    match outcome.problem {
        None => Ok(outcome.sent),
        Some(problem) => Err(format!(
            "{problem}; {} deliveries are on the queue again: run the command again for the rest",
            outcome.sent
        )
        .into()),
    }
}
