//! The endpoints, how each is doing, and how much is held for it.

use super::{Fact, read};
use crate::Result;
use crate::commands::delivery::MOST_HELD;
use crate::endpoints::all_statuses;
use crate::stack::Stack;
use webhook_gateway::store::endpoints::EndpointStatus;

/// An endpoint with what is held for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) standing: EndpointStatus,
    pub(crate) held: usize,
}

pub(crate) async fn endpoints(stack: &Stack) -> Fact<Vec<Kept>> {
    let needs =
        "dynamodb:Query and dynamodb:BatchGetItem on the tables of endpoints and deliveries";
    read("endpoints", needs, all(stack).await)
}

async fn all(stack: &Stack) -> Result<Vec<Kept>> {
    let deliveries = stack.deliveries()?;
    let mut kept = Vec::new();
    for standing in all_statuses(&stack.endpoints()?).await? {
        let held = deliveries
            .count_held(&standing.endpoint.id, MOST_HELD)
            .await?;
        kept.push(Kept { standing, held });
    }
    Ok(kept)
}
