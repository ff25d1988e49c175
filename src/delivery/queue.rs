//! The delivery queue, from which this function receives and onto which it sends, and its dead-letter queue.

use super::Received;
use crate::aws::sqs::{self, Queues, Refused, SendError, VisibilityChanges};
use crate::messages::Message;
use std::sync::Arc;

/// The delivery queue.
#[derive(Debug)]
pub(super) struct DeliveryQueue {
    pub(super) queues: Queues,
    pub(super) url: String,
    pub(super) dead_letter_url: String,
}

/// A message is not on the delivery queue.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueueError {
    #[error("{0}")]
    Send(#[from] SendError),
    #[error("the message was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

impl DeliveryQueue {
    /// Sends a message that is kept back for so many seconds.
    pub(super) async fn send(&self, message: &Message, delay: i32) -> Result<(), QueueError> {
        let message = message.queued(delay)?;
        Ok(self.queues.send_one(&self.url, message).await?)
    }

    /// Sends a batch of messages, each kept back for so many seconds; whether each is on the queue for sure.
    pub(super) async fn send_batch(
        &self,
        batch: &[(Message, i32)],
    ) -> Result<Vec<bool>, QueueError> {
        let encode = |(message, delay): &(Message, i32)| message.queued(*delay).map(Arc::new);
        let messages: Vec<_> = batch.iter().map(encode).collect::<Result<_, _>>()?;
        let refused = self.queues.send(&self.url, messages.clone()).await?;
        for Refused { code, .. } in &refused {
            tracing::error!(code, "the delivery queue refuses a held delivery");
        }
        let is_refused =
            |message: &Arc<_>| refused.iter().any(|one| Arc::ptr_eq(&one.message, message));
        Ok(messages
            .iter()
            .map(|message| !is_refused(message))
            .collect())
    }

    /// Has messages come again after so many seconds each.
    pub(super) async fn change_visibility(&self, changes: VisibilityChanges) {
        let left = self.queues.change_visibility(&self.url, changes).await;
        if left > 0 {
            tracing::warn!(
                messages = left,
                "messages come again after the queue's own visibility timeout"
            );
        }
    }

    /// Puts a message that cannot be read onto the dead-letter queue; whether it is there.
    pub(super) async fn dead_letter(&self, received: &Received, reason: &str) -> bool {
        tracing::error!(message.id = received.id, reason, "message is not readable");
        let message = Arc::new(sqs::Message {
            body: received.body.clone(),
            attributes: vec![
                ("queue", self.url.clone()),
                ("reason", format!("the message is not readable: {reason}")),
            ],
            offloaded_bytes: None,
            group: None,
            delay: None,
        });
        let sent = self.queues.send(&self.dead_letter_url, vec![message]).await;
        if let Err(error) = &sent {
            tracing::error!(message.id = received.id, %error, "message is not dead-lettered");
        }
        sent.is_ok_and(|refused| refused.is_empty())
    }
}
