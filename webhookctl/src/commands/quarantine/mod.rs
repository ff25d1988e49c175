//! `webhookctl quarantine`: what was authentic and not understood, and what was rejected, looked at and
//! released.

mod list;
mod messages;
mod rejected;
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

/// How far back is looked without `--since`.
const DEFAULT_SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Subcommand)]
#[command(after_help = "\
What is quarantined was answered 2xx, so that its provider will not send it again; `webhookctl event show ID`
shows it. With --rejected it is about requests that were refused for their signature, or because their source
was disabled: the newest 100 of each source and day with a signature, and the newest 100 without, are kept for
7 days, in case the mistake was ours. A flood is kept in part: one a second by each copy of the function, once
it has kept 100.

Examples:
  webhookctl quarantine list
  webhookctl quarantine release --source studio --since 3d --dry-run
  webhookctl quarantine release --rejected --source hr --since 1d")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Release(release::Release),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(&arguments, stack, output).await,
        Command::Release(arguments) => release::run(arguments, stack, output).await,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// What was rejected, instead of what is quarantined.
    #[arg(long)]
    rejected: bool,
    /// Only that of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what came since then: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time; 7d unless told
    /// otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
}

/// Something that is quarantined, or was rejected.
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
    /// What was quarantined as an event, with what the ledger has of it now.
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

    /// What was rejected.
    fn rejected(kept: &KeptRejected) -> Self {
        let state = match kept.released_as {
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
    /// From when on, but not before anything is kept.
    fn since(&self, kept: SignedDuration, output: Output) -> Result<Timestamp> {
        let week_ago = || Timestamp::now() - DEFAULT_SINCE;
        time::bounded(self.since.unwrap_or_else(week_ago), None, kept, output)
    }
}

/// The same, with the key of each in the ledger.
async fn found(
    which: &Which,
    stack: &Stack,
    output: Output,
) -> Result<Vec<(QuarantineRow, String)>> {
    let filter = Filter {
        source: which.source.clone(),
        kind: Some(Kind::Quarantined),
        since: which.since(stack.retention()?, output)?,
        ..Filter::default()
    };
    let mut indexed = Index::of(stack, filter)?.all().await?;
    indexed.reverse();
    let keys: BTreeSet<_> = indexed
        .iter()
        .map(|indexed| indexed.published.event.key.clone())
        .collect();
    let kept = stack.ledger()?.briefs(&keys).await?;
    let list = |event: &EventMeta| {
        let kept = kept.get(&event.key).cloned();
        (QuarantineRow::of(event, kept), event.key.clone())
    };
    Ok(indexed
        .iter()
        .map(|event| list(&event.published.event))
        .collect())
}
