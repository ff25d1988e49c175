//! The messages of a part of a batch, and how they are sent: each by its queue, the queues of the stack
//! before those of consumers. What a queue refuses goes to quarantine or to the dead-letter queue; what the
//! queue of a listener refuses is dropped.

use super::bookkeeping::BatchRecord;
use super::{FanoutError, IngressFunction};
use crate::aws::sqs::{Message, Offered, Refused, SendError, in_batches};
use crate::metrics::BatchLine;
use crate::store::payloads::PayloadError;
use crate::store::subscriptions::Subscription;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A message for a queue.
#[derive(Clone)]
struct QueueEntry {
    /// As it fits onto the queue.
    message: Arc<Message>,
    /// As it is.
    whole: Arc<Message>,
    /// The ledger's key of the event that it is for, if it is for one.
    key: Option<String>,
}

/// A part of a batch, before any of it is sent.
#[derive(Default)]
pub(super) struct Outbox {
    /// By queue.
    waiting: BTreeMap<String, Vec<QueueEntry>>,
    pub(super) bytes: usize,
    /// How many records are in it.
    pub(super) taken: usize,
    pub(super) counts: Counts,
    /// The journal's record, written once all is sent.
    pub(super) record: BatchRecord,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) published: usize,
    pub(super) subscribed: usize,
    pub(super) deliveries: usize,
    pub(super) quarantined: usize,
}

/// What of a batch is done.
#[derive(Default)]
pub(super) struct Progress {
    /// How many of its records, from the first.
    pub(super) done: usize,
    pub(super) record: BatchRecord,
    /// The consumers' queues that take no message, and why: in this invocation they are not asked again.
    closed: BTreeMap<String, String>,
    /// The queues that only listeners subscribe.
    listeners: BTreeSet<String>,
}

impl Progress {
    /// Notes which queues only listeners subscribe.
    pub(super) fn note_listeners(&mut self, subscriptions: &[Subscription]) {
        let of_others = |queue: &String| {
            let mut others = subscriptions.iter().filter(|other| !other.is_of_listener());
            others.any(|other| other.queue_url == *queue)
        };
        let of_listeners = subscriptions
            .iter()
            .filter(|subscription| subscription.is_of_listener());
        let queues = of_listeners.map(|subscription| &subscription.queue_url);
        self.listeners = queues.filter(|queue| !of_others(queue)).cloned().collect();
    }
}

impl IngressFunction {
    /// Puts a message into the outbox, as it fits onto the queue.
    pub(super) async fn enqueue(
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
    ) -> Result<QueueEntry, PayloadError> {
        Ok(QueueEntry {
            message: self.payloads.offload_if_large(message, queue).await?,
            whole: Arc::clone(message),
            key,
        })
    }

    /// Sends a part of a batch, and notes that it is done.
    pub(super) async fn send(
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
            nowhere.extend(self.dead_letter(place, queue, refused).await?);
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
            (queue, refused_of(entries, offered.refused), offered.closed)
        });
        for (queue, refused, closed) in join_all(offers).await {
            if progress.listeners.contains(&queue) {
                log_dropped(&queue, &refused);
            } else {
                line.dead_lettered += refused.len();
                let place = &self.dead_letter_queue_url;
                nowhere.extend(self.dead_letter(place, &queue, refused).await?);
            }
            progress
                .closed
                .extend(closed.map(|code| (queue.clone(), code)));
        }
        line.published += part.counts.published;
        line.subscribed += part.counts.subscribed;
        line.deliveries += part.counts.deliveries;
        line.quarantine_messages += part.counts.quarantined;
        progress.done += part.taken;
        progress.record.extend(part.record, &nowhere);
        Ok(())
    }

    /// Sends messages to a queue of the stack. Gives those that it will never take, and why.
    async fn send_to(
        &self,
        queue: &str,
        entries: Vec<QueueEntry>,
    ) -> Result<Vec<(QueueEntry, String)>, SendError> {
        let mut all = Vec::new();
        for batch in in_batches(entries, |entry| entry.message.size()) {
            let sent = self.queues.send(queue, messages(&batch)).await?;
            all.extend(refused_of(batch, sent));
        }
        Ok(all)
    }

    /// Puts messages that a queue refused onto a queue of the stack, with the attributes `queue` and
    /// `reason`. Gives the keys of the events whose messages even that one refuses.
    async fn dead_letter(
        &self,
        place: &str,
        queue: &str,
        refused: Vec<(QueueEntry, String)>,
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
            let copy = Arc::new(with_refusal(&entry.whole, queue, code));
            copies.push(self.entry(place, &copy, entry.key).await?);
        }
        let refused_again = self.send_to(place, copies).await?;
        // The text or an attribute has characters that SQS does not take, which only somebody can have
        // written by hand.
        let mut pointers = Vec::new();
        for (entry, code) in refused_again {
            tracing::error!(queue = place, code, "a refused message is refused again");
            let pointer = self.payloads.pointing(&entry.whole, place).await?;
            let message = Arc::new(pointer.with_plain_attributes());
            pointers.push(QueueEntry { message, ..entry });
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
    pub(super) fn add(&mut self, one: Self) {
        for (queue, entries) in one.waiting {
            self.waiting.entry(queue).or_default().extend(entries);
        }
        self.bytes += one.bytes;
        self.taken += 1;
        self.counts.add(&one.counts);
        self.record.extend(one.record, &BTreeSet::new());
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

/// Logs that the queue of a listener refused messages. This happens for up to half a minute after the
/// listener's end, which is how old a read subscription may be, or until the subscription expires.
fn log_dropped(queue: &str, refused: &[(QueueEntry, String)]) {
    if let Some((_, code)) = refused.first() {
        let messages = refused.len();
        tracing::info!(queue, code, messages, "a listener's queue refused messages");
    }
}

fn messages(entries: &[QueueEntry]) -> Vec<Arc<Message>> {
    entries
        .iter()
        .map(|entry| Arc::clone(&entry.message))
        .collect()
}

/// The entries of messages that were refused, and why.
fn refused_of(entries: Vec<QueueEntry>, refused: Vec<Refused>) -> Vec<(QueueEntry, String)> {
    let is_of =
        |refused: &Refused, entry: &QueueEntry| Arc::ptr_eq(&refused.message, &entry.message);
    entries
        .into_iter()
        .filter_map(|entry| {
            let refused = refused.iter().find(|refused| is_of(refused, &entry))?;
            Some((entry, refused.code.clone()))
        })
        .collect()
}

/// A message that a queue refused, with the queue and the reason as further attributes.
fn with_refusal(message: &Message, queue: &str, code: String) -> Message {
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

    #[test]
    fn what_a_queue_refuses_is_dropped_only_if_none_but_listeners_subscribe_it() {
        let subscription = |queue: &str, expires_at| Subscription {
            name: queue.to_owned(),
            queue_url: queue.to_owned(),
            events: vec!["*".to_owned()],
            sources: Vec::new(),
            expires_at,
        };
        let mut progress = Progress::default();
        progress.note_listeners(&[
            subscription("search", None),
            subscription("listener", Some(1)),
            subscription("shared", Some(1)),
            subscription("shared", None),
        ]);
        assert_eq!(progress.listeners, ["listener".to_owned()].into());
    }
}
