//! `webhookctl provider list`.

use super::show::ProviderDetails;
use crate::Result;
use crate::output::Output;
use clap::Args;
use webhook_gateway::providers::Provider;

/// Lists the providers, and how each signs its webhooks.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `provider show` for each.

Examples:
  webhookctl provider list
  webhookctl provider list --json | jq -r .name")]
pub(crate) struct List {}

pub(crate) fn run(output: Output) -> Result<()> {
    let columns = ["name", "company", "authentication"];
    output.list(&Provider::ALL.map(ProviderDetails::of), &columns)
}
