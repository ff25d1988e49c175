//! The queue of a listener as it is read: messages are deleted once they have been shown.

use super::event::Event;
use super::listener::Listener;
use crate::Result;
use crate::hint::Kind;
use crate::output::Output;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use std::time::Duration;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::sqs::MAX_ENTRIES;
use webhook_gateway::store::payloads::Payloads;

/// The pause after a call that did not reach AWS.
const PAUSE: Duration = Duration::from_secs(5);

/// The queue.
pub(crate) struct Inbox<'l> {
    client: Client,
    listener: &'l Listener,
    payloads: Payloads,
}

impl<'l> Inbox<'l> {
    pub(crate) fn of(listener: &'l Listener, payloads: Payloads) -> Self {
        Self {
            client: listener.sqs.clone(),
            listener,
            payloads,
        }
    }

    /// Deletes the messages that were shown, by their receipt handles, and waits for the next events. While
    /// AWS is out of reach it waits too, and a note says so.
    pub(crate) async fn next(&self, shown: Vec<String>, output: &Output) -> Result<Vec<Event>> {
        if !shown.is_empty() {
            // A message that is not deleted comes again, and is shown again.
            self.delete(&shown).await.ok();
        }
        loop {
            match self.receive().await {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return Ok(events),
                Err(error) if Kind::of(&error) == Kind::OutOfReach => {
                    output.note(&format!("no events are received: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error.context("no events are received").into()),
            }
        }
    }

    async fn receive(&self) -> std::result::Result<Vec<Event>, AwsError> {
        let receive = self.client.receive_message();
        let answer = receive
            .queue_url(&self.listener.queue_url)
            .max_number_of_messages(i32::try_from(MAX_ENTRIES).unwrap_or(i32::MAX))
            .wait_time_seconds(20)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await?;
        let mut events = Vec::new();
        for message in answer.messages.unwrap_or_default() {
            events.push(Event::of(message, &self.listener.name, &self.payloads).await);
        }
        Ok(events)
    }

    async fn delete(&self, receipts: &[String]) -> std::result::Result<(), AwsError> {
        let entry = |(id, receipt): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(receipt)
                .build()
        };
        let entries = receipts.iter().enumerate().map(entry);
        let entries = entries.collect::<std::result::Result<Vec<_>, _>>()?;
        let delete = self.client.delete_message_batch();
        let delete = delete.queue_url(&self.listener.queue_url);
        delete.set_entries(Some(entries)).send().await?;
        Ok(())
    }
}
