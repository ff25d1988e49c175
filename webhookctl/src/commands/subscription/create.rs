//! `webhookctl subscription create`.

use super::{SubscriptionView, note_unmatched, queue};
use crate::Result;
use crate::commands::source::note_unknown;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::subscriptions::Subscription;

/// Subscribes an SQS standard queue to events.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pattern, `*` stands for any characters. `webhookctl provider event-types` lists the documented event
types. An event goes to the queue once if any pattern matches.

The queue is a standard queue in the region of the stack. Make sure of three things; this command checks them
as far as it can. The template's parameter ConsumerQueueArns lists the queue. If the queue has a KMS key of
your own, ConsumerKeyArns lists the key, and the key's policy lets the ingress function use it. The queue's
MaximumMessageSize is 1048576. An event that the queue refuses goes to the dead-letter queue, with the reason.

With --json: {\"name\": …, \"queue_url\": …, \"events\": […], \"sources\": […]}.

Examples:
  webhookctl subscription create search --queue https://sqs.eu-central-1.amazonaws.com/123456789012/search
  webhookctl subscription create payroll \\
      --queue https://sqs.eu-central-1.amazonaws.com/123456789012/payroll \\
      --event 'io.peopleforce.employee_*' --event '*.salary.*' --source hr")]
pub(crate) struct Create {
    /// The name of the subscription.
    name: String,
    /// The URL of the queue.
    #[arg(long, value_name = "URL")]
    queue: String,
    /// The event types that go to the queue.
    #[arg(long = "event", value_name = "PATTERN", default_value = "*")]
    events: Vec<String>,
    /// The sources whose events go to the queue. By default those of all sources do.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
}

pub(crate) async fn run(arguments: Create, stack: &Stack, output: &Output) -> Result<()> {
    let subscription = Subscription {
        name: arguments.name,
        queue_url: arguments.queue,
        events: arguments.events,
        sources: arguments.sources,
        expires_at: None,
    };
    queue::check(&subscription, stack)?;
    let subscriptions = stack.subscriptions()?;
    subscriptions.add(&subscription).await?;
    note_unmatched(&subscription.events, output);
    note_unknown(&subscription.sources, stack, output).await;
    output.note("the template's parameter ConsumerQueueArns must list a queue outside the stack");
    queue::look_at(&subscription.queue_url, stack, output).await;
    output.details(
        &SubscriptionView::of(subscription),
        SubscriptionView::COLUMNS,
    )
}
