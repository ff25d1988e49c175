//! `webhookctl woodwing event-types`.

use super::Login;
use super::rpc::Triggers;
use crate::Result;
use crate::output::Output;
use clap::Args;
use serde::Serialize;

/// Lists the event types that can be registered for.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"entity\": …, \"trigger\": …} for each.

Example:
  webhookctl woodwing event-types --server https://studio.example.com/StudioServer --user admin")]
pub(crate) struct EventTypes {
    #[command(flatten)]
    login: Login,
}

/// An event type and its entity.
#[derive(Serialize)]
struct Trigger {
    entity: String,
    trigger: String,
}

impl Trigger {
    pub(crate) const COLUMNS: &[&str] = &["entity", "trigger"];
}

pub(crate) async fn run(EventTypes { login }: EventTypes, output: &Output) -> Result<()> {
    let options = login.log_on(false).await?.0.trigger_options().await?;
    output.list(&triggers(&options), Trigger::COLUMNS)
}

fn triggers(options: &Triggers) -> Vec<Trigger> {
    let all = options
        .iter()
        .flat_map(|(entity, types)| types.iter().map(move |event_type| (entity, event_type)));
    all.map(|(entity, trigger)| Trigger {
        entity: entity.clone(),
        trigger: trigger.clone(),
    })
    .collect()
}
