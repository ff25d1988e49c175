//! `webhookctl endpoint resume`.

use super::state::activate;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::endpoints::State;

/// Resumes a paused endpoint, and delivers its held events.
#[derive(Debug, Args)]
#[command(after_help = "\
Its failures are reset, and the held events are delivered, the oldest first. This also works for an active
endpoint.

With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\".

Example:
  webhookctl endpoint resume search")]
pub(crate) struct Resume {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

pub(crate) async fn run(arguments: Resume, stack: &Stack, output: &Output) -> Result<()> {
    activate(&arguments.which, State::Paused, stack, output).await
}
