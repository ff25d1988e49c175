//! `webhookctl subscription list`.

use super::SubscriptionView;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;

/// Lists the subscriptions.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"name\": …, \"queue_url\": …, \"events\": […], \"sources\": […]} for each. An empty list of
sources means all.

Example:
  webhookctl subscription list --json")]
pub(crate) struct List {}

pub(crate) async fn run(stack: &Stack, output: &Output) -> Result<()> {
    let mut views = Vec::new();
    for listed in stack.subscriptions()?.list().await? {
        match listed {
            Ok(subscription) => views.push(SubscriptionView(subscription)),
            Err(error) => output.note(&error.to_string()),
        }
    }
    if views.is_empty() {
        output.note("there is no subscription: events go only to the stack's events queue");
    }
    output.list(&views, SubscriptionView::COLUMNS)
}
