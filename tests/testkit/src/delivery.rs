//! The environment of the delivery function: its AWS, with a key and a topic, endpoints and events, and the
//! delivery queue. A test passes messages from the queue to the function as Lambda does.

use crate::aws::Aws;
use crate::function::{Answer, Function};
use crate::items::{item, plain};
use crate::proxy::Proxy;
use crate::tap::Tap;
use crate::webhook;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::endpoints::delivery_id;

/// The default secret of endpoints.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The time at which event 0 was accepted, in milliseconds.
const EPOCH: i64 = 1_790_000_000_000;

/// The size of a batch in the template.
const BATCH: usize = 10;

/// An AWS with the resources of the delivery function, and a tap in front of it.
pub struct DeliveryHarness {
    pub aws: Aws,
    pub tap: Tap,
    key: String,
}

impl DeliveryHarness {
    /// Starts an AWS without any endpoint.
    pub async fn start() -> Self {
        let aws = Aws::start().await;
        let tap = Tap::start(aws.url()).await;
        let key = aws.call("TrentService.CreateKey", &json!({})).await;
        let topic = [("Action", "CreateTopic"), ("Name", "notices")];
        aws.call_sns(&topic).await;
        aws.call("AmazonSQS.CreateQueue", &json!({"QueueName": "notices"}))
            .await;
        let subscribe = [
            ("Action", "Subscribe"),
            ("TopicArn", "arn:aws:sns:us-east-1:000000000000:notices"),
            ("Protocol", "sqs"),
            ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:notices"),
        ];
        aws.call_sns(&subscribe).await;
        Self {
            tap,
            key: key["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned(),
            aws,
        }
    }

    /// Starts the function behind the tap.
    pub async fn function(&self) -> Function {
        self.function_behind(self.tap.url()).await
    }

    /// Starts the function behind a proxy at this endpoint.
    pub async fn function_behind(&self, endpoint: &str) -> Function {
        self.function_with(endpoint, &[]).await
    }

    /// Starts the function behind a proxy at this endpoint, with further environment variables.
    pub async fn function_with(&self, endpoint: &str, more: &[(&'static str, String)]) -> Function {
        let mut environment = self.aws.environment_of("DeliveryFunction", endpoint);
        environment.extend_from_slice(more);
        Function::start(&crate::binary("delivery"), &environment).await
    }

    /// Encrypts a secret for an endpoint.
    pub async fn sealed(&self, endpoint: &str, secret: &str) -> Value {
        let request = json!({
            "KeyId": self.key, "Plaintext": STANDARD.encode(secret),
            "EncryptionContext": {"endpoint": endpoint},
        });
        let answer = self.aws.call("TrentService.Encrypt", &request).await;
        json!({"ciphertext": answer["CiphertextBlob"]})
    }

    /// Creates or replaces an endpoint that gets all events, except for these members.
    pub async fn endpoint(&self, id: &str, url: &str, members: &Value) {
        let mut endpoint = json!({
            "kind": "endpoint", "id": id, "version": 1, "name": format!("the endpoint {id}"), "url": url,
            "events": ["*"], "sources": [], "headers": [], "timeout": 5, "retry": [5, 300, 1800],
            "format": "cloudevents", "signature": "standard-webhooks",
            "secrets": [self.sealed(id, SECRET).await], "state": "active", "created_at": 0, "updated_at": 0,
        });
        for (name, value) in members.as_object().unwrap() {
            endpoint[name] = value.clone();
        }
        let request = json!({"TableName": "endpoints", "Item": item(&endpoint)});
        self.aws.call("DynamoDB_20120810.PutItem", &request).await;
    }

    /// Sets the circuit of an endpoint.
    pub async fn put_circuit(&self, id: &str, members: &Value) {
        let mut circuit = members.clone();
        circuit["kind"] = json!("circuit");
        circuit["id"] = json!(id);
        let request = json!({"TableName": "endpoints", "Item": item(&circuit)});
        self.aws.call("DynamoDB_20120810.PutItem", &request).await;
    }

    /// Lets an invocation's claim to the notification of an endpoint expire.
    pub async fn end_claim(&self, id: &str) {
        let mut circuit = self.standing("circuit", id).await;
        if circuit["notice"].is_object() {
            circuit["notice"]["claimed_until"] = json!(0);
            self.put_circuit(id, &circuit).await;
        }
    }

    /// An item of the endpoints table: an `endpoint` or a `circuit`.
    pub async fn standing(&self, kind: &str, id: &str) -> Value {
        let request =
            json!({"TableName": "endpoints", "Key": item(&json!({"kind": kind, "id": id}))});
        let answer = self.aws.call("DynamoDB_20120810.GetItem", &request).await;
        answer.get("Item").map(plain).unwrap_or_default()
    }

    /// Puts the event of this number into the ledger, and a message to deliver it onto the queue.
    pub async fn offer(&self, endpoint: &str, number: u32) {
        self.accept(number).await;
        self.order(endpoint, number).await;
    }

    /// Puts the event of this number into the ledger.
    pub async fn accept(&self, number: u32) {
        let event = event(number);
        let body = webhook::creative_force(&event.id, "");
        let mut entry = ledger_item(&event);
        entry["body"] = json!({"B": STANDARD.encode(body)});
        self.aws.put_item(&entry).await;
    }

    /// Puts a message to deliver an event onto the queue.
    pub async fn order(&self, endpoint: &str, number: u32) {
        self.send(&json!({"kind": "delivery/1", "endpoint": endpoint, "event": event(number)}))
            .await;
    }

    /// Puts a message onto the delivery queue.
    pub async fn send(&self, message: &Value) {
        let request = json!({
            "QueueUrl": self.aws.queue_url("deliveries"), "MessageBody": message.to_string(),
        });
        self.aws.call("AmazonSQS.SendMessage", &request).await;
    }

    /// The record of a delivery, or null.
    pub async fn record(&self, endpoint: &str, number: u32) -> Value {
        let id = id(endpoint, number);
        let mut records = self.records(endpoint).await.into_iter();
        records
            .find(|record| record["id"] == id)
            .unwrap_or_default()
    }

    /// All records of an endpoint, the oldest event first.
    pub async fn records(&self, endpoint: &str) -> Vec<Value> {
        let request = json!({
            "TableName": "deliveries", "ConsistentRead": true,
            "KeyConditionExpression": "endpoint = :endpoint",
            "ExpressionAttributeValues": {":endpoint": {"S": endpoint}},
        });
        let answer = self.aws.call("DynamoDB_20120810.Query", &request).await;
        answer["Items"]
            .as_array()
            .unwrap()
            .iter()
            .map(plain)
            .collect()
    }

    /// The ids of the held deliveries of an endpoint, the oldest event first.
    pub async fn held(&self, endpoint: &str) -> Vec<String> {
        let entries = self.records(&format!("held#{endpoint}")).await;
        let ids = entries.iter().map(|entry| entry["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }

    /// The number of an endpoint's deliveries in each state.
    pub async fn states(&self, endpoint: &str) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for record in self.records(endpoint).await {
            let state = record["state"].as_str().unwrap().to_owned();
            *states.entry(state).or_default() += 1;
        }
        states
    }
}

/// The delivery queue.
impl DeliveryHarness {
    /// Takes all messages off the queue, in the form that Lambda passes on.
    pub async fn receive(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let received = self.receive_some(0).await;
            if received.is_empty() {
                return all;
            }
            all.extend(received);
        }
    }

    /// Takes a batch off the queue, and waits at most this many seconds for it.
    pub async fn receive_some(&self, seconds: u32) -> Vec<Value> {
        let request = json!({
            "QueueUrl": self.aws.queue_url("deliveries"), "MaxNumberOfMessages": BATCH,
            "MessageSystemAttributeNames": ["All"], "WaitTimeSeconds": seconds,
        });
        let answer = self.aws.call("AmazonSQS.ReceiveMessage", &request).await;
        let received = answer["Messages"].as_array().into_iter().flatten();
        let record = |message: &Value| {
            json!({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"], "attributes": message["Attributes"], "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"], "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:deliveries", "awsRegion": "us-east-1",
            })
        };
        received.map(record).collect()
    }

    /// Puts messages back onto the queue, to be received at once.
    pub async fn put_back(&self, messages: &[Value]) {
        for message in messages {
            let request = json!({
                "QueueUrl": self.aws.queue_url("deliveries"), "ReceiptHandle": message["receiptHandle"],
                "VisibilityTimeout": 0,
            });
            self.aws
                .call("AmazonSQS.ChangeMessageVisibility", &request)
                .await;
        }
    }

    /// Invokes the function with a batch, and ends as Lambda does. Returns the unfinished messages, which are
    /// back on the queue.
    pub async fn run(&self, function: &mut Function, batch: Vec<Value>) -> Vec<Value> {
        match function.invoke(&json!({"Records": batch})).await {
            Answer::Success(answer) => self.conclude(batch, &answer).await,
            answer => panic!("{answer:?}"),
        }
    }

    /// Begins an invocation of the function with all messages of the queue.
    pub async fn begin(&self, function: &Function) -> (Vec<Value>, oneshot::Receiver<Answer>) {
        let batch = self.receive().await;
        let answer = function.begin(&json!({"Records": batch}));
        (batch, answer)
    }

    /// Waits for the end of an invocation, and ends as Lambda does: see [`run`](Self::run).
    pub async fn end(&self, batch: Vec<Value>, answer: oneshot::Receiver<Answer>) -> Vec<Value> {
        match answer.await.unwrap() {
            Answer::Success(answer) => self.conclude(batch, &answer).await,
            answer => panic!("{answer:?}"),
        }
    }

    /// Deletes the messages that an answer does not list, and puts back the others.
    pub async fn conclude(&self, batch: Vec<Value>, answer: &Value) -> Vec<Value> {
        let kept = self.delete(batch, answer).await;
        self.put_back(&kept).await;
        kept
    }

    /// Deletes the messages that an answer does not list. Returns the others.
    pub async fn delete(&self, batch: Vec<Value>, answer: &Value) -> Vec<Value> {
        let failed = answer["batchItemFailures"].as_array().unwrap().iter();
        let failed: Vec<_> = failed.map(|failure| &failure["itemIdentifier"]).collect();
        let (kept, done): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|message| failed.contains(&&message["messageId"]));
        assert_eq!(kept.len(), failed.len(), "an id that was not in the batch");
        for message in done {
            let request = json!({
                "QueueUrl": self.aws.queue_url("deliveries"), "ReceiptHandle": message["receiptHandle"],
            });
            self.aws.call("AmazonSQS.DeleteMessage", &request).await;
        }
        kept
    }

    /// Passes all messages of the queue to the function, once each.
    pub async fn pump(&self, function: &mut Function) {
        self.pump_only(function, |_| true).await;
    }

    /// Passes the messages of a kind to the function, once each, and leaves the others.
    pub async fn pump_kind(&self, function: &mut Function, kind: &str) {
        self.pump_only(function, |message| kind_of(message) == kind)
            .await;
    }

    async fn pump_only(&self, function: &mut Function, wanted: impl Fn(&Value) -> bool) {
        let (wanted, others): (Vec<_>, Vec<_>) = self.receive().await.into_iter().partition(wanted);
        for batch in wanted.chunks(BATCH) {
            self.run(function, batch.to_vec()).await;
        }
        self.put_back(&others).await;
    }

    /// Pumps at least this often, and until a fault of the proxy has occurred.
    ///
    /// On a busy machine another call may time out first, and the call that must fail comes later.
    pub async fn pump_into(
        &self,
        function: &mut Function,
        proxy: &Proxy,
        rounds: usize,
        what: &str,
    ) {
        for round in 1.. {
            self.pump(function).await;
            if round >= rounds && proxy.fired().await > 0 {
                return;
            }
            assert!(round < 50, "{what} never happened");
        }
    }

    /// Pumps until the queue is empty.
    pub async fn drain(&self, function: &mut Function) {
        for _ in 0..50 {
            let messages = self.receive().await;
            if messages.is_empty() {
                return;
            }
            for batch in messages.chunks(BATCH) {
                self.run(function, batch.to_vec()).await;
            }
        }
        panic!("the delivery queue does not drain");
    }

    /// The number of messages of each kind on the queue.
    pub async fn queued(&self) -> BTreeMap<String, usize> {
        let messages = self.receive().await;
        self.put_back(&messages).await;
        let mut kinds = BTreeMap::new();
        for message in &messages {
            *kinds.entry(kind_of(message)).or_default() += 1;
        }
        kinds
    }
}

/// The kind of a message.
pub fn kind_of(message: &Value) -> String {
    let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap_or_default();
    body["kind"].as_str().unwrap_or_default().to_owned()
}

/// The event of a number. A later event has a higher number.
pub fn event(number: u32) -> EventMeta {
    EventMeta {
        key: format!("studio#p-{number}"),
        id: format!("p-{number}"),
        event_type: "io.creativeforce.product.reset".to_owned(),
        source: "studio".to_owned(),
        provider: "creative-force".to_owned(),
        accepted_at: EPOCH + i64::from(number),
        conflict: false,
        replayed: false,
    }
}

/// The item of an event in the ledger, without its body.
pub fn ledger_item(event: &EventMeta) -> Value {
    item(&json!({
        "pk": event.key, "id": event.id, "type": event.event_type, "gatewaysource": event.source,
        "provider": event.provider, "accepted_at": event.accepted_at, "state": "accepted",
        "headers": {"content-type": "application/json"},
    }))
}

/// The id of the delivery of an event.
pub fn id(endpoint: &str, number: u32) -> String {
    delivery_id(endpoint, &event(number))
}

/// The time, in milliseconds.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}
