//! `webhookctl subscription list`.

use super::SubscriptionView;
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;

/// Lists the subscriptions.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"name\": …, \"queue_url\": …, \"events\": […], \"sources\": […]} for each. An empty list of
sources means all. The subscription of a listener (`webhookctl listen`) also has \"listener_until\": it ends
then unless the listener still runs.

Example:
  webhookctl subscription list --json")]
pub(crate) struct List {}

pub(crate) async fn run(stack: &Stack, output: &Output) -> Result<()> {
    let (now, mut views, mut columns) = (Timestamp::now(), Vec::new(), SubscriptionView::COLUMNS);
    for listed in stack.subscriptions()?.list().await? {
        match listed {
            Ok(subscription) => {
                if subscription.is_of_listener() {
                    columns = SubscriptionView::WITH_LISTENERS;
                }
                if subscription.has_expired(now) {
                    let name = &subscription.name;
                    output.note(&format!(
                        "the listener {name} was killed: the next `webhookctl listen` removes what it left"
                    ));
                }
                views.push(SubscriptionView::of(subscription));
            }
            Err(error) => output.note(&error.to_string()),
        }
    }
    if views.is_empty() {
        output.note("there is no subscription: events go only to the stack's events queue");
    }
    output.list(&views, columns)
}
