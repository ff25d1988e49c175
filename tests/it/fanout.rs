//! What comes onto which queue, by the real binary.

use crate::support::aws::Aws;
use crate::support::cloudevents::assert_strict;
use crate::support::function::Answer;
use crate::support::proxy::Proxy;
use crate::support::webhook::{creative_force, signed};
use serde_json::{Value, json};

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
        .invoke(&signed("studio", &creative_force("p-1", "")))
        .await;
    aws.drain_stream(&mut function).await;

    let events = aws.drain("events").await;
    let subscribed = aws.drain("search").await;
    assert_eq!((events.len(), subscribed.len()), (1, 1));
    assert_eq!(events[0].body, subscribed[0].body);
    let attributes = json!({
        "content-type": "application/cloudevents+json", "ce-id": "p-1", "ce-source": "urn:webhook:studio",
        "ce-type": "io.creativeforce.product.reset", "vendor": "creative-force", "gatewaysource": "studio",
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
        assert!(matches!(
            function
                .invoke(&signed("studio", &creative_force(id, &note)))
                .await,
            Answer::Success(_)
        ));
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
        .invoke(&signed("studio", &creative_force("p-1", "")))
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

#[tokio::test]
async fn a_poison_record_goes_to_quarantine_and_the_batch_goes_on() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    function
        .invoke(&signed("studio", &creative_force("p-1", "")))
        .await;
    function
        .invoke(&signed(
            "studio",
            &creative_force("claimed", &"x".repeat(300 * 1024)),
        ))
        .await;
    aws.put_item(&json!({"pk": {"S": "made by hand"}, "accepted_at": {"N": "1"}}))
        .await;
    aws.put_item(&json!({"pk": {"S": "made by hand, worse"}, "body": {"S": "not binary"}}))
        .await;
    let item = aws.recorded().await.remove(0);
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
    let claimed = aws
        .recorded()
        .await
        .into_iter()
        .find_map(|item| item["body_s3"]["S"].as_str().map(str::to_owned));
    aws.delete_object(&claimed.unwrap()).await;
    function
        .invoke(&signed("studio", &creative_force("p-2", "")))
        .await;

    aws.drain_stream(&mut function).await;
    let ids = aws.drain_event_ids().await;
    assert_eq!(ids, ["p-1", "p-2"]);
    let quarantined = aws.drain("quarantine").await;
    let reasons: Vec<_> = quarantined
        .iter()
        .map(|it| it.attributes["reason"]["StringValue"].to_string())
        .collect();
    assert_eq!(reasons.len(), 6, "{reasons:?}");
    assert!(reasons[0].contains("not in the bucket"), "{reasons:?}");
    let texts: Vec<_> = quarantined.into_iter().map(|it| it.text).collect();
    assert_strict(&texts);
}

#[tokio::test]
async fn deletions_and_changes_of_other_attributes_publish_nothing() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    function
        .invoke(&signed("studio", &creative_force("p-1", "")))
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
        .invoke(&signed("studio", &creative_force("p-1", "")))
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
