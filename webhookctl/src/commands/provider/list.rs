//! `webhookctl provider list`.

use super::show::ProviderDetails;
use crate::Result;
use crate::output::Output;
use clap::Args;
use webhook_gateway::providers::presets;

/// Lists the providers that the gateway has a preset for, and how each authenticates its webhooks.
#[derive(Debug, Args)]
#[command(after_help = "\
Any other provider is a source with --provider custom and a recipe of its own.

With --json: the object of `provider show` for each.

Examples:
  webhookctl provider list
  webhookctl provider list --json | jq -r 'select(.handshake != null).name'")]
pub(crate) struct List {}

pub(crate) fn run(output: &Output) -> Result<()> {
    let columns = ["name", "title", "authentication", "handshake", "evidence"];
    let presets: Vec<_> = presets::all().map(ProviderDetails::of).collect();
    output.list(&presets, &columns)
}
