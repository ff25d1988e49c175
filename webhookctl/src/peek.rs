//! A queue whose messages are looked at: taken off for a moment, then put back or deleted.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use webhook_gateway::aws::error::AwsError;

/// How long no other consumer gets a message that is looked at, in seconds.
const HIDDEN: i32 = 120;

/// The most messages of one receive.
const MAX_RECEIVED: usize = 10;

/// A queue.
pub(crate) struct Peek {
    client: Client,
    url: String,
}

impl Peek {
    pub(crate) fn new(client: Client, url: &str) -> Self {
        Self {
            client,
            url: url.to_owned(),
        }
    }

    /// The next messages, up to ten and up to a limit; none if the queue hands out no more.
    pub(crate) async fn next(&self, limit: usize) -> Result<Vec<Message>, AwsError> {
        let limit = i32::try_from(limit.min(MAX_RECEIVED)).unwrap_or(i32::MAX);
        let receive = self.client.receive_message().queue_url(&self.url);
        let answer = receive
            .max_number_of_messages(limit)
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Puts messages back at once. If that fails, they come back by themselves after two minutes.
    pub(crate) async fn put_back(&self, receipts: impl IntoIterator<Item = &str>) {
        for receipt in receipts {
            let change = self.client.change_message_visibility().queue_url(&self.url);
            let change = change.receipt_handle(receipt).visibility_timeout(0);
            change.send().await.ok();
        }
    }

    /// Deletes a message.
    pub(crate) async fn delete(&self, receipt: &str) -> Result<(), AwsError> {
        let delete = self.client.delete_message().queue_url(&self.url);
        delete.receipt_handle(receipt).send().await?;
        Ok(())
    }
}
