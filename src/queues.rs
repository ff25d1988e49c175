//! Sending to SQS: in batches, of which what failed is sent again, and nothing counts as sent unless the answer
//! lists it. Which message goes to which queue is left to `ingress::fanout`.

use crate::causes::Causes;
use crate::event::{CONTENT_TYPE, CloudEvent, Receipt};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::change_message_visibility_batch::ChangeMessageVisibilityBatchError;
use aws_sdk_sqs::operation::send_message_batch::{SendMessageBatchError, SendMessageBatchOutput};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use std::sync::Arc;
use std::time::Duration;

/// A batch, and each message in it, with its attributes:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The most messages in a batch.
pub const MAX_ENTRIES: usize = 10;

/// How often the failed part of a batch is sent before the whole is left to the stream's next try.
const TRIES: u32 = 4;

/// The pause before the failed part is sent again; it doubles each time.
const PAUSE: Duration = Duration::from_millis(50);

/// What goes onto a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The text, in characters that SQS takes.
    pub body: String,
    /// Strings by name.
    pub attributes: Vec<(&'static str, String)>,
    /// The size of the object that the body is a pointer to.
    pub offloaded_bytes: Option<usize>,
    /// Whose message it is, for a [fair queue](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html).
    pub group: Option<String>,
    /// How long it is kept back at first, in seconds.
    pub delay: Option<i32>,
}

impl Message {
    /// The message of an event, in the form that all queues have in common.
    pub fn of(receipt: &Receipt, event: &CloudEvent<'_>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            body: event.encode()?,
            attributes: vec![
                ("content-type", CONTENT_TYPE.to_owned()),
                ("ce-id", receipt.id.clone()),
                ("ce-source", event.source().to_owned()),
                ("ce-type", event.event_type().to_owned()),
                ("vendor", receipt.vendor.name().to_owned()),
                ("gatewaysource", receipt.source.clone()),
            ],
            offloaded_bytes: None,
            group: None,
            delay: None,
        })
    }

    /// The bytes that count against [`MAX_BYTES`].
    pub fn size(&self) -> usize {
        // Name, "String" and value, each; the pointer's size is a "Number" of at most 7 digits.
        let attribute = |(name, value): &(&str, String)| name.len() + 6 + value.len();
        let offloaded = self
            .offloaded_bytes
            .map_or(0, |_| OFFLOADED_BYTES.len() + 6 + 7);
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>() + offloaded
    }

    fn entry(&self, id: usize) -> Result<SendMessageBatchRequestEntry, BuildError> {
        let attribute = |kind: &str, value: &str| {
            MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(value)
                .build()
        };
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(id.to_string())
            .message_body(&self.body)
            .set_message_group_id(self.group.clone())
            .set_delay_seconds(self.delay);
        for (name, value) in &self.attributes {
            entry = entry.message_attributes(*name, attribute("String", value)?);
        }
        if let Some(bytes) = self.offloaded_bytes {
            entry =
                entry.message_attributes(OFFLOADED_BYTES, attribute("Number", &bytes.to_string())?);
        }
        entry.build()
    }
}

/// The attribute by which the Amazon SQS Extended Client knows a pointer.
const OFFLOADED_BYTES: &str = "ExtendedPayloadSize";

/// A message that a queue will never take, and what SQS says of it.
#[derive(Debug)]
pub struct Refused {
    /// The message.
    pub message: Arc<Message>,
    /// The error code of SQS.
    pub code: String,
}

