//! `webhookctl quarantine release`.

use super::messages::forget;
use super::rejected::Request;
use super::{Which, found, rejected};
use crate::Result;
use crate::document::Document;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::peek::Peek;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use webhook_gateway::event::{CloudEvent, Recording};
use webhook_gateway::providers::recipe::Recipe;
use webhook_gateway::providers::{Incoming, Verified};
use webhook_gateway::store::journal::{Journal, KeptRejected};
use webhook_gateway::store::ledger::{LedgerItem, NewItem};
use webhook_gateway::store::sources::{Authentication, Source};

/// Accepts quarantined webhooks that the present code understands, or rejected requests that the present
/// secrets verify.
#[derive(Debug, Args)]
#[command(after_help = "\
A release is idempotent. A webhook that is still not in order stays where it is. The signatures of quarantined
webhooks are not verified again. --dry-run shows the outcome that a release would have, and the reason why the
webhook was not accepted when it came; with --json also the CloudEvent. A rejected request that is released
may be quarantined then: it is authentic, but not understood. A source that is unsigned now cannot verify its
rejected requests: only --unsigned-too accepts them, and forgeries with them.

With --json: {\"id\": …, \"outcome\": …, \"event\": …, \"type\": …, \"reason\": …, \"was\": …, \"cloudevent\":
{…}} for each. Only dry runs have the \"cloudevent\". The outcome is released, would-be-released,
released-before, or kept (for the reason).

Examples:
  webhookctl quarantine release sha256:0f…:1790000000000 --dry-run
  webhookctl quarantine release --source studio --since 3d
  webhookctl quarantine release --rejected --source hr --since 1d
  webhookctl quarantine release --rejected hr/2026-11-22/017/1790000000000")]
pub(crate) struct Release {
    /// The ids of quarantined webhooks, or with --rejected of rejected requests. Without ids, --source and
    /// --since select them.
    #[arg(conflicts_with = "since")]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Also accepts rejected requests of sources that are unsigned now, without any check.
    #[arg(long, requires = "rejected")]
    unsigned_too: bool,
    /// Shows the outcomes and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The outcome of one webhook.
#[derive(Debug, Serialize)]
pub(crate) struct Released {
    id: String,
    outcome: &'static str,
    event: Option<String>,
    r#type: Option<String>,
    reason: Option<String>,
    /// The reason why it was not accepted when it came.
    was: Option<String>,
    /// The event that the present code makes of it, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    cloudevent: Option<Box<RawValue>>,
}

impl Released {
    pub(crate) const COLUMNS: &[&str] = &["id", "outcome", "event", "type", "reason", "was"];
}

impl Released {
    /// The id of a webhook that is not quarantined any more.
    fn freed(&self) -> Option<&str> {
        matches!(self.outcome, "released" | "released-before").then_some(&*self.id)
    }

    fn kept(id: &str, reason: impl ToString) -> Self {
        Self {
            id: id.to_owned(),
            outcome: "kept",
            event: None,
            r#type: None,
            reason: Some(reason.to_string()),
            was: None,
            cloudevent: None,
        }
    }

    fn before(id: &str, event: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            outcome: "released-before",
            event,
            r#type: None,
            reason: None,
            was: None,
            cloudevent: None,
        }
    }

    fn of(id: &str, outcome: &'static str, event: String, entry: &NewItem) -> Self {
        Self {
            id: id.to_owned(),
            outcome,
            event: Some(event),
            r#type: entry
                .reason
                .is_none()
                .then(|| entry.event.event_type.clone()),
            reason: entry.reason.clone(),
            was: None,
            cloudevent: None,
        }
    }

    /// The outcome of a dry run.
    fn would_be(id: &str, was: Option<&str>, webhook: Verified<'_>, entry: &NewItem) -> Self {
        let content_type = entry
            .headers
            .iter()
            .find(|(name, _)| name == "content-type");
        let recording = Recording {
            event: &entry.event,
            fields: &entry.fields,
            content_type: content_type.map_or("", |(_, value)| value),
            body: webhook.body(),
        };
        let content = recording.content().ok();
        let event = content.as_ref().and_then(|content| {
            let event = CloudEvent::recorded(recording, content).ok()?;
            RawValue::from_string(event.encode().ok()?).ok()
        });
        let event_id = entry.event.id.clone();
        Self {
            was: was.map(str::to_owned),
            cloudevent: event,
            ..Self::of(id, "would-be-released", event_id, entry)
        }
    }
}

/// Releases webhooks, or shows what a release would do.
pub(crate) struct Releaser {
    recorded: LedgerReader,
    document: Document,
    /// The base of the Payload URLs, if the stack names it.
    webhook_url: Option<String>,
    unsigned_too: bool,
    dry_run: bool,
}

