//! The messages on each queue, with the real binary.

use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use testkit::aws::Aws;
use testkit::cloudevents::assert_strict;
use testkit::function::Answer;
use testkit::items::plain;
use testkit::operator::Operator;
use testkit::proxy::Proxy;
use testkit::tap::Tap;
use testkit::webhook::{creative_force, signed};

#[tokio::test]
async fn an_event_goes_to_the_events_queue_and_to_every_subscription_that_matches() {
    let mut aws = Aws::start().await;
    let search = aws.queue_url("search");
    aws.subscribe(
        "all-products",
        &search,
        &["io.creativeforce.product.*"],
        &["studio"],
    )
    .await;
    aws.subscribe("everything-from-anywhere", &search, &["*"], &[])
        .await;
    aws.subscribe(
        "the-events-queue-again",
        &aws.queue_url("events"),
        &["*"],
        &[],
    )
    .await;
    aws.subscribe("other-types", &search, &["io.creativeforce.sample.*"], &[])
        .await;
    aws.subscribe("other-sources", &search, &["*"], &["hr"])
        .await;
    let mut function = aws.ingress().await;
    function
        .accept(&signed("studio", &creative_force("p-1", "")))
        .await;
    aws.drain_stream(&mut function).await;

    let events = aws.drain("events").await;
    let subscribed = aws.drain("search").await;
    assert_eq!((events.len(), subscribed.len()), (1, 1));
    assert_eq!(events[0].body, subscribed[0].body);
    let attributes = json!({
        "content-type": "application/cloudevents+json", "ce-id": "p-1", "ce-source": "urn:webhook:studio",
        "ce-type": "io.creativeforce.product.reset", "provider": "creative-force", "gatewaysource": "studio",
    });
    let attributes = attributes.as_object().unwrap().iter();
    let expected: Value = attributes
        .map(|(name, value)| {
            (
                name.clone(),
                json!({"DataType": "String", "StringValue": value}),
            )
        })
        .collect();
    assert_eq!(events[0].attributes, expected);
}

#[tokio::test]
async fn large_bodies_arrive_whole_and_what_sqs_does_not_take_arrives_as_a_pointer() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for (id, bytes) in [
        ("inline", 1),
        ("claimed", 300 * 1024),
        ("pointed-to", 4_400_000),
    ] {
        let note = "n".repeat(bytes);
        function
            .accept(&signed("studio", &creative_force(id, &note)))
            .await;
    }
    aws.drain_stream(&mut function).await;
    let events = aws.drain("events").await;
    let note = |event: &Value| event["data"]["Note"].as_str().unwrap().len();
    let sizes: Vec<_> = events[..2].iter().map(|event| note(&event.body)).collect();
    assert_eq!(sizes, [1, 300 * 1024]);

    let pointer = &events[2];
    assert_eq!(
        pointer.body[0],
        "software.amazon.payloadoffloading.PayloadS3Pointer"
    );
    assert_eq!(pointer.body[1]["s3BucketName"], "payloads");
    let event = aws.object(pointer.body[1]["s3Key"].as_str().unwrap()).await;
    let size = &pointer.attributes["ExtendedPayloadSize"];
    assert_eq!(
        *size,
        json!({"DataType": "Number", "StringValue": event.len().to_string()})
    );
    let event: Value = serde_json::from_slice(&event).unwrap();
    assert_eq!(
        (event["id"].as_str(), note(&event)),
        (Some("pointed-to"), 4_400_000)
    );
    assert_eq!(pointer.attributes["ce-id"]["StringValue"], "pointed-to");
}

#[tokio::test]
async fn a_queue_that_refuses_messages_delays_nobody_and_what_it_refused_is_kept() {
    let aws = Aws::start().await;
    let gone = aws.queue_url("gone");
    aws.subscribe("gone", &gone, &["*"], &[]).await;
    let mut function = aws.ingress().await;
    function
        .accept(&signed("studio", &creative_force("p-1", "")))
        .await;
    let (batch, _) = aws.next_batch().await;
    assert_eq!(function.invoke(&batch).await, Answer::Success(Value::Null));
    assert_eq!(aws.drain("events").await.len(), 1);
    let kept = aws.drain("dead").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].body["id"], "p-1");
    assert_eq!(kept[0].attributes["queue"]["StringValue"], gone);
    assert!(
        kept[0].attributes["reason"]["StringValue"]
            .as_str()
            .unwrap()
            .contains("Queue")
    );
}

