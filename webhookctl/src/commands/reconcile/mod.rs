//! `webhookctl reconcile`: proves that nothing was lost, or lists the missing events and deliveries and
//! repairs them.
//!
//! `read` collects the data, `balance` counts it, `view` prints the result, and `repair` repairs.

mod balance;
mod read;
mod repair;
mod view;

use crate::Result;
use crate::commands::delivery::PacedSender;
use crate::commands::doctor::facts::Queues;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use balance::{Clock, Deliveries, Events, Published};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::num::NonZeroU32;
use std::ops::Range;

/// The longest time between two steps of an event.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// A rate that most endpoints and the stream path can take.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// Proves that no event or delivery was lost, or lists the missing ones.
#[derive(Debug, Args)]
#[command(after_help = "\
For all events that were accepted since a time, the command proves that
  accepted   = published + quarantined, and
  deliveries = delivered + held + exhausted + skipped + in flight;
or it lists the missing events and deliveries and fails. Events younger than two minutes are in flight. While
there are messages on the delivery queue, a delivery without a record is in flight or missing. An event that
was published but is missing from the journal is reported as missing too; a repair publishes it a second time,
with the same id.

The command scans the entire ledger regardless of --since: one read unit for each 8 KB, or 0.13 million for 1
GB. It reads the journal and the deliveries since --since: 8 read units for a thousand events, and about 200
for a thousand deliveries.

--repair publishes the events that were never published, even those older than the 24 hours of the stream, and
puts the deliveries on the queue again. Repaired events and deliveries are in flight, and are not repaired
again.

With --json: {\"since\": …, \"until\": …, \"events\": {\"accepted\": 3, …}, \"deliveries\": {\"all\": 2, …}},
then {\"missing\": \"event\" or \"delivery\", \"id\": …, \"type\": …, \"source\": …, \"endpoint\": …,
\"endpoint_name\": …, \"event\": …, \"accepted_at\": …, \"why\": …} for each, and after a repair
{\"repaired\": {\"events\": 0, \"deliveries\": 0}}.

Examples:
  webhookctl reconcile --since 2d
  webhookctl reconcile --since 2026-11-20 --repair --dry-run
  webhookctl reconcile --since 2026-11-20 --repair --rate 20")]
pub(crate) struct Reconcile {
    /// Checks events accepted since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Timestamp,
    /// Checks events accepted before this time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    until: Option<Timestamp>,
    /// Repairs the missing events and deliveries.
    #[arg(long)]
    repair: bool,
    /// Lists the events and deliveries that a repair would send, and sends nothing.
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// The number of repairs per second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE, requires = "repair")]
    rate: NonZeroU32,
}

pub(crate) async fn run(arguments: &Reconcile, stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let since = time::bounded(arguments.since, arguments.until, stack.retention()?, output)?;
    let accepted = span(since, arguments.until.unwrap_or(now).min(now))?;
    let recorded = stack.ledger()?;
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
        None if unreadable > 0 => Err(format!(
            "{unreadable} items of the ledger cannot be read: it is not known whether they were published"
        )
        .into()),
        None => Ok(()),
    }
}

/// The span in whole milliseconds: all times are stored in these.
fn span(since: Timestamp, until: Timestamp) -> Result<Range<Timestamp>> {
    let whole = |at: Timestamp| Timestamp::from_millisecond(at.as_millisecond());
    let span = whole(since)?..whole(until)?;
    match span.is_empty() {
        true => Err("--since must be before --until and before now".into()),
        false => Ok(span),
    }
}

async fn deliveries(
    published: &Published,
    accepted: &Range<Timestamp>,
    clock: Clock,
    stack: &Stack,
    output: &Output,
) -> Result<Deliveries> {
    let queues = Queues::of(stack);
    let queue = queues.read_queue(stack.delivery_queue()).await?;
    let dead = queues.read_queue(stack.dead_letter_queue()).await?;
    if dead.depth() > 0 {
        let letters = dead.depth();
        output.note(&format!(
            "the messages on the dead-letter queue ({letters}) may be missing deliveries: see `webhookctl \
                dead-letter list`"
        ));
    }
    let table = stack.deliveries()?;
    let mut deliveries = Deliveries::default();
    for endpoint in stack.endpoints()?.list().await? {
        let records = read::records(&table, &endpoint.id, accepted).await?;
        deliveries.add(&endpoint, published, records, clock);
    }
    deliveries.close(queue.depth());
    Ok(deliveries)
}

async fn repair(
    recorded: &LedgerReader,
    events: Events,
    deliveries: Deliveries,
    rate: NonZeroU32,
    stack: &Stack,
    output: &Output,
) -> Result<()> {
    let sending = PacedSender {
        queues: stack.queues(),
        queue_url: stack.delivery_queue()?,
        rate,
    };
    let events = repair::events(&events.missing, &recorded.ledger, rate, output).await?;
    let deliveries = repair::deliveries(deliveries.missing, &sending, output).await?;
    output.result(
        &format!("repaired: {events} events are published again, {deliveries} deliveries are on the queue \
            again"),
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
