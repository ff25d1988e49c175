//! The messages of what is quarantined: taken off their queue once it is released, so that the alarm on that
//! queue ends.

use crate::Result;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use std::collections::BTreeSet;

/// For so long, in seconds, nobody else gets a message that is looked at.
const LOOK: i32 = 60;

/// How many messages are looked at, at most, ten at a time.
const MAX_RECEIVES: usize = 100;

/// The quarantine queue.
pub(crate) struct Messages {
    client: Client,
    url: String,
}

impl Messages {
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        Ok(Self {
            client: stack.sqs(),
            url: stack.quarantine_queue()?.to_owned(),
        })
    }

    /// Deletes the messages of what was released. What fails here is left to who reads the queue: it stays on
    /// it.
    pub(crate) async fn forget(&self, mut ids: BTreeSet<&str>) {
        let mut others = Vec::new();
        for _ in 0..MAX_RECEIVES {
            if ids.is_empty() {
                break;
            }
            let receive = self.client.receive_message().queue_url(&self.url);
            let receive = receive.max_number_of_messages(10).visibility_timeout(LOOK);
            let receive = receive
                .message_attribute_names("ce-id")
                .wait_time_seconds(1);
            let received = receive.send().await.ok().and_then(|answer| answer.messages);
            let Some(received) = received.filter(|messages| !messages.is_empty()) else {
                break;
            };
            for message in received {
                let receipt = message.receipt_handle.unwrap_or_default();
                let attributes = message.message_attributes.unwrap_or_default();
                let id = attributes.get("ce-id").and_then(|id| id.string_value());
                if id.is_some_and(|id| ids.remove(id)) {
                    let delete = self.client.delete_message().queue_url(&self.url);
                    delete.receipt_handle(receipt).send().await.ok();
                } else {
                    others.push(receipt);
                }
            }
        }
        for receipt in others {
            let back = self.client.change_message_visibility().queue_url(&self.url);
            let back = back.receipt_handle(receipt).visibility_timeout(0);
            back.send().await.ok();
        }
    }
}
