//! The stream path: what the ledger recorded becomes messages on queues.
//!
//! A batch is worked on in parts, each of them as many records as fit into memory and time. Of a part,
//! everything is read and stored first, then the stack's own queues get their messages, and consumers' queues
//! last: while something of the stack fails, no consumer gets copies. What is done is noted, and the stream
//! offers the rest again. A fault that passes makes copies only in the part that it strikes, with the same
//! id.
//!
//! The queue of a consumer never fails a batch: messages that it does not take go to the dead-letter queue,
//! or are dropped if only a listener misses them. A message that can never be sent goes to quarantine.
//! Therefore none of them holds up the rest.

use super::outbox::{Outbox, Progress};
use super::{Answer, FanoutError, IngressFunction};
use crate::aws::sqs::Message;
use crate::crypto::mac::sha256;
use crate::event::{
    self, CONTENT_TYPE, CloudEvent, EventMeta, GATEWAY_SOURCE, QUARANTINED, Recording,
};
use crate::messages::{self as delivery, DeliverEvent};
use crate::metrics::BatchLine;
use crate::providers::recipe::Authenticity;
use crate::providers::recorded::RecordedFields;
use crate::store::endpoints::Endpoint;
use crate::store::journal::Published;
use crate::store::ledger::{Change, StoredBody, StreamItem, UnreadableItem};
use crate::store::payloads::PayloadError;
use crate::store::subscriptions::Subscription;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{timeout, timeout_at};

/// So many bytes wait for their queues at once, at most and one record more: a part of the function's memory.
const MAX_WAITING: usize = 8 * 1024 * 1024;

/// A body of this size is understood in no time, whatever is in it.
const SMALL: usize = 64 * 1024;

/// A larger one is given so long. It takes milliseconds, unless somebody found a way to make it take for
/// ever.
const WORK_TIME: Duration = Duration::from_secs(10);

/// A record whose payload is out of reach is offered again for so long, while all behind it wait. The stream
/// keeps them for 24 hours.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// A batch of [DynamoDB Streams](https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html). Each record is
/// read by itself, so that one that is not readable spoils no other.
#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'a RawValue>,
}

/// Where a record is in the stream.
#[derive(Deserialize)]
struct Position<'a> {
    #[serde(borrow)]
    dynamodb: Place<'a>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, rename = "SequenceNumber")]
    sequence_number: Cow<'a, str>,
    /// In seconds.
    #[serde(default, rename = "ApproximateCreationDateTime")]
    created_at: f64,
}

/// What an invocation has time for.
#[derive(Debug, Clone, Copy)]
struct Times {
    started: Instant,
    /// From then on no further record is taken: the rest of the time is for sending.
    enough: Instant,
    /// By then everything is sent, or is offered again.
    end: Instant,
    /// By then the journal is written, or lacks something.
    last: Instant,
}

/// Who gets events, in addition to the events queue.
struct Recipients {
    subscriptions: Arc<[Subscription]>,
    endpoints: Arc<[Endpoint]>,
}

impl IngressFunction {
    /// Sends what a batch of the stream recorded, as far as the time allows, and writes one line about it.
    pub(super) async fn fan_out(
        &self,
        event: &str,
        deadline: Instant,
    ) -> Result<Answer, FanoutError> {
        let times = Times::until(deadline);
        let mut line = BatchLine::begin();
        let result = self.publish(event, times, &mut line).await;
        match &result {
            Ok(Answer::Rest(_)) => line.outcome = "partial",
            Ok(_) => line.outcome = "published",
            Err(error) => line.reason = Some(error.to_string()),
        }
        line.batch_ms = times.started.elapsed();
        self.metrics.batch(line);
        result
    }

