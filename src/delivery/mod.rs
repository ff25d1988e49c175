//! The delivery function: events from the delivery queue to registered endpoints.
//!
//! The way of a delivery: its message is read here; `plan` decides whether it is tried; `attempt` makes the request
//! (`load`, `body`, `request`), has it checked and posted (`guard`, `sender`) and classified (`outcome`); `judge` tells the
//! endpoint's `circuit`, and `settle` writes the `history` and puts the message off or lets it go. What cannot be tried
//! is held, and worked off by the endpoint's `probe`. Beside deliveries there are the `ping` of an operator who asks, and
//! the `watch` over a source that may fall silent. `lost` finds probes and watches whose messages are lost.

mod attempt;
mod batch;
pub mod body;
mod circuits;
mod config;
pub mod http;
mod job;
mod load;
mod lost;
pub mod notification;
pub mod outcome;
mod ping;
pub mod plan;
mod probe;
mod settle;
pub mod signing;
mod silence;

pub use config::DeliveryConfig;

use crate::aws::kms::Seal;
use crate::aws::sqs::{self, Queues};
use crate::messages::Message;
use crate::metrics::Metrics;
use crate::silence::left;
use crate::store::deliveries::Deliveries;
use crate::store::endpoints::circuit::Circuits;
use crate::store::endpoints::{EndpointStatus, Endpoints};
use crate::store::journal::Journal;
use crate::store::ledger::Ledger;
use crate::store::payloads::Payloads;
use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::future::{join, join_all};
use http::guard::Policy;
use http::sender::{Sender, System};
use jiff::Timestamp;
use job::Origin;
use notification::Notices;
use probe::Next;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The delivery function with all that it talks to.
pub struct DeliveryFunction {
    endpoints: Endpoints,
    circuits: Circuits,
    history: Deliveries,
    ledger: Ledger,
    journal: Journal,
    payloads: Payloads,
    queues: Queues,
    seal: Seal,
    sender: Sender<System>,
    notices: Notices,
    metrics: Metrics,
    policy: Policy,
    delivery_queue_url: String,
    dead_letter_queue_url: String,
    /// When probes and watches that are lost were looked for.
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

/// A message has no id, by which alone it can be told apart.
#[derive(Debug, thiserror::Error)]
#[error("a message of the batch has no id")]
pub struct NoMessageId;

impl DeliveryFunction {
    /// The function, with clients that share what `aws` holds.
    pub fn new(config: DeliveryConfig, aws: &SdkConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let policy = config.endpoint_policy;
        if policy == Policy::Unrestricted {
            tracing::warn!(
                "endpoints may be anywhere, inside this network too: ENDPOINT_POLICY is {policy}"
            );
        }
        Self {
            endpoints: Endpoints::new(dynamodb.clone(), config.endpoints_table.clone()),
            circuits: Circuits::new(dynamodb.clone(), config.endpoints_table),
            history: Deliveries::new(dynamodb.clone(), config.deliveries_table),
            ledger: Ledger::new(dynamodb.clone(), config.ledger_table),
            journal: Journal::new(dynamodb, config.journal_table),
            payloads: Payloads::new(aws_sdk_s3::Client::new(aws), config.payload_bucket),
            queues: Queues::new(aws_sdk_sqs::Client::new(aws)),
            seal: Seal::new(aws_sdk_kms::Client::new(aws)),
            sender: Sender::new(policy),
            notices: Notices::new(
                aws_sdk_sns::Client::new(aws),
                config.notices_topic_arn,
                config.events_queue_url,
            ),
            metrics: Metrics::to_stdout(config.metrics_namespace),
            policy,
            delivery_queue_url: config.delivery_queue_url,
            dead_letter_queue_url: config.dead_letter_queue_url,
            looked_at: Mutex::default(),
        }
    }

