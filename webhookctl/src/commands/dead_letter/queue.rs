//! The dead-letter queue: its messages are looked at, and put back or sent to the queue that they belong on.

use super::reason::Reason;
use crate::Result;
use crate::peek::Peek;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use std::collections::BTreeMap;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::payloads::Payloads;

/// The attributes that give the reason for which a message is here.
const OURS: [&str; 2] = ["queue", "reason"];

/// A message of the queue.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) event: Option<String>,
    /// The name of the event's source.
    pub(crate) source: Option<String>,
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, MessageAttributeValue>,
    pub(crate) reason: Reason,
    /// The time when it was first sent, in milliseconds.
    pub(crate) sent_at: Option<i64>,
    receipt: String,
}

/// The queue.
pub(crate) struct Queue {
    client: Client,
    messages: Peek,
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
        let own = |text: &str| Some(text.to_owned());
        let body = message.body.unwrap_or_default();
        let reason = Reason::of(text("queue"), text("reason"), &body, delivery_queue);
        let system = message.attributes.unwrap_or_default();
        let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp);
        Self {
            id: message.message_id.unwrap_or_default(),
            event: text("ce-id").map_or_else(|| reason.event.clone(), own),
            source: text("gatewaysource").map_or_else(|| reason.source.clone(), own),
            reason,
            sent_at: sent_at.and_then(|at| at.parse().ok()),
            receipt: message.receipt_handle.unwrap_or_default(),
            body,
            attributes,
        }
    }

    /// Whether this is the id of the message or of its event.
    pub(crate) fn is(&self, id: &str) -> bool {
        self.id == id || self.event.as_deref() == Some(id)
    }
}

impl Queue {
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        Ok(Self {
            client: stack.sqs(),
            messages: Peek::new(stack.sqs(), stack.dead_letter_queue()?),
            delivery_queue_url: stack.delivery_queue()?.to_owned(),
            payloads: stack.payloads()?,
        })
    }

    /// Takes messages off the queue, up to a limit, the oldest first.
    pub(crate) async fn take(&self, limit: usize) -> Result<Vec<Letter>> {
        let mut letters: Vec<Letter> = Vec::new();
        while letters.len() < limit {
            let received = self.messages.next(limit - letters.len()).await;
            let received =
                received.map_err(|error| error.context("the dead-letter queue cannot be read"))?;
            if received.is_empty() {
                break;
            }
            let read = received.into_iter();
            letters.extend(read.map(|message| Letter::read(message, &self.delivery_queue_url)));
        }
        letters.sort_by_key(|letter| letter.sent_at);
        Ok(letters)
    }

    /// Puts messages back.
    pub(crate) async fn put_back(&self, letters: &[Letter]) {
        let receipts = letters.iter().map(|letter| &*letter.receipt);
        self.messages.put_back(receipts).await;
    }

    /// Sends a message back to its queue with its own attributes, and only then deletes it here.
    pub(crate) async fn send_back(&self, letter: &Letter) -> Result<()> {
        let queue = letter.reason.queue.as_deref();
        let queue =
            queue.ok_or("the gateway did not write it: there is no queue to send it back to")?;
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
            .set_message_group_id(letter.reason.endpoint.clone())
            .send()
            .await;
        sent.map_err(|error| format!("{queue} refuses it: {}", AwsError::from(error)))?;
        let deleted = self.messages.delete(&letter.receipt).await;
        deleted.map_err(|error| {
            format!("it is sent, but was not deleted here and may be sent again: {error}")
        })?;
        Ok(())
    }
}
