//! What several tests of the tool do with their AWS and with a running tool.

use serde_json::{Value, json};
use testkit::aws::Aws;
use tokio::process::{Child, Command};

/// Longer than anything is on its way, in milliseconds.
const LONG: i64 = 10 * 60_000;

/// Gives the queues the attributes that the template gives them.
pub(super) async fn deploy(aws: &Aws) {
    let dead = "arn:aws:sqs:us-east-1:000000000000:dead";
    let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 50}).to_string();
    for (queue, attributes) in [
        ("dead", json!({"MessageRetentionPeriod": "1209600"})),
        (
            "deliveries",
            json!({"MessageRetentionPeriod": "604800", "RedrivePolicy": redrive}),
        ),
    ] {
        let request = json!({"QueueUrl": aws.queue_url(queue), "Attributes": attributes});
        aws.call("AmazonSQS.SetQueueAttributes", &request).await;
    }
}

/// Moves a time of some items of a table into the past.
pub(super) async fn age(
    aws: &Aws,
    table: &str,
    attribute: &str,
    is_meant: impl Fn(&Value) -> bool,
) {
    let scan = json!({"TableName": table});
    let scanned = aws.call("DynamoDB_20120810.Scan", &scan).await;
    for mut item in scanned["Items"].as_array().unwrap().clone() {
        if let Some(at) = item[attribute]["N"].as_str()
            && is_meant(&item)
        {
            let at: i64 = at.parse().unwrap();
            item[attribute] = json!({"N": (at - LONG).to_string()});
            let request = json!({"TableName": table, "Item": item});
            aws.call("DynamoDB_20120810.PutItem", &request).await;
        }
    }
}

/// Puts a message on the dead-letter queue, without any attribute.
pub(super) async fn send_to_dead(aws: &Aws, body: &str) {
    let message = json!({"QueueUrl": aws.queue_url("dead"), "MessageBody": body});
    aws.call("AmazonSQS.SendMessage", &message).await;
}

/// Presses Ctrl-C.
pub(super) async fn interrupt(tool: &Child) {
    let pid = tool.id().unwrap().to_string();
    let interrupt = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(interrupt.unwrap().success());
}