/// The outcomes so far. A printed outcome is dropped: all events together may be gigabytes.
struct Outcomes<'o> {
    output: &'o Output,
    rows: Vec<Released>,
    freed: BTreeSet<String>,
    count: usize,
    kept: usize,
}

impl<'o> Outcomes<'o> {
    fn begin(output: &'o Output) -> Self {
        Self {
            output,
            rows: Vec::new(),
            freed: BTreeSet::new(),
            count: 0,
            kept: 0,
        }
    }

    fn add(&mut self, mut row: Released) -> Result<()> {
        self.count += 1;
        self.kept += usize::from(row.outcome == "kept");
        self.freed.extend(row.freed().map(str::to_owned));
        if self.output.json {
            return self.output.list(&[row], Released::COLUMNS);
        }
        // A table has no column for it.
        row.cloudevent = None;
        self.rows.push(row);
        Ok(())
    }

    fn end(self) -> Result<()> {
        self.output.list(&self.rows, Released::COLUMNS)?;
        match (self.kept, self.count) {
            (0, _) => Ok(()),
            (kept, count) => {
                Err(format!("{kept} of {count} stay where they are, for the reasons given").into())
            }
        }
    }
}

pub(crate) async fn run(arguments: Release, stack: &Stack, output: &Output) -> Result<()> {
    let (dry_run, unsigned_too) = (arguments.dry_run, arguments.unsigned_too);
    let releaser = Releaser::of(stack, dry_run, unsigned_too).await?;
    let mut outcomes = Outcomes::begin(output);
    // One at a time: all bodies together may not fit into memory. The oldest first, in the order in which
    // they came.
    if arguments.which.rejected {
        let journal = stack.journal()?;
        let mut kept = match &*arguments.ids {
            [] => rejected::kept(&arguments.which, &journal, stack, output).await?,
            ids => rejected::these(ids, &arguments.which, &journal).await?,
        };
        if arguments.ids.is_empty() {
            kept.retain(|kept| !kept.is_handshake());
        }
        for kept in kept.into_iter().rev() {
            outcomes.add(releaser.rejected(&kept, &journal).await?)?;
        }
    } else if arguments.ids.is_empty() {
        let found = found(&arguments.which, usize::MAX, stack, output).await?;
        for (listed, key) in found.into_iter().rev() {
            let mut kept = releaser.recorded.items(&BTreeSet::from([key])).await?;
            let row = match kept.drain().next() {
                Some((_, kept)) => releaser.quarantined(&kept).await?,
                None => Released::kept(&listed.id, "the ledger no longer has it"),
            };
            outcomes.add(row)?;
        }
    } else {
        for id in &arguments.ids {
            let source = arguments.which.source.as_deref();
            let kept = releaser.recorded.find(id, source, stack).await?;
            outcomes.add(releaser.quarantined(&kept).await?)?;
        }
    }
    if !dry_run && !arguments.which.rejected {
        let freed = outcomes.freed.iter().map(String::as_str).collect();
        let queue = Peek::new(stack.sqs(), stack.quarantine_queue()?);
        forget(freed, &queue).await;
    }
    outcomes.end()
}

impl Releaser {
    /// A releaser with the present configuration.
    pub(crate) async fn of(stack: &Stack, dry_run: bool, unsigned_too: bool) -> Result<Self> {
        Ok(Self {
            recorded: stack.ledger()?,
            document: Document::of(stack).await?,
            webhook_url: stack.webhook_url().ok().map(str::to_owned),
            unsigned_too,
            dry_run,
        })
    }

    /// The ledger, and where bodies are.
    pub(crate) fn recorded(&self) -> &LedgerReader {
        &self.recorded
    }

    fn payload_url(&self, source: &str) -> Result<String> {
        let base = self.webhook_url.as_ref();
        let base =
            base.ok_or("the stack does not say its WebhookUrl, which the signature is of")?;
        Ok(format!("{base}/{source}"))
    }

    /// The names of the headers that authenticate a request of a source, or are its token.
    pub(crate) fn authenticating_headers(&self, source: &str) -> Vec<String> {
        let source = self.source(source).ok();
        let recipe = source.as_ref().map(|source| &source.recipe);
        let names = recipe.into_iter().flat_map(Recipe::authenticating_headers);
        names.map(|name| name.as_str().to_owned()).collect()
    }

    fn source(&self, name: &str) -> Result<Source> {
        Ok(Source::parse(name, self.document.entry(name)?)?)
    }

