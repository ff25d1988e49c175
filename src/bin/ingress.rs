//! The ingress function: see `webhook_gateway::ingress`.

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::value::RawValue;
use webhook_gateway::ingress::{IngressConfig, IngressFunction};
use webhook_gateway::{aws, env, log};

// One invocation at a time has no use for more threads, and starts faster without them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let ingress = IngressFunction::new(IngressConfig::from_env()?, &aws::load::load().await);
    ingress.warm_up().await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        // An invocation that runs out of time leaves no other line.
        tracing::debug!("invocation begins");
        ingress.handle(event.payload, env::deadline(&event.context))
    }))
    .await
}
