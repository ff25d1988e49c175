//! `webhookctl event explain`: all that is known of an event, in the order in which it happened. Why an endpoint got it or
//! not is left to `reasons`.

use super::index::published_at;
use super::reasons::Account;
use super::show::records;
use crate::Result;
use crate::delivery::Deliveries;
use crate::document::Document;
use crate::failure;
use crate::output::{Output, explain};
use crate::recorded::Recorded;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use webhook_gateway::ledger::Kept;
use webhook_gateway::sources::{Authentication, Source};
use webhook_gateway::subscriptions::{Subscription, Subscriptions};

/// The most pages of a log that are looked through for copies.
const MAX_PAGES: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The id of the event, or its key in the ledger.
    id: String,
    /// The source that it came in by, if several have an event of this id.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Something that happened to an event.
#[derive(Debug, Serialize)]
struct Step {
    at: Option<String>,
    what: String,
}

#[derive(Serialize)]
struct Explained {
    id: String,
    key: String,
    steps: Vec<Step>,
    endpoints: Vec<Account>,
}

impl Step {
    fn at(milliseconds: i64, what: impl Into<String>) -> Self {
        Self {
            at: time::shown(milliseconds),
            what: what.into(),
        }
    }

    /// What has no time of its own.
    fn then(what: impl Into<String>) -> Self {
        Self {
            at: None,
            what: what.into(),
        }
    }
}

pub(super) async fn run(arguments: Explain, stack: &Stack, output: Output) -> Result<()> {
    let recorded = Recorded::to_read(stack)?;
    let source = arguments.source.as_deref();
    let kept = recorded.find(&arguments.id, source, stack).await?;
    let mut steps = received(&kept, today(&kept, stack).await);
    steps.extend(copies(&kept, stack).await);
    let mut endpoints = Vec::new();
    if kept.state == "accepted" {
        steps.extend(published(&kept, stack).await?);
        endpoints = accounts(&kept, stack).await?;
    }
    let explained = Explained {
        id: kept.event.id.clone(),
        key: kept.event.key.clone(),
        steps,
        endpoints,
    };
    if output.json {
        return output.say("", &explained);
    }
    output.text(&explained.text())
}

impl Explained {
    /// A line for each thing, with its time before it.
    fn text(&self) -> String {
        let mut lines = vec![format!("event {} ({})", self.id, self.key)];
        let line = |at: Option<&str>, what: &str| format!("{:<24}  {what}", at.unwrap_or_default());
        lines.extend(
            self.steps
                .iter()
                .map(|step| line(step.at.as_deref(), &step.what)),
        );
        for account in &self.endpoints {
            let at = account.at.and_then(time::shown);
            lines.push(line(at.as_deref(), &format!("endpoint {}", account.text())));
        }
        lines.join("\n")
    }
}

/// What door 1 did with the webhook.
fn received(kept: &Kept, source: Option<Source>) -> Vec<Step> {
    let event = &kept.event;
    let mut steps = vec![
        Step::at(
            event.accepted_at,
            format!("received by the source {} ({})", event.source, event.vendor),
        ),
        Step::then(signed(kept, source)),
    ];
    steps.push(Step::then(match (kept.state.as_str(), &kept.reason) {
        ("quarantined", reason) => format!(
            "quarantined, because {}; `webhookctl quarantine release {}` tries it with today's code",
            reason.as_deref().unwrap_or("it was not understood"),
            event.id
        ),
        ("released", _) => format!(
            "quarantined, and released as the event {}",
            kept.released_as.as_deref().unwrap_or("of another id")
        ),
        _ if event.conflict => {
            let first = event.id.rsplit_once('#').map_or("another", |(first, _)| first);
            format!("accepted as {}, with the id of {first} and another body", event.event_type)
        }
        _ => format!("accepted as {}", event.event_type),
    }));
    steps.extend(
        kept.republished_at
            .map(|at| Step::at(at, "published again, as it was missing")),
    );
    steps
}

/// Which secret it was signed with, and what that is today.
fn signed(kept: &Kept, source: Option<Source>) -> String {
    let Some(matched) = &kept.matched else {
        return "unsigned: the source asked for no signature".to_owned();
    };
    let position = matched.position;
    let then = format!("signed with the secret at position {position} of its source");
    let Some(source) = source else {
        return format!("{then}, which is not configured any more, or not readable");
    };
    let Authentication::Signed(secrets) = source.authentication else {
        return format!("{then}, which asks for none any more");
    };
    match secrets.iter().position(|secret| secret.id() == matched.id) {
        Some(now) if now == position => format!("{then}, where it still is"),
        Some(now) => format!("{then}; today it is at position {now}"),
        None => format!("{then}; today it is not among them any more"),
    }
}

/// The source as it is today, if it can be read.
async fn today(kept: &Kept, stack: &Stack) -> Option<Source> {
    let document = Document::of(stack).await.ok()?;
    let name = &kept.event.source;
    Source::parse(name, document.sources.get(name)?).ok()
}

/// The copies that the vendor sent, by the log of the ingress function.
async fn copies(kept: &Kept, stack: &Stack) -> Vec<Step> {
    let found = match stack.output("IngressLogGroupName") {
        Ok(group) => logged(kept, group, stack).await,
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| {
        vec![Step::then(format!(
            "whether copies came is not known: {error}"
        ))]
    })
}