/// Why messages were not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue does not exist, or does not let us send: for its owner to mend.
    #[error("the queue {queue} refuses messages: {code}")]
    QueueRefuses {
        /// The URL of the queue.
        queue: String,
        /// The error code of SQS.
        code: String,
    },
    /// SQS did not answer, or answered that it could not.
    #[error("messages were not sent: {}", Causes(.0))]
    NotSent(#[from] Box<SdkError<SendMessageBatchError>>),
    /// SQS takes none of a batch because of what is in it.
    #[error("a batch is refused: {0}")]
    BatchRefused(String),
    /// A part of a batch failed each time it was sent.
    #[error("{0} messages of a batch were not sent in {TRIES} tries")]
    PartlySent(usize),
    /// A message could not be built.
    #[error("a message is not complete: {0}")]
    Incomplete(#[from] BuildError),
    /// A message has no form.
    #[error("a message was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// SQS.
#[derive(Debug)]
pub struct Queues {
    client: Client,
}

impl Queues {
    /// All queues that this client can reach.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends a batch, of at most [`MAX_ENTRIES`] messages and [`MAX_BYTES`]; what the queue will never take
    /// comes back.
    ///
    /// After an error, any of the messages may have been sent.
    pub async fn send(
        &self,
        queue: &str,
        messages: Vec<Arc<Message>>,
    ) -> Result<Vec<Refused>, SendError> {
        let mut refused = Vec::new();
        let mut batches = vec![messages];
        let mut failures = 0;
        while let Some(mut batch) = batches.pop() {
            match self.send_batch(queue, &batch).await {
                Ok(answer) => {
                    let failed = unsent(&answer, batch, &mut refused);
                    if failed.is_empty() {
                        continue;
                    }
                    failures += 1;
                    if failures == TRIES {
                        return Err(SendError::PartlySent(failed.len()));
                    }
                    tokio::time::sleep(PAUSE * 2_u32.pow(failures - 1)).await;
                    batches.push(failed);
                }
                Err(SendError::BatchRefused(code)) if batch.len() == 1 => {
                    refused.extend(batch.pop().map(|message| Refused { message, code }));
                }
                Err(SendError::BatchRefused(_)) => {
                    let half = batch.split_off(batch.len() / 2);
                    batches.extend([batch, half]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// Sends one message; that the queue will never take it is an error as well.
    pub async fn send_one(&self, queue: &str, message: Message) -> Result<(), SendError> {
        let refused = self.send(queue, vec![Arc::new(message)]).await?.pop();
        refused.map_or(Ok(()), |it| Err(SendError::BatchRefused(it.code)))
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: &[Arc<Message>],
    ) -> Result<SendMessageBatchOutput, SendError> {
        let entries = messages
            .iter()
            .enumerate()
            .map(|(id, message)| message.entry(id));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.send_message_batch().queue_url(queue);
        let sent = request.set_entries(Some(entries)).send().await;
        sent.map_err(|error| match blame(error.code().unwrap_or_default()) {
            Blame::Queue(code) => SendError::QueueRefuses {
                queue: queue.to_owned(),
                code,
            },
            Blame::Messages(code) => SendError::BatchRefused(code),
            Blame::Circumstances => Box::new(error).into(),
        })
    }
}

/// Messages that were received: when each is to be visible again.
pub type Waits = Vec<(String, i32)>;

impl Queues {
    /// Puts messages off, by their receipt handles, for so many seconds each; how many were not.
    ///
    /// One that is not comes again after the queue's own visibility timeout, so that nothing is lost by it.
    pub async fn put_off(&self, queue: &str, mut waits: Waits) -> usize {
        let mut refused = 0;
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
            }
            let mut left = Vec::new();
            for batch in waits.chunks(MAX_ENTRIES) {
                match self.put_off_batch(queue, batch, &mut refused).await {
                    Ok(again) => left.extend(again),
                    Err(error) => {
                        tracing::warn!(error = %Causes(&error), "messages were not put off");
                        return waits.len() + refused;
                    }
                }
            }
            waits = left;
            if waits.is_empty() {
                break;
            }
        }
        waits.len() + refused
    }

    /// Puts a batch off, and counts what is refused; what of it failed and may succeed the next time.
    async fn put_off_batch(
        &self,
        queue: &str,
        batch: &[(String, i32)],
        refused: &mut usize,
    ) -> Result<Waits, SdkError<ChangeMessageVisibilityBatchError>> {
        let entry = |(id, (receipt, seconds)): (usize, &(String, i32))| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(*seconds)
                .build()
        };
        let entries = batch
            .iter()
            .enumerate()
            .map(entry)
            .collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(SdkError::construction_failure)?;
        let request = self.client.change_message_visibility_batch();
        let request = request.queue_url(queue).set_entries(Some(entries));
        let answer = request.send().await?;
        let mut again = Waits::new();
        for (id, wait) in batch.iter().enumerate() {
            let id = id.to_string();
            let failure = answer.failed().iter().find(|it| it.id() == id);
            match failure.filter(|it| it.sender_fault()) {
                _ if answer.successful().iter().any(|it| it.id() == id) => {}
                // It would be refused again: the message is visible already, or gone, or the wait is too long.
                Some(failure) => {
                    *refused += 1;
                    let (code, reason, seconds) = (failure.code(), failure.message(), wait.1);
                    tracing::warn!(code, reason, seconds, "a message cannot be put off");
                }
                None => again.push(wait.clone()),
            }
        }
        Ok(again)
    }
}

/// What of a batch is to be sent again: all that the answer does not list as sent or as refused for good.
fn unsent(
    answer: &SendMessageBatchOutput,
    batch: Vec<Arc<Message>>,
    refused: &mut Vec<Refused>,
) -> Vec<Arc<Message>> {
    let mut again = Vec::new();
    for (id, message) in batch.into_iter().enumerate() {
        let id = id.to_string();
        let failure = answer.failed().iter().find(|failed| failed.id() == id);
        match failure.filter(|failed| failed.sender_fault()) {
            _ if answer.successful().iter().any(|sent| sent.id() == id) => {}
            Some(failed) => refused.push(Refused {
                message,
                code: failed.code().to_owned(),
            }),
            None => again.push(message),
        }
    }
    again
}

/// Who has to change something before a call can succeed.
#[derive(Debug, PartialEq, Eq)]
enum Blame {
    Queue(String),
    Messages(String),
    Circumstances,
}

/// Reads an error code of
/// [SendMessageBatch](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
fn blame(code: &str) -> Blame {
    let short = code
        .strip_prefix("AWS.SimpleQueueService.")
        .unwrap_or(code)
        .to_owned();
    match short.as_str() {
        "NonExistentQueue"
        | "QueueDoesNotExist"
        | "AccessDenied"
        | "AccessDeniedException"
        | "InvalidAddress"
        | "InvalidSecurity"
        | "UnsupportedOperation"
        | "MissingParameter"
        | "KmsAccessDenied"
        | "KmsDisabled"
        | "KmsInvalidKeyUsage"
        | "KmsInvalidState"
        | "KmsNotFound"
        | "KmsOptInRequired" => Blame::Queue(short),
        "BatchRequestTooLong" | "InvalidMessageContents" | "InvalidParameterValue" => {
            Blame::Messages(short)
        }
        _ => Blame::Circumstances,
    }
}

#[cfg(test)]
mod tests;
