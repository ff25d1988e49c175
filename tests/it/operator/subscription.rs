//! What the tool says of a queue that is to be subscribed, before an event has to fail for it.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::operator::Operator;

/// The notes of the tool: the first two are of every subscription.
async fn add(operator: &Operator, name: &str, queue: &str) -> Vec<String> {
    let added = operator
        .run(&["subscription", "create", name, "--queue", queue])
        .await;
    assert_eq!(added.json().len(), 1);
    let notes = added.notes.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["note"].as_str().unwrap().to_owned()
    });
    notes.collect()
}

async fn create(aws: &Aws, name: &str, attributes: &Value) -> String {
    let create = json!({"QueueName": name, "Attributes": attributes});
    aws.call("AmazonSQS.CreateQueue", &create).await;
    aws.queue_url(name)
}

#[tokio::test]
async fn a_queue_that_will_not_take_every_event_is_told_so() {
    let aws = Aws::start().await;
    let key = aws.call("TrentService.CreateKey", &json!({})).await;
    let key = key["KeyMetadata"]["Arn"].as_str().unwrap();
    let alias = json!({"AliasName": "alias/theirs", "TargetKeyId": key});
    aws.call("TrentService.CreateAlias", &alias).await;
    let operator = Operator::of(&aws).await;
    let allowing = Operator::allowing(&aws, key).await;
    let id = key.rsplit('/').next().unwrap();

    let small = create(&aws, "small", &json!({"MaximumMessageSize": "262144"})).await;
    let plain = create(&aws, "plain", &json!({})).await;
    let mut cases = vec![
        (plain, "", false),
        (small, "MaximumMessageSize to 1048576", true),
        (aws.queue_url("none"), "cannot be read", true),
    ];
    for (name, key) in [("by-arn", key), ("by-id", id), ("by-alias", "alias/theirs")] {
        let queue = create(&aws, name, &json!({"KmsMasterKeyId": key})).await;
        cases.push((queue, "ConsumerKeyArns", false));
    }
    let aws_key = json!({"KmsMasterKeyId": "alias/aws/sqs"});
    cases.push((create(&aws, "by-aws", &aws_key).await, "", false));
    for (case, (queue, expected, even_if_allowed)) in cases.iter().enumerate() {
        let told = add(&operator, &format!("first-{case}"), queue).await;
        let is_told = |told: &[String]| told[2..].iter().any(|line| line.contains(expected));
        if expected.is_empty() {
            assert_eq!(told.len(), 2, "{queue}: {told:?}");
        } else {
            assert!(is_told(&told), "{queue}: {told:?}");
        }
        let told = add(&allowing, &format!("second-{case}"), queue).await;
        assert_eq!(told.len() > 2, *even_if_allowed, "{queue}: {told:?}");
    }
}

#[tokio::test]
async fn a_queue_of_another_region_is_refused() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/search";
    let refused = operator
        .run(&["subscription", "create", "search", "--queue", queue])
        .await;
    let error = refused.error();
    assert!(
        error.contains("eu-west-1") && error.contains("us-east-1"),
        "{error}"
    );
    let listed = operator.run(&["subscription", "list"]).await;
    assert_eq!(listed.json().len(), 0);
}
