//! `webhookctl provider event-types`: the documented event types, with the names that subscriptions match.

use crate::output::Output;
use crate::{Result, providers};
use clap::Args;
use serde::Serialize;
use webhook_gateway::providers::Provider;

/// Lists the event types that the providers document.
#[derive(Debug, Args)]
#[command(after_help = "\
An event type that is not listed is accepted, too: it gets a name of the same form.

With --json: {\"provider\": …, \"type\": …} for each.

Examples:
  webhookctl provider event-types
  webhookctl provider event-types --provider people-force --json")]
pub(crate) struct EventTypes {
    /// Lists only those of one provider: creative-force, woodwing, creads or people-force.
    #[arg(long, value_parser = documented)]
    provider: Option<Provider>,
}

#[derive(Serialize)]
struct EventType {
    provider: &'static str,
    r#type: String,
}

impl EventType {
    pub(crate) const COLUMNS: &[&str] = &["provider", "type"];
}

/// A provider whose event types are known.
fn documented(name: &str) -> std::result::Result<Provider, String> {
    let preset = providers::preset(name)?.name();
    preset.parse().map_err(|_| {
        format!(
            "the gateway has no list of the event types of {preset}: `webhookctl provider list` links the \
             document of each provider with --json"
        )
    })
}

pub(crate) fn run(arguments: &EventTypes, output: &Output) -> Result<()> {
    let providers = Provider::ALL
        .into_iter()
        .filter(|provider| arguments.provider.is_none_or(|only| only == *provider));
    let types = |provider: Provider| {
        let types = provider.event_types().into_iter();
        types.map(move |r#type| EventType {
            provider: provider.name(),
            r#type,
        })
    };
    output.list(
        &providers.flat_map(types).collect::<Vec<_>>(),
        EventType::COLUMNS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_without_a_list_says_so() {
        assert_eq!(documented("creads"), Ok(Provider::Creads));
        assert!(documented("github").unwrap_err().contains("no list"));
        assert!(
            documented("acme")
                .unwrap_err()
                .contains("no preset of this name")
        );
    }
}
