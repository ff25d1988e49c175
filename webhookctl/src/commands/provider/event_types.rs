//! `webhookctl provider event-types`: the documented event types, with the names that subscriptions match.

use crate::Result;
use crate::output::Output;
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
    #[arg(long)]
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

pub(crate) fn run(arguments: &EventTypes, output: Output) -> Result<()> {
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
