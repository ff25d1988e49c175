//! `webhookctl delivery list`.

use super::select::{self, Pages};
use super::view::DeliveryRow;
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use std::num::NonZeroUsize;
use webhook_gateway::store::deliveries::State;

/// The number of rows of a table without --limit.
const DEFAULT_LIMIT: usize = 100;

/// Lists the deliveries to an endpoint, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
--since compares the time at which the event was accepted. A delivery without an attempt is not listed. The
deliveries of a deleted endpoint are listed by its id. A table has at most 100 rows unless --limit says
otherwise.

The command reads the deliveries from the newest on, 1 MB at a time, which is 128 read units. With --state it
reads on until it has found as many as it lists: --since ends the search.

With --json: {\"id\": …, \"event\": …, \"type\": …, \"source\": …, \"endpoint\": …, \"endpoint_name\": …,
\"state\": …, \"reason\": …, \"attempts\": 3, \"last\": 500, \"accepted_at\": …, \"updated_at\": …,
\"next_attempt_at\": …} for each. Members without a value are null. \"last\" is the HTTP status of the last
attempt, or one word for the reason why it had none. \"event\" is the id of the event.

Examples:
  webhookctl delivery list --endpoint search
  webhookctl delivery list --endpoint ep_8f3a01c2 --state held --limit 1000
  webhookctl delivery list --endpoint search --since 2026-11-22 --json | jq -r .id")]
pub(crate) struct List {
    /// The id or the name of the endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: String,
    /// Lists only deliveries in this state.
    #[arg(long, value_parser = select::state())]
    state: Option<State>,
    /// Lists only deliveries of events accepted since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC
    /// 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
    /// The most deliveries to list.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

pub(crate) async fn run(arguments: List, stack: &Stack, output: &Output) -> Result<()> {
    select::check_since(arguments.since, output)?;
    let (deliveries, endpoints) = (stack.deliveries()?, stack.endpoints()?.list().await?);
    let endpoint = find::endpoint_or_deleted(&arguments.endpoint, &endpoints)?;
    if endpoint.is_none() {
        output.note("this endpoint does not exist any more; its deliveries are kept for 30 days");
    }
    let name = endpoint.map(|endpoint| &*endpoint.name);
    let id = endpoint.map_or(&*arguments.endpoint, |endpoint| &endpoint.id);
    let mut pages = Pages::new(&deliveries, id, arguments.state, arguments.since);
    let limit = match arguments.limit {
        Some(limit) => limit.get(),
        None if output.json => usize::MAX,
        None => DEFAULT_LIMIT,
    };
    let (mut rows, mut shown, mut is_cut) = (Vec::new(), 0, false);
    while shown < limit
        && let Some(records) = pages.next().await?
    {
        let views = records
            .iter()
            .take(limit - shown)
            .map(|record| DeliveryRow::of(record, name));
        let views: Vec<_> = views.collect();
        is_cut = views.len() < records.len() || !pages.is_at_end();
        shown += views.len();
        // A program gets each page at once; a table needs all its rows first.
        match output.json {
            true => output.list(&views, DeliveryRow::COLUMNS)?,
            false => rows.extend(views),
        }
    }
    output.list(&rows, DeliveryRow::COLUMNS)?;
    if shown == 0 {
        output.note("no delivery matches");
    } else if is_cut && arguments.limit.is_none() {
        output.note(&format!(
            "these are the newest {limit}: use --limit to list more, --state and --since to list fewer"
        ));
    }
    Ok(())
}
