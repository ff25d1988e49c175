//! `webhookctl endpoint show`.

use super::view::{EndpointDetails, EndpointView};
use crate::Result;
use crate::commands::status::{NEWEST, next_attempt};
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
The time of the next attempt comes from the newest 100 deliveries or from the endpoint's wait. The command
needs about 20 read units for them, and one for each 10 held deliveries, of which it counts at most 1,000.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"description\": …, \"state\": …, \"reason\": …,
\"condition\": …, \"circuit\": {\"failures\": …, \"failing_since\": …, \"opened_at\": …, \"wait\": …},
\"events\": […], \"sources\": […], \"headers\": {…}, \"timeout\": …, \"retry\": […], \"rate\": …, \"format\":
…, \"signature\": …, \"signature_header\": …, \"signature_prefix\": …, \"secrets\": [{\"until\": …}, …],
\"created_at\": …, \"updated_at\": …, \"held\": …, \"more_held\": …,
\"next_attempt_at\": …}. An empty list of sources means all. The
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
    let (deliveries, id) = (stack.deliveries()?, &status.endpoint.id);
    let held = deliveries.held(id, MAX_HELD + 1).await;
    let held = held?.len();
    let newest = deliveries.newest(id, NEWEST).await;
    let now = Timestamp::now();
    let next = next_attempt(&status, &newest?, now);
    let shown = EndpointDetails::of(EndpointView::of(&status, now));
    output.details(
        &shown.queue(held, MAX_HELD as usize, next),
        EndpointDetails::COLUMNS,
    )
}
