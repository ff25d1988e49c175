//! `webhookctl listen` against a deployed gateway, which enforces IAM: its copies verify, and neither its end
//! nor its death harms anybody.
//!
//! Seen to fail: with a template that does not allow the queues of listeners.

use crate::support::endpoint::{event, in_force, verifies};
use crate::support::eventually;
use crate::support::gateway::{Gateway, name};
use crate::support::inbox::Queue;
use crate::support::queue::OwnQueue;
use crate::support::source::{CREATIVE_FORCE, Source};
use serde_json::{Value, json};
use testkit::operator::Listening;
use testkit::receiver::Receiver;
use tokio::sync::Mutex;

/// One test at a time listens, because each listener removes what others left behind.
static LISTENERS: Mutex<()> = Mutex::const_new(());

/// Starts to listen to the events of a source.
async fn listen(gateway: &Gateway, source: &Source<'_>, options: &[&str]) -> Listening {
    let listen = ["--json", "listen", "--source", &source.name];
    Listening::of(gateway.start_webhookctl(&[&listen[..], options].concat())).await
}

/// Whether the subscription and the queue of a listener are there.
async fn is_there(gateway: &Gateway, name: &str, queue: &str) -> (bool, bool) {
    let list = ["--json", "subscription", "list"];
    let subscriptions = gateway.webhookctl(&list).await.json();
    let mut subscriptions = subscriptions.iter();
    let list = json!({"QueueNamePrefix": "webhook-gateway-listen-"});
    let listed = gateway.aws("AmazonSQS.ListQueues", &list).await;
    let mut queues = listed["QueueUrls"].as_array().into_iter().flatten();
    (
        subscriptions.any(|subscription| subscription["name"] == name),
        queues.any(|url| url == queue),
    )
}

#[tokio::test]
async fn a_listener_posts_signed_copies_and_its_end_leaves_nothing() {
    let _alone = LISTENERS.lock().await;
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let mut listening = listen(&gateway, &source, &["--forward", &url]).await;
    let (name, queue) = (
        listening.name().to_owned(),
        listening.queue_url().to_owned(),
    );
    assert_eq!(is_there(&gateway, &name, &queue).await, (true, true));
    // A function that has read the subscriptions before does not know this one yet.
    eventually("a copy", || async {
        source.event().await;
        (!receiver.requests().is_empty()).then_some(())
    })
    .await;
    let request = receiver.requests().remove(0);
    assert!(verifies(&request, listening.secret()));
    let sent = source.message(Queue::Events, &event(&request)).await;
    assert_eq!(request.body, sent.body.as_bytes());
    let shown = listening.line().await;
    assert_eq!(shown["id"], event(&request));
    assert_eq!(shown["source"], source.name);
    let posted = loop {
        let line = listening.line().await;
        if line["forwarded"] == shown["id"] {
            break line;
        }
    };
    assert_eq!(
        (&posted["status"], &posted["error"]),
        (&json!(200), &Value::Null)
    );

    assert_eq!(listening.end("-INT").await.code, Some(0));
    assert_eq!(is_there(&gateway, &name, &queue).await, (false, false));
    // A function may still use the subscription, whose queue is gone.
    let id = source.event().await;
    source.message(Queue::Events, &id).await;
    assert_eq!(source.messages(Queue::DeadLetter).len(), 0);
}

#[tokio::test]
async fn a_killed_listener_gets_nothing_after_its_end_and_harms_no_other_queue() {
    let _alone = LISTENERS.lock().await;
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let other = OwnQueue::create(&gateway, true).await;
    let subscription = name();
    let subscribe = [
        "--json",
        "subscription",
        "create",
        &subscription,
        "--queue",
        &other.url,
    ];
    let subscribe = [&subscribe[..], &["--source", &source.name]].concat();
    gateway.webhookctl(&subscribe).await.json();
    let killed = listen(&gateway, &source, &[]).await;
    let (name, queue) = (killed.name().to_owned(), killed.queue_url().to_owned());
    killed.end("-KILL").await;
    assert_eq!(is_there(&gateway, &name, &queue).await, (true, true));

    // Five minutes later, which no test waits for.
    let expire = json!({
        "TableName": gateway.output("EndpointsTableName"),
        "Key": {"kind": {"S": "subscription"}, "id": {"S": name}},
        "UpdateExpression": "SET expires_at = :end",
        "ExpressionAttributeValues": {":end": {"N": "1"}},
    });
    gateway.aws("DynamoDB_20120810.UpdateItem", &expire).await;
    in_force().await;
    let waiting = async || {
        let ask = json!({"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"]});
        let answer = gateway.aws("AmazonSQS.GetQueueAttributes", &ask).await;
        answer["Attributes"]["ApproximateNumberOfMessages"].clone()
    };
    let before = waiting().await;
    let id = source.event().await;
    eventually("the event on the other queue", || async {
        let received = other.receive().await;
        received.iter().any(|event| event["id"] == id).then_some(())
    })
    .await;
    assert_eq!(waiting().await, before);

    let next = listen(&gateway, &source, &[]).await;
    let ended = next.end("-TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.notes.contains(&name), "{ended:?}");
    assert_eq!(is_there(&gateway, &name, &queue).await, (false, false));
    assert_eq!(source.messages(Queue::DeadLetter).len(), 0);
    let delete = ["--json", "subscription", "delete", &subscription];
    gateway.webhookctl(&delete).await.json();
    other.delete().await;
}
