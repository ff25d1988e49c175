//! The stream path: what the ledger recorded becomes messages on queues.
//!
//! A batch is worked on in parts, each of them as many records as fit into memory and time. Of a part, everything is read
//! and stored first, then the stack's own queues get their messages, and consumers' queues last: while something of the
//! stack fails, nobody gets copies. What is done is noted, and the stream offers the rest again. A fault that passes makes
//! copies only in the part that it strikes, with the same id.
//!
//! A queue of a consumer never fails a batch: what it does not take goes to the dead-letter queue. What can never be sent
//! goes to quarantine. So neither holds up the rest.

use super::bookkeeping::Notes;
use super::{Answer, Ingress};
use crate::aws::error::AwsError;
use crate::aws::sqs::{Message, Offered, Refused, SendError, in_batches};
use crate::crypto::signature::sha256;
use crate::event::{
    self, CONTENT_TYPE, CloudEvent, EventRef, GATEWAY_SOURCE, QUARANTINED, Receipt,
};
use crate::messages::{self as delivery, DeliverEvent};
use crate::metrics::BatchLine;
use crate::providers::Verified;
use crate::store::endpoints::Endpoint;
use crate::store::journal::Published;
use crate::store::ledger::{Change, Record, StoredBody, UnreadableItem};
use crate::store::payloads::PayloadError;
use crate::store::subscriptions::Subscription;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{timeout, timeout_at};

/// So many bytes wait for their queues at once, at most and one record more: a part of the function's memory.
const MAX_WAITING: usize = 8 * 1024 * 1024;

/// A body of this size is understood in no time, whatever is in it.
const SMALL: usize = 64 * 1024;

/// A larger one is given so long. It takes milliseconds, unless somebody found a way to make it take for ever.
const WORK_TIME: Duration = Duration::from_secs(10);

