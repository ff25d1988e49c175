//! The delivery function: events from the delivery queue to registered endpoints.
//!
//! Nothing is registered yet and nothing fanned out to it; a message that comes all the same is reported as
//! failed, so that SQS keeps it.

pub mod body;
pub mod circuit;
pub mod guard;
pub mod history;
pub mod message;
pub mod request;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};

/// Answers a batch of messages: which of them failed.
///
/// A message without an id is left out: an empty or unknown one would fail, or delete, the whole batch.
pub fn handle(event: SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for id in event
        .records
        .into_iter()
        .filter_map(|record| record.message_id)
    {
        response.add_failure(id);
    }
    response
}