    /// Handles a batch of messages, in time; which of them are not done with.
    ///
    /// Only a message without an id is an error, which makes the whole batch come again: to name an id that was not
    /// in the batch could delete all of it.
    pub async fn handle(
        &self,
        event: SqsEvent,
        deadline: Instant,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let at = Instant::now();
        let received = event
            .records
            .into_iter()
            .map(|it| Received::read(it, at, deadline));
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
        let mut kept = Vec::new();
        for it in received {
            match serde_json::from_str::<Message>(&it.body) {
                Ok(message) => messages.push((it, message)),
                Err(error) => kept.extend(self.set_aside(it, &error.to_string()).await),
            }
        }
        if messages.is_empty() {
            return kept;
        }
        let ids = messages
            .iter()
            .filter_map(|(_, message)| message.endpoint())
            .collect();
        let statuses = match self.endpoints.statuses(&ids).await {
            Ok(statuses) => statuses,
            Err(error) => {
                tracing::error!(%error, "endpoints are not readable");
                kept.extend(messages.iter().map(|(it, _)| it.id.clone()));
                return kept;
            }
        };
        drop(ids);
        let mut orders = Vec::new();
        let mut others = Vec::new();
        for (it, message) in messages {
            match message {
                Message::Delivery(order) => orders.push((it, order)),
                other => others.push((it, other)),
            }
        }
        let is_one_of_a_kind =
            |it: &Message| matches!(it, Message::Probe(_) | Message::SilenceCheck(_));
        let looks_for_lost = others.iter().any(|(_, it)| is_one_of_a_kind(it));
        let others = others
            .iter()
            .map(|(it, message)| self.work_on(it, message, &statuses));
        let (delivered, others) = join(self.deliver(orders, &statuses), join_all(others)).await;
        self.replace_lost_probes(&statuses).await;
        if looks_for_lost {
            self.replace_lost(Instant::now()).await;
        }
        self.notify_of_what_is_due(&statuses).await;
        kept.extend(delivered);
        kept.extend(others.into_iter().flatten());
        kept
    }

    /// Does what a message says that is no delivery; its id, if it is not done with.
    async fn work_on(
        &self,
        received: &Received,
        message: &Message,
        statuses: &HashMap<String, EndpointStatus>,
    ) -> Option<String> {
        let standing = message.endpoint().and_then(|it| statuses.get(it));
        let next = match message {
            Message::Probe(probe) => self.run_probe(probe, received, standing).await,
            Message::Ping(ping) => self.run_ping(ping, standing).await,
            Message::SilenceCheck(watch) => self.run_watch(watch, received).await,
            Message::Delivery(_) => return None,
        };
        if let Next::After(wait) = next {
            let seconds = crate::backoff::visibility(wait, received.at.elapsed());
            self.put_off(vec![(received.receipt.clone(), seconds)])
                .await;
        }
        (next != Next::Done).then(|| received.id.clone())
    }

    /// Puts a message that cannot be read onto the dead-letter queue; its id, if that failed.
    async fn set_aside(&self, received: &Received, reason: &str) -> Option<String> {
        tracing::error!(message.id = received.id, reason, "message is not readable");
        let message = Arc::new(sqs::Message {
            body: received.body.clone(),
            attributes: vec![
                ("queue", self.delivery_queue_url.clone()),
                ("reason", format!("the message is not readable: {reason}")),
            ],
            offloaded_bytes: None,
            group: None,
            delay: None,
        });
        let sent = self
            .queues
            .send(&self.dead_letter_queue_url, vec![message])
            .await;
        let is_done = sent.as_ref().is_ok_and(Vec::is_empty);
        if let Err(error) = sent {
            tracing::error!(message.id = received.id, %error, "message is not set aside");
        }
        (!is_done).then(|| received.id.clone())
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
        let sent = sent.and_then(|it| Timestamp::from_millisecond(it.parse().ok()?).ok());
        Ok(Self {
            id: message
                .message_id
                .filter(|id| !id.is_empty())
                .ok_or(NoMessageId)?,
            receipt: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
            age: sent.map_or(Duration::ZERO, |it| left(Timestamp::now(), it)),
            at,
            deadline,
        })
    }

    fn origin(&self) -> Origin {
        Origin::Queue {
            message: self.id.clone(),
            receipt: self.receipt.clone(),
            received: self.at,
        }
    }
}