    async fn publish(
        &self,
        event: &str,
        times: Times,
        line: &mut BatchLine,
    ) -> Result<Answer, FanoutError> {
        let event: StreamEvent<'_> =
            serde_json::from_str(event).map_err(|_| FanoutError::NotAStream)?;
        let records = event.records;
        line.changes = records.len();
        let mut progress = Progress::default();
        let publishing = self.publish_all(&records, times, &mut progress, line);
        let result = timeout_at(times.end.into(), publishing)
            .await
            .unwrap_or(Err(FanoutError::OutOfTime));
        let noting = self.write_journal(progress.record, times.started);
        if timeout_at(times.last.into(), noting).await.is_err() {
            tracing::error!("the time ran out before all of what was published was noted");
        }
        let Some(rest) = records.get(progress.done) else {
            return Ok(Answer::Done);
        };
        let error = result.err().unwrap_or(FanoutError::OutOfTime);
        match position(rest) {
            Some(rest) if progress.done > 0 => {
                line.reason = Some(error.to_string());
                let mut first = DynamoDbBatchItemFailure::default();
                first.item_identifier = Some(rest.dynamodb.sequence_number.into_owned());
                let mut answer = DynamoDbEventResponse::default();
                answer.batch_item_failures.push(first);
                Ok(Answer::Rest(answer))
            }
            // Offered again in halves, a record that fails is soon alone.
            _ => Err(error),
        }
    }

    async fn publish_all(
        &self,
        records: &[&RawValue],
        times: Times,
        progress: &mut Progress,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let (subscriptions, unreadable) = self.subscriptions.current(times.started).await?;
        line.unreadable += unreadable;
        progress.note_listeners(&subscriptions);
        let (endpoints, unreadable) = self.endpoints.current(times.started).await?;
        line.unreadable += unreadable;
        let recipients = Recipients {
            subscriptions,
            endpoints,
        };
        let mut outbox = Outbox::default();
        for (index, record) in records.iter().enumerate() {
            if Instant::now() >= times.enough {
                break;
            }
            // One that takes longer is left for the next invocation, if there is something to send in this
            // one.
            let limit = if outbox.taken > 0 {
                times.enough
            } else {
                times.end
            };
            // Pinned here: it is kilobytes, and would be moved several times.
            let taking = pin!(self.take(record, &recipients));
            let one = match timeout_at(limit.into(), taking).await {
                Err(_) if outbox.taken > 0 => break,
                Err(_) => return Err(FanoutError::OutOfTime),
                Ok(Err(FanoutError::Payload(error))) if index == 0 && is_given_up(record) => {
                    self.give_up(record, &error).await?
                }
                Ok(taken) => taken?,
            };
            outbox.add(one);
            if outbox.bytes >= MAX_WAITING {
                let part = std::mem::take(&mut outbox);
                self.send(part, progress, line).await?;
            }
        }
        self.send(outbox, progress, line).await
    }

    /// The messages of a record.
    async fn take(
        &self,
        record: &RawValue,
        recipients: &Recipients,
    ) -> Result<Outbox, FanoutError> {
        let mut outbox = Outbox::default();
        match read(record) {
            None => {}
            Some(Ok(recorded)) => {
                self.enqueue_webhook(recorded, recipients, &mut outbox)
                    .await?;
            }
            Some(Err(error)) => {
                let message = unreadable_message(record, error);
                self.enqueue_for_quarantine(message, None, &mut outbox)
                    .await?;
            }
        }
        Ok(outbox)
    }

    /// Puts the messages of one recorded webhook into the outbox.
    async fn enqueue_webhook(
        &self,
        record: StreamItem,
        recipients: &Recipients,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let mut event = record.event;
        let secret = record.matched.map(|secret| secret.id);
        let (body, reason) = match self.body(record.body).await {
            Err(error) if error.is_final() => (Vec::new(), Some(error.to_string())),
            body => (body?, record.reason),
        };
        let content = Arc::new(Stored {
            fields: record.fields,
            content_type: record.content_type,
            body,
        });
        let is_quarantined = match normalize(&event, &content, reason).await {
            Ok((message, event_type)) => {
                event.event_type = event_type;
                self.enqueue_event(&event, message, recipients, outbox)
                    .await?;
                self.enqueue_deliveries(&event, recipients, outbox).await?;
                let body = Arc::unwrap_or_clone(content).body;
                let candidates = &mut outbox.record.candidates;
                self.queue_for_drift_check(&event, body, candidates).await;
                false
            }
            Err(reason) => {
                let Stored {
                    fields,
                    content_type,
                    body,
                } = &*content;
                let message =
                    quarantined(&event, fields.authenticity, &reason, content_type, body)?;
                let key = Some(event.key.clone());
                self.enqueue_for_quarantine(message, key, outbox).await?;
                QUARANTINED.clone_into(&mut event.event_type);
                true
            }
        };
        let published = Published {
            event,
            quarantined: is_quarantined,
        };
        outbox.record.add(published, secret);
        Ok(())
    }

