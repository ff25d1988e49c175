//! `webhookctl delivery list`.

use super::Deliveries;
use super::select::{self, Pages};
use super::view::Listed;
use crate::Result;
use crate::output::Output;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use std::num::NonZeroUsize;
use webhook_gateway::store::deliveries::State;

/// What a screen is good for.
const DEFAULT_LIMIT: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The id of the endpoint, or its name.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: String,
    /// Only those in this state.
    #[arg(long, value_parser = select::state())]
    state: Option<State>,
    /// Only those of events accepted since then: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
    /// How many at most.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

pub(crate) async fn run(arguments: List, deliveries: &Deliveries, output: Output) -> Result<()> {
    select::check_since(arguments.since, output)?;
    let endpoints = deliveries.endpoints().await?;
    let endpoint = select::endpoint(&arguments.endpoint, &endpoints)?;
    if endpoint.is_none() {
        output.note("there is no such endpoint any more; its deliveries are told of for 30 days");
    }
    let id = endpoint.map_or(&*arguments.endpoint, |endpoint| &endpoint.id);
    let mut pages = Pages::new(deliveries, id, arguments.state, arguments.since);
    let limit = match arguments.limit {
        Some(limit) => limit.get(),
        None if output.json => usize::MAX,
        None => DEFAULT_LIMIT,
    };
    let (mut rows, mut shown, mut is_cut) = (Vec::new(), 0, false);
    while shown < limit
        && let Some(records) = pages.next().await?
    {
        let views = records.iter().take(limit - shown).map(Listed::of);
        let views: Vec<_> = views.collect();
        is_cut = views.len() < records.len() || !pages.is_at_end();
        shown += views.len();
        // A program gets each page as it comes; a table has to know all its rows.
        match output.json {
            true => output.list(&views)?,
            false => rows.extend(views),
        }
    }
    output.list(&rows)?;
    if shown == 0 {
        output.note("there is no such delivery");
    } else if is_cut && arguments.limit.is_none() {
        output.note(&format!(
            "these are the newest {limit}: --limit shows more of them, --state and --since fewer"
        ));
    }
    Ok(())
}
