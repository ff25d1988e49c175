//! The delivery function: events from the delivery queue to registered endpoints.
//!
//! `batch` takes the deliveries of an invocation through their life, which `lifecycle` decides: `attempt`
//! makes the request (`load`, `body`, `signing`, `http`) and `answer` reads the reply; `circuits` keeps count
//! of the endpoint, and `hanging` keeps it from taking up the function; `settle` writes what becomes of the
//! delivery. What cannot be sent is held, and drained by the endpoint's `probe`. A `ping` asks an endpoint
//! what it answers, and a `silence` check looks after a source.

mod answer;
mod attempt;
mod attempted;
mod batch;
pub mod body;
mod circuits;
mod config;
mod hanging;
pub mod http;
pub mod lifecycle;
mod line;
mod load;
mod lost;
pub mod notification;
mod ping;
mod probe;
mod probe_lease;
mod queue;
mod settle;
pub mod signing;
mod silence;

pub use config::DeliveryConfig;

pub use probe::REPLACE_MESSAGE_AFTER_RECEIVES;

use crate::aws::clients::{self, KmsClient, SnsClient};
use crate::aws::kms::Seal;
use crate::aws::sns::Topic;
use crate::aws::sqs::Queues;
use crate::lease::Reschedule;
use crate::messages::Message;
use crate::metrics::Metrics;
use crate::silence::left;
use crate::store::deliveries::Deliveries;
use crate::store::endpoints::circuit::Circuits;
use crate::store::endpoints::{EndpointStatus, Endpoints};
use crate::store::journal::Journal;
use crate::store::ledger::Ledger;
use crate::store::payloads::Payloads;
use attempt::Attempts;
use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use circuits::EndpointHealth;
use futures_util::future::{join, join_all};
use http::guard::Policy;
use http::sender::Sender;
use jiff::Timestamp;
use notification::Notices;
use queue::DeliveryQueue;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The delivery function.
pub struct DeliveryFunction {
    queue: Arc<DeliveryQueue>,
    deliveries: Deliveries,
    attempts: Attempts,
    health: EndpointHealth,
    journal: Journal,
    metrics: Metrics,
    /// When this copy of the function looked for lost probes and silence checks.
    looked_at: Mutex<Option<Instant>>,
}

/// A message, as it was received.
#[derive(Debug, Clone)]
struct Received {
    id: String,
    receipt: String,
    body: String,
    /// How often it was received.
    receives: u32,
    /// How long ago it was sent.
    age: Duration,
    at: Instant,
    /// When the invocation ends.
    deadline: Instant,
}

/// A message has no id, and nothing else tells it from others.
#[derive(Debug, thiserror::Error)]
#[error("a message of the batch has no id")]
pub struct NoMessageId;

impl DeliveryFunction {
    /// The function, with clients that share one configuration.
    pub fn new(config: DeliveryConfig, aws: &SdkConfig) -> Self {
        let dynamodb = clients::dynamodb(aws);
        let policy = config.endpoint_policy;
        if policy == Policy::Unrestricted {
            tracing::warn!(
                "endpoints may be anywhere, inside this network too: ENDPOINT_POLICY is {policy}"
            );
        }
        let queue = Arc::new(DeliveryQueue {
            queues: Queues::new(clients::sqs(aws)),
            url: config.delivery_queue_url,
            dead_letter_url: config.dead_letter_queue_url,
        });
        let metrics = Metrics::to_stdout(config.metrics_namespace);
        Self {
            queue: Arc::clone(&queue),
            deliveries: Deliveries::new(dynamodb.clone(), config.deliveries_table),
            attempts: Attempts {
                ledger: Ledger::new(dynamodb.clone(), config.ledger_table),
                payloads: Payloads::new(aws, config.payload_bucket),
                seal: Seal::new(KmsClient::new(aws)),
                sender: Sender::new(policy),
                policy,
            },
            health: EndpointHealth {
                endpoints: Endpoints::new(dynamodb.clone(), config.endpoints_table.clone()),
                circuits: Circuits::new(dynamodb.clone(), config.endpoints_table),
                queue,
                notices: Notices::new(
                    Topic::new(SnsClient::new(aws), config.notices_topic_arn),
                    config.events_queue_url,
                ),
                metrics: metrics.clone(),
            },
            journal: Journal::new(dynamodb, config.journal_table),
            metrics,
            looked_at: Mutex::default(),
        }
    }

