//! `webhookctl endpoint show`.

use super::view::{EndpointDetails, EndpointView};
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;

/// The most held deliveries that are counted.
const MAX_HELD: i32 = 1000;

/// Shows an endpoint, without its secrets.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"description\": …, \"state\": …, \"reason\": …,
\"condition\": …, \"circuit\": {\"failures\": …, \"failing_since\": …, \"opened_at\": …, \"wait\": …},
\"events\": […], \"sources\": […], \"headers\": {…}, \"timeout\": …, \"retry\": […], \"rate\": …, \"format\":
…, \"signature\": …, \"signature_header\": …, \"signature_prefix\": …, \"secrets\": [{\"until\": …}, …],
\"created_at\": …, \"updated_at\": …, \"held\": …, \"more_held\": …}. An empty list of sources means all. The
values of secrets, and of headers that may have a credential, are left out.

Examples:
  webhookctl endpoint show search
  webhookctl endpoint show ep_0123456789abcdef --json")]
pub(crate) struct Show {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

pub(crate) async fn run(Show { which }: Show, stack: &Stack, output: &Output) -> Result<()> {
    let status = find::status(&which, &stack.endpoints()?).await?;
    let held = stack.deliveries()?;
    let held = held.held(&status.endpoint.id, MAX_HELD + 1).await;
    let held = held?.len();
    let shown = EndpointDetails::of(EndpointView::of(&status, Timestamp::now()));
    output.details(
        &shown.held(held, MAX_HELD as usize),
        EndpointDetails::COLUMNS,
    )
}