/// The seconds of now and of this much later.
fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

#[tokio::test]
async fn a_listener_gets_events_until_its_end_and_one_that_is_gone_harms_nobody() {
    let mut aws = Aws::start().await;
    for queue in ["listening", "ended"] {
        let create = json!({"QueueName": queue});
        aws.call("AmazonSQS.CreateQueue", &create).await;
    }
    let search = aws.queue_url("search");
    aws.subscribe("search", &search, &["*"], &[]).await;
    for (name, seconds) in [("listening", 300), ("gone", 300), ("ended", -1)] {
        let queue = aws.queue_url(name);
        aws.subscribe_listener(name, &queue, in_seconds(seconds))
            .await;
    }
    let mut function = aws.ingress().await;
    for id in ["p-1", "p-2"] {
        let webhook = signed("studio", &creative_force(id, ""));
        function.accept(&webhook).await;
    }
    aws.drain_stream(&mut function).await;
    for (queue, messages) in [
        ("events", 2),
        ("search", 2),
        ("listening", 2),
        ("ended", 0),
        ("dead", 0),
    ] {
        assert_eq!(aws.drain(queue).await.len(), messages, "{queue}");
    }
    let output = function.output().await;
    let dropped: Vec<Value> = output
        .iter()
        .filter(|line| line.contains("listener's queue"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(dropped.len(), 1, "{output:?}");
    assert_eq!(
        (&dropped[0]["level"], &dropped[0]["fields"]["messages"]),
        (&json!("INFO"), &json!(2))
    );
    assert!(!output.iter().any(|line| line.contains("ERROR")));
    let line = batch_lines(&output).remove(0);
    assert_eq!(line["outcome"], "published");
    assert!(line["dead_lettered"].is_null() || line["dead_lettered"] == 0);
}

#[tokio::test]
async fn a_poison_record_goes_to_quarantine_and_the_batch_goes_on() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    function
        .accept(&signed("studio", &creative_force("p-1", "")))
        .await;
    function
        .accept(&signed(
            "studio",
            &creative_force("claimed", &"x".repeat(300 * 1024)),
        ))
        .await;
    aws.put_item(&json!({"pk": {"S": "made by hand"}, "accepted_at": {"N": "1"}}))
        .await;
    aws.put_item(&json!({"pk": {"S": "made by hand, worse"}, "body": {"S": "not binary"}}))
        .await;
    let recorded = aws.recorded().await;
    let item = recorded.iter().find(|item| item["id"]["S"] == "p-1");
    let item = item.unwrap();
    for (name, value) in [
        ("gatewaysource", json!({"S": "a b"})),
        ("id", json!({"S": "a\u{1}"})),
        ("accepted_at", json!({"N": "-62135596800001"})),
    ] {
        let mut item = item.clone();
        item["pk"] = json!({"S": format!("changed by hand: {name}")});
        item[name] = value;
        aws.put_item(&item).await;
    }
    for name in ["id", "gatewaysource", "body_s3"] {
        let mut item = item.clone();
        for body in ["body", "body_z"] {
            item.as_object_mut().unwrap().remove(body);
        }
        item["body_s3"] = json!({"S": "bodies/1"});
        item[name] = json!({"S": ""});
        item["pk"] = json!({"S": format!("an empty {name}")});
        aws.put_item(&item).await;
    }
    let claimed = aws
        .recorded()
        .await
        .into_iter()
        .filter(|item| item["id"]["S"] == "claimed")
        .find_map(|item| item["body_s3"]["S"].as_str().map(str::to_owned));
    aws.delete_object(&claimed.unwrap()).await;
    function
        .accept(&signed("studio", &creative_force("p-2", "")))
        .await;

    aws.drain_stream(&mut function).await;
    let ids = aws.drain_event_ids().await;
    assert_eq!(ids, ["p-1", "p-2"]);
    let quarantined = aws.drain("quarantine").await;
    let reasons: Vec<_> = quarantined
        .iter()
        .map(|message| message.attributes["reason"]["StringValue"].to_string())
        .collect();
    assert_eq!(reasons.len(), 9, "{reasons:?}");
    assert!(reasons[0].contains("not in the bucket"), "{reasons:?}");
    for name in ["id", "gatewaysource", "body_s3"] {
        let expected = format!("no valid {name}");
        assert!(
            reasons.iter().any(|reason| reason.contains(&expected)),
            "{reasons:?}"
        );
    }
    let texts: Vec<_> = quarantined
        .into_iter()
        .map(|message| message.text)
        .collect();
    assert_strict(&texts);
}

#[tokio::test]
async fn deletions_and_changes_of_other_attributes_publish_nothing() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    function
        .accept(&signed("studio", &creative_force("p-1", "")))
        .await;
    aws.drain_stream(&mut function).await;
    aws.drain("events").await;
    let mut item = aws.recorded().await.remove(0);
    item["expires_at"] = json!({"N": "1"});
    aws.put_item(&item).await;
    aws.delete_item(&item["pk"]).await;
    let (batch, _) = aws.next_batch().await;
    assert_eq!(batch["Records"].as_array().unwrap().len(), 2);
    aws.drain_stream(&mut function).await;
    assert_eq!(
        aws.drain("events").await.len() + aws.drain("quarantine").await.len(),
        0
    );
}

