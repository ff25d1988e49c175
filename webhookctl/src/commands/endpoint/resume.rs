//! `webhookctl endpoint resume`.

use super::state::activate;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::endpoints::State;

/// Lets a paused endpoint have its deliveries again.
#[derive(Debug, Args)]
#[command(after_help = "\
Its failures are forgotten, and what is held for it is delivered, the oldest first; also if it is active
already.

With --json: the object of `endpoint show`, without held.

Example:
  webhookctl endpoint resume search")]
pub(crate) struct Resume {
    /// The endpoint's id, or its name.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

pub(crate) async fn run(arguments: Resume, stack: &Stack, output: Output) -> Result<()> {
    activate(&arguments.which, State::Paused, stack, output).await
}
