//! `webhookctl endpoint enable`.

use super::state::activate;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::endpoints::State;

/// Lets an endpoint that the gateway disabled have its deliveries again.
#[derive(Debug, Args)]
#[command(after_help = "\
An endpoint is disabled when it took nothing for five days, or answers 410. Its failures are forgotten, and
what is held for it is delivered, the oldest first.

With --json: the object of `endpoint show`, without held.

Example:
  webhookctl endpoint enable search")]
pub(crate) struct Enable {
    /// The endpoint's id, or its name.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

pub(crate) async fn run(arguments: Enable, stack: &Stack, output: Output) -> Result<()> {
    activate(&arguments.which, State::Disabled, stack, output).await
}