    /// Tries a quarantined webhook with the present code.
    pub(crate) async fn quarantined(&self, kept: &LedgerItem) -> Result<Released> {
        let id = &kept.event.id;
        if kept.state != "quarantined" {
            let event = kept.released_as.clone().or_else(|| Some(id.clone()));
            return Ok(Released::before(id, event));
        }
        let source = match self.source(&kept.event.source) {
            Ok(source) => source,
            Err(error) => return Ok(Released::kept(id, error)),
        };
        let raw = match self.recorded.bytes(kept.body.clone()).await {
            Ok(raw) => raw,
            Err(error) => return Ok(Released::kept(id, error)),
        };
        let headers = header_map(&kept.headers);
        let webhook = Verified::recorded(&raw);
        let name = kept.event.source.clone();
        let mut entry = NewItem::of(name, &source, webhook, &headers, Timestamp::now());
        entry.matched.clone_from(&kept.matched);
        entry.fields.authenticity = kept.fields.authenticity;
        if let Some(reason) = &entry.reason {
            return Ok(Released::kept(id, reason));
        }
        if self.dry_run {
            let was = kept.reason.as_deref();
            return Ok(Released::would_be(id, was, webhook, &entry));
        }
        let released = self
            .recorded
            .ledger
            .release(kept, &entry, self.recorded.retention)
            .await;
        Ok(match released? {
            Some(event) => Released::of(id, "released", event, &entry),
            None => Released::before(id, None),
        })
    }

    /// Tries a rejected request with the present secrets, unless it was released before.
    async fn rejected(&self, kept: &KeptRejected, journal: &Journal) -> Result<Released> {
        if let Some(event) = &kept.released_as {
            return Ok(Released::before(&kept.id, Some(event.clone())));
        }
        match rejected::request(kept, journal, &self.recorded).await {
            Ok(request) => self.rejected_request(kept, &request, journal).await,
            Err(error) => Ok(Released::kept(&kept.id, error)),
        }
    }

    /// The same for a request that was read already.
    pub(crate) async fn rejected_request(
        &self,
        kept: &KeptRejected,
        request: &Request,
        journal: &Journal,
    ) -> Result<Released> {
        if let Some(event) = &kept.released_as {
            return Ok(Released::before(&kept.id, Some(event.clone())));
        }
        if kept.is_handshake() {
            return Ok(Released::kept(
                &kept.id,
                "it is a handshake, and no webhook",
            ));
        }
        let source = match self.source(&kept.source) {
            Ok(source) => source,
            Err(error) => return Ok(Released::kept(&kept.id, error)),
        };
        let is_signed = source.authentication != Authentication::Unsigned;
        if is_signed && source.recipe.is_kept_without_credentials() {
            let reason = "the gateway keeps no value of the header Authorization: the provider has to send \
                          the webhook again";
            return Ok(Released::kept(&kept.id, reason));
        }
        let headers = header_map(request.headers.iter().map(|(name, value)| (name, value)));
        let payload_url = match source.recipe.signs_url() {
            true => self.payload_url(&kept.source)?,
            false => String::new(),
        };
        let incoming = Incoming {
            method: "POST",
            query: request.query(),
            headers: &headers,
            body: &request.raw,
        };
        let verified = verify(&source, &incoming, &payload_url, kept.at, self.unsigned_too);
        let webhook = match verified {
            Ok(webhook) => webhook,
            Err(error) => return Ok(Released::kept(&kept.id, error)),
        };
        let entry = |at| NewItem {
            // The original time decides whether it is a copy of another request that is released with it.
            came_at: kept.at,
            ..NewItem::of(kept.source.clone(), &source, webhook, &headers, at)
        };
        let now = Timestamp::now();
        if self.dry_run {
            let was = Some(&*kept.reason);
            return Ok(Released::would_be(&kept.id, was, webhook, &entry(now)));
        }
        let Some(at) = journal.begin_release(kept, now).await? else {
            return Ok(Released::kept(&kept.id, "a newer request took its place"));
        };
        let entry = entry(at);
        // A second try finds the first, however late it is.
        let event = self.recorded.accept(&entry, request.raw.clone()).await?;
        journal.end_release(kept, &event).await?;
        Ok(Released::of(&kept.id, "released", event, &entry))
    }
}

/// The request as verified by the present secrets, at the time that it came.
fn verify<'r>(
    source: &Source,
    incoming: &Incoming<'r>,
    payload_url: &str,
    came_at: Timestamp,
    unsigned_too: bool,
) -> Result<Verified<'r>> {
    if source.authentication == Authentication::Unsigned && !unsigned_too {
        return Err(
            "its source is unsigned now, and a forgery cannot be detected: --unsigned-too accepts the \
                request without a check"
                .into(),
        );
    }
    Ok(source.verify(incoming, payload_url, came_at)?)
}

/// Headers that were kept. One that HTTP does not allow is left out.
fn header_map<N: AsRef<str>, V: AsRef<str>>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> HeaderMap {
    let header = |(name, value): (N, V)| {
        let name: HeaderName = name.as_ref().parse().ok()?;
        Some((name, HeaderValue::from_str(value.as_ref()).ok()?))
    };
    headers.into_iter().filter_map(header).collect()
}
