//! The ingress function: see `webhook_gateway::ingress`.

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::value::RawValue;
use std::time::{Duration, Instant, SystemTime};
use webhook_gateway::{config::IngressConfig, ingress::Ingress, log};

/// A call that takes longer is tried again; the calls here take milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

// One invocation at a time has no use for more threads, and starts faster without them.
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
        // To watch each call costs more than it gives: an attempt ends by its timeout, a download that stalls with the
        // invocation, and the stream offers the batch again.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await;
    let ingress = Ingress::new(IngressConfig::from_env()?, &aws);
    ingress.warm_up().await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        // An invocation that runs out of time leaves no other line.
        tracing::debug!("invocation begins");
        let left = event.context.deadline().duration_since(SystemTime::now());
        let deadline = Instant::now() + left.unwrap_or_default();
        ingress.handle(event.payload, deadline)
    }))
    .await
}
