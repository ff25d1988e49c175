//! The dead-letter queue: its messages are taken off for a moment, put back, or sent on and deleted.

use super::reason::Reason;
use crate::Result;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use std::collections::BTreeMap;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::payloads::Payloads;

/// For so long, in seconds, nobody else gets what is looked at.
const LOOK: i32 = 120;

/// The most messages of one receive.
const BATCH: i32 = 10;

/// The attributes that say why a message is here.
const OURS: [&str; 2] = ["queue", "reason"];

/// A message of the queue.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) event: Option<String>,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttributeValue>,
    pub(crate) reason: Reason,
    /// When it was first sent, in milliseconds.
    pub(crate) sent_at: Option<i64>,
    receipt: String,
}

/// The queue.
pub(crate) struct Queue {
    client: Client,
    url: String,
    delivery_queue_url: String,
    payloads: Payloads,
}

impl Letter {
    fn read(message: Message, delivery_queue: &str) -> Self {
        let attributes: BTreeMap<_, _> = message
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .collect();
        let text = |name| {
            attributes
                .get(name)
                .and_then(MessageAttributeValue::string_value)
        };
        let body = message.body.unwrap_or_default();
        let reason = Reason::of(text("queue"), text("reason"), &body, delivery_queue);
        let system = message.attributes.unwrap_or_default();
        let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp);
        Self {
            id: message.message_id.unwrap_or_default(),
            event: text("ce-id")
                .map(str::to_owned)
                .or_else(|| reason.event.clone()),
            reason,
            sent_at: sent_at.and_then(|at| at.parse().ok()),
            receipt: message.receipt_handle.unwrap_or_default(),
            body,
            attributes,
        }
    }

    /// Whether an id means it.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.id == id || self.event.as_deref() == Some(id)
    }
}

impl Queue {
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        Ok(Self {
            client: stack.sqs(),
            url: stack.dead_letter_queue()?.to_owned(),
            delivery_queue_url: stack.delivery_queue()?.to_owned(),
            payloads: stack.payloads()?,
        })
    }

    /// Takes messages off the queue, so many at most, the oldest first.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Letter>> {
        let mut letters: Vec<Letter> = Vec::new();
        while letters.len() < limit {
            let left = i32::try_from(limit - letters.len()).unwrap_or(BATCH);
            let receive = self.client.receive_message().queue_url(&self.url);
            let answer = receive
                .max_number_of_messages(left.min(BATCH))
                .visibility_timeout(LOOK)
                .wait_time_seconds(1)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .send()
                .await;
            let answer = answer.map_err(|error| {
                format!(
                    "the dead-letter queue cannot be read: {}",
                    AwsError::from(error)
                )
            })?;
            let received = answer.messages.unwrap_or_default();
            if received.is_empty() {
                break;
            }
            let read = received
                .into_iter()
                .map(|message| Letter::read(message, &self.delivery_queue_url));
            letters.extend(read);
        }
        letters.sort_by_key(|letter| letter.sent_at);
        Ok(letters)
    }

    /// Puts messages back; one that is not comes back by itself in two minutes.
    pub(crate) async fn put_back(&self, letters: &[Letter]) {
        for letter in letters {
            let change = self.client.change_message_visibility().queue_url(&self.url);
            let change = change.receipt_handle(&letter.receipt).visibility_timeout(0);
            change.send().await.ok();
        }
    }

    /// Sends a message back to where it belongs, with the attributes it came with, and only then deletes it.
    pub(crate) async fn send_back(&self, letter: &Letter) -> Result<()> {
        let queue = letter.reason.queue.as_deref();
        let queue = queue.ok_or("it is none of the gateway's, and belongs nowhere")?;
        // The queue's consumer deletes the object that its message points to: it gets one of its own.
        let body = self.payloads.pointing_anew(&letter.body, queue).await;
        let body = body?;
        let mut send = self
            .client
            .send_message()
            .queue_url(queue)
            .message_body(body);
        for (name, value) in &letter.attributes {
            if !OURS.contains(&&**name) {
                send = send.message_attributes(name, value.clone());
            }
        }
        let sent = send
            .set_message_group_id(letter.reason.group.clone())
            .send()
            .await;
        sent.map_err(|error| format!("{queue} does not take it: {}", AwsError::from(error)))?;
        let delete = self.client.delete_message().queue_url(&self.url);
        let deleted = delete.receipt_handle(&letter.receipt).send().await;
        deleted.map_err(|error| {
            format!(
                "it is sent, and may come again, as it was not deleted here: {}",
                AwsError::from(error)
            )
        })?;
        Ok(())
    }
}
