//! `webhookctl event explain`: the life of an event, step by step. `steps` has the steps of the gateway,
//! and `reasons` the outcome at each endpoint.

use super::copies::copies;
use super::index::published_at;
use super::list::EventRow;
use super::nothing::{Group, Groups, Nothing};
use super::reasons::EndpointOutcome;
use super::recipients::Recipients;
use super::steps::{Step, copied, published, received};
use crate::Result;
use crate::document::Document;
use crate::find;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::ledger::LedgerItem;
use webhook_gateway::store::sources::Source;

/// Explains what happened to an event, and why an endpoint did not get it.
#[derive(Debug, Args)]
#[command(after_help = "\
The filters of endpoints are those of today; a note marks an endpoint that was changed after the event.
Endpoints and subscriptions that got nothing for the same reason share one line; --json lists each. Copies
that the provider sent come from the log of the ingress function.

With --json: the object of `event list --json` with \"secret_position\": …, \"steps\": [{\"at\": …, \"what\":
…}] and \"endpoints\": [{\"endpoint\": …, \"name\": …, \"state\": …, \"reason\": …, \"attempts\": …, \"last\":
…, \"updated_at\": …, \"next_attempt_at\": …, \"nothing\": …}], where the state is that of the delivery,
on-its-way, or none; \"groups\": [{\"of\": …, \"nothing\": …, \"reason\": …, \"names\": […]}] for what got
nothing for the same reason; \"copies\": […] with their times, null if the log cannot be read; \"reason\": …
and \"released_as\": … of a quarantined webhook; and \"released_from\": …, the webhook that was released as
this event.

Example:
  webhookctl event explain 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11")]
pub(crate) struct Explain {
    /// The id of the event, or its key in the ledger.
    id: String,
    /// The source of the event, if several sources have an event with this id.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    listed: EventRow,
    /// The position of the secret that signed it among those of its source, counted from 0.
    secret_position: Option<usize>,
    steps: Vec<Step>,
    endpoints: Vec<EndpointOutcome>,
    /// The times of the copies that the log has; null if it cannot be read.
    copies: Option<Vec<Option<String>>>,
    /// Several endpoints or subscriptions that got nothing for the same reason.
    groups: Vec<Group>,
    reason: Option<String>,
    released_as: Option<String>,
    /// The quarantined webhook that was released as this event.
    released_from: Option<String>,
}

pub(crate) async fn run(arguments: Explain, stack: &Stack, output: &Output) -> Result<()> {
    let recorded = stack.ledger()?;
    let source = arguments.source.as_deref();
    let found = recorded.find_with_return(&arguments.id, source, stack);
    let (kept, again_at) = found.await?;
    let at = published_at(&kept, stack).await?;
    let mut steps = received(&kept, today(&kept, stack).await.as_ref(), again_at);
    let copies = copies(&kept, stack).await;
    steps.extend(copied(&copies));
    steps.extend(published(&kept, at, &find::subscriptions(stack).await?));
    // Steps without a time come last, in their order.
    steps.sort_by_key(|step| step.at.unwrap_or(i64::MAX));
    let endpoints = match kept.state.as_str() {
        "accepted" => outcomes(&kept.event, stack).await?,
        _ => Vec::new(),
    };
    let mut listed = EventRow::kept(&kept);
    listed.published_at = at.and_then(|at| time::shown(at.as_millisecond()));
    let matched = kept.matched.as_ref().filter(|_| again_at.is_none());
    let copies = copies.ok();
    let explained = Explained {
        listed,
        secret_position: matched.map(|matched| matched.position),
        groups: groups(&steps, &endpoints, &kept.event),
        steps,
        endpoints,
        copies: copies.map(|copies| copies.at.into_iter().map(time::shown).collect()),
        released_from: released_from(&kept, &recorded).await,
        reason: kept.reason,
        released_as: kept.released_as,
    };
    match output.json {
        true => output.json(&explained),
        false => output.text(&explained.text()),
    }
}

/// What got nothing for the same reason.
fn groups(steps: &[Step], endpoints: &[EndpointOutcome], event: &EventMeta) -> Vec<Group> {
    let subscriptions = steps.iter().filter_map(|step| step.nothing.as_ref());
    let subscriptions = subscriptions.map(|(nothing, name)| (*nothing, name.as_str()));
    let endpoints = endpoints.iter();
    let endpoints = endpoints.filter_map(|outcome| Some((outcome.nothing?, outcome.label())));
    let mut groups = Groups::of(subscriptions).named("subscriptions", event);
    groups.extend(Groups::of(endpoints).named("endpoints", event));
    groups
}

/// The id of the quarantined webhook that was released as this event. A webhook that was not understood is
/// found by the hash of its body.
async fn released_from(kept: &LedgerItem, recorded: &LedgerReader) -> Option<String> {
    let digest = kept.digest.filter(|_| kept.state == "accepted")?;
    let key = format!("{}#sha256:{}", kept.event.source, hex::encode(digest));
    if key == kept.event.key {
        return None;
    }
    let found = recorded.summaries(&BTreeSet::from([key])).await.ok()?;
    let found = found.into_values();
    let mut found = found.filter(|item| item.released_as.as_ref() == Some(&kept.event.id));
    found.next().map(|item| item.event.id)
}

impl Explained {
    /// A line for each step and endpoint, with its time; one line for all that got nothing for the same
    /// reason.
    fn text(&self) -> String {
        let line = |at: Option<&str>, what: &str| format!("{:<24}  {what}", at.unwrap_or_default());
        let is_grouped = |of, nothing: Option<Nothing>| {
            let mut groups = self.groups.iter();
            nothing.is_some_and(|nothing| groups.any(|group| group.is(of, nothing)))
        };
        let mut lines = vec![format!("event {}", self.listed.id)];
        for step in &self.steps {
            let nothing = step.nothing.as_ref().map(|(nothing, _)| *nothing);
            if !is_grouped("subscriptions", nothing) {
                lines.push(line(step.at.and_then(time::shown).as_deref(), &step.what));
            }
        }
        for outcome in &self.endpoints {
            if !is_grouped("endpoints", outcome.nothing) {
                lines.push(line(outcome.updated_at.as_deref(), &outcome.text()));
            }
        }
        lines.extend(self.groups.iter().map(|group| line(None, &group.line())));
        lines.join("\n")
    }
}

/// The source as it is configured today, if it can be read.
async fn today(kept: &LedgerItem, stack: &Stack) -> Option<Source> {
    let document = Document::of(stack).await.ok()?;
    let name = &kept.event.source;
    Source::parse(name, document.sources.get(name)?).ok()
}

/// The outcome at every endpoint, deleted ones included.
async fn outcomes(event: &EventMeta, stack: &Stack) -> Result<Vec<EndpointOutcome>> {
    let recipients = Recipients::of(stack).await?;
    let records = recipients.records(event).await?;
    let statuses = recipients.statuses().await?;
    let statuses = recipients
        .endpoints
        .iter()
        .filter_map(|endpoint| statuses.get(&endpoint.id));
    let now = Timestamp::now();
    let present = statuses
        .map(|status| EndpointOutcome::of(status, event, records.get(&status.endpoint.id), now));
    let deleted = recipients.removed.iter().filter_map(|recipient| {
        let record = records.get(&recipient.endpoint)?;
        Some(EndpointOutcome::removed(recipient, record))
    });
    Ok(present.chain(deleted).collect())
}