async fn logged(kept: &Kept, group: &str, stack: &Stack) -> Result<Vec<Step>> {
    let id = &kept.event.id;
    if id.contains('"') {
        return Err("its id cannot be looked for in a log".into());
    }
    let client = aws_sdk_cloudwatchlogs::Client::new(&stack.aws);
    let request = client.filter_log_events().log_group_name(group);
    let mut pages = request
        .filter_pattern(format!("\"{id}\""))
        .start_time(kept.event.accepted_at)
        .into_paginator()
        .send();
    let mut steps = Vec::new();
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else {
            break;
        };
        let page = page.map_err(|error| format!("the log cannot be read: {}", explain(&error)))?;
        for line in page.events() {
            let text = line.message().unwrap_or_default();
            let Ok(told) = serde_json::from_str::<Value>(text) else {
                continue;
            };
            if told["event.id"] == **id && told["outcome"] == "duplicate" {
                let at = line.timestamp().unwrap_or_default();
                steps.push(Step::at(
                    at,
                    "a copy came, and was answered 200 as a duplicate",
                ));
            }
        }
    }
    Ok(steps)
}

/// When it was published, and onto which queues.
async fn published(kept: &Kept, stack: &Stack) -> Result<Vec<Step>> {
    let event = &kept.event;
    let at = published_at(event, stack).await?;
    let mut steps = vec![match at {
        Some(at) => Step::at(at.as_millisecond(), "published: onto the events queue"),
        None => Step::then(
            "not published yet, as far as the journal knows: `webhookctl doctor --reconcile` finds what is missing",
        ),
    }];
    let table = stack.output("EndpointsTableName")?.to_owned();
    let client = aws_sdk_dynamodb::Client::new(&stack.aws);
    let listed = Subscriptions::new(client, table).list().await;
    let listed = listed.map_err(failure::subscription)?;
    for subscription in listed.into_iter().filter_map(std::result::Result::ok) {
        steps.push(Step::then(subscribed(
            &subscription,
            &event.event_type,
            &event.source,
        )));
    }
    Ok(steps)
}

fn subscribed(subscription: &Subscription, event_type: &str, source: &str) -> String {
    let name = &subscription.name;
    match subscription.matches(event_type, source) {
        true => format!("subscription {name}: it matches, as it is now"),
        false => format!(
            "subscription {name}: nothing, because it takes {} of {}",
            subscription.events.join(", "),
            match subscription.sources.is_empty() {
                true => "all sources".to_owned(),
                false => subscription.sources.join(", "),
            }
        ),
    }
}

/// What became of it at every endpoint.
async fn accounts(kept: &Kept, stack: &Stack) -> Result<Vec<Account>> {
    let deliveries = Deliveries::of(stack)?;
    let endpoints = deliveries.endpoints().await?;
    let records = records(&kept.event, &endpoints, &deliveries).await?;
    let ids: BTreeSet<_> = endpoints.iter().map(|it| &*it.id).collect();
    let standings = deliveries.standings(&ids).await?;
    let standings = endpoints.iter().filter_map(|it| standings.get(&it.id));
    Ok(standings
        .map(|it| Account::of(it, &kept.event, records.get(&it.endpoint.id)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::tests::kept;
    use serde_json::json;
    use webhook_gateway::secret::{Matched, Secret};

    fn source(secrets: &[&str]) -> Option<Source> {
        let entry = json!({"vendor": "creads", "secrets": secrets, "unsigned": secrets.is_empty()});
        Some(Source::parse("studio", &entry).unwrap())
    }

    #[test]
    fn which_secret_matched_is_told_by_its_place_then_and_now() {
        let mut signed_with = kept("studio#1", "1");
        assert!(signed(&signed_with, None).starts_with("unsigned"));
        signed_with.matched = Some(Matched {
            position: 0,
            id: Secret::new("hunter2").unwrap().id(),
        });
        for (secrets, expected) in [
            (&["hunter2"][..], "where it still is"),
            (&["new", "hunter2"], "today it is at position 1"),
            (&["new"], "not among them any more"),
            (&[], "asks for none"),
        ] {
            let text = signed(&signed_with, source(secrets));
            assert!(
                text.contains(expected) && text.contains("position 0"),
                "{text}"
            );
            assert!(!text.contains("hunter2"));
        }
        assert!(signed(&signed_with, None).contains("not configured"));
    }

    #[test]
    fn what_door_1_did_is_told_in_order() {
        let told = |change: fn(&mut Kept)| {
            let mut kept = kept("studio#1", "1");
            change(&mut kept);
            let steps = received(&kept, None);
            assert!(steps[0].what.contains("studio"));
            steps[2].what.clone()
        };
        assert_eq!(told(|_| {}), "accepted as a.b");
        assert!(told(|it| it.state = "quarantined".to_owned()).contains("quarantine release 1"));
        assert!(
            told(|it| {
                it.state = "released".to_owned();
                it.released_as = Some("7".to_owned());
            })
            .contains("released as the event 7")
        );
        assert!(
            told(|it| {
                it.event.conflict = true;
                it.event.id = "1#0123456789abcdef".to_owned();
            })
            .contains("the id of 1 and")
        );
    }
}