    /// Quarantines a record whose payload is out of reach, without its body. The journal does not say that it
    /// is published: the operator finds it when the payload is back.
    async fn give_up(
        &self,
        record: &RawValue,
        error: &PayloadError,
    ) -> Result<Outbox, FanoutError> {
        let mut outbox = Outbox::default();
        let Some(Ok(record)) = read(record) else {
            return Ok(outbox);
        };
        let hours = GIVE_UP_AFTER.as_hours();
        let reason = format!("given up after {hours} hours: {error}");
        let proof = record.fields.authenticity;
        let message = quarantined(&record.event, proof, &reason, &record.content_type, b"")?;
        self.enqueue_for_quarantine(message, None, &mut outbox)
            .await?;
        Ok(outbox)
    }

    async fn body(&self, stored: StoredBody) -> Result<Vec<u8>, PayloadError> {
        match stored {
            StoredBody::Inline(body) => Ok(body),
            StoredBody::InBucket(key) => self.payloads.get(&key).await,
        }
    }

    async fn enqueue_event(
        &self,
        event: &EventMeta,
        message: Message,
        recipients: &Recipients,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let message = Arc::new(message);
        let events_queue = &self.events_queue_url;
        outbox.counts.published += 1;
        self.enqueue(outbox, events_queue, &message, Some(&event.key))
            .await?;
        let matching = recipients
            .subscriptions
            .iter()
            .filter(|recipient| recipient.matches(&event.event_type, &event.source));
        // Two subscriptions of one queue are one message.
        let queues: BTreeSet<_> = matching
            .map(|subscription| &subscription.queue_url)
            .collect();
        for queue in queues.into_iter().filter(|queue| *queue != events_queue) {
            outbox.counts.subscribed += 1;
            self.enqueue(outbox, queue, &message, Some(&event.key))
                .await?;
        }
        Ok(())
    }

    /// Puts one message for each endpoint that wants the event into the outbox.
    async fn enqueue_deliveries(
        &self,
        event: &EventMeta,
        recipients: &Recipients,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let matching = recipients
            .endpoints
            .iter()
            .filter(|recipient| recipient.matches(&event.event_type, &event.source));
        for endpoint in matching {
            let order = delivery::Message::Delivery(DeliverEvent {
                endpoint: endpoint.id.clone(),
                event: event.clone(),
                resend: None,
                not_before: None,
            });
            outbox.counts.deliveries += 1;
            let message = Arc::new(order.queued(0)?);
            self.enqueue(outbox, &self.delivery_queue_url, &message, Some(&event.key))
                .await?;
        }
        Ok(())
    }

    async fn enqueue_for_quarantine(
        &self,
        message: Message,
        key: Option<String>,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        outbox.counts.quarantined += 1;
        let queue = &self.quarantine_queue_url;
        self.enqueue(outbox, queue, &Arc::new(message), key.as_deref())
            .await
    }
}

impl Times {
    fn until(deadline: Instant) -> Self {
        let started = Instant::now();
        let left = deadline.saturating_duration_since(started);
        Self {
            started,
            enough: started + left * 2 / 3,
            end: started + left * 9 / 10,
            last: started + left * 39 / 40,
        }
    }
}

/// What a record of the stream has recorded, if it has.
fn read(record: &RawValue) -> Option<Result<StreamItem, UnreadableItem>> {
    let change = serde_json::from_str::<Change<'_>>(record.get());
    change.map_or(Some(Err(UnreadableItem("form"))), |change| {
        change.recorded()
    })
}

fn position(record: &RawValue) -> Option<Position<'_>> {
    serde_json::from_str(record.get()).ok()
}

/// Whether a record has been offered for so long that the records behind it come first.
fn is_given_up(record: &RawValue) -> bool {
    let seconds = position(record).map_or(0.0, |position| position.dynamodb.created_at);
    let created_at = Timestamp::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0));
    seconds > 0.0 && Timestamp::now().duration_since(created_at) >= GIVE_UP_AFTER
}

