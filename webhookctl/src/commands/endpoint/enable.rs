//! `webhookctl endpoint enable`.

use super::state::activate;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::endpoints::State;

/// Enables an endpoint that the gateway disabled, and delivers its held events.
#[derive(Debug, Args)]
#[command(after_help = "\
The gateway disables an endpoint that answers 410, or that failed for five days. Enabling it resets its
failures and delivers the held events, the oldest first.

With --json: the object of `endpoint show` without \"held\", \"more_held\" and
\"next_attempt_at\".

Example:
  webhookctl endpoint enable search")]
pub(crate) struct Enable {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

pub(crate) async fn run(arguments: Enable, stack: &Stack, output: &Output) -> Result<()> {
    activate(&arguments.which, State::Disabled, stack, output).await
}