    /// Handles a batch of messages, in time; which of them are not done with.
    ///
    /// Only a message without an id is an error, which makes the whole batch come again: to name an id that
    /// was not in the batch could delete all of it.
    pub async fn handle(
        &self,
        event: SqsEvent,
        deadline: Instant,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let at = Instant::now();
        let received = event
            .records
            .into_iter()
            .map(|message| Received::read(message, at, deadline));
        let received = received.collect::<Result<Vec<_>, _>>()?;
        let mut response = SqsBatchResponse::default();
        for id in self.work(&received).await {
            response.add_failure(id);
        }
        Ok(response)
    }

    /// Does what the messages say; the ids of those that are not done with.
    async fn work(&self, received: &[Received]) -> Vec<String> {
        let mut messages = Vec::new();
        let mut unfinished = Vec::new();
        for received in received {
            match serde_json::from_str::<Message>(&received.body) {
                Ok(message) => messages.push((received, message)),
                Err(error) if self.queue.dead_letter(received, &error.to_string()).await => {}
                Err(_) => unfinished.push(received.id.clone()),
            }
        }
        if messages.is_empty() {
            return unfinished;
        }
        let ids = messages
            .iter()
            .filter_map(|(_, message)| message.endpoint())
            .collect();
        let statuses = match self.health.endpoints.statuses(&ids).await {
            Ok(statuses) => statuses,
            Err(error) => {
                tracing::error!(%error, "endpoints are not readable");
                unfinished.extend(messages.iter().map(|(received, _)| received.id.clone()));
                return unfinished;
            }
        };
        unfinished.extend(self.work_on(messages, &statuses).await);
        self.health.send_pending_notices(&statuses).await;
        unfinished
    }

    /// Does what messages say about these endpoints; the ids of those that are not done with.
    async fn work_on(
        &self,
        messages: Vec<(&Received, Message)>,
        statuses: &HashMap<String, EndpointStatus>,
    ) -> Vec<String> {
        let mut deliveries = Vec::new();
        let mut others = Vec::new();
        for (received, message) in messages {
            match message {
                Message::Delivery(event) => deliveries.push((received, event)),
                other => others.push((received, other)),
            }
        }
        let has_lease =
            |message: &Message| matches!(message, Message::Probe(_) | Message::SilenceCheck(_));
        let looks_for_lost = others.iter().any(|(_, message)| has_lease(message));
        let others = others
            .iter()
            .map(|(received, message)| self.work_on_other(received, message, statuses));
        let (mut unfinished, others) =
            join(self.deliver(deliveries, statuses), join_all(others)).await;
        self.health.replace_lost_probes(statuses).await;
        if looks_for_lost {
            self.replace_lost(Instant::now()).await;
        }
        unfinished.extend(others.into_iter().flatten());
        unfinished
    }

    /// Does what a message says that is no delivery; its id, if it is not done with.
    async fn work_on_other(
        &self,
        received: &Received,
        message: &Message,
        statuses: &HashMap<String, EndpointStatus>,
    ) -> Option<String> {
        let status = message.endpoint().and_then(|id| statuses.get(id));
        let next = match message {
            Message::Probe(probe) => self.run_probe(probe, received, status).await,
            Message::Ping(ping) => self.run_ping(ping, status).await,
            Message::SilenceCheck(check) => self.check_silence(check, received).await,
            Message::Delivery(_) => return None,
        };
        if let Reschedule::After(wait) = next {
            let seconds = crate::backoff::visibility(wait, received.at.elapsed());
            let change = (received.receipt.clone(), seconds);
            self.queue.change_visibility(vec![change]).await;
        }
        (next != Reschedule::Done).then(|| received.id.clone())
    }
}

/// A number from 0 to 1.
fn random() -> f64 {
    // Without randomness there is no jitter, and nothing else suffers.
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

impl Received {
    fn read(message: SqsMessage, at: Instant, deadline: Instant) -> Result<Self, NoMessageId> {
        let receives = message.attributes.get("ApproximateReceiveCount");
        let sent = message.attributes.get("SentTimestamp");
        let sent = sent.and_then(|text| Timestamp::from_millisecond(text.parse().ok()?).ok());
        Ok(Self {
            id: message
                .message_id
                .filter(|id| !id.is_empty())
                .ok_or(NoMessageId)?,
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
            age: sent.map_or(Duration::ZERO, |sent| left(Timestamp::now(), sent)),
            at,
            deadline,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message, for tests that have to name one.
    pub(super) fn received() -> Received {
        Received {
            id: "m".to_owned(),
            receipt: "r".to_owned(),
            body: String::new(),
            receives: 1,
            age: Duration::ZERO,
            at: Instant::now(),
            deadline: Instant::now(),
        }
    }
}
