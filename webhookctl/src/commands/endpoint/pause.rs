//! `webhookctl endpoint pause`.

use super::state::{is_to_pause, set};
use super::view::{EndpointDetails, EndpointView};
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;
use webhook_gateway::store::endpoints::State;

/// Pauses an endpoint: its deliveries are held until it is resumed.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\".

Examples:
  webhookctl endpoint pause search
  webhookctl endpoint pause search --reason 'migration until Monday'")]
pub(crate) struct Pause {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
    /// The reason.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(arguments: Pause, stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let endpoints = stack.endpoints()?;
    let mut status = find::status(&arguments.which, &endpoints).await?;
    let endpoint = &mut status.endpoint;
    let reason = arguments.reason;
    let is_new_reason = reason.is_some() && reason != endpoint.reason;
    if is_to_pause(endpoint)? || is_new_reason {
        set(endpoint, State::Paused, reason, now, &endpoints).await?;
    } else {
        output.note("the endpoint is already paused");
    }
    output.details(
        &EndpointDetails::of(EndpointView::of(&status, now)),
        EndpointDetails::COLUMNS,
    )
}
