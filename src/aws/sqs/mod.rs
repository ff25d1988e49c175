//! Sending to SQS in batches. The failed part of a batch is sent again, and a message counts as sent only if
//! the answer lists it.
//!
//! [`Queues::send`] is for the stack's own queues: its errors fail the invocation, and the message comes
//! again. [`Queues::offer`] is for the queues of consumers: it never fails, it ends in time, and it gives
//! back what the queue did not take.

use crate::aws::error::AwsError;
use crate::event::{CONTENT_TYPE, CloudEvent, EventMeta};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message_batch::{SendMessageBatchError, SendMessageBatchOutput};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A batch, and each message in it, with its attributes:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The most messages in a batch.
pub const MAX_ENTRIES: usize = 10;

/// How often the failed part of a batch is sent before it is given up.
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
    /// Whose message it is, for a [fair
    /// queue](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html).
    pub group: Option<String>,
    /// How long it is kept back at first, in seconds.
    pub delay: Option<i32>,
}

impl Message {
    /// The message of an event, in the form that all queues have in common.
    pub fn of(meta: &EventMeta, event: &CloudEvent<'_>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            body: event.encode()?,
            attributes: vec![
                ("content-type", CONTENT_TYPE.to_owned()),
                ("ce-id", meta.id.clone()),
                ("ce-source", event.source().to_owned()),
                ("ce-type", event.event_type().to_owned()),
                ("provider", meta.provider.clone()),
                ("gatewaysource", meta.source.clone()),
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

    /// The same message with attributes that every queue takes: each without the characters that [SQS
    /// refuses](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html),
    /// not too long, and left out if it is empty.
    pub fn with_plain_attributes(mut self) -> Self {
        for (_, value) in &mut self.attributes {
            *value = plain(value);
        }
        self.attributes.retain(|(_, value)| !value.is_empty());
        self
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

/// The longest value of a plain attribute, in bytes: far above every queue URL, event type and name of a
/// source.
const MAX_PLAIN: usize = 1024;

/// A text as SQS takes it for the value of an attribute.
fn plain(text: &str) -> String {
    let is_allowed = |character: char| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        _ => character >= ' ',
    };
    let end = text.floor_char_boundary(MAX_PLAIN);
    text[..end]
        .chars()
        .filter(|character| is_allowed(*character))
        .collect()
}

/// Messages, in their order, in batches that SQS takes.
pub fn in_batches<T>(messages: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let added = size(&message);
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_ENTRIES && bytes + added <= MAX_BYTES => {
                bytes += added;
                batch.push(message);
            }
            _ => {
                bytes = added;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

/// A message that a queue did not take, and why.
#[derive(Debug)]
pub struct Refused {
    /// The message.
    pub message: Arc<Message>,
    /// The error code of SQS, or a sentence where SQS gave none.
    pub code: String,
}

/// What became of messages that were offered to a consumer's queue.
#[derive(Debug, Default)]
pub struct Offered {
    /// The messages that the queue did not take.
    pub refused: Vec<Refused>,
    /// Why the queue takes no message at all; it is pointless to offer it more.
    pub closed: Option<String>,
}

/// Why messages were not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The queue does not exist, or does not let us send: its owner has to change something.
    #[error("the queue {queue} refuses messages: {code}")]
    QueueRefuses {
        /// The URL of the queue.
        queue: String,
        /// The error code of SQS.
        code: String,
    },
    /// SQS did not answer, or answered that it could not.
    #[error("messages were not sent: {0}")]
    NotSent(#[from] AwsError),
    /// SQS takes none of a batch because of what is in it.
    #[error("a batch is refused: {0}")]
    BatchRefused(String),
    /// A part of a batch failed each time it was sent.
    #[error("{messages} messages of a batch were not sent in {TRIES} tries: {code}")]
    PartlySent {
        /// How many.
        messages: usize,
        /// The error code of one of them.
        code: String,
    },
    /// A message could not be built.
    #[error("a message is not complete: {0}")]
    Incomplete(#[from] BuildError),
    /// A message has no form.
    #[error("a message was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

impl SendError {
    /// The error code of SQS, or a sentence where SQS gave none; fit for an attribute.
    pub fn reason(&self) -> String {
        let reason = match self {
            Self::QueueRefuses { code, .. }
            | Self::BatchRefused(code)
            | Self::PartlySent { code, .. } => code.clone(),
            Self::NotSent(error) => code(error.code()).unwrap_or_else(|| self.to_string()),
            Self::Incomplete(_) | Self::Encode(_) => self.to_string(),
        };
        plain(&reason)
    }
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
        self.send_all(queue, &mut vec![messages], &mut refused)
            .await?;
        Ok(refused)
    }

    /// Offers messages to a consumer's queue, for as long as `patience` lasts. All that the queue did not
    /// take for certain comes back, whatever the reason.
    pub async fn offer(
        &self,
        queue: &str,
        messages: Vec<Arc<Message>>,
        patience: Duration,
    ) -> Offered {
        let deadline = Instant::now() + patience;
        let mut left = in_batches(messages, |message| message.size());
        left.reverse();
        let mut offered = Offered::default();
        // How often the batch at hand failed, with how many left, and why at last.
        let (mut failures, mut at, mut last) = (0, left.len(), None);
        while !left.is_empty() && offered.closed.is_none() {
            let sending = self.send_all(queue, &mut left, &mut offered.refused);
            match timeout_at(deadline, sending).await {
                Ok(Ok(())) => {}
                Ok(Err(error @ SendError::QueueRefuses { .. })) => {
                    offered.closed = Some(error.reason());
                }
                Ok(Err(error)) => {
                    failures = if at == left.len() { failures + 1 } else { 1 };
                    at = left.len();
                    last = Some(error.reason());
                    let is_repeated = matches!(error, SendError::NotSent(_)) && failures < TRIES;
                    if is_repeated {
                        tokio::time::sleep(PAUSE * 2_u32.pow(failures - 1)).await;
                    } else {
                        // The next batch may do better.
                        offered.refuse(left.pop(), &error.reason());
                    }
                }
                Err(_) => {
                    let seconds = patience.as_secs();
                    let late = || format!("the queue took no messages within {seconds} s");
                    offered.closed = Some(last.clone().unwrap_or_else(late));
                }
            }
        }
        let closed = offered.closed.clone().unwrap_or_default();
        offered.refuse(left, &closed);
        offered
    }

    /// Sends batches, the last one first. Whatever ends this, a batch of which a message may be unsent is
    /// still in `left`, and is the last one there if it is the cause.
    async fn send_all(
        &self,
        queue: &str,
        left: &mut Vec<Vec<Arc<Message>>>,
        refused: &mut Vec<Refused>,
    ) -> Result<(), SendError> {
        let mut failures = 0;
        while let Some(batch) = left.last_mut() {
            // On the heap, as the compiler follows futures only so deep.
            let code = match Box::pin(self.send_batch(queue, batch)).await {
                Ok(answer) => match unsent(&answer, batch, refused) {
                    Some(code) => code,
                    None => {
                        left.pop();
                        failures = 0;
                        continue;
                    }
                },
                Err(SendError::BatchRefused(code)) if batch.len() == 1 => {
                    let refuse = |message| Refused {
                        message,
                        code: code.clone(),
                    };
                    refused.extend(batch.drain(..).map(refuse));
                    left.pop();
                    continue;
                }
                Err(SendError::BatchRefused(_)) => {
                    let half = batch.split_off(batch.len() / 2);
                    left.push(half);
                    continue;
                }
                Err(error) => return Err(error),
            };
            failures += 1;
            if failures == TRIES {
                let messages = batch.len();
                return Err(SendError::PartlySent { messages, code });
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(failures - 1)).await;
        }
        Ok(())
    }

    /// Sends one message; that the queue will never take it is an error as well.
    pub async fn send_one(&self, queue: &str, message: Message) -> Result<(), SendError> {
        let refused = self.send(queue, vec![Arc::new(message)]).await?.pop();
        refused.map_or(Ok(()), |refused| Err(SendError::BatchRefused(refused.code)))
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
        sent.map_err(|error| match fault(&error) {
            Fault::Queue => SendError::QueueRefuses {
                queue: queue.to_owned(),
                code: code(error.code()).unwrap_or_default(),
            },
            Fault::Messages => SendError::BatchRefused(code(error.code()).unwrap_or_default()),
            Fault::Transient => SendError::NotSent(error.into()),
        })
    }
}

impl Offered {
    /// What becomes of messages for a queue that is known to take none.
    pub fn by_closed(messages: Vec<Arc<Message>>, code: &str) -> Self {
        let mut offered = Self::default();
        offered.refuse([messages], code);
        offered
    }

    fn refuse(&mut self, batches: impl IntoIterator<Item = Vec<Arc<Message>>>, code: &str) {
        let refuse = |message| Refused {
            message,
            code: code.to_owned(),
        };
        let messages = batches.into_iter().flatten();
        self.refused.extend(messages.map(refuse));
    }
}

/// Receipt handles of messages, and in how many seconds each message is to be visible again.
pub type VisibilityChanges = Vec<(String, i32)>;

impl Queues {
    /// Changes the visibility timeouts of messages; how many were not changed. A message whose timeout is not
    /// changed comes again after the queue's own: nothing is lost.
    pub async fn change_visibility(&self, queue: &str, mut changes: VisibilityChanges) -> usize {
        let mut refused = 0;
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
            }
            let mut left = Vec::new();
            for batch in changes.chunks(MAX_ENTRIES) {
                match self.change_batch(queue, batch, &mut refused).await {
                    Ok(again) => left.extend(again),
                    Err(error) => {
                        tracing::warn!(%error, "visibility timeouts were not changed");
                        return changes.len() + refused;
                    }
                }
            }
            changes = left;
            if changes.is_empty() {
                break;
            }
        }
        changes.len() + refused
    }

    /// Changes a batch, and counts the changes that SQS refuses. Gives those that failed and may succeed the
    /// next time.
    async fn change_batch(
        &self,
        queue: &str,
        batch: &[(String, i32)],
        refused: &mut usize,
    ) -> Result<VisibilityChanges, AwsError> {
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
        let request = self.client.change_message_visibility_batch();
        let request = request.queue_url(queue).set_entries(Some(entries?));
        let answer = request.send().await?;
        let mut again = VisibilityChanges::new();
        for (id, change) in batch.iter().enumerate() {
            let id = id.to_string();
            let failure = answer.failed().iter().find(|failed| failed.id() == id);
            match failure.filter(|failed| failed.sender_fault()) {
                _ if answer.successful().iter().any(|done| done.id() == id) => {}
                // It would be refused again: the message is visible already, or gone, or the wait is too
                // long.
                Some(failure) => {
                    *refused += 1;
                    let (code, reason, seconds) = (failure.code(), failure.message(), change.1);
                    tracing::warn!(
                        code,
                        reason,
                        seconds,
                        "a visibility timeout cannot be changed"
                    );
                }
                None => again.push(change.clone()),
            }
        }
        Ok(again)
    }
}

/// Leaves in a batch the messages to send again: all that the answer lists neither as sent nor as refused for
/// good. Gives the error code of one of them, if there is any.
fn unsent(
    answer: &SendMessageBatchOutput,
    batch: &mut Vec<Arc<Message>>,
    refused: &mut Vec<Refused>,
) -> Option<String> {
    let mut code = None;
    for (id, message) in std::mem::take(batch).into_iter().enumerate() {
        let id = id.to_string();
        let failure = answer.failed().iter().find(|failed| failed.id() == id);
        match failure {
            _ if answer.successful().iter().any(|sent| sent.id() == id) => {}
            Some(failed) if failed.sender_fault() => refused.push(Refused {
                message,
                code: short(failed.code()).to_owned(),
            }),
            failed => {
                let unlisted = "the answer does not list the message";
                code = Some(
                    failed
                        .map_or(unlisted, |failed| short(failed.code()))
                        .to_owned(),
                );
                batch.push(message);
            }
        }
    }
    code
}

/// Who has to change something before a call can succeed.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Queue,
    Messages,
    Transient,
}

/// Reads an error of
/// [SendMessageBatch](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
fn fault(error: &SdkError<SendMessageBatchError>) -> Fault {
    use SendMessageBatchError as E;
    match error.as_service_error() {
        Some(
            E::InvalidAddress(_)
            | E::InvalidSecurity(_)
            | E::KmsAccessDenied(_)
            | E::KmsDisabled(_)
            | E::KmsInvalidKeyUsage(_)
            | E::KmsInvalidState(_)
            | E::KmsNotFound(_)
            | E::KmsOptInRequired(_)
            | E::QueueDoesNotExist(_)
            | E::UnsupportedOperation(_),
        ) => Fault::Queue,
        Some(
            E::BatchEntryIdsNotDistinct(_)
            | E::BatchRequestTooLong(_)
            | E::EmptyBatchRequest(_)
            | E::InvalidBatchEntryId(_)
            | E::TooManyEntriesInBatchRequest(_),
        ) => Fault::Messages,
        // The SDK has no type for these two in this call; SQS answers them for a message that it does not
        // take.
        Some(other)
            if matches!(
                other.code(),
                Some("InvalidMessageContents" | "InvalidParameterValue")
            ) =>
        {
            Fault::Messages
        }
        _ => Fault::Transient,
    }
}

/// The error code of SQS, for people.
fn code(code: Option<&str>) -> Option<String> {
    Some(short(code?).to_owned()).filter(|code| !code.is_empty())
}

fn short(code: &str) -> &str {
    code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code)
}

#[cfg(test)]
mod tests;
