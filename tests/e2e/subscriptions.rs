//! Further queues, which the stack does not own. Only the queues that admit the gateway get events, and
//! nothing is lost because of the others.
//!
//! Seen to fail: with refused messages that are dropped.

use crate::support::gateway::{Gateway, name};
use crate::support::inbox::Queue;
use crate::support::queue::OwnQueue;
use crate::support::source::{CREATIVE_FORCE, Source, product_reset};
use crate::support::{eventually, unique};
use serde_json::{Value, json};

async fn subscribe(
    gateway: &Gateway,
    queue: &OwnQueue<'_>,
    source: &Source<'_>,
    pattern: &str,
) -> String {
    let name = name();
    let add = [
        "--json",
        "subscription",
        "create",
        &name,
        "--queue",
        &queue.url,
        "--event",
        pattern,
        "--source",
        &source.name,
    ];
    let added = gateway.webhookctl(&add).await.json().remove(0);
    let expected = json!({
        "name": name, "queue_url": queue.url, "events": [pattern], "sources": [source.name],
    });
    assert_eq!(added, expected);
    let listed = gateway
        .webhookctl(&["--json", "subscription", "list"])
        .await;
    assert!(listed.json().contains(&expected), "{listed:?}");
    name
}

async fn unsubscribe(gateway: &Gateway, name: &str) {
    let remove = ["--json", "subscription", "delete", name];
    let removed = gateway.webhookctl(&remove).await.json();
    assert_eq!(removed, [json!({"deleted": name})]);
    let again = gateway.webhookctl(&remove).await;
    assert!(
        !again.is_success() && again.notes.contains("there is no subscription"),
        "{again:?}"
    );
}

/// The operator's most common mistake: a subscribed queue that is not in `ConsumerQueueArns`.
#[tokio::test]
async fn what_a_subscribed_queue_refuses_is_on_the_dead_letter_queue_and_delays_nothing() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let queue = OwnQueue::create(&gateway, false).await;
    let subscription = subscribe(&gateway, &queue, &source, "io.creativeforce.product.*").await;

    let note = unique();
    let dead = eventually("the subscription", || async {
        let id = unique();
        source.post(product_reset(&id, &note)).await;
        source.message(Queue::Events, &id).await;
        source.messages(Queue::DeadLetter).into_iter().next()
    })
    .await;
    let event = source.message(Queue::Events, dead.attribute("ce-id")).await;
    assert_eq!(dead.body, event.body);
    assert_eq!(dead.attribute("queue"), queue.url);
    let reason = dead.attribute("reason");
    assert!(reason.starts_with("AccessDenied"), "{reason}");
    for attribute in [
        "content-type",
        "ce-id",
        "ce-source",
        "ce-type",
        "provider",
        "gatewaysource",
    ] {
        assert_eq!(dead.attribute(attribute), event.attribute(attribute));
        assert_ne!(dead.attribute(attribute), "");
    }
    assert_eq!(queue.receive().await, [] as [Value; 0]);

    let log = gateway.log("IngressFunctionName").await;
    assert!(
        log.iter()
            .any(|line| line.contains("message is refused") && line.contains(&queue.url))
    );
    assert!(
        !log.iter().any(|line| line.contains(&note)),
        "a body is in the log"
    );
    unsubscribe(&gateway, &subscription).await;
    queue.delete().await;
}

#[tokio::test]
async fn a_subscribed_queue_that_lets_the_gateway_in_gets_what_matches() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let other = gateway.source(CREATIVE_FORCE, &[]).await;
    let queue = OwnQueue::create(&gateway, true).await;
    let subscription = subscribe(&gateway, &queue, &source, "io.*.reset").await;

    let received = eventually("the subscription", || async {
        let id = unique();
        other.post(product_reset(&id, "another source")).await;
        let deleted = product_reset(&unique(), "another type").replace("ProductReset", "Deleted");
        source.post(deleted).await;
        source.post(product_reset(&id, "matches")).await;
        source.message(Queue::Events, &id).await;
        Some(queue.receive().await).filter(|received| !received.is_empty())
    })
    .await;
    for event in &received {
        assert_eq!(event["data"]["Note"], "matches");
        let id = event["id"].as_str().unwrap();
        assert_eq!(event, &source.message(Queue::Events, id).await.json());
    }
    assert_eq!(source.messages(Queue::DeadLetter).len(), 0);
    unsubscribe(&gateway, &subscription).await;
    queue.delete().await;
}

#[tokio::test]
async fn the_tool_refuses_a_subscription_that_could_not_work() {
    let gateway = Gateway::find().await;
    for (queue, why) in [
        ("http://localhost/000000000000/orders.fifo", "FIFO"),
        (
            "arn:aws:sqs:us-east-1:000000000000:orders",
            "not the URL of a queue",
        ),
        (gateway.output("EventsQueueUrl"), "every event"),
    ] {
        let added = gateway
            .webhookctl(&[
                "--json",
                "subscription",
                "create",
                &name(),
                "--queue",
                queue,
            ])
            .await;
        let error: Value = serde_json::from_str(added.notes.lines().last().unwrap()).unwrap();
        assert!(
            !added.is_success() && error["error"].as_str().unwrap().contains(why),
            "{added:?}"
        );
    }
}
