//! `webhookctl subscription delete`.

use crate::Result;
use crate::find::Unknown;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde_json::json;

/// Deletes a subscription. The messages in its queue stay there.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"deleted\": …}.

Example:
  webhookctl subscription delete search")]
pub(crate) struct Delete {
    /// The name of the subscription.
    name: String,
}

pub(crate) async fn run(Delete { name }: Delete, stack: &Stack, output: &Output) -> Result<()> {
    if !stack.subscriptions()?.remove(&name).await? {
        return Err(Unknown::Subscription(name).into());
    }
    output.result(&format!("deleted {name}"), &json!({"deleted": name}))
}
