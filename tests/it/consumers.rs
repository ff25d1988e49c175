//! Queues of consumers, with the real binary: whatever one queue answers, all other consumers get each event
//! once, and the refused messages are kept.

use serde_json::{Value, json};
use std::process::Stdio;
use testkit::aws::{Aws, Message};
use testkit::function::{Answer, Function};
use testkit::items::item;
use testkit::operator::Operator;
use testkit::tap::{Refusal, Tap};
use testkit::webhook::{creative_force, signed};
use testkit::{PATIENCE, eventually, tool};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// The largest message, and the largest batch, of SQS.
const MAX_BYTES: usize = 1024 * 1024;

/// An AWS with two subscribed queues, `search` and `other`, and an ingress function behind a tap.
struct World {
    aws: Aws,
    tap: Tap,
    function: Function,
}

impl World {
    /// Whose queues have the time that they need, however busy the machine is.
    async fn start() -> Self {
        Self::start_with(&[("CONSUMER_PATIENCE_MS", "30000".to_owned())]).await
    }

    async fn start_with(more: &[(&'static str, String)]) -> Self {
        let aws = Aws::start().await;
        let create = json!({"QueueName": "other"});
        aws.call("AmazonSQS.CreateQueue", &create).await;
        for name in ["other", "search"] {
            let queue = aws.queue_url(name);
            aws.subscribe(name, &queue, &["*"], &[]).await;
        }
        let tap = Tap::start(aws.url()).await;
        let mut environment = aws.environment(tap.url());
        environment.extend_from_slice(more);
        let function = Function::start(&testkit::binary("ingress"), &environment).await;
        Self { aws, tap, function }
    }

    async fn accept(&mut self, id: &str, note: &str) {
        let webhook = signed("studio", &creative_force(id, note));
        self.function.accept(&webhook).await;
    }

    /// Offers the recorded webhooks once, because this must succeed.
    async fn publish(&mut self) {
        let (batch, after) = self.aws.next_batch().await;
        let answer = self.function.invoke(&batch).await;
        assert_eq!(answer, Answer::Success(Value::Null));
        self.aws.acknowledge(after);
    }

    async fn ids(&self, queue: &str) -> Vec<String> {
        ids(&self.aws.drain(queue).await)
    }
}

/// The ids of events, sorted: a standard queue promises no order.
fn ids(messages: &[Message]) -> Vec<String> {
    let ids = messages.iter().map(|message| attribute(message, "ce-id"));
    let mut ids: Vec<_> = ids.collect();
    ids.sort();
    ids
}

fn attribute(message: &Message, name: &str) -> String {
    let value = message.attributes[name]["StringValue"].as_str();
    value.unwrap_or_default().to_owned()
}

/// The object that a message points to.
fn key(message: &Message) -> &str {
    assert_eq!(
        message.body[0], "software.amazon.payloadoffloading.PayloadS3Pointer",
        "{message:?}"
    );
    message.body[1]["s3Key"].as_str().unwrap()
}

/// SQS's error codes, as its header has them, with the status. The SDK has no type for some of them.
const CODES: [(u16, &str); 24] = [
    (400, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    (400, "AWS.SimpleQueueService.BatchRequestTooLong"),
    (400, "AWS.SimpleQueueService.EmptyBatchRequest"),
    (400, "AWS.SimpleQueueService.InvalidBatchEntryId"),
    (400, "AWS.SimpleQueueService.NonExistentQueue"),
    (400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    (400, "AWS.SimpleQueueService.UnsupportedOperation"),
    (404, "InvalidAddress"),
    (403, "InvalidSecurity"),
    (400, "KMS.AccessDeniedException"),
    (400, "KMS.DisabledException"),
    (400, "KMS.InvalidKeyUsageException"),
    (400, "KMS.InvalidStateException"),
    (400, "KMS.NotFoundException"),
    (403, "KMS.OptInRequired"),
    (400, "KMS.ThrottlingException"),
    (403, "AccessDenied"),
    (400, "AccessDeniedException"),
    (400, "InvalidMessageContents"),
    (400, "InvalidParameterValue"),
    (400, "OverLimit"),
    (403, "ExpiredToken"),
    (400, "InventedTomorrow"),
    (400, ""),
];

#[tokio::test]
async fn whatever_a_queue_answers_everybody_else_gets_each_event_once() {
    let mut world = World::start_with(&[]).await;
    let refusals = CODES.map(|(status, code)| (code, Refusal::Code(status, code)));
    let others = [
        // The SDK or the function repeats these calls for some time.
        ("RequestThrottled", Refusal::Code(400, "RequestThrottled")),
        ("InternalError", Refusal::Code(500, "InternalError")),
        ("Theirs", Refusal::Entries("Theirs", false)),
        ("Ours", Refusal::Entries("Ours", true)),
        ("within 5 s", Refusal::Hang),
    ];
    for (case, (reason, refusal)) in refusals.into_iter().chain(others).enumerate() {
        let accepted = [format!("a-{case}"), format!("b-{case}")];
        for id in &accepted {
            world.accept(id, "").await;
        }
        world.tap.close("other", refusal);
        world.publish().await;
        assert!(!world.tap.heal().is_empty(), "{refusal:?} did not happen");
        for queue in ["events", "search"] {
            assert_eq!(world.ids(queue).await, accepted, "{refusal:?}: {queue}");
        }
        assert_eq!(world.ids("other").await, [""; 0], "{refusal:?}");
        let kept = world.aws.drain("dead").await;
        assert_eq!(ids(&kept), accepted, "{refusal:?}");
        for kept in kept {
            assert_eq!(attribute(&kept, "queue"), world.aws.queue_url("other"));
            let told = attribute(&kept, "reason");
            let short = reason.strip_prefix("AWS.SimpleQueueService.");
            assert!(!told.is_empty(), "{refusal:?}");
            // A slow machine may have no time for all repetitions.
            let is_told = told.contains(short.unwrap_or(reason));
            assert!(
                is_told || told.contains("within 5 s"),
                "{refusal:?}: {told}"
            );
            assert_eq!(kept.body["id"], attribute(&kept, "ce-id"));
        }
    }
}

#[tokio::test]
async fn a_queue_that_takes_some_messages_of_a_batch_gets_those() {
    let mut world = World::start().await;
    // A queue with a MaximumMessageSize does this; Terraform makes such queues.
    let limit = json!({
        "QueueUrl": world.aws.queue_url("other"), "Attributes": {"MaximumMessageSize": "262144"},
    });
    world.aws.call("AmazonSQS.SetQueueAttributes", &limit).await;
    for (id, bytes) in [("a", 1), ("b", 300 * 1024), ("c", 1)] {
        world.accept(id, &"n".repeat(bytes)).await;
    }
    world.publish().await;
    assert_eq!(world.ids("events").await, ["a", "b", "c"]);
    assert_eq!(world.ids("search").await, ["a", "b", "c"]);
    assert_eq!(world.ids("other").await, ["a", "c"]);
    let kept = world.aws.drain("dead").await;
    assert_eq!(ids(&kept), ["b"]);
    assert_eq!(attribute(&kept[0], "reason"), "InvalidParameterValue");
}

#[tokio::test]
async fn while_a_queue_of_the_stack_fails_consumers_get_no_copies() {
    let mut world = World::start().await;
    let endpoint = item(&json!({
        "kind": "endpoint", "id": "ep_1", "version": 1, "name": "one", "url": "https://example.com",
        "events": ["*"],
        "sources": [], "headers": [], "timeout": 5, "retry": [5], "format": "cloudevents",
        "signature": "standard-webhooks", "secrets": [], "state": "active", "created_at": 0, "updated_at": 0,
    }));
    let put = json!({"TableName": "endpoints", "Item": endpoint});
    world.aws.call("DynamoDB_20120810.PutItem", &put).await;
    for id in ["a", "b"] {
        world.accept(id, "").await;
    }
    world.accept("not JSON", "\" not JSON").await;
    let (batch, after) = world.aws.next_batch().await;
    for queue in ["deliveries", "quarantine", "events"] {
        for _ in 0..2 {
            world.tap.close(queue, Refusal::Code(400, "AccessDenied"));
            let failed = world.function.invoke(&batch).await;
            assert!(matches!(failed, Answer::Error(_)), "{queue}: {failed:?}");
            assert_eq!(world.tap.heal(), [queue]);
        }
        for consumer in ["events", "search", "other", "dead"] {
            assert_eq!(world.ids(consumer).await, [""; 0], "{queue}: {consumer}");
        }
    }
    assert_eq!(
        world.function.invoke(&batch).await,
        Answer::Success(Value::Null)
    );
    world.aws.acknowledge(after);
    for consumer in ["events", "search", "other"] {
        assert_eq!(world.ids(consumer).await, ["a", "b"], "{consumer}");
    }
}

#[tokio::test]
async fn what_is_set_aside_fits_with_its_reason() {
    let mut world = World::start().await;
    world.accept("small", "").await;
    world.publish().await;
    let small = world.tap.sent();
    let small = small
        .iter()
        .find(|message| message.queue == "events")
        .unwrap()
        .bytes;
    for queue in ["events", "search", "other"] {
        world.ids(queue).await;
    }
    // Messages that a consumer's queue refuses go to the dead-letter queue; those that the stack's own queue
    // refuses go to quarantine.
    for (case, (refuses, place)) in [("other", "dead"), ("events", "quarantine")]
        .into_iter()
        .enumerate()
    {
        for below in [0, 1, 100, 300] {
            let id = format!("{case}-{below:03}");
            let note = "n".repeat(MAX_BYTES - below - small);
            let spare = "small".len() as isize - id.len() as isize;
            let note = &note[..note.len().saturating_add_signed(2 * spare)];
            world.accept(&id, note).await;
            world
                .tap
                .close(refuses, Refusal::Entries("InvalidParameterValue", true));
            world.publish().await;
            world.tap.heal();
            for sent in world.tap.sent() {
                assert!(
                    sent.bytes <= MAX_BYTES,
                    "{id}: {} on {}",
                    sent.bytes,
                    sent.queue
                );
            }
            for queue in ["events", "search", "other"] {
                let expected: &[&str] = if queue == refuses { &[] } else { &[&id] };
                assert_eq!(world.ids(queue).await, expected, "{id}: {queue}");
            }
            let kept = world.aws.drain(place).await;
            assert_eq!(ids(&kept), [&*id]);
            assert_eq!(attribute(&kept[0], "queue"), world.aws.queue_url(refuses));
            let event = match kept[0].body.is_array() {
                true => serde_json::from_slice(&world.aws.object(key(&kept[0])).await).unwrap(),
                false => kept[0].body.clone(),
            };
            assert_eq!(event["id"], *id);
            assert_eq!(event["data"]["Note"], *note);
        }
    }
}

/// The cause in the text or the attributes does not matter.
#[tokio::test]
async fn what_no_queue_takes_as_it_is_goes_to_quarantine_as_a_plain_pointer() {
    let mut world = World::start().await;
    world.accept("before", "").await;
    world.accept("odd", "what no queue takes").await;
    world.accept("after", "").await;
    world.tap.refuse(Some("what no queue takes"));
    world.publish().await;
    for queue in ["events", "search", "other"] {
        let mut ids = world.ids(queue).await;
        ids.sort_unstable();
        assert_eq!(ids, ["after", "before"], "{queue}");
    }
    // Once for each of the two consumers.
    for (place, count) in [("quarantine", 1), ("dead", 2)] {
        let kept = world.aws.drain(place).await;
        assert_eq!(kept.len(), count, "{place}");
        for kept in &kept {
            assert_eq!(attribute(kept, "ce-id"), "odd");
            assert_eq!(attribute(kept, "reason"), "InvalidParameterValue");
            let event = world.aws.object(key(kept)).await;
            let event: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(event["data"]["Note"], "what no queue takes");
        }
    }
}

#[tokio::test]
async fn what_even_quarantine_refuses_holds_up_nobody_and_is_not_noted_as_published() {
    let mut world = World::start().await;
    let operator = Operator::of(&world.aws).await;
    for place in ["quarantine", "dead"] {
        let refuses = if place == "dead" { "other" } else { "events" };
        let (lost, well) = (format!("lost-{place}"), format!("well-{place}"));
        world.accept(&lost, "").await;
        world.tap.close(refuses, Refusal::Entries("Odd", true));
        world.tap.close(place, Refusal::Entries("Odder", true));
        world.publish().await;
        // First with its text, then as a plain pointer.
        assert_eq!(world.tap.heal(), [refuses, place, place]);
        world.accept(&well, "").await;
        world.publish().await;

        let journal = operator.run(&["event", "list"]).await.json();
        let is_noted = |id: &String| journal.iter().any(|item| item["id"] == **id);
        assert!(is_noted(&well), "{journal:?}");
        assert!(!is_noted(&lost), "{lost} is noted: {journal:?}");
        let output = world.function.output().await;
        let said = output
            .iter()
            .find(|line| line.contains("on no queue") && line.contains(&lost));
        let said: Value =
            serde_json::from_str(said.unwrap_or_else(|| panic!("{output:?}"))).unwrap();
        assert_eq!(said["fields"]["key"], format!("studio#{lost}"));
        let pointer = said["fields"]["pointer"].as_str().unwrap();
        let pointer: Value = serde_json::from_str(pointer).unwrap();
        let event = world
            .aws
            .object(pointer[1]["s3Key"].as_str().unwrap())
            .await;
        assert_eq!(serde_json::from_slice::<Value>(&event).unwrap()["id"], lost);
    }
}

#[tokio::test]
async fn each_queue_has_an_object_of_its_own() {
    let mut world = World::start().await;
    world.accept("large", &"n".repeat(1_100_000)).await;
    world
        .tap
        .close("search", Refusal::Code(400, "KMS.DisabledException"));
    world.publish().await;
    let mut keys = Vec::new();
    for (queue, message_of) in [("events", "events"), ("other", "other"), ("dead", "dead")] {
        let message = world.aws.drain(message_of).await.remove(0);
        assert_eq!(attribute(&message, "ce-id"), "large");
        let key = key(&message).to_owned();
        assert!(
            key.starts_with(&format!("events/000000000000/{queue}/")),
            "{key}"
        );
        assert_ne!(message.attributes["ExtendedPayloadSize"], Value::Null);
        keys.push(key);
    }
    // The consumer that finishes first deletes its object, as the libraries for such messages do.
    while let Some(key) = keys.pop() {
        let event: Value = serde_json::from_slice(&world.aws.object(&key).await).unwrap();
        assert_eq!(event["id"], "large");
        world.aws.delete_object(&key).await;
    }
}

#[tokio::test]
async fn two_messages_of_one_event_on_one_queue_have_an_object_each() {
    let mut world = World::start().await;
    world.accept("large", &"n".repeat(1_100_000)).await;
    let (batch, after) = world.aws.next_batch().await;
    for _ in 0..2 {
        let answer = world.function.invoke(&batch).await;
        assert_eq!(answer, Answer::Success(Value::Null));
    }
    world.aws.acknowledge(after);
    let messages = world.aws.drain("other").await;
    assert_eq!(ids(&messages), ["large", "large"]);
    for message in &messages {
        world.aws.object(key(message)).await;
        world.aws.delete_object(key(message)).await;
    }
}

/// README's consumer.
fn consumer_of_the_readme() -> String {
    let readme = std::fs::read_to_string(testkit::root().join("README.md"));
    let readme = readme.unwrap();
    let blocks = readme.split("```python\n").skip(1);
    let mut blocks = blocks.map(|block| block.split("```").next().unwrap());
    let consumer = blocks.find(|block| block.contains("receive_message"));
    consumer.unwrap().to_owned()
}

#[tokio::test]
async fn the_consumer_of_the_readme_handles_each_event_once_and_deletes_nothing_unread() {
    let mut world = World::start().await;
    for (id, bytes) in [("small", 1), ("large", 1_100_000)] {
        world.accept(id, &"n".repeat(bytes)).await;
    }
    // Twice, as a fault would cause.
    let (batch, after) = world.aws.next_batch().await;
    for _ in 0..2 {
        let answer = world.function.invoke(&batch).await;
        assert_eq!(answer, Answer::Success(Value::Null));
    }
    world.aws.acknowledge(after);
    let elsewhere = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"theirs","s3Key":"k"}]"#;
    let same_id = r#"{"specversion":"1.0","id":"small","source":"urn:another","type":"t"}"#;
    for body in ["not JSON", elsewhere, same_id] {
        let message = json!({"QueueUrl": world.aws.queue_url("events"), "MessageBody": body});
        world.aws.call("AmazonSQS.SendMessage", &message).await;
    }

    let mut consumer = Command::new(tool("python"))
        .args(["-c", &consumer_of_the_readme()])
        .env("EVENTS_QUEUE_URL", world.aws.queue_url("events"))
        .env("PAYLOAD_BUCKET", "payloads")
        .env("AWS_ENDPOINT_URL", world.aws.url())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(consumer.stdout.take().unwrap()).lines();
    let (mut handled, mut unread) = (Vec::new(), Vec::new());
    let reading = async {
        while handled.len() < 3 || unread.len() < 2 {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("a consumer that goes on");
            match line.strip_prefix("not handled: ") {
                Some(why) => unread.push(why.to_owned()),
                None => handled.push(line),
            }
        }
    };
    timeout(PATIENCE, reading)
        .await
        .expect("all messages in time");
    handled.sort_unstable();
    let object = "product/7a782d57-b0bf-4743-8f02-2b1a1e229869";
    let expected = [
        format!("io.creativeforce.product.reset large {object}"),
        format!("io.creativeforce.product.reset small {object}"),
        "t small None".to_owned(),
    ];
    assert_eq!(handled, expected);
    assert!(
        unread.iter().any(|line| line.contains("another bucket")),
        "{unread:?}"
    );

    // Only the messages that it did not read are left, and only their objects.
    let attributes = json!({"QueueUrl": world.aws.queue_url("events"), "AttributeNames": ["All"]});
    let (aws, attributes) = (&world.aws, &attributes);
    eventually("that the rest is deleted", || async {
        let answer = aws.call("AmazonSQS.GetQueueAttributes", attributes).await;
        let number = |name: &str| {
            answer["Attributes"][name]
                .as_str()
                .unwrap()
                .parse::<usize>()
        };
        let visible = number("ApproximateNumberOfMessages").unwrap();
        let kept = visible + number("ApproximateNumberOfMessagesNotVisible").unwrap();
        kept == 2 && aws.objects("events/000000000000/events/").await == [""; 0]
    })
    .await;
    assert_eq!(aws.objects("events/000000000000/search/").await.len(), 2);
}
