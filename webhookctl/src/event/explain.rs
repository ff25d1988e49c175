//! `webhookctl event explain`: all that is known of an event, in the order in which it happened. What is said of each
//! thing is left to `steps`, and why an endpoint got it or not to `reasons`.

use super::copies::copies;
use super::index::published_at;
use super::list::Listed;
use super::parties::{Parties, subscriptions};
use super::reasons::Account;
use super::steps::{Step, copied, published, received};
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::recorded::Recorded;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::ledger::LedgerItem;
use webhook_gateway::store::sources::Source;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The id of the event, or its key in the ledger.
    id: String,
    /// The source that it came in by, if several have an event of this id.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    listed: Listed,
    /// Which of its source's secrets it was signed with, counted from 0.
    secret_position: Option<usize>,
    steps: Vec<Step>,
    endpoints: Vec<Account>,
}

pub(crate) async fn run(arguments: Explain, stack: &Stack, output: Output) -> Result<()> {
    let recorded = Recorded::to_read(stack)?;
    let source = arguments.source.as_deref();
    let found = recorded.find_with_return(&arguments.id, source, stack);
    let (kept, again_at) = found.await?;
    let at = published_at(&kept, stack).await?;
    let mut steps = received(&kept, today(&kept, stack).await.as_ref(), again_at);
    steps.extend(copied(copies(&kept, stack).await));
    steps.extend(published(&kept, at, &subscriptions(stack).await?));
    // What has no time of its own comes last, in its order.
    steps.sort_by_key(|step| step.at.unwrap_or(i64::MAX));
    let endpoints = match kept.state.as_str() {
        "accepted" => accounts(&kept.event, stack).await?,
        _ => Vec::new(),
    };
    let mut listed = Listed::kept(&kept);
    listed.published_at = at.and_then(|at| time::shown(at.as_millisecond()));
    let matched = kept.matched.filter(|_| again_at.is_none());
    let explained = Explained {
        listed,
        secret_position: matched.map(|matched| matched.position),
        steps,
        endpoints,
    };
    match output.json {
        true => output.say("", &explained),
        false => output.text(&explained.text()),
    }
}

impl Explained {
    /// A line for each thing, with its time before it.
    fn text(&self) -> String {
        let line = |at: Option<&str>, what: &str| format!("{:<24}  {what}", at.unwrap_or_default());
        let steps = self.steps.iter().map(|step| {
            let at = step.at.and_then(time::shown);
            line(at.as_deref(), &step.what)
        });
        let accounts = self.endpoints.iter();
        let accounts = accounts.map(|it| line(it.updated_at.as_deref(), &it.text()));
        let title = format!("event {}", self.listed.id);
        let lines: Vec<_> = std::iter::once(title)
            .chain(steps)
            .chain(accounts)
            .collect();
        lines.join("\n")
    }
}

/// The source as it is today, if it can be read.
async fn today(kept: &LedgerItem, stack: &Stack) -> Option<Source> {
    let document = Document::of(stack).await.ok()?;
    let name = &kept.event.source;
    Source::parse(name, document.sources.get(name)?).ok()
}

/// What became of it at every endpoint that there is, and at those that there were.
async fn accounts(event: &EventMeta, stack: &Stack) -> Result<Vec<Account>> {
    let parties = Parties::of(stack).await?;
    let records = parties.records(event).await?;
    let statuses = parties.statuses().await?;
    let statuses = parties
        .endpoints
        .iter()
        .filter_map(|it| statuses.get(&it.id));
    let now = Timestamp::now();
    let there_are = statuses.map(|it| Account::of(it, event, records.get(&it.endpoint.id), now));
    let there_were = parties.removed.iter().filter_map(|it| {
        let record = records.get(&it.endpoint)?;
        Some(Account::removed(it, record))
    });
    Ok(there_are.chain(there_were).collect())
}
