//! The ingress function. On the HTTP path (`receive`), it takes webhooks from API Gateway and records them.
//! On the stream path (`fanout`), it takes recorded webhooks from the ledger's stream and publishes them.

mod bookkeeping;
mod config;
mod drift;
mod error;
mod fanout;
mod handshake;
mod outbox;
mod receive;
mod request;
mod response;
mod validation;

pub use config::IngressConfig;
pub use error::{FanoutError, IngressError};
pub use request::Request;

use crate::aws::clients::{self, SecretsClient};
use crate::aws::sqs::Queues;
use crate::metrics::Metrics;
use crate::store::endpoints::Endpoints;
use crate::store::journal::Journal;
use crate::store::ledger::Ledger;
use crate::store::payloads::Payloads;
use crate::store::sources::Sources;
use crate::store::subscriptions::Subscriptions;
use aws_config::SdkConfig;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::streams::DynamoDbEventResponse;
use drift::ShapeCache;
use futures_util::future::join;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};

/// How long the start waits for the sources. Lambda ends a start after 10 s, and the time of the next one is
/// a request's.
const WARM_UP: Duration = Duration::from_secs(5);

/// The ingress function with all that it talks to.
pub struct IngressFunction {
    sources: Sources,
    ledger: Ledger,
    payloads: Payloads,
    subscriptions: Subscriptions,
    endpoints: Endpoints,
    queues: Queues,
    journal: Journal,
    shapes: ShapeCache,
    metrics: Metrics,
    events_queue_url: String,
    quarantine_queue_url: String,
    dead_letter_queue_url: String,
    delivery_queue_url: String,
    webhook_url: String,
    retention: SignedDuration,
    rejected_patience: Duration,
    consumer_patience: Duration,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To API Gateway.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To the stream: the batch is done.
    Done,
    /// To the stream: from this record on, the batch is to be offered again.
    Rest(DynamoDbEventResponse),
}

impl IngressFunction {
    /// The function, with clients that share what `aws` holds.
    pub fn new(config: IngressConfig, aws: &SdkConfig) -> Self {
        let dynamodb = clients::dynamodb(aws);
        let secrets = SecretsClient::new(aws);
        Self {
            sources: Sources::new(secrets, config.sources_secret_arn),
            ledger: Ledger::new(dynamodb.clone(), config.ledger_table),
            payloads: Payloads::new(aws, config.payload_bucket),
            subscriptions: Subscriptions::new(dynamodb.clone(), config.endpoints_table.clone()),
            endpoints: Endpoints::new(dynamodb.clone(), config.endpoints_table),
            journal: Journal::new(dynamodb, config.journal_table),
            shapes: ShapeCache::default(),
            queues: Queues::new(clients::sqs(aws)),
            metrics: Metrics::to_stdout(config.metrics_namespace),
            events_queue_url: config.events_queue_url,
            quarantine_queue_url: config.quarantine_queue_url,
            dead_letter_queue_url: config.dead_letter_queue_url,
            delivery_queue_url: config.delivery_queue_url,
            webhook_url: config.webhook_url,
            retention: config.retention,
            rejected_patience: config.rejected_patience,
            consumer_patience: config.consumer_patience,
        }
    }

    /// Reads the sources and connects to DynamoDB before the first request comes. If that fails, the first
    /// request tries again.
    pub async fn warm_up(&self) {
        let sources = self.sources.current(Instant::now());
        let sources = tokio::time::timeout(WARM_UP, sources);
        match join(sources, self.journal.connect()).await.0 {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "sources are not readable"),
            Err(_) => tracing::error!("sources are not readable in {WARM_UP:?}"),
        }
    }

    /// Handles an invocation, in time. Only the stream is answered with an error: it offers the batch again.
    ///
    /// The shape of the event tells the two paths apart, and a caller of the API has no hand in it. The URL's
    /// path is not asked.
    pub async fn handle(
        &self,
        event: Box<RawValue>,
        deadline: Instant,
    ) -> Result<Answer, FanoutError> {
        let Some(request) = Request::read(event.get()) else {
            return self.fan_out(event.get(), deadline).await;
        };
        // Megabytes, which the request has a copy of.
        drop(event);
        Ok(Answer::Http(Box::new(self.receive(request).await)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};

    #[tokio::test(start_paused = true)]
    async fn the_start_does_not_wait_for_who_does_not_answer() {
        // Takes connections, and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let credentials = Credentials::new("test", "test", None, None, "test");
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(format!("http://{}", silent.local_addr().unwrap()))
            .build();
        let any = || "any".to_owned();
        let config = IngressConfig {
            ledger_table: any(),
            endpoints_table: any(),
            journal_table: any(),
            events_queue_url: any(),
            quarantine_queue_url: any(),
            dead_letter_queue_url: any(),
            delivery_queue_url: any(),
            webhook_url: any(),
            payload_bucket: any(),
            sources_secret_arn: any(),
            retention: SignedDuration::from_hours(24),
            metrics_namespace: any(),
            rejected_patience: Duration::ZERO,
            consumer_patience: Duration::ZERO,
        };
        let ingress = IngressFunction::new(config, &aws);
        let begun = tokio::time::Instant::now();
        ingress.warm_up().await;
        let waited = begun.elapsed();
        assert!(waited <= WARM_UP + Duration::from_millis(10), "{waited:?}");
    }
}