/// A record whose payload is out of reach is offered again for so long, while all behind it wait. The stream keeps them
/// for 24 hours.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// Why a batch is to be offered again.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// The event is neither a request nor a batch of a stream.
    #[error("the event is neither a request of API Gateway nor a batch of the ledger's stream")]
    NotAStream,
    /// The subscriptions or the endpoints are not known.
    #[error(transparent)]
    Recipients(#[from] AwsError),
    /// A claimed body was not read, or a large event was not stored.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// Messages were not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// An event was not encoded.
    #[error("an event was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// The invocation is about to end.
    #[error("the time ran out")]
    OutOfTime,
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

/// Who gets events, besides the events queue.
struct Parties {
    subscriptions: Arc<[Subscription]>,
    endpoints: Arc<[Endpoint]>,
}

/// A message for a queue.
#[derive(Clone)]
struct Entry {
    /// As it fits onto the queue.
    message: Arc<Message>,
    /// As it is.
    whole: Arc<Message>,
    /// The ledger's key of the event that it is for, if it is for one.
    key: Option<String>,
}

/// A part of a batch, before any of it is sent.
#[derive(Default)]
struct Outbox {
    /// By queue.
    waiting: BTreeMap<String, Vec<Entry>>,
    bytes: usize,
    /// How many records are in it.
    taken: usize,
    counts: Counts,
    /// What the journal is to say, once all is sent.
    notes: Notes,
}

#[derive(Default)]
struct Counts {
    published: usize,
    subscribed: usize,
    deliveries: usize,
    quarantined: usize,
}

/// What of a batch is done.
#[derive(Default)]
struct Progress {
    /// How many of its records, from the first.
    done: usize,
    notes: Notes,
    /// The consumers' queues that take no message, and why: in this invocation they are not asked again.
    closed: BTreeMap<String, String>,
}

impl Ingress {
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
        let noting = self.note(progress.notes, times.started);
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
        let (endpoints, unreadable) = self.endpoints.current(times.started).await?;
        line.unreadable += unreadable;
        let parties = Parties {
            subscriptions,
            endpoints,
        };
        let mut outbox = Outbox::default();
        for (index, record) in records.iter().enumerate() {
            if Instant::now() >= times.enough {
                break;
            }
            let mut one = Outbox::default();
            // One that takes longer is left for the next invocation, if there is something to send in this one.
            let limit = if outbox.taken > 0 {
                times.enough
            } else {
                times.end
            };
            let taking = self.take(record, &parties, &mut one);
            match timeout_at(limit.into(), taking).await {
                Err(_) if outbox.taken > 0 => break,
                Err(_) => return Err(FanoutError::OutOfTime),
                Ok(Err(FanoutError::Payload(error))) if index == 0 && is_given_up(record) => {
                    one = Outbox::default();
                    self.give_up(record, &error, &mut one).await?;
                }
                Ok(taken) => taken?,
            }
            outbox.add(one);
            if outbox.bytes >= MAX_WAITING {
                let part = std::mem::take(&mut outbox);
                self.send(part, progress, line).await?;
            }
        }
        self.send(outbox, progress, line).await
    }

    /// Puts the messages of a record into the outbox.
    async fn take(
        &self,
        record: &RawValue,
        parties: &Parties,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        match read(record) {
            None => Ok(()),
            Some(Ok(recorded)) => self.post(recorded, parties, outbox).await,
            Some(Err(error)) => {
                let message = unreadable(record, error);
                self.post_to_quarantine(message, None, outbox).await
            }
        }
    }

    /// Puts the messages of one recorded webhook into the outbox.
    async fn post(
        &self,
        record: Record,
        parties: &Parties,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let receipt = record.receipt;
        let secret = record.matched.map(|it| it.id);
        let (body, reason) = match self.body(record.body).await {
            Err(error) if error.is_final() => (Vec::new(), Some(error.to_string())),
            body => (body?, record.reason),
        };
        let body = Arc::new(body);
        let (event, quarantined) = match understand(&receipt, &body, reason).await {
            Ok((message, event_type)) => {
                let event = EventRef::new(&record.key, &event_type, &receipt);
                self.post_accepted(&event, message, parties, outbox).await?;
                self.post_deliveries(&event, parties, outbox).await?;
                let body = Arc::unwrap_or_clone(body);
                let sightings = &mut outbox.notes.sightings;
                self.sight(receipt.provider, &event, body, sightings).await;
                (event, false)
            }
            Err(reason) => {
                let message = quarantined(&receipt, &reason, &record.content_type, &body)?;
                let key = Some(record.key.clone());
                self.post_to_quarantine(message, key, outbox).await?;
                (EventRef::new(&record.key, QUARANTINED, &receipt), true)
            }
        };
        outbox.notes.add(Published { event, quarantined }, secret);
        Ok(())
    }

    /// Puts what is left of a record whose payload is out of reach into the outbox, for quarantine. The journal does not
    /// say that it is published, so that the operator finds it when the payload is back.
    async fn give_up(
        &self,
        record: &RawValue,
        error: &PayloadError,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let Some(Ok(record)) = read(record) else {
            return Ok(());
        };
        let hours = GIVE_UP_AFTER.as_hours();
        let reason = format!("given up after {hours} hours: {error}");
        let message = quarantined(&record.receipt, &reason, &record.content_type, b"")?;
        self.post_to_quarantine(message, None, outbox).await
    }

    async fn body(&self, stored: StoredBody) -> Result<Vec<u8>, PayloadError> {
        match stored {
            StoredBody::Inline(body) => Ok(body),
            StoredBody::Claimed(key) => self.payloads.get(&key).await,
        }
    }

    async fn post_accepted(
        &self,
        event: &EventRef,
        message: Message,
        parties: &Parties,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let message = Arc::new(message);
        let events_queue = &self.events_queue_url;
        outbox.counts.published += 1;
        self.put(outbox, events_queue, &message, Some(&event.key))
            .await?;
        let matching = parties
            .subscriptions
            .iter()
            .filter(|it| it.matches(&event.event_type, &event.source));
        // Two subscriptions of one queue are one message.
        let queues: BTreeSet<_> = matching.map(|it| &it.queue_url).collect();
        for queue in queues.into_iter().filter(|queue| *queue != events_queue) {
            outbox.counts.subscribed += 1;
            self.put(outbox, queue, &message, Some(&event.key)).await?;
        }
        Ok(())
    }

    /// Puts one message for each endpoint that wants the event into the outbox.
    async fn post_deliveries(
        &self,
        event: &EventRef,
        parties: &Parties,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        let matching = parties
            .endpoints
            .iter()
            .filter(|it| it.matches(&event.event_type, &event.source));
        for endpoint in matching {
            let order = delivery::Message::Delivery(DeliverEvent {
                endpoint: endpoint.id.clone(),
                event: event.clone(),
                resend: None,
                not_before: None,
            });
            outbox.counts.deliveries += 1;
            let message = Arc::new(order.queued(0)?);
            self.put(outbox, &self.delivery_queue_url, &message, Some(&event.key))
                .await?;
        }
        Ok(())
    }

    async fn post_to_quarantine(
        &self,
        message: Message,
        key: Option<String>,
        outbox: &mut Outbox,
    ) -> Result<(), FanoutError> {
        outbox.counts.quarantined += 1;
        let queue = &self.quarantine_queue_url;
        self.put(outbox, queue, &Arc::new(message), key.as_deref())
            .await
    }

    /// Puts a message into the outbox, as it fits onto the queue.
    async fn put(
        &self,
        outbox: &mut Outbox,
        queue: &str,
        message: &Arc<Message>,
        key: Option<&str>,
    ) -> Result<(), FanoutError> {
        outbox.bytes += message.size();
        let entry = self.entry(queue, message, key.map(str::to_owned)).await?;
        let waiting = outbox.waiting.entry(queue.to_owned()).or_default();
        waiting.push(entry);
        Ok(())
    }

    async fn entry(
        &self,
        queue: &str,
        message: &Arc<Message>,
        key: Option<String>,
    ) -> Result<Entry, PayloadError> {
        Ok(Entry {
            message: self.payloads.fitting(message, queue).await?,
            whole: Arc::clone(message),
            key,
        })
    }
}