/// What is stored of a webhook beside the names of its event.
#[derive(Clone)]
struct Stored {
    fields: RecordedFields,
    content_type: String,
    body: Vec<u8>,
}

/// The message and the type of the event that a recorded body is, or why it is no event.
async fn normalize(
    event: &EventMeta,
    stored: &Arc<Stored>,
    reason: Option<String>,
) -> Result<(Message, String), String> {
    if let Some(reason) = reason {
        return Err(reason);
    }
    if stored.body.len() <= SMALL {
        return accepted(event, stored);
    }
    let (event, stored) = (event.clone(), Arc::clone(stored));
    let understood = in_time(WORK_TIME, move || accepted(&event, &stored)).await;
    let seconds = WORK_TIME.as_secs();
    understood.unwrap_or_else(|| Err(format!("it was not understood within {seconds} s")))
}

fn accepted(meta: &EventMeta, stored: &Stored) -> Result<(Message, String), String> {
    let recording = Recording {
        event: meta,
        fields: &stored.fields,
        content_type: &stored.content_type,
        body: &stored.body,
    };
    let content = recording.content().map_err(|error| error.to_string())?;
    let event = CloudEvent::recorded(recording, &content);
    let event = event.map_err(|error| error.to_string())?;
    let message = Message::of(meta, &event).map_err(|error| error.to_string())?;
    Ok((message, event.event_type().to_owned()))
}

/// The result of some work, unless it takes longer. Such work does not end then: it goes on in its own
/// thread.
async fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = timeout(limit, tokio::task::spawn_blocking(work)).await;
    done.ok()?.ok()
}

fn quarantined(
    meta: &EventMeta,
    authenticity: Authenticity,
    reason: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Message, serde_json::Error> {
    let event = CloudEvent::quarantined(meta, authenticity, reason, content_type, body);
    let mut message = Message::of(meta, &event)?;
    message.attributes.push(("reason", reason.to_owned()));
    Ok(message)
}

/// A record that is not as the ledger writes them, unchanged.
fn unreadable_message(record: &RawValue, error: UnreadableItem) -> Message {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::config::CONSUMER_PATIENCE;

    #[tokio::test]
    async fn work_that_never_ends_is_not_waited_for() {
        let (_open, held) = std::sync::mpsc::channel::<()>();
        let endless = in_time(Duration::from_millis(10), move || held.recv()).await;
        assert_eq!(endless, None);
        assert_eq!(in_time(WORK_TIME, || 1).await, Some(1));
    }

    #[tokio::test]
    async fn work_that_panics_ends_alone() {
        let panics = in_time(WORK_TIME, || panic!("as it is to")).await;
        assert_eq!(panics, None::<()>);
    }

    #[test]
    fn a_record_is_given_up_when_it_was_offered_for_hours() {
        let now = Timestamp::now().as_second();
        let hours = |hours: i64| now - hours * 3600;
        for (created_at, expected) in [
            (hours(6).to_string(), true),
            (format!("{}.5", hours(7)), true),
            (hours(5).to_string(), false),
            (hours(-1).to_string(), false),
            ("0".to_owned(), false),
            ("-1".to_owned(), false),
        ] {
            let record = format!(
                r#"{{"dynamodb": {{"SequenceNumber": "1", "ApproximateCreationDateTime": {created_at}}}}}"#
            );
            let record: &RawValue = serde_json::from_str(&record).unwrap();
            assert_eq!(is_given_up(record), expected, "{created_at}");
        }
        for odd in ["{}", r#"{"dynamodb": {"SequenceNumber": "1"}}"#] {
            let record: &RawValue = serde_json::from_str(odd).unwrap();
            assert!(!is_given_up(record), "{odd}");
        }
    }

    #[test]
    fn the_time_is_for_taking_then_for_sending_then_for_noting() {
        let times = Times::until(Instant::now() + Duration::from_secs(29));
        let at = |instant: Instant| instant.duration_since(times.started).as_secs_f64().round();
        assert_eq!(
            (at(times.enough), at(times.end), at(times.last)),
            (19.0, 26.0, 28.0)
        );
        assert!(times.end - times.enough > CONSUMER_PATIENCE);
        // An invocation that should have ended already takes nothing.
        let late = Times::until(Instant::now());
        assert!(late.enough <= Instant::now());
    }
}
