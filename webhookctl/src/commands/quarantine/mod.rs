//! `webhookctl quarantine`: webhooks that were authentic but not understood, and requests that were
//! rejected, shown and released.

mod list;
mod messages;
pub(crate) mod rejected;
mod release;
mod show;

use crate::Result;
use crate::commands::event::{Filter, Index, Kind};
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::journal::KeptRejected;
use webhook_gateway::store::ledger::ItemSummary;

/// The time span without `--since`.
const DEFAULT_SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A quarantined webhook was answered 2xx: its provider does not send it again. `webhookctl event show ID` shows
it. With --rejected, the commands are about requests that were rejected for their signature, or because their
source was disabled. For each source and day, the gateway keeps the newest 100 of these with a signature and
the newest 100 without for 7 days, in case the configuration was wrong. It keeps only a part of a flood: after
100 requests, each copy of the function keeps one per second. Handshakes that offered a secret to a waiting
source are kept in the same way, and are listed, but never released.

Examples:
  webhookctl quarantine list
  webhookctl quarantine release --source studio --since 3d --dry-run
  webhookctl quarantine release --rejected --source hr --since 1d")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Release(release::Release),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(&arguments, stack, output).await,
        Command::Release(arguments) => release::run(arguments, stack, output).await,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Selects rejected requests instead of quarantined webhooks.
    #[arg(long)]
    rejected: bool,
    /// Selects only those of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Selects only those that came since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    /// The default is 7d.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
}

/// A quarantined webhook or a rejected request.
#[derive(Debug, Serialize)]
struct QuarantineRow {
    id: String,
    source: String,
    at: Option<String>,
    state: String,
    reason: Option<String>,
    released_as: Option<String>,
}

impl QuarantineRow {
    pub(crate) const COLUMNS: &[&str] = &["at", "id", "source", "state", "released_as", "reason"];
}

impl QuarantineRow {
    /// The row of a quarantined webhook, with its item in the ledger.
    fn of(event: &EventMeta, kept: Option<ItemSummary>) -> Self {
        let forgotten = || ItemSummary {
            event: event.clone(),
            republished_at: None,
            state: "forgotten".to_owned(),
            reason: None,
            released_as: None,
        };
        let ItemSummary {
            state,
            reason,
            released_as,
            ..
        } = kept.unwrap_or_else(forgotten);
        Self {
            id: event.id.clone(),
            source: event.source.clone(),
            at: time::shown(event.accepted_at),
            state,
            reason,
            released_as,
        }
    }

    /// The row of a rejected request.
    fn rejected(kept: &KeptRejected) -> Self {
        let state = match kept.released_as {
            _ if kept.is_handshake() => "handshake",
            Some(_) => "released",
            None => "rejected",
        };
        Self {
            id: kept.id.clone(),
            source: kept.source.clone(),
            at: time::shown(kept.at.as_millisecond()),
            state: state.to_owned(),
            reason: Some(kept.reason.clone()),
            released_as: kept.released_as.clone(),
        }
    }
}

impl Which {
    /// The beginning of the search.
    fn since(&self, kept: SignedDuration, output: &Output) -> Result<Timestamp> {
        let week_ago = || Timestamp::now() - DEFAULT_SINCE;
        time::bounded(self.since.unwrap_or_else(week_ago), None, kept, output)
    }
}

/// The newest quarantined and released webhooks, the newest first, each with its key in the ledger.
async fn found(
    which: &Which,
    limit: usize,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<(QuarantineRow, String)>> {
    let filter = Filter {
        source: which.source.clone(),
        kind: Some(Kind::Quarantined),
        since: which.since(stack.retention()?, output)?,
        ..Filter::default()
    };
    let mut indexed = Index::of(stack, filter)?.all().await?;
    indexed.reverse();
    indexed.truncate(limit);
    let keys: BTreeSet<_> = indexed
        .iter()
        .map(|indexed| indexed.published.event.key.clone())
        .collect();
    let kept = stack.ledger()?.summaries(&keys).await?;
    let list = |event: &EventMeta| {
        let kept = kept.get(&event.key).cloned();
        (QuarantineRow::of(event, kept), event.key.clone())
    };
    Ok(indexed
        .iter()
        .map(|event| list(&event.published.event))
        .collect())
}
