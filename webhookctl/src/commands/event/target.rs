//! The recipients of a replay: a queue, an endpoint, or all that match.

use super::replay::Replay;
use crate::Result;
use crate::condition::note_if_held;
use crate::find;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::stack::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use webhook_gateway::aws::sqs::{MAX_ENTRIES, Message, Queues};
use webhook_gateway::event::{CloudEvent, EventMeta, Recording};
use webhook_gateway::messages::{self, DeliverEvent};
use webhook_gateway::store::endpoints::Endpoint;
use webhook_gateway::store::ledger::LedgerItem;
use webhook_gateway::store::subscriptions::Subscription;

/// The recipients.
pub(crate) struct Target {
    endpoints: Vec<Endpoint>,
    /// Queues that get every event.
    queue_urls: Vec<String>,
    /// Subscriptions, which get the events that match them.
    subscriptions: Vec<Subscription>,
    delivery_queue_url: String,
    queues: Queues,
    /// The id of the replay.
    id: String,
}

impl Target {
    /// The recipients that a command names.
    pub(crate) async fn of(
        replay: &Replay,
        id: &str,
        stack: &Stack,
        output: &Output,
    ) -> Result<Self> {
        let mut target = Self {
            endpoints: Vec::new(),
            queue_urls: Vec::new(),
            subscriptions: Vec::new(),
            delivery_queue_url: stack.delivery_queue()?.to_owned(),
            queues: stack.queues(),
            id: id.to_owned(),
        };
        let events_queue_url = stack.events_queue()?.to_owned();
        match (&replay.endpoint, &replay.queue) {
            (Some(wanted), _) => {
                let endpoints = stack.endpoints()?.list().await?;
                let found = find::endpoint(wanted, &endpoints)?;
                note_if_held(found, "replayed", output);
                target.endpoints.push(found.clone());
            }
            (None, Some(queue)) if queue == "events" => target.queue_urls.push(events_queue_url),
            (None, Some(queue))
                if queue.starts_with("https://") || queue.starts_with("http://") =>
            {
                target.queue_urls.push(queue.clone());
            }
            (None, Some(queue)) => {
                let subscription = find::subscription(queue, stack).await;
                target.subscriptions.push(subscription.map_err(|error| {
                    format!("{error}; --queue also takes `events` and the URL of a queue")
                })?);
            }
            (None, None) => {
                target.endpoints = stack.endpoints()?.list().await?;
                target.subscriptions = find::subscriptions(stack).await?;
                target.queue_urls.push(events_queue_url);
            }
        }
        Ok(target)
    }

    /// The messages of an event, each with its queue; none if no recipient takes it.
    pub(crate) async fn messages(
        &self,
        event: &EventMeta,
        stored: &LedgerItem,
        recorded: &LedgerReader,
    ) -> Result<Vec<(String, Arc<Message>)>> {
        let event = EventMeta {
            replayed: true,
            ..event.clone()
        };
        let (event_type, source) = (&*event.event_type, &*event.source);
        let endpoints = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.matches(event_type, source));
        let mut messages = Vec::new();
        for endpoint in endpoints {
            let order = self.order(endpoint, &event)?;
            messages.push((self.delivery_queue_url.clone(), Arc::new(order)));
        }
        let subscribed = self
            .subscriptions
            .iter()
            .filter(|subscription| subscription.matches(event_type, source));
        let queues: BTreeSet<_> = self
            .queue_urls
            .iter()
            .chain(subscribed.map(|subscription| &subscription.queue_url))
            .collect();
        if !queues.is_empty() {
            let raw = recorded.bytes(stored.body.clone()).await?;
            let message = Arc::new(message_of(stored.recording(&event, &raw))?);
            for url in queues {
                messages.push((url.clone(), recorded.fitting(&message, url).await?));
            }
        }
        Ok(messages)
    }

    fn order(&self, endpoint: &Endpoint, event: &EventMeta) -> Result<Message> {
        let order = messages::Message::Delivery(DeliverEvent {
            endpoint: endpoint.id.clone(),
            event: event.clone(),
            resend: Some(self.id.clone()),
            not_before: None,
        });
        Ok(order.queued(0)?)
    }

    /// Sends messages to their queues.
    pub(crate) async fn send(&self, messages: Vec<(String, Arc<Message>)>) -> Result<()> {
        let mut of_queue: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (queue, message) in messages {
            of_queue.entry(queue).or_default().push(message);
        }
        for (queue, messages) in of_queue {
            for batch in messages.chunks(MAX_ENTRIES) {
                let refused = self.queues.send(&queue, batch.to_vec()).await;
                if let Some(refused) = refused?.first() {
                    let code = &refused.code;
                    return Err(format!("the queue {queue} refuses an event: {code}").into());
                }
            }
        }
        Ok(())
    }
}

/// The message of an event, as the fan-out makes it.
fn message_of(recording: Recording<'_>) -> Result<Message> {
    let content = recording.content()?;
    let cloud_event = CloudEvent::recorded(recording, &content)?;
    Ok(Message::of(recording.event, &cloud_event)?)
}
