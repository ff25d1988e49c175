//! Dead letters are told apart by their reasons, and sent back to where they belong.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::operator::Operator;
use testkit::webhook::{creative_force, signed};

async fn put(aws: &Aws, body: &str, queue: Option<&str>, reason: &str, id: &str) {
    let text = |text: &str| json!({"DataType": "String", "StringValue": text});
    let mut message = json!({"QueueUrl": aws.queue_url("dead"), "MessageBody": body});
    if let Some(queue) = queue {
        message["MessageAttributes"] = json!({
            "queue": text(&aws.queue_url(queue)), "reason": text(reason), "ce-id": text(id),
        });
    }
    aws.call("AmazonSQS.SendMessage", &message).await;
}

fn outcomes(lines: &[Value]) -> Vec<&str> {
    let mut outcomes: Vec<_> = lines
        .iter()
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    outcomes.sort_unstable();
    outcomes
}

#[tokio::test]
async fn dead_letters_go_back_to_where_they_belong_once() {
    let world = DeliveryHarness::start().await;
    let aws = &world.aws;
    let order = r#"{"kind":"ping/1","endpoint":"ep_1","id":"p","at":1}"#;
    put(aws, "{\"id\":\"a\"}", Some("search"), "AccessDenied", "a").await;
    put(aws, "{\"id\":\"b\"}", Some("gone"), "NonExistentQueue", "b").await;
    put(
        aws,
        "{",
        Some("deliveries"),
        "the message is not readable",
        "c",
    )
    .await;
    put(aws, order, None, "", "").await;
    put(aws, "hello", None, "", "").await;
    let operator = Operator::of(aws).await;
    let listed = operator.run(&["dead-letter", "list"]).await.json();
    let mut reasons: Vec<_> = listed
        .iter()
        .map(|row| row["reason"].as_str().unwrap())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["given-up", "refused", "refused", "unknown", "unreadable"]
    );
    let shown = operator
        .run(&["dead-letter", "show", "a"])
        .await
        .json()
        .remove(0);
    assert_eq!(
        (&shown["body"], &shown["attributes"]["reason"]),
        (&json!("{\"id\":\"a\"}"), &json!("AccessDenied"))
    );

    let dry = operator
        .run(&["dead-letter", "redrive", "--all", "--dry-run"])
        .await;
    assert_eq!(outcomes(&dry.json()), ["would-be-sent"; 3]);
    let done = operator.run(&["dead-letter", "redrive", "--all"]).await;
    // One queue is still gone.
    assert_eq!(
        (done.code, outcomes(&done.lines())),
        (Some(1), vec!["kept", "sent", "sent"])
    );
    let search = aws.drain("search").await;
    assert_eq!((search.len(), &search[0].body["id"]), (1, &json!("a")));
    let attributes = search[0].attributes.as_object().unwrap();
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["ce-id"]);
    assert_eq!(world.queued().await, [("ping/1".to_owned(), 1)].into());
    for ids in [&["typo"][..], &["typo", "b"]] {
        let redrive = [&["dead-letter", "redrive"], ids].concat();
        for redrive in [&redrive[..], &[&redrive[..], &["--dry-run"]].concat()] {
            let error = operator.run(redrive).await.error();
            assert!(error.contains("no dead letter typo"), "{error}");
        }
    }
    let again = operator.run(&["dead-letter", "redrive", "--all"]).await;
    assert_eq!(outcomes(&again.lines()), ["kept"]);
    assert!(aws.drain("search").await.is_empty());
    assert_eq!(operator.run(&["dead-letter", "list"]).await.json().len(), 3);
}

/// Each message has an object of its own, so that a consumer that deletes it with the message takes it from
/// nobody.
#[tokio::test]
async fn a_dead_letter_that_is_a_pointer_goes_back_with_an_object_of_its_own() {
    let mut aws = Aws::start().await;
    let gone = aws.queue_url("gone");
    aws.subscribe("gone", &gone, &["*"], &[]).await;
    let mut ingress = aws.ingress().await;
    let large = creative_force("large", &"n".repeat(1_100_000));
    ingress.accept(&signed("studio", &large)).await;
    aws.drain_stream(&mut ingress).await;
    let create = json!({"QueueName": "gone"});
    aws.call("AmazonSQS.CreateQueue", &create).await;

    let operator = Operator::of(&aws).await;
    let redrive = ["dead-letter", "redrive", "--all"];
    let sent = operator.run(&redrive).await.json();
    assert_eq!(outcomes(&sent), ["sent"]);
    let message = aws.drain("gone").await.remove(0);
    let key = message.body[1]["s3Key"].as_str().unwrap();
    assert!(key.starts_with("events/000000000000/gone/"), "{key}");
    assert_eq!(message.attributes["queue"], Value::Null);
    assert_ne!(message.attributes["ExtendedPayloadSize"], Value::Null);
    let event: Value = serde_json::from_slice(&aws.object(key).await).unwrap();
    assert_eq!(event["id"], "large");
}

#[tokio::test]
async fn a_dead_letter_whose_object_is_gone_stays_where_it_is() {
    let aws = Aws::start().await;
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"payloads","s3Key":"events/1/dead/gone"}]"#;
    put(&aws, pointer, Some("search"), "AccessDenied", "a").await;
    let operator = Operator::of(&aws).await;
    let kept = operator.run(&["dead-letter", "redrive", "--all"]).await;
    assert_eq!(outcomes(&kept.lines()), ["kept"]);
    let problem = kept.lines()[0]["problem"].to_string();
    assert!(problem.contains("not in the bucket"), "{problem}");
    assert_eq!(aws.drain("search").await.len(), 0);
    assert_eq!(aws.drain("dead").await.len(), 1);
}
