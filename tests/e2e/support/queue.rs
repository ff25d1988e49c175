//! A queue of one test, outside the stack.

use super::gateway::{Gateway, MARK, name};
use serde_json::{Value, json};

/// A queue outside the stack.
pub(crate) struct OwnQueue<'a> {
    gateway: &'a Gateway,
    name: String,
    pub(crate) url: String,
}

impl OwnQueue<'_> {
    pub(crate) async fn create(gateway: &Gateway, lets_in: bool) -> OwnQueue<'_> {
        let name = name();
        let mut attributes = json!({});
        if lets_in {
            let policy = json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
                "Resource": arn(gateway, &name),
            }]});
            attributes["Policy"] = json!(policy.to_string());
        }
        let request = json!({"QueueName": name, "Attributes": attributes});
        let answer = gateway.aws("AmazonSQS.CreateQueue", &request).await;
        let url = answer["QueueUrl"].as_str().unwrap().to_owned();
        OwnQueue { gateway, name, url }
    }

    /// A queue that gets the operators' notifications.
    pub(crate) async fn of_notices(gateway: &Gateway) -> OwnQueue<'_> {
        let queue = OwnQueue::create(gateway, true).await;
        let arn = arn(gateway, &queue.name);
        let topic = gateway.output("NoticesTopicArn");
        let subscribe = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", &arn)];
        gateway.sns("Subscribe", &subscribe).await;
        queue
    }

    pub(crate) async fn receive(&self) -> Vec<Value> {
        let request =
            json!({"QueueUrl": self.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
        let mut answer = self.gateway.aws("AmazonSQS.ReceiveMessage", &request).await;
        let Value::Array(messages) = answer["Messages"].take() else {
            return Vec::new();
        };
        let body =
            |message: &Value| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        messages.iter().map(body).collect()
    }

    /// Deletes the queue and its subscriptions.
    pub(crate) async fn delete(self) {
        remove(self.gateway, &self.name).await;
    }
}

fn arn(gateway: &Gateway, name: &str) -> String {
    format!(
        "arn:aws:sqs:{}:000000000000:{name}",
        gateway.output("AwsRegion")
    )
}

/// Removes the queues with this prefix.
async fn remove(gateway: &Gateway, prefix: &str) {
    let topic = [("TopicArn", gateway.output("NoticesTopicArn"))];
    let subscribed = gateway.sns("ListSubscriptionsByTopic", &topic).await;
    for subscription in subscribed.split("<member>").skip(1) {
        if element(subscription, "Endpoint").starts_with(&arn(gateway, prefix)) {
            let subscription = element(subscription, "SubscriptionArn");
            gateway
                .sns("Unsubscribe", &[("SubscriptionArn", subscription)])
                .await;
        }
    }
    let list = json!({"QueueNamePrefix": prefix});
    let queues = gateway.aws("AmazonSQS.ListQueues", &list).await;
    for url in queues["QueueUrls"].as_array().into_iter().flatten() {
        gateway
            .aws("AmazonSQS.DeleteQueue", &json!({"QueueUrl": url}))
            .await;
    }
}

/// Removes the leftovers of earlier runs.
pub(super) async fn remove_earlier(gateway: &Gateway) {
    remove(gateway, MARK).await;
}

/// The text of an element of XML.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap();
    rest.split_once("</").unwrap().0
}
