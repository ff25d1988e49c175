//! The delivery function: see `webhook_gateway::delivery`.

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use std::time::{Duration, Instant, SystemTime};
use webhook_gateway::{config::DeliveryConfig, delivery::Delivery, log};

/// A call of AWS that takes longer is tried again; the calls here take milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

// What is done here waits for the network: one thread waits for all of it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let aws = aws_config::defaults(BehaviorVersion::latest())
        // Lambda gives credentials this way and no other.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .timeout_config(timeouts)
        // An attempt ends by its timeout, a download that stalls with the invocation: the message comes again.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await;
    let delivery = Delivery::new(DeliveryConfig::from_env()?, &aws);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        // An invocation that runs out of time leaves no other line.
        tracing::debug!(messages = event.payload.records.len(), "invocation begins");
        let left = event.context.deadline().duration_since(SystemTime::now());
        let deadline = Instant::now() + left.unwrap_or_default();
        Ok::<_, Error>(delivery.handle(event.payload, deadline).await?)
    }))
    .await
}
