//! The delivery function: see `webhook_gateway::delivery`.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use webhook_gateway::delivery::{DeliveryConfig, DeliveryFunction};
use webhook_gateway::{aws, env, log};

// What is done here waits for the network: one thread waits for all of it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let delivery = DeliveryFunction::new(DeliveryConfig::from_env()?, &aws::load::load().await);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        // An invocation that runs out of time leaves no other line.
        tracing::debug!(messages = event.payload.records.len(), "invocation begins");
        let deadline = env::deadline(&event.context);
        Ok::<_, Error>(delivery.handle(event.payload, deadline).await?)
    }))
    .await
}
