//! Door 2: what the ledger recorded becomes messages on queues.
//!
//! Any passing fault fails the whole batch, and the stream offers it again: some events are then sent twice, with
//! the same id. What can never be sent goes to quarantine, and what a subscribed queue refuses to the dead-letter
//! queue, so that neither holds up the rest.

use super::Ingress;
use super::note::Notes;
use crate::delivery::message::{self as delivery, Order};
use crate::endpoints::EndpointError;
use crate::event::{
    self, CONTENT_TYPE, CloudEvent, EventRef, GATEWAY_SOURCE, QUARANTINED, Receipt,
};
use crate::journal::Published;
use crate::ledger::{Change, Record, StoredBody, UnreadableItem};
use crate::metrics::BatchLine;
use crate::payloads::PayloadError;
use crate::queues::{MAX_BYTES, MAX_ENTRIES, Message, Refused, SendError};
use crate::signature::sha256;
use crate::subscriptions::SubscriptionError;
use crate::vendor::Verified;
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Why a batch is to be offered again.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// The event is neither a request nor a batch of a stream.
    #[error("the event is neither a request of API Gateway nor a batch of the ledger's stream")]
    NotAStream,
    /// The subscriptions are not known.
    #[error("{0}")]
    Subscriptions(#[from] SubscriptionError),
    /// The endpoints are not known.
    #[error("{0}")]
    Endpoints(#[from] EndpointError),
    /// A claimed body was not read, or a large event was not stored.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// Messages were not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// An event was not encoded.
    #[error("an event was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

impl From<FanoutError> for Diagnostic {
    fn from(error: FanoutError) -> Self {
        Self {
            error_type: "FanoutError".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// A batch of [DynamoDB Streams](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html). Each record is read
/// by itself, so that one that is not readable spoils no other.
#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// The messages that wait for a full batch, by queue.
#[derive(Default)]
struct Outbox {
    waiting: BTreeMap<String, Vec<Arc<Message>>>,
    /// What the journal is to say, once all is sent.
    notes: Notes,
}

impl Ingress {
    /// Sends all that a batch of the stream recorded, and writes one line about it.
    pub(super) async fn fan_out(&self, event: &str) -> Result<(), FanoutError> {
        let started = Instant::now();
        let mut line = BatchLine::begin();
        let result = self.publish(event, started, &mut line).await;
        match &result {
            Ok(()) => line.outcome = "published",
            Err(error) => line.reason = Some(error.to_string()),
        }
        line.batch_ms = started.elapsed();
        self.metrics.batch(line);
        result
    }

    async fn publish(
        &self,
        event: &str,
        now: Instant,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let event: StreamEvent<'_> =
            serde_json::from_str(event).map_err(|_| FanoutError::NotAStream)?;
        line.changes = event.records.len();
        let mut outbox = Outbox::default();
        for record in event.records {
            let change = serde_json::from_str::<Change<'_>>(record.get());
            let recorded = change.map_or(Some(Err(UnreadableItem("form"))), |it| it.recorded());
            match recorded {
                None => {}
                Some(Ok(recorded)) => self.post(recorded, now, &mut outbox, line).await?,
                Some(Err(error)) => {
                    let message = unreadable(record, error);
                    self.post_to_quarantine(message, &mut outbox, line).await?;
                }
            }
        }
        self.send_all(&mut outbox, line).await?;
        self.note(outbox.notes, now).await;
        Ok(())
    }

    /// Puts the messages of one recorded webhook into the outbox.
    async fn post(
        &self,
        record: Record,
        now: Instant,
        outbox: &mut Outbox,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let receipt = &record.receipt;
        let secret = record.matched.map(|it| it.id);
        let (body, reason) = match self.body(record.body).await {
            Err(error @ PayloadError::Gone(_)) => (Vec::new(), Some(error.to_string())),
            body => (body?, record.reason),
        };
        let (event, quarantined) = match understand(receipt, &body, reason) {
            Ok(event) => {
                self.post_accepted(receipt, &event, now, outbox, line)
                    .await?;
                let event = EventRef::new(&record.key, event.event_type(), receipt);
                self.post_deliveries(&event, now, outbox, line).await?;
                let sightings = &mut outbox.notes.sightings;
                self.sight(receipt.vendor, &event, body, sightings).await;
                (event, false)
            }
            Err(reason) => {
                let message = quarantined(receipt, &reason, &record.content_type, &body)?;
                self.post_to_quarantine(message, outbox, line).await?;
                (EventRef::new(&record.key, QUARANTINED, receipt), true)
            }
        };
        outbox.notes.add(Published { event, quarantined }, secret);
        Ok(())
    }

    async fn body(&self, stored: StoredBody) -> Result<Vec<u8>, PayloadError> {
        match stored {
            StoredBody::Inline(body) => Ok(body),
            StoredBody::Claimed(key) => self.payloads.get(&key).await,
        }
    }

    async fn post_accepted(
        &self,
        receipt: &Receipt,
        event: &CloudEvent<'_>,
        now: Instant,
        outbox: &mut Outbox,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let message = self.payloads.fitting(Message::of(receipt, event)?).await?;
        let events_queue = &self.events_queue_url;
        line.published += 1;
        self.put(outbox, events_queue, &message, line).await?;
        let subscriptions = self.subscriptions.current(now).await?;
        let matching = subscriptions
            .iter()
            .filter(|it| it.matches(event.event_type(), &receipt.source));
        // Two subscriptions of one queue are one message.
        let queues: BTreeSet<_> = matching.map(|it| &it.queue_url).collect();
        for queue in queues.into_iter().filter(|queue| *queue != events_queue) {
            line.subscribed += 1;
            self.put(outbox, queue, &message, line).await?;
        }
        Ok(())
    }

    /// Puts one message for each endpoint that wants the event into the outbox.
    async fn post_deliveries(
        &self,
        event: &EventRef,
        now: Instant,
        outbox: &mut Outbox,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let endpoints = self.endpoints.current(now).await?;
        let matching = endpoints
            .iter()
            .filter(|it| it.matches(&event.event_type, &event.source));
        for endpoint in matching {
            let order = delivery::Message::Delivery(Order {
                endpoint: endpoint.id.clone(),
                event: event.clone(),
                resend: None,
                not_before: None,
            });
            line.deliveries += 1;
            let message = Arc::new(order.queued(0)?);
            self.put(outbox, &self.delivery_queue_url, &message, line)
                .await?;
        }
        Ok(())
    }

    async fn post_to_quarantine(
        &self,
        message: Message,
        outbox: &mut Outbox,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let message = self.payloads.fitting(message).await?;
        line.quarantine_messages += 1;
        self.put(outbox, &self.quarantine_queue_url, &message, line)
            .await
    }

    /// Puts a message into the outbox; what is a full batch by then is sent.
    async fn put(
        &self,
        outbox: &mut Outbox,
        queue: &str,
        message: &Arc<Message>,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        if let Some(batch) = outbox.put(queue, message) {
            self.send(queue, batch, line).await?;
        }
        Ok(())
    }

    async fn send_all(&self, outbox: &mut Outbox, line: &mut BatchLine) -> Result<(), FanoutError> {
        for (queue, batch) in std::mem::take(&mut outbox.waiting) {
            self.send(&queue, batch, line).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        queue: &str,
        batch: Vec<Arc<Message>>,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let ours = [
            &self.events_queue_url,
            &self.quarantine_queue_url,
            &self.delivery_queue_url,
        ];
        let is_ours = ours.into_iter().any(|it| it == queue);
        let refused = match self.queues.send(queue, batch.clone()).await {
            Err(SendError::QueueRefuses { code, .. }) if !is_ours => {
                let refuse = |message| Refused {
                    message,
                    code: code.clone(),
                };
                batch.into_iter().map(refuse).collect()
            }
            sent => sent?,
        };
        let place = if is_ours {
            &self.quarantine_queue_url
        } else {
            &self.dead_letter_queue_url
        };
        for Refused { message, code } in refused {
            tracing::error!(queue, code, "message is refused");
            *(if is_ours {
                &mut line.quarantine_messages
            } else {
                &mut line.dead_lettered
            }) += 1;
            let put_aside = Arc::new(refused_message(&message, queue, code));
            let refused_again = self.queues.send(place, vec![put_aside]).await?;
            if let Some(Refused { code, .. }) = refused_again.into_iter().next() {
                return Err(SendError::QueueRefuses {
                    queue: place.clone(),
                    code,
                }
                .into());
            }
        }
        Ok(())
    }
}

impl Outbox {
    /// Adds a message, and gives the batch that it no longer fits into.
    fn put(&mut self, queue: &str, message: &Arc<Message>) -> Option<Vec<Arc<Message>>> {
        let waiting = self.waiting.entry(queue.to_owned()).or_default();
        let bytes: usize = waiting.iter().map(|message| message.size()).sum();
        let is_full = waiting.len() == MAX_ENTRIES || bytes + message.size() > MAX_BYTES;
        let batch = is_full
            .then(|| std::mem::take(waiting))
            .filter(|batch| !batch.is_empty());
        waiting.push(Arc::clone(message));
        batch
    }
}

/// The event that a recorded body is, or why it is none.
fn understand<'a>(
    receipt: &'a Receipt,
    body: &'a [u8],
    reason: Option<String>,
) -> Result<CloudEvent<'a>, String> {
    if let Some(reason) = reason {
        return Err(reason);
    }
    let event = receipt.vendor.normalize(Verified::recorded(body));
    let event = event.map_err(|error| error.to_string())?;
    Ok(CloudEvent::accepted(receipt, event))
}

fn quarantined(
    receipt: &Receipt,
    reason: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Message, serde_json::Error> {
    let event = CloudEvent::quarantined(receipt, reason, content_type, body);
    let mut message = Message::of(receipt, &event)?;
    message.attributes.push(("reason", reason.to_owned()));
    Ok(message)
}

/// What is no item of ours, as it is.
fn unreadable(record: &RawValue, error: UnreadableItem) -> Message {
    let hash = hex::encode(sha256(record.get().as_bytes()));
    let (id, reason) = (format!("sha256:{hash}"), error.to_string());
    Message {
        body: event::unreadable(&id, &reason, record),
        attributes: vec![
            ("content-type", CONTENT_TYPE.to_owned()),
            ("ce-id", id),
            ("ce-source", GATEWAY_SOURCE.to_owned()),
            ("ce-type", QUARANTINED.to_owned()),
            ("reason", reason),
        ],
        offloaded_bytes: None,
        group: None,
        delay: None,
    }
}

/// A message that a queue refused, for a queue of ours: with its attributes, the queue and the reason.
fn refused_message(message: &Message, queue: &str, code: String) -> Message {
    let mut attributes = message.attributes.clone();
    attributes.push(("queue", queue.to_owned()));
    attributes.push(("reason", code));
    Message {
        attributes,
        ..message.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Arc<Message> {
        Arc::new(Message {
            body: "x".repeat(bytes),
            attributes: Vec::new(),
            offloaded_bytes: None,
            group: None,
            delay: None,
        })
    }

    #[test]
    fn a_batch_is_full_at_ten_messages() {
        let mut outbox = Outbox::default();
        for _ in 0..MAX_ENTRIES {
            assert_eq!(outbox.put("q", &message(1)), None);
            assert_eq!(
                outbox.put("other", &message(1)).map(|batch| batch.len()),
                None
            );
        }
        assert_eq!(
            outbox.put("q", &message(1)).map(|batch| batch.len()),
            Some(MAX_ENTRIES)
        );
        assert_eq!(outbox.waiting["q"].len(), 1);
        assert_eq!(outbox.waiting["other"].len(), MAX_ENTRIES);
    }

    #[test]
    fn a_batch_is_full_at_one_mebibyte() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.put("q", &message(MAX_BYTES)), None);
        assert_eq!(
            outbox.put("q", &message(1)).map(|batch| batch.len()),
            Some(1)
        );
        assert_eq!(outbox.put("q", &message(MAX_BYTES - 1)), None);
        assert_eq!(
            outbox.put("q", &message(1)).map(|batch| batch.len()),
            Some(2)
        );
    }
}
