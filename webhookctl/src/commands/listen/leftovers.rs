//! What listeners left behind that were killed: subscriptions that have ended, and queues.

use super::listener::{LIFETIME, delete_queue, subscription_of};
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::subscriptions::{Listed, Subscription};

/// Removes everything that listeners of this stack left behind. What cannot be removed is noted.
pub(crate) async fn remove(stack: &Stack, output: &Output) {
    if let Err(error) = remove_all(stack, output).await {
        output.note(&format!(
            "what earlier listeners left behind was not removed: {error}"
        ));
    }
}

async fn remove_all(stack: &Stack, output: &Output) -> Result<()> {
    let (prefix, sqs, now) = (
        stack.listener_queue_prefix()?,
        stack.sqs(),
        Timestamp::now(),
    );
    let subscriptions = stack.subscriptions()?;
    let listed = subscriptions.list().await?;
    for ended in listed
        .iter()
        .flatten()
        .filter(|subscription| subscription.has_expired(now))
    {
        // Without its subscription the queue would be found by its age alone. Therefore the queue goes first.
        if let Some(queue) = own_queue(ended, prefix) {
            delete_queue(&sqs, queue).await?;
        }
        subscriptions.remove(&ended.name).await?;
        output.note(&format!("removed {}, which was killed", ended.name));
    }
    let queues = sqs.list_queues().queue_name_prefix(prefix).send().await;
    let queues = queues.map_err(AwsError::from)?.queue_urls;
    for queue in orphans(queues.unwrap_or_default(), &listed, prefix) {
        if is_older_than_a_start(&sqs, &queue, now).await? {
            delete_queue(&sqs, &queue).await?;
            output.note(&format!("removed {queue}, which no listener reads"));
        }
    }
    Ok(())
}

/// The queue of an ended subscription, if its listener created it. Whatever stands in the table, no other
/// queue is deleted.
fn own_queue<'s>(subscription: &'s Subscription, prefix: &str) -> Option<&'s str> {
    let queue = &subscription.queue_url;
    let name = subscription_of(queue, prefix)?;
    (name == subscription.name).then_some(queue)
}

/// The queues of listeners that have no subscription.
fn orphans(queues: Vec<String>, listed: &[Listed], prefix: &str) -> Vec<String> {
    let names: BTreeSet<_> = listed
        .iter()
        .map(|listed| match listed {
            Ok(subscription) => &subscription.name,
            Err(unreadable) => &unreadable.0,
        })
        .collect();
    let is_orphan = |queue: &String| {
        let name = subscription_of(queue, prefix);
        name.is_some_and(|name| !names.contains(&name))
    };
    queues.into_iter().filter(is_orphan).collect()
}

/// Whether a queue was not created just now: a listener creates it before its subscription.
async fn is_older_than_a_start(sqs: &Client, queue: &str, now: Timestamp) -> Result<bool> {
    let created = QueueAttributeName::CreatedTimestamp;
    let ask = sqs.get_queue_attributes().queue_url(queue);
    let answer = ask.attribute_names(created.clone()).send().await;
    let attributes = answer.map_err(AwsError::from)?.attributes;
    let created = attributes.and_then(|all| all.get(&created)?.parse().ok());
    let created = created.and_then(|seconds| Timestamp::from_second(seconds).ok());
    let age = created.map(|created| now.duration_since(created));
    Ok(age.is_some_and(|age| age > SignedDuration::try_from(LIFETIME).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_gateway::store::subscriptions::UnreadableSubscription;

    const HOST: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012";

    fn subscription(name: &str, queue: &str) -> Subscription {
        Subscription {
            name: name.to_owned(),
            queue_url: format!("{HOST}/{queue}"),
            events: vec!["*".to_owned()],
            sources: Vec::new(),
            expires_at: Some(1),
        }
    }

    #[test]
    fn no_queue_is_deleted_because_somebody_wrote_it_into_the_table() {
        let own = subscription("listen-0123456789ab", "prod-listen-0123456789ab");
        assert!(own_queue(&own, "prod-listen-").is_some());
        for (name, queue) in [
            ("listen-0123456789ab", "prod-EventsQueue-1"),
            ("listen-0123456789ab", "prod-listen-ba9876543210"),
            ("search", "prod-listen-0123456789ab"),
            ("listen-0123456789ab", "test-listen-0123456789ab"),
        ] {
            let other = subscription(name, queue);
            assert_eq!(own_queue(&other, "prod-listen-"), None, "{name} {queue}");
        }
    }

    #[test]
    fn a_queue_is_an_orphan_only_if_no_subscription_has_its_name() {
        let queue = |digit: &str| format!("{HOST}/prod-listen-{}", digit.repeat(12));
        let listed = [
            Ok(subscription(
                "listen-111111111111",
                "prod-listen-111111111111",
            )),
            Err(UnreadableSubscription("listen-222222222222".to_owned())),
        ];
        let queues = vec![
            queue("1"),
            queue("2"),
            queue("3"),
            format!("{HOST}/prod-listen-other"),
        ];
        assert_eq!(orphans(queues, &listed, "prod-listen-"), [queue("3")]);
    }
}