/// The sending.
impl Ingress {
    /// Sends a part of a batch, and notes that it is done.
    async fn send(
        &self,
        part: Outbox,
        progress: &mut Progress,
        line: &mut BatchLine,
    ) -> Result<(), FanoutError> {
        let mut waiting = part.waiting;
        let mut nowhere = BTreeSet::new();
        // A copy of a delivery is known by its history; a copy of an event by its consumer alone.
        for queue in [
            &self.delivery_queue_url,
            &self.quarantine_queue_url,
            &self.events_queue_url,
        ] {
            let entries = waiting.remove(queue).unwrap_or_default();
            let refused = self.send_to(queue, entries).await?;
            line.quarantine_messages += refused.len();
            let place = &self.quarantine_queue_url;
            nowhere.extend(self.set_aside(place, queue, refused).await?);
        }
        let closed = &progress.closed;
        let offers = waiting.into_iter().map(async |(queue, entries)| {
            let messages = messages(&entries);
            let offered = match closed.get(&queue) {
                Some(code) => Offered::by_closed(messages, code),
                None => {
                    let patience = self.consumer_patience;
                    self.queues.offer(&queue, messages, patience).await
                }
            };
            (queue, refused(entries, offered.refused), offered.closed)
        });
        for (queue, refused, closed) in join_all(offers).await {
            line.dead_lettered += refused.len();
            let place = &self.dead_letter_queue_url;
            nowhere.extend(self.set_aside(place, &queue, refused).await?);
            progress
                .closed
                .extend(closed.map(|code| (queue.clone(), code)));
        }
        line.published += part.counts.published;
        line.subscribed += part.counts.subscribed;
        line.deliveries += part.counts.deliveries;
        line.quarantine_messages += part.counts.quarantined;
        progress.done += part.taken;
        progress.notes.extend(part.notes, &nowhere);
        Ok(())
    }

    /// Sends messages to a queue of ours; those that it will never take, and why.
    async fn send_to(
        &self,
        queue: &str,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Entry, String)>, SendError> {
        let mut all = Vec::new();
        for batch in in_batches(entries, |it| it.message.size()) {
            let sent = self.queues.send(queue, messages(&batch)).await?;
            all.extend(refused(batch, sent));
        }
        Ok(all)
    }

