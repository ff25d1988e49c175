//! `webhookctl event-types`: what the vendors document, under the names that subscriptions match.

use crate::Result;
use crate::output::{Output, Row};
use clap::Args;
use serde::Serialize;
use webhook_gateway::vendor::Vendor;

#[derive(Debug, Args)]
#[command(after_help = "\
Needs no stack. An event type that is not listed is no error: it goes on under a name of the same form.

With --json: {\"vendor\": …, \"type\": …} each.

Examples:
  webhookctl event-types
  webhookctl event-types --vendor people-force --json")]
pub(crate) struct EventTypes {
    /// Only those of one vendor: creative-force, woodwing, creads or people-force.
    #[arg(long)]
    vendor: Option<Vendor>,
}

#[derive(Serialize)]
struct EventType {
    vendor: &'static str,
    r#type: String,
}

impl Row for EventType {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("vendor", self.vendor.to_owned()),
            ("type", self.r#type.clone()),
        ]
    }
}

pub(crate) fn run(arguments: &EventTypes, output: Output) -> Result<()> {
    let vendors = Vendor::ALL
        .into_iter()
        .filter(|vendor| arguments.vendor.is_none_or(|only| only == *vendor));
    let types = |vendor: Vendor| {
        let types = vendor.event_types().into_iter();
        types.map(move |r#type| EventType {
            vendor: vendor.name(),
            r#type,
        })
    };
    output.list(&vendors.flat_map(types).collect::<Vec<_>>())
}
