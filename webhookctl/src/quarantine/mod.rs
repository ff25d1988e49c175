//! `webhookctl quarantine`: what was authentic and not understood, and what was refused, looked at and released. That
//! something is released once is left to the ledger.

mod messages;
mod refused;
mod release;
mod show;

use crate::Result;
use crate::event::{Filter, Index, Kind};
use crate::output::{Output, Row};
use crate::recorded::Recorded;
use crate::source::note_unknown;
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
What is quarantined was answered 2xx, so that its provider will not send it again; `webhookctl event show ID` shows it. With
--rejected it is about requests that were refused for their signature, or because their source was disabled: the newest
100 of each source and day with a signature, and the newest 100 without, are kept for 7 days, in case the mistake was
ours. A flood is kept in part: one a second by each copy of the function, once it has kept 100.

Examples:
  webhookctl quarantine list
  webhookctl quarantine release --source studio --since 3d --dry-run
  webhookctl quarantine release --rejected --source hr --since 1d")]
pub(crate) enum Command {
    /// Lists what is quarantined, or what was rejected, the newest first.
    #[command(after_help = "\
With --json: {\"id\": …, \"source\": …, \"at\": …, \"state\": …, \"reason\": …, \"released_as\": …} each. The state is quarantined,
accepted or released (as the event released_as), rejected, or forgotten.

Examples:
  webhookctl quarantine list --source studio
  webhookctl quarantine list --rejected --since 1d --json")]
    List(Which),
    /// Shows what is quarantined, or was rejected: its reason, the request as it came, and what would become of it today.
    #[command(after_help = "\
With --json: what `quarantine list --json` has for it, with \"headers\": {…}, \"body\": … (or \"body_base64\" if it is not UTF-8) and
\"today\": {…}, which is what `quarantine release --dry-run` has for it. Signatures are not shown.

Examples:
  webhookctl quarantine show sha256:0f…:1790000000000
  webhookctl quarantine show --rejected hr/2026-11-22/017/1790000000000")]
    Show(Show),
    /// Tries what is quarantined with today's code, or what was rejected with today's secrets, and accepts what is in order.
    #[command(after_help = "\
It is released once, however often this is called, and stays where it is if it is still not in order. Nothing that is
quarantined is verified again. With --dry-run only what would become of it is told, beside the reason for which it was
not accepted when it came; with --json also the whole CloudEvent. What is released as the rejected kind may still be
quarantined then: it was authentic, and is not understood. A source that is unsigned today verifies nothing: what was
rejected is accepted with --unsigned-too alone, forgeries among it.

With --json: {\"id\": …, \"outcome\": …, \"event\": …, \"type\": …, \"reason\": …, \"was\": …, \"cloudevent\": {…}} each, the last in
dry runs only. The outcome is released, would-be-released, released-before, or kept, for the reason.

Examples:
  webhookctl quarantine release sha256:0f…:1790000000000 --dry-run
  webhookctl quarantine release --source studio --since 3d
  webhookctl quarantine release --rejected --source hr --since 1d")]
    Release(Release),
}

/// Which of them are meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// What was rejected, instead of what is quarantined.
    #[arg(long)]
    rejected: bool,
    /// Only that of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only what came since then: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time; 7d unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Ids of what is quarantined; without any, all that is meant by --source and --since.
    #[arg(conflicts_with_all = ["rejected", "since"])]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Also accepts what was rejected of sources that are unsigned today, without any check.
    #[arg(long, requires = "rejected")]
    unsigned_too: bool,
    /// Tells what would become of it, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id, as `quarantine list` has it.
    id: String,
    /// It was rejected.
    #[arg(long)]
    rejected: bool,
    /// The source that it came in by, if several have one of this id.
    #[arg(long, value_name = "NAME", conflicts_with = "rejected")]
    source: Option<String>,
}

/// Something that is quarantined, or was rejected.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    source: String,
    at: Option<String>,
    state: String,
    reason: Option<String>,
    released_as: Option<String>,
}

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let state = match &self.released_as {
            Some(event) => format!("{} as {event}", self.state),
            None => self.state.clone(),
        };
        vec![
            ("at", self.at.clone().unwrap_or_default()),
            ("id", self.id.clone()),
            ("source", self.source.clone()),
            ("state", state),
            ("reason", self.reason.clone().unwrap_or_default()),
        ]
    }
}

impl Listed {
    /// What was quarantined as an event, with what the ledger has of it now.
    fn of(event: &EventMeta, kept: Option<ItemSummary>) -> Self {
        let forgotten = || ItemSummary {
            event: event.clone(),
            state: "forgotten".to_owned(),
            reason: None,
            released_as: None,
            republished_at: None,
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

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    match command {
        Command::List(which) => {
            let rows = match which.rejected {
                true => refused::list(&which, stack, output).await?,
                false => quarantined(&which, stack, output).await?,
            };
            if rows.is_empty() {
                output.note("there is none");
                note_unknown(which.source.as_slice(), stack, output).await;
            }
            output.list(&rows)
        }
        Command::Show(show) => show::run(&show, stack, output).await,
        Command::Release(release) => release::run(release, stack, output).await,
    }
}

/// What is, or was, quarantined, the newest first.
async fn quarantined(which: &Which, stack: &Stack, output: Output) -> Result<Vec<Listed>> {
    let found = found(which, stack, output).await?;
    Ok(found.into_iter().map(|(listed, _)| listed).collect())
}

/// The same, with the key of each in the ledger.
async fn found(which: &Which, stack: &Stack, output: Output) -> Result<Vec<(Listed, String)>> {
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
        .map(|it| it.published.event.key.clone())
        .collect();
    let kept = Recorded::to_read(stack)?.briefs(&keys).await?;
    let list = |event: &EventMeta| {
        let kept = kept.get(&event.key).cloned();
        (Listed::of(event, kept), event.key.clone())
    };
    Ok(indexed.iter().map(|it| list(&it.published.event)).collect())
}