    /// Puts messages that a queue refused onto a queue of ours, with the attributes `queue` and `reason`. The keys of the
    /// events whose messages even that one refuses.
    async fn set_aside(
        &self,
        place: &str,
        queue: &str,
        refused: Vec<(Entry, String)>,
    ) -> Result<Vec<String>, FanoutError> {
        let mut reasons = BTreeMap::<_, usize>::new();
        for (_, code) in &refused {
            *reasons.entry(code).or_default() += 1;
        }
        for (code, times) in reasons {
            tracing::error!(queue, code, times, "a message is refused");
        }
        let mut copies = Vec::new();
        for (entry, code) in refused {
            let copy = Arc::new(refused_message(&entry.whole, queue, code));
            copies.push(self.entry(place, &copy, entry.key).await?);
        }
        let refused_again = self.send_to(place, copies).await?;
        // Something in the text or the attributes is none that SQS takes, which only a hand can have written.
        let mut pointers = Vec::new();
        for (entry, code) in refused_again {
            tracing::error!(queue = place, code, "a refused message is refused again");
            let pointer = self.payloads.pointing(&entry.whole, place).await?;
            let message = Arc::new(pointer.with_plain_attributes());
            pointers.push(Entry { message, ..entry });
        }
        let lost = self.send_to(place, pointers).await?.into_iter();
        Ok(lost
            .filter_map(|(entry, code)| {
                let (key, pointer) = (&entry.key, &entry.message.body);
                tracing::error!(
                    queue = place,
                    code,
                    key,
                    pointer,
                    "a message is on no queue: it is in the bucket, and its event in the ledger"
                );
                entry.key
            })
            .collect())
    }
}

impl Outbox {
    /// Adds what one record has come to.
    fn add(&mut self, one: Self) {
        for (queue, entries) in one.waiting {
            self.waiting.entry(queue).or_default().extend(entries);
        }
        self.bytes += one.bytes;
        self.taken += 1;
        self.counts.add(&one.counts);
        self.notes.extend(one.notes, &BTreeSet::new());
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.subscribed += other.subscribed;
        self.deliveries += other.deliveries;
        self.quarantined += other.quarantined;
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

fn messages(entries: &[Entry]) -> Vec<Arc<Message>> {
    entries.iter().map(|it| Arc::clone(&it.message)).collect()
}

/// The entries of messages that were refused, and why.
fn refused(entries: Vec<Entry>, refused: Vec<Refused>) -> Vec<(Entry, String)> {
    let is_of = |it: &Refused, entry: &Entry| Arc::ptr_eq(&it.message, &entry.message);
    entries
        .into_iter()
        .filter_map(|entry| {
            let refused = refused.iter().find(|it| is_of(it, &entry))?;
            Some((entry, refused.code.clone()))
        })
        .collect()
}

/// What a record of the stream has recorded, if it has.
fn read(record: &RawValue) -> Option<Result<Record, UnreadableItem>> {
    let change = serde_json::from_str::<Change<'_>>(record.get());
    change.map_or(Some(Err(UnreadableItem("form"))), |it| it.recorded())
}

fn position(record: &RawValue) -> Option<Position<'_>> {
    serde_json::from_str(record.get()).ok()
}

/// Whether a record has been offered for so long that the records behind it come first.
fn is_given_up(record: &RawValue) -> bool {
    let seconds = position(record).map_or(0.0, |it| it.dynamodb.created_at);
    let created_at = Timestamp::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0));
    seconds > 0.0 && Timestamp::now().duration_since(created_at) >= GIVE_UP_AFTER
}

/// The message of the event that a recorded body is, and the event's type; or why it is none.
async fn understand(
    receipt: &Receipt,
    body: &Arc<Vec<u8>>,
    reason: Option<String>,
) -> Result<(Message, String), String> {
    if let Some(reason) = reason {
        return Err(reason);
    }
    if body.len() <= SMALL {
        return accepted(receipt, body);
    }
    let (receipt, body) = (receipt.clone(), Arc::clone(body));
    let understood = in_time(WORK_TIME, move || accepted(&receipt, &body)).await;
    let seconds = WORK_TIME.as_secs();
    understood.unwrap_or_else(|| Err(format!("it was not understood within {seconds} s")))
}

fn accepted(receipt: &Receipt, body: &[u8]) -> Result<(Message, String), String> {
    let event = receipt.provider.normalize(Verified::recorded(body));
    let event = event.map_err(|error| error.to_string())?;
    let event = CloudEvent::accepted(receipt, event);
    let message = Message::of(receipt, &event).map_err(|error| error.to_string())?;
    Ok((message, event.event_type().to_owned()))
}

/// The result of some work, unless it takes longer. Nothing ends such work: it goes on beside what is done next.
async fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = timeout(limit, tokio::task::spawn_blocking(work)).await;
    done.ok()?.ok()
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
        let at = |it: Instant| it.duration_since(times.started).as_secs_f64().round();
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
