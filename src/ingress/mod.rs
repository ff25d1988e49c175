//! The ingress function: door 1 takes webhooks from API Gateway, door 2 takes what was recorded from the
//! ledger's stream. This file tells the doors apart; what happens behind them is in `receive` and `fanout`, and what is
//! noted of it in `note`.

mod drift;
mod error;
mod fanout;
mod note;
mod receive;
mod response;

pub use error::IngressError;
pub use fanout::FanoutError;

use crate::config::IngressConfig;
use crate::endpoints::Endpoints;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::payloads::Payloads;
use crate::queues::Queues;
use crate::sources::Sources;
use crate::subscriptions::Subscriptions;
use aws_config::SdkConfig;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use drift::Known;
use lambda_http::request::LambdaRequest;
use serde::Serialize;
use std::time::Instant;

/// The ingress function with all that it talks to.
pub struct Ingress {
    sources: Sources,
    ledger: Ledger,
    payloads: Payloads,
    subscriptions: Subscriptions,
    endpoints: Endpoints,
    queues: Queues,
    journal: Journal,
    known: Known,
    metrics: Metrics,
    events_queue_url: String,
    quarantine_queue_url: String,
    dead_letter_queue_url: String,
    delivery_queue_url: String,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To API Gateway.
    Http(Box<ApiGatewayV2httpResponse>),
    /// To the stream: the batch is done.
    Done,
}

impl Ingress {
    /// The function, with clients that share what `aws` holds.
    pub fn new(config: IngressConfig, aws: &SdkConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let secrets = aws_sdk_secretsmanager::Client::new(aws);
        Self {
            sources: Sources::new(secrets, config.sources_secret_arn),
            ledger: Ledger::new(dynamodb.clone(), config.ledger_table, config.retention),
            payloads: Payloads::new(aws_sdk_s3::Client::new(aws), config.payload_bucket),
            subscriptions: Subscriptions::new(dynamodb.clone(), config.endpoints_table.clone()),
            endpoints: Endpoints::new(dynamodb.clone(), config.endpoints_table),
            journal: Journal::new(dynamodb, config.journal_table, config.retention),
            known: Known::default(),
            queues: Queues::new(aws_sdk_sqs::Client::new(aws)),
            metrics: Metrics::to_stdout(config.metrics_namespace),
            events_queue_url: config.events_queue_url,
            quarantine_queue_url: config.quarantine_queue_url,
            dead_letter_queue_url: config.dead_letter_queue_url,
            delivery_queue_url: config.delivery_queue_url,
        }
    }

    /// Reads the sources while nobody waits for an answer; if that fails, the first request tries again.
    pub async fn warm_up(&self) {
        if let Err(error) = self.sources.current(Instant::now()).await {
            tracing::error!(%error, "sources are not readable");
        }
    }

    /// Handles an invocation. Only the stream is answered with an error: it offers the batch again.
    ///
    /// Which door it is for is told by the shape of the event, which a caller of the API has no hand in; the
    /// path is not asked.
    pub async fn handle(&self, event: LambdaRequest) -> Result<Answer, FanoutError> {
        match event {
            LambdaRequest::ApiGatewayV2(request) => {
                Ok(Answer::Http(Box::new(self.receive(request).await)))
            }
            LambdaRequest::PassThrough(event) => {
                self.fan_out(&event).await?;
                Ok(Answer::Done)
            }
            _ => Err(FanoutError::NotAStream),
        }
    }
}
