//! `webhookctl provider list`.

use super::show::ProviderDetails;
use crate::Result;
use crate::output::{Output, Row};
use clap::Args;
use serde::Serialize;
use webhook_gateway::providers::Provider;

/// Lists the providers, and how each proves that a webhook is its own.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `provider show` for each.

Examples:
  webhookctl provider list
  webhookctl provider list --json | jq -r .name")]
pub(crate) struct List {}

#[derive(Serialize)]
#[serde(transparent)]
struct ProviderRow(ProviderDetails);

impl Row for ProviderRow {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let Self(details) = self;
        vec![
            ("name", details.name.to_owned()),
            ("company", details.company.to_owned()),
            ("authentication", details.authentication.clone()),
        ]
    }
}

pub(crate) fn run(output: Output) -> Result<()> {
    let details = Provider::ALL.map(ProviderDetails::of);
    output.list(&details.map(ProviderRow))
}
