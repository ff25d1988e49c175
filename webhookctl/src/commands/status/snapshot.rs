//! Sources and endpoints at one moment, without their metrics.

use super::counts::{self, OF_ENDPOINT, OF_SOURCE};
use super::next_attempt::next_attempt;
use super::view::{EndpointView, SourceView, text};
use crate::Result;
use crate::commands::delivery::MOST_HELD;
use crate::condition::Condition;
use crate::document::Document;
use crate::endpoints::all_statuses;
use crate::metrics::{Query, Values};
use crate::stack::Stack;
use crate::time::shown;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use webhook_gateway::store::deliveries::Delivery;
use webhook_gateway::store::endpoints::EndpointStatus;
use webhook_gateway::store::journal::days;
use webhook_gateway::store::sources::Source;

/// The journal notes at most once a minute that a source sent something. Newer events are among those that
/// were published since then.
const UNNOTED: SignedDuration = SignedDuration::from_mins(2);

/// The number of newest deliveries among which the next attempt of an endpoint is looked for.
const NEWEST: i32 = 100;

/// The sources and the endpoints.
pub(crate) struct Snapshot {
    now: Timestamp,
    /// The names, and the providers of sources that are not disabled.
    sources: Vec<(String, Option<&'static str>)>,
    /// When the last event of each source was accepted.
    last: HashMap<String, Timestamp>,
    endpoints: Vec<Target>,
}

/// An endpoint.
struct Target {
    status: EndpointStatus,
    newest: Vec<Delivery>,
    held: usize,
}

impl Snapshot {
    pub(crate) async fn of(stack: &Stack) -> Result<Self> {
        let now = Timestamp::now();
        let document = Document::of(stack).await?;
        let sources = document.sources.iter().map(|(name, entry)| {
            let source = Source::parse(name, entry).ok();
            (name.clone(), source.map(|source| source.provider))
        });
        Ok(Self {
            now,
            sources: sources.collect(),
            last: last_events(stack, now).await?,
            endpoints: targets(stack).await?,
        })
    }

    /// The queries for the metrics: first those of the sources, then those of the endpoints.
    pub(crate) fn queries(&self, stack: &Stack) -> Result<Vec<Query>> {
        let namespace = stack.metrics_namespace()?;
        let mut queries = Vec::new();
        for (name, provider) in &self.sources {
            let provider = provider.unwrap_or("unknown");
            queries.extend(counts::of_source(namespace, name, provider));
        }
        for target in &self.endpoints {
            let id = &target.status.endpoint.id;
            queries.extend(counts::of_endpoint(namespace, id));
        }
        Ok(queries)
    }

    /// The sources with their counts.
    pub(crate) fn sources(&self, values: Option<&[Values]>) -> Vec<SourceView> {
        let views = self
            .sources
            .iter()
            .enumerate()
            .map(|(place, (name, provider))| {
                let values = part(values, place * OF_SOURCE, OF_SOURCE);
                let last = self.last.get(name).copied();
                SourceView {
                    kind: "source",
                    name: name.clone(),
                    provider: *provider,
                    last_event_at: text(last),
                    received: values.map(|values| counts::received(values, self.now)),
                }
            });
        views.collect()
    }

    /// The endpoints with their counts.
    pub(crate) fn endpoints(&self, values: Option<&[Values]>) -> Vec<EndpointView> {
        let of_sources = self.sources.len() * OF_SOURCE;
        let views = self.endpoints.iter().enumerate().map(|(place, target)| {
            let values = part(values, of_sources + place * OF_ENDPOINT, OF_ENDPOINT);
            let tried = values.map(|values| counts::tried(values, self.now));
            let next = next_attempt(&target.status, &target.newest, self.now);
            EndpointView {
                kind: "endpoint",
                id: target.status.endpoint.id.clone(),
                name: target.status.endpoint.name.clone(),
                condition: Condition::of(&target.status, self.now).name(),
                tried: tried.map(|(tried, _)| tried),
                took: tried.map(|(_, took)| took),
                held: target.held.min(MOST_HELD),
                more_held: target.held > MOST_HELD,
                next_attempt_at: next.and_then(shown),
            }
        });
        views.collect()
    }
}

fn part(values: Option<&[Values]>, from: usize, count: usize) -> Option<&[Values]> {
    values?.get(from..from + count)
}

async fn targets(stack: &Stack) -> Result<Vec<Target>> {
    let (deliveries, endpoints) = (stack.deliveries()?, stack.endpoints()?);
    let mut targets = Vec::new();
    for status in all_statuses(&endpoints).await? {
        let id = &status.endpoint.id;
        let newest = deliveries.newest(id, NEWEST).await;
        targets.push(Target {
            newest: newest?,
            held: deliveries.count_held(id, MOST_HELD).await?,
            status,
        });
    }
    Ok(targets)
}

/// When the last event of each source was accepted.
async fn last_events(stack: &Stack, now: Timestamp) -> Result<HashMap<String, Timestamp>> {
    let journal = stack.journal()?;
    let heard = journal.activity().await?.into_iter();
    let heard = heard.filter_map(|(source, heard)| Some((source, heard.last_accepted_at?)));
    let mut last: HashMap<_, _> = heard.collect();
    let since = now - UNNOTED;
    for day in days(since, now) {
        let page = journal.published(day, since, None).await;
        let (batches, _) = page?;
        for published in batches.into_iter().flat_map(|batch| batch.events) {
            let event = published.event;
            if let Ok(at) = Timestamp::from_millisecond(event.accepted_at) {
                let last = last.entry(event.source).or_insert(at);
                *last = at.max(*last);
            }
        }
    }
    Ok(last)
}
