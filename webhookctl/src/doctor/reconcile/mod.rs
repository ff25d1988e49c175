//! `webhookctl doctor --reconcile`: proves that nothing was lost, or lists what was, and sends it on its way.
//!
//! `read` collects what there is, `account` counts it, `view` tells it, and `repair` mends it.

mod account;
mod read;
mod repair;
mod view;

use super::Doctor;
use super::facts::Queues;
use crate::Result;
use crate::delivery::{self, Sending};
use crate::output::Output;
use crate::recorded::Recorded;
use crate::stack::Stack;
use crate::time;
use account::{Clock, Deliveries, Events, Published};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::num::NonZeroU32;
use std::ops::Range;
use webhook_gateway::aws::sqs;

/// How long anything may be on its way between two steps.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

pub(super) async fn run(
    arguments: &Doctor,
    since: Timestamp,
    stack: &Stack,
    output: Output,
) -> Result<()> {
    let now = Timestamp::now();
    let since = time::bounded(since, arguments.until, stack.retention()?, output)?;
    let accepted = span(since, arguments.until.unwrap_or(now).min(now))?;
    let recorded = Recorded::to_read(stack)?;
    let (lines, unreadable) = read::lines(&recorded.ledger, &accepted, output).await?;
    let published = read::published(stack, &accepted, output).await?;
    let clock = Clock {
        now: now.as_millisecond(),
        grace: GRACE.as_millis() as i64,
    };
    let events = Events::of(lines, &published, clock);
    let deliveries = deliveries(&published, &accepted, clock, stack, output).await?;
    view::print(&events, &deliveries, &accepted, output)?;
    let mut missing = (events.missing.len(), deliveries.missing.len());
    let surely = deliveries.surely_missing;
    if arguments.repair && !arguments.dry_run {
        repair(&recorded, events, deliveries, arguments.rate, stack, output).await?;
        missing = (0, 0);
    }
    match view::problem(missing.0, missing.1, surely) {
        Some(problem) => Err(problem.into()),
        None if unreadable > 0 => Err(format!("whether {unreadable} items of the ledger were published is not known: they are not as it writes them").into()),
        None => Ok(()),
    }
}

/// Whole milliseconds, as everything is noted in these.
fn span(since: Timestamp, until: Timestamp) -> Result<Range<Timestamp>> {
    let whole = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond());
    let span = whole(since)?..whole(until)?;
    match span.is_empty() {
        true => Err("--since is not before --until, or not before now".into()),
        false => Ok(span),
    }
}

async fn deliveries(
    published: &Published,
    accepted: &Range<Timestamp>,
    clock: Clock,
    stack: &Stack,
    output: Output,
) -> Result<Deliveries> {
    let queues = Queues::of(stack);
    let queue = queues.queue("deliveries", "DeliveryQueueUrl").await;
    let queue = queue.map_err(|it| it.failure().so("the delivery queue cannot be read"))?;
    let dead = queues.queue("dead letters", "DeadLetterQueueUrl").await;
    let dead = dead.map_err(|it| it.failure().so("the dead-letter queue cannot be read"))?;
    if dead.depth() > 0 {
        let letters = dead.depth();
        output.note(&format!("what is on the dead-letter queue ({letters}) may be deliveries that are missing: see `webhookctl dead-letter list`"));
    }
    let tables = delivery::Deliveries::of(stack)?;
    let mut deliveries = Deliveries::default();
    for endpoint in tables.endpoints().await? {
        let records = read::records(&tables, &endpoint.id, accepted).await?;
        deliveries.add(&endpoint, published, records, clock);
    }
    deliveries.close(queue.depth());
    Ok(deliveries)
}

async fn repair(
    recorded: &Recorded,
    events: Events,
    deliveries: Deliveries,
    rate: NonZeroU32,
    stack: &Stack,
    output: Output,
) -> Result<()> {
    let sending = Sending {
        queues: sqs::Queues::new(aws_sdk_sqs::Client::new(&stack.aws)),
        queue_url: stack.output("DeliveryQueueUrl")?,
        rate,
    };
    let events = repair::events(&events.missing, &recorded.ledger, rate, output).await?;
    let deliveries = repair::deliveries(deliveries.missing, &sending, output).await?;
    output.say(
        &format!("repaired: {events} events are published again, {deliveries} deliveries are on the queue again"),
        &json!({"repaired": {"events": events, "deliveries": deliveries}}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_span_is_of_whole_milliseconds_and_not_empty() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let whole = span(
            at("2026-11-22T10:00:00.0001Z"),
            at("2026-11-22T10:00:01.9999Z"),
        );
        let expected = at("2026-11-22T10:00:00Z")..at("2026-11-22T10:00:01.999Z");
        assert_eq!(whole.unwrap(), expected);
        assert!(span(at("2026-11-22T10:00:00Z"), at("2026-11-22T10:00:00Z")).is_err());
    }
}