#[tokio::test]
async fn a_batch_fails_while_the_subscriptions_are_unknown() {
    let aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    function
        .accept(&signed("studio", &creative_force("p-1", "")))
        .await;
    proxy
        .break_down("dynamodb", "Query", "AccessDeniedException", 400)
        .await;
    let (batch, _) = aws.next_batch().await;
    assert!(matches!(function.invoke(&batch).await, Answer::Error(_)));
    proxy.heal().await;
    assert_eq!(function.invoke(&batch).await, Answer::Success(Value::Null));
}

#[tokio::test]
async fn what_is_neither_a_request_nor_a_batch_is_an_error() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for event in [
        json!({}),
        json!([]),
        json!("text"),
        json!({"Records": "none"}),
    ] {
        assert!(
            matches!(function.invoke(&event).await, Answer::Error(_)),
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_function_whose_time_runs_short_says_how_far_it_came() {
    let mut aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let mut function = aws.ingress_behind(tap.url()).await;
    let ids: Vec<_> = (0..10).map(|id| format!("p-{id}")).collect();
    for id in &ids {
        let webhook = signed("studio", &creative_force(id, &"x".repeat(300 * 1024)));
        function.accept(&webhook).await;
    }
    // All of them take 20 s. An invocation has 16 s for reading.
    tap.slow_down("/bodies/", Duration::from_secs(2));
    let mut interrupted = 0;
    loop {
        let (batch, after) = aws.next_batch().await;
        if batch["Records"].as_array().unwrap().is_empty() {
            break;
        }
        let answer = function.begin_within(&batch, Duration::from_secs(24)).await;
        let Answer::Success(answer) = answer.unwrap() else {
            panic!("{:?}", function.output().await);
        };
        interrupted += usize::from(answer != Value::Null);
        aws.go_on(&answer, after).await;
    }
    assert!(interrupted > 0, "one invocation did it all");
    assert_eq!(aws.drain_event_ids().await, ids);
    let outcomes: Vec<_> = batch_lines(&function.output().await)
        .iter()
        .map(|batch_line| batch_line["outcome"].clone())
        .collect();
    assert_eq!(outcomes.len(), interrupted + 1);
    assert_eq!(outcomes[interrupted], "published");
    assert!(
        outcomes[..interrupted]
            .iter()
            .all(|outcome| outcome == "partial")
    );
    let operator = Operator::of(&aws).await;
    let noted = operator.run(&["event", "list"]).await.json();
    assert_eq!(noted.len(), ids.len());
}

#[tokio::test]
async fn a_function_without_time_takes_nothing() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let webhook = signed("studio", &creative_force("p-1", ""));
    function.accept(&webhook).await;
    let (batch, _) = aws.next_batch().await;
    let answer = function.begin_within(&batch, Duration::ZERO).await;
    assert!(matches!(answer.unwrap(), Answer::Error(_)));
    assert_eq!(aws.drain("events").await.len(), 0);
    aws.drain_stream(&mut function).await;
    assert_eq!(aws.drain_event_ids().await, ["p-1"]);
}

#[tokio::test]
async fn a_journal_that_hangs_does_not_take_the_invocation_with_it() {
    let mut aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let mut function = aws.ingress_behind(tap.url()).await;
    let webhook = signed("studio", &creative_force("p-1", ""));
    function.accept(&webhook).await;
    let (batch, after) = aws.next_batch().await;
    // It takes longer than the invocation has: the SDK alone waits for 3 s, three times.
    tap.hang("PutItem", "published#");
    let answer = function.begin_within(&batch, Duration::from_secs(6)).await;
    assert_eq!(answer.unwrap(), Answer::Success(Value::Null));
    aws.acknowledge(after);
    let output = function.output().await;
    let said = |line: &String| line.contains("the time ran out before");
    assert!(output.iter().any(said), "{output:?}");
    assert_eq!(aws.drain_event_ids().await, ["p-1"]);
}

#[tokio::test]
async fn a_record_whose_payload_stays_out_of_reach_ends_in_quarantine_and_not_in_a_stuck_shard() {
    let mut aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    for (id, bytes) in [("claimed", 300 * 1024), ("after", 0)] {
        let webhook = signed("studio", &creative_force(id, &"x".repeat(bytes)));
        function.accept(&webhook).await;
    }
    proxy
        .break_down("s3", "GetObject", "AccessDenied", 403)
        .await;
    let (mut batch, after) = aws.next_batch().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let created_at = |hours: u64| json!(now.as_secs() - hours * 3600);
    batch["Records"][0]["dynamodb"]["ApproximateCreationDateTime"] = created_at(5);
    let failed = function.invoke(&batch).await;
    assert!(matches!(failed, Answer::Error(_)), "{failed:?}");
    // As long as other records come first, it is not given up: the stream offers them without it.
    batch["Records"][0]["dynamodb"]["ApproximateCreationDateTime"] = created_at(7);
    let mut behind = batch.clone();
    behind["Records"].as_array_mut().unwrap().reverse();
    let failed = function.invoke(&behind).await;
    assert!(matches!(failed, Answer::Error(_)), "{failed:?}");
    assert_eq!(aws.drain("events").await.len(), 0);

    let answer = function.invoke(&batch).await;
    assert_eq!(answer, Answer::Success(Value::Null));
    aws.acknowledge(after);
    assert_eq!(aws.drain_event_ids().await, ["after"]);
    let kept = aws.drain("quarantine").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].attributes["ce-id"]["StringValue"], "claimed");
    let reason = kept[0].attributes["reason"]["StringValue"].as_str();
    assert!(
        reason.unwrap().contains("given up after 6 hours"),
        "{reason:?}"
    );

    // The journal does not list it as published. When the body is in reach again, the operator publishes it.
    let operator = Operator::of(&aws).await;
    let noted = operator.run(&["event", "list"]).await.json();
    assert_eq!(noted.len(), 1, "{noted:?}");
    proxy.heal().await;
    let replay = ["event", "replay", "--id", "claimed", "--queue", "events"];
    let replayed = operator.run(&replay).await;
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    assert_eq!(aws.drain_event_ids().await, ["claimed"]);
}

