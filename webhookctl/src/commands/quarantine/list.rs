//! `webhookctl quarantine list`.

use super::{QuarantineRow, Which, found, rejected};
use crate::Result;
use crate::commands::source::note_unknown;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use std::num::NonZeroUsize;

/// Lists quarantined webhooks, or rejected requests, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"id\": …, \"source\": …, \"at\": …, \"state\": …, \"reason\": …, \"released_as\": …} for each.
The state is quarantined, accepted, released (as the event in \"released_as\"), rejected, forgotten (the
ledger no longer has it), or handshake (it offered a secret: see `webhookctl source diagnose`).

Examples:
  webhookctl quarantine list --source studio
  webhookctl quarantine list --rejected --since 1d --json")]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// The most to list.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

pub(crate) async fn run(List { which, limit }: List, stack: &Stack, output: &Output) -> Result<()> {
    let limit = limit.map_or(usize::MAX, NonZeroUsize::get);
    let mut rows = match which.rejected {
        true => rejected::list(&which, stack, output).await?,
        false => quarantined(&which, limit, stack, output).await?,
    };
    if rows.len() >= limit {
        rows.truncate(limit);
        output.note(&format!(
            "these are the newest {limit}: use --limit to list more, --source and --since to list fewer"
        ));
    }
    if rows.is_empty() {
        output.note("nothing was found: use --since to search further back");
        note_unknown(which.source.as_slice(), stack, output).await;
    }
    output.list(&rows, QuarantineRow::COLUMNS)
}

/// The quarantined and released webhooks, the newest first.
async fn quarantined(
    which: &Which,
    limit: usize,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<QuarantineRow>> {
    let found = found(which, limit, stack, output).await?;
    Ok(found.into_iter().map(|(listed, _)| listed).collect())
}
