//! The endpoints, with their circuits and the numbers of their held deliveries.

use super::{Fact, read};
use crate::Result;
use crate::commands::delivery::MOST_HELD;
use crate::endpoints::all_statuses;
use crate::stack::Stack;
use webhook_gateway::store::endpoints::EndpointStatus;

/// An endpoint and the number of deliveries that are held for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldEndpoint {
    pub(crate) status: EndpointStatus,
    pub(crate) held: usize,
}

pub(crate) async fn endpoints(stack: &Stack) -> Fact<Vec<HeldEndpoint>> {
    let needs =
        "dynamodb:Query and dynamodb:BatchGetItem on the tables of endpoints and deliveries";
    read("endpoints", needs, all(stack).await)
}

async fn all(stack: &Stack) -> Result<Vec<HeldEndpoint>> {
    let deliveries = stack.deliveries()?;
    let mut endpoints = Vec::new();
    for status in all_statuses(&stack.endpoints()?).await? {
        let held = deliveries.count_held(&status.endpoint.id, MOST_HELD);
        let held = held.await?;
        endpoints.push(HeldEndpoint { status, held });
    }
    Ok(endpoints)
}
