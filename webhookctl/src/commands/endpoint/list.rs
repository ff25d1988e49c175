//! `webhookctl endpoint list`.

use super::view::EndpointView;
use crate::Result;
use crate::endpoints;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;

/// Lists the endpoints with their condition.
#[derive(Debug, Args)]
#[command(after_help = "\
The condition is active, paused, disabled, open (after failures in a row), waiting (the endpoint asked for a
wait) or slow (attempts hang). The command needs about 3 read units for each endpoint.

With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\" for each endpoint.

Examples:
  webhookctl endpoint list
  webhookctl endpoint list --json | jq -r 'select(.condition != \"active\").id'")]
pub(crate) struct List {}

pub(crate) async fn run(stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let statuses = endpoints::all_statuses(&stack.endpoints()?).await?;
    let listed = statuses.iter().map(|status| EndpointView::of(status, now));
    let listed: Vec<_> = listed.collect();
    if listed.is_empty() {
        output.note("there is no endpoint yet: create one with `webhookctl endpoint create`");
    }
    output.list(&listed, EndpointView::COLUMNS)
}