#[tokio::test]
async fn a_body_that_somebody_changed_is_not_published() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for id in ["changed", "well"] {
        let webhook = signed("studio", &creative_force(id, &"x".repeat(300 * 1024)));
        function.accept(&webhook).await;
    }
    let items: Vec<_> = aws.recorded().await.iter().map(plain).collect();
    let of = |id: &str| items.iter().find(|item| item["id"] == id).unwrap();
    let other = creative_force("changed", "another body").into_bytes();
    let key = of("changed")["body_s3"].as_str().unwrap();
    aws.put_object(key, other).await;
    aws.drain_stream(&mut function).await;
    assert_eq!(aws.drain_event_ids().await, ["well"]);
    let kept = aws.drain("quarantine").await;
    assert_eq!(kept.len(), 1);
    let reason = kept[0].attributes["reason"]["StringValue"]
        .as_str()
        .unwrap();
    assert!(reason.contains(key) && reason.contains("hash"), "{reason}");
}

#[tokio::test]
async fn who_gets_nothing_as_his_item_is_not_readable_is_counted() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for kind in ["subscription", "endpoint"] {
        let item = json!({"kind": {"S": kind}, "id": {"S": "newer"}, "form": {"N": "2"}});
        let put = json!({"TableName": "endpoints", "Item": item});
        aws.call("DynamoDB_20120810.PutItem", &put).await;
    }
    let webhook = signed("studio", &creative_force("p-1", ""));
    function.accept(&webhook).await;
    aws.drain_stream(&mut function).await;
    let line = batch_lines(&function.output().await).remove(0);
    assert_eq!(line["unreadable"], 2);
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].to_string();
    assert!(metrics.contains("\"unreadable\""), "{metrics}");
}

/// The lines of batches in the output of a function.
fn batch_lines(output: &[String]) -> Vec<Value> {
    let lines = output.iter().filter(|line| line.contains("\"changes\""));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
