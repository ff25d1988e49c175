//! All messages on the stack's queues. One consumer receives them and keeps them by source, and notifications
//! by endpoint: parallel tests would otherwise take each other's messages.

use super::gateway::{Gateway, MARK};
use super::{endpoint::Endpoint, eventually, source::Source};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

/// A queue of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Queue {
    Events,
    Quarantine,
    DeadLetter,
}

/// A message as a consumer receives it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) body: String,
    attributes: Value,
}

impl Message {
    /// An attribute, or the empty text.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes[name]["StringValue"]
            .as_str()
            .unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The source of the message, or the endpoint or source of a notification, if these tests created it.
    fn owner(&self) -> Option<String> {
        let source = self.attribute("gatewaysource");
        if self.attribute("ce-source") != "urn:webhook-gateway" {
            return source.starts_with(MARK).then(|| source.to_owned());
        }
        let notice = &self.json()["data"];
        let (name, owner) = match notice["source"].as_str() {
            Some(source) => (source, source),
            None => (
                notice["name"].as_str().unwrap(),
                notice["endpoint"].as_str().unwrap(),
            ),
        };
        name.starts_with(MARK).then(|| owner.to_owned())
    }
}

type Messages = HashMap<(Queue, String), Vec<Message>>;

static INBOX: LazyLock<Mutex<Messages>> = LazyLock::new(Mutex::default);

/// Receives for as long as the tests run.
pub(super) fn start() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let gateway = Gateway::find().await;
            tokio::join!(
                receive(&gateway, Queue::Events, "EventsQueueUrl"),
                receive(&gateway, Queue::Quarantine, "QuarantineQueueUrl"),
                receive(&gateway, Queue::DeadLetter, "DeadLetterQueueUrl"),
            );
        });
    });
}

async fn receive(gateway: &Gateway, queue: Queue, output: &str) {
    let url = gateway.output(output);
    let request = json!({
        "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"],
    });
    loop {
        let mut answer = gateway.aws("AmazonSQS.ReceiveMessage", &request).await;
        let Value::Array(received) = answer["Messages"].take() else {
            continue;
        };
        for mut message in received {
            let receipt = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            let body = message["Body"].as_str().unwrap().to_owned();
            let message = Message {
                body,
                attributes: message["MessageAttributes"].take(),
            };
            // Messages that do not belong to these tests stay on the queue, and become visible again later.
            let Some(owner) = message.owner() else {
                continue;
            };
            gateway.aws("AmazonSQS.DeleteMessage", &receipt).await;
            INBOX
                .lock()
                .unwrap()
                .entry((queue, owner))
                .or_default()
                .push(message);
        }
    }
}

/// All messages of an owner that a queue has had.
pub(crate) fn messages(queue: Queue, owner: &str) -> Vec<Message> {
    let inbox = INBOX.lock().unwrap();
    inbox
        .get(&(queue, owner.to_owned()))
        .cloned()
        .unwrap_or_default()
}

impl Endpoint<'_> {
    /// The notifications about this endpoint.
    pub(crate) fn notices(&self) -> Vec<Value> {
        let notices = messages(Queue::Events, &self.id);
        notices.iter().map(Message::json).collect()
    }
}

impl Source<'_> {
    /// All messages of this source that a queue has had.
    pub(crate) fn messages(&self, queue: Queue) -> Vec<Message> {
        messages(queue, &self.name)
    }

    /// Waits for the message of an event.
    pub(crate) async fn message(&self, queue: Queue, id: &str) -> Message {
        let is_it = |message: &Message| message.attribute("ce-id") == id;
        let what = format!("{id} of {} on {queue:?}", self.name);
        eventually(&what, || async {
            self.messages(queue).into_iter().find(is_it)
        })
        .await
    }
}
