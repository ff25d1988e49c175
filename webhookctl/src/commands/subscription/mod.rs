//! `webhookctl subscription`: further queues, and the events that go to them.

mod create;
mod delete;
mod list;
mod queue;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use webhook_gateway::providers::presets::Preset;
use webhook_gateway::providers::recipe::Recipe;
use webhook_gateway::providers::{Provider, presets};
use webhook_gateway::store::subscriptions::{Subscription, is_match};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Every accepted event goes to the stack's own events queue. A subscription sends some events to a further
queue, too. A change is in force within half a minute.

Examples:
  webhookctl subscription create search --queue https://sqs.eu-central-1.amazonaws.com/123456789012/search
  webhookctl subscription list
  webhookctl subscription delete search")]
pub(crate) enum Command {
    Create(create::Create),
    List(list::List),
    Delete(delete::Delete),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::Create(arguments) => create::run(arguments, stack, output).await,
        Command::List(list::List {}) => list::run(stack, output).await,
        Command::Delete(arguments) => delete::run(arguments, stack, output).await,
    }
}

#[derive(Serialize)]
pub(crate) struct SubscriptionView {
    #[serde(flatten)]
    subscription: Subscription,
    /// When it ends unless its listener runs. Only the subscription of a listener ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_until: Option<String>,
}

impl SubscriptionView {
    pub(crate) const COLUMNS: &[&str] = &["name", "events", "sources", "queue_url"];

    /// The columns if one of the subscriptions belongs to a listener.
    const WITH_LISTENERS: &[&str] = &["name", "events", "sources", "queue_url", "listener_until"];

    pub(crate) fn of(subscription: Subscription) -> Self {
        let end = subscription.expires_at;
        let end = end.and_then(|seconds| Timestamp::from_second(seconds).ok());
        Self {
            listener_until: end.map(|end| end.to_string()),
            subscription,
        }
    }
}

/// Notes patterns of a provider whose event types are documented that match none of them: most likely they
/// are misspelt.
pub(crate) fn note_unmatched(patterns: &[String], output: &Output) {
    for pattern in patterns.iter().filter(|pattern| !matches_anything(pattern)) {
        output.note(&format!(
            "no event type of `webhookctl provider event-types` or of a preset matches {pattern}: check it, \
             unless a recipe of your own makes such types"
        ));
    }
}

/// Whether a pattern matches any documented event type.
fn matches_anything(pattern: &str) -> bool {
    let mut types = Provider::ALL.into_iter().flat_map(Provider::event_types);
    types.any(|event_type| is_match(pattern, &event_type))
        || presets::all().any(|preset| has_types(preset, pattern))
}

/// Whether a preset makes event types that a pattern may match, as far as they are known beforehand.
fn has_types(preset: Preset, pattern: &str) -> bool {
    let fields = Recipe::fields_of_source(preset.name(), &Map::new()).unwrap_or_default();
    let template = fields.get("event").and_then(|event| event["type"].as_str());
    let Some(template) = template else {
        return false;
    };
    let known = match template.split_once('{') {
        // All of the type is the provider's: nothing is known of it.
        Some(("", _)) => return false,
        Some((known, _)) => known,
        None => return is_match(pattern, template),
    };
    let (wanted, is_open) = match pattern.split_once('*') {
        Some((wanted, _)) => (wanted, true),
        None => (pattern, false),
    };
    wanted.starts_with(known) || is_open && known.starts_with(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_subscription_of_a_listener_says_until_when_it_lasts() {
        let shown = |expires_at| {
            json!(SubscriptionView::of(Subscription {
                name: "search".to_owned(),
                queue_url: "https://sqs.example.com/1/search".to_owned(),
                events: vec!["*".to_owned()],
                sources: Vec::new(),
                expires_at,
            }))
        };
        let mut expected = json!({
            "name": "search", "queue_url": "https://sqs.example.com/1/search", "events": ["*"],
            "sources": [],
        });
        assert_eq!(shown(None), expected);
        expected["listener_until"] = json!("2026-09-21T14:13:20Z");
        assert_eq!(shown(Some(1_790_000_000)), expected);
    }

    #[test]
    fn a_pattern_that_matches_nothing_documented_is_noticed() {
        for pattern in ["*", "io.peopleforce.employee_*", "com.creads.work.created"] {
            assert!(matches_anything(pattern), "{pattern}");
        }
        for pattern in [
            "com.github.*",
            "com.github.issues.*",
            "com.stripe.invoice.paid",
            "com.*",
        ] {
            assert!(matches_anything(pattern), "{pattern}");
        }
        for pattern in ["io.people-force.*", "com.gihub.*", "com.github"] {
            assert!(!matches_anything(pattern), "{pattern}");
        }
    }
}
