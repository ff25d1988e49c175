//! The check of every request against AWS's rules: the tests break each rule once, and the check reports it.

use serde_json::{Value, json};
use testkit::aws::Aws;

fn item(extra: &Value) -> Value {
    let mut item = json!({"kind": {"S": "k"}, "id": {"S": "i"}});
    for (name, value) in extra.as_object().unwrap() {
        item[name] = value.clone();
    }
    json!({"TableName": "journal", "Item": item})
}

fn update(expression: &str, values: &Value) -> Value {
    json!({
        "TableName": "journal", "Key": {"kind": {"S": "k"}, "id": {"S": "i"}},
        "UpdateExpression": expression, "ExpressionAttributeValues": values,
    })
}

fn batch(entries: &Value) -> Value {
    json!({"QueueUrl": "http://127.0.0.1/000000000000/events", "Entries": entries})
}

fn message(extra: &Value) -> Value {
    let mut entry = json!({"Id": "0", "MessageBody": "body"});
    for (name, value) in extra.as_object().unwrap() {
        entry[name] = value.clone();
    }
    batch(&json!([entry]))
}

fn attribute(name: &str, value: &str) -> Value {
    message(&json!({"MessageAttributes": {name: {"DataType": "String", "StringValue": value}}}))
}

/// Requests that AWS refuses, and the check's report of each.
fn refused() -> Vec<(&'static str, Value, &'static str)> {
    let one = json!({":v": {"N": "1"}});
    let write = |id: &str| json!({"PutRequest": {"Item": {"kind": {"S": "k"}, "id": {"S": id}}}});
    let get = json!({"kind": {"S": "k"}, "id": {"S": "i"}});
    let put = |keys: Vec<Value>| json!({"RequestItems": {"journal": keys}});
    vec![
        ("DynamoDB_20120810.PutThing", json!({}), "no such operation"),
        (
            "DynamoDB_20120810.PutItem",
            json!({"Item": {}}),
            "TableName",
        ),
        (
            "DynamoDB_20120810.GetItem",
            json!({"TableName": "journal", "Key": get, "Colour": 1}),
            "Unknown parameter",
        ),
        (
            "DynamoDB_20120810.PutItem",
            item(&json!({"id": {"S": ""}})),
            "0 bytes, not 1 to 1024",
        ),
        (
            "DynamoDB_20120810.PutItem",
            item(&json!({"id": {"S": "é".repeat(513)}})),
            "1026 bytes",
        ),
        (
            "DynamoDB_20120810.PutItem",
            item(&json!({"a": {"S": "x".repeat(400 * 1024)}})),
            "the item has",
        ),
        (
            "DynamoDB_20120810.PutItem",
            item(&json!({"a": {"SS": []}})),
            "a set that is empty",
        ),
        (
            "DynamoDB_20120810.PutItem",
            item(&json!({"a": {"L": [{"N": "1".repeat(39)}]}})),
            "39 digits",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("SET status = :v", &one),
            "reserved word status",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("SET a = :w", &one),
            ":w is used and not given",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("REMOVE a", &one),
            ":v is given and not used",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("SET a = :v SET b = :v", &one),
            "stands twice",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("SET a = :v REMOVE a", &one),
            "overlap",
        ),
        (
            "DynamoDB_20120810.UpdateItem",
            update("SET a.b = :v, a = :v", &one),
            "overlap",
        ),
        (
            "DynamoDB_20120810.GetItem",
            json!({"TableName": "journal", "Key": {"kind": {"S": "k"}}}),
            "not ['id', 'kind']",
        ),
        (
            "DynamoDB_20120810.Query",
            json!({
                "TableName": "journal", "KeyConditionExpression": "kind = :k AND id BETWEEN :b AND :a",
                "ExpressionAttributeValues": {":k": {"S": "k"}, ":a": {"S": "a"}, ":b": {"S": "b"}},
            }),
            "reversed",
        ),
        (
            "DynamoDB_20120810.BatchGetItem",
            json!({"RequestItems": {"journal": {"Keys": [get, get]}}}),
            "twice",
        ),
        (
            "DynamoDB_20120810.BatchWriteItem",
            put(vec![write("i"), write("i")]),
            "twice",
        ),
        (
            "DynamoDB_20120810.BatchWriteItem",
            put((0..26).map(|id| write(&id.to_string())).collect()),
            "above 25",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            batch(&json!([])),
            "a batch of 0",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            batch(&json!([{"Id": "0", "MessageBody": "a"}, {"Id": "0", "MessageBody": "b"}])),
            "one id",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            batch(&json!([{"Id": "a b", "MessageBody": "a"}])),
            "the entry's id",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            message(&json!({"MessageBody": "a\u{fffe}"})),
            "the character",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            message(&json!({"MessageBody": ""})),
            "the message is empty",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            message(&json!({"DelaySeconds": 901})),
            "a delay of 901",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            message(&json!({"MessageGroupId": "a b"})),
            "the message group",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            attribute("reason", ""),
            "is empty",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            attribute("reason", "a\u{1}"),
            "the character",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            attribute("aws.reason", "a"),
            "is named",
        ),
        (
            "AmazonSQS.SendMessageBatch",
            message(&json!({
                "MessageBody": "x".repeat(1024 * 1024),
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}},
            })),
            "1048584 bytes with their attributes",
        ),
        (
            "AmazonSQS.ChangeMessageVisibilityBatch",
            batch(&json!([{"Id": "0", "ReceiptHandle": "r", "VisibilityTimeout": 43_201}])),
            "43201 s",
        ),
        (
            "secretsmanager.PutSecretValue",
            json!({"SecretId": "sources", "SecretString": "x".repeat(65_537)}),
            "above 65536",
        ),
    ]
}

#[tokio::test]
async fn a_request_that_aws_refuses_is_noticed() {
    let aws = Aws::start().await;
    assert_eq!(aws.broken_rules(), Vec::<String>::new());
    for (target, request, expected) in refused() {
        aws.send(target, &request).await;
        let broken = aws.broken_rules();
        assert!(
            broken.iter().any(|rule| rule.contains(expected)),
            "{target}: {expected}: {broken:?}"
        );
    }
}

#[tokio::test]
async fn a_notice_that_sns_refuses_is_noticed() {
    let aws = Aws::start().await;
    for (parameters, expected) in [
        ([("Subject", "two\nlines"), ("Message", "m")], "the subject"),
        ([("Subject", "s"), ("Message", "")], "the message is empty"),
        (
            [("Topic", "t"), ("Message", "m")],
            "unknown parameter Topic",
        ),
    ] {
        let form: Vec<_> = [("Action", "Publish"), ("Version", "2010-03-31")]
            .into_iter()
            .chain(parameters)
            .collect();
        aws.send_sns(&form).await;
        let broken = aws.broken_rules();
        assert!(
            broken.iter().any(|rule| rule.contains(expected)),
            "{expected}: {broken:?}"
        );
    }
}
