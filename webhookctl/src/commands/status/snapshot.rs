//! Sources and endpoints at one moment, without their metrics.

use super::counts::{self, OF_ENDPOINT, OF_GATEWAY, OF_SOURCE};
use super::next_attempt::{NEWEST, next_attempt};
use super::view::{EndpointView, GatewayView, SourceView, text};
use crate::Result;
use crate::commands::delivery::MOST_HELD;
use crate::condition::Condition;
use crate::document::Document;
use crate::endpoints::all_statuses;
use crate::metrics::{Query, Values};
use crate::stack::Stack;
use crate::time::{exact_duration, shown};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use webhook_gateway::store::deliveries::Delivery;
use webhook_gateway::store::endpoints::EndpointStatus;
use webhook_gateway::store::journal::{SourceActivity, days};
use webhook_gateway::store::sources::Source;

/// The journal notes at most once a minute that a source sent something. Newer events are among those that
/// were published since then.
const UNNOTED: SignedDuration = SignedDuration::from_mins(2);

/// The sources and the endpoints.
pub(crate) struct Snapshot {
    now: Timestamp,
    /// The names, and the providers of sources that are not disabled.
    sources: Vec<(String, Option<&'static str>)>,
    /// The activity of each source, with its newest event.
    activity: HashMap<String, SourceActivity>,
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
            activity: activity(stack, now).await?,
            endpoints: targets(stack).await?,
        })
    }

    /// The queries for the metrics: first those of the sources, then those of the endpoints, and last those
    /// of all endpoints together.
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
        if !self.endpoints.is_empty() {
            queries.extend(counts::of_gateway(namespace));
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
                let activity = self.activity.get(name);
                let last = activity.and_then(|activity| activity.last_accepted_at);
                let gap = activity.and_then(|activity| activity.silent_after);
                SourceView {
                    kind: "source",
                    name: name.clone(),
                    provider: *provider,
                    last_event_at: text(last),
                    silent_after: gap.map(exact_duration),
                    silent_since: text(activity.and_then(|activity| activity.silent_since)),
                    received: values.map(|values| counts::received(values, self.now)),
                    hours: values.map(|values| counts::received_by_hour(values, self.now)),
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
                hours: values.map(|values| counts::tried_by_hour(values, self.now)),
            }
        });
        views.collect()
    }

    /// The endpoints together, if there is any and its metrics could be read.
    pub(crate) fn gateway(&self, values: Option<&[Values]>) -> Option<GatewayView> {
        let of_others = self.sources.len() * OF_SOURCE + self.endpoints.len() * OF_ENDPOINT;
        let values = part(values, of_others, OF_GATEWAY)?;
        Some(GatewayView {
            kind: "gateway",
            first_attempt: counts::took(values),
            hours: counts::took_by_hour(values, self.now),
        })
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

/// The activity of each source, with the events that it does not note yet.
async fn activity(stack: &Stack, now: Timestamp) -> Result<HashMap<String, SourceActivity>> {
    let journal = stack.journal()?;
    let mut activity: HashMap<_, _> = journal.activity().await?.into_iter().collect();
    let since = now - UNNOTED;
    for day in days(since, now) {
        let page = journal.published(day, since, None).await;
        let (batches, _) = page?;
        for published in batches.into_iter().flat_map(|batch| batch.events) {
            let event = published.event;
            if let Ok(at) = Timestamp::from_millisecond(event.accepted_at) {
                let last = &mut activity.entry(event.source).or_default().last_accepted_at;
                *last = (*last).max(Some(at));
            }
        }
    }
    Ok(activity)
}
