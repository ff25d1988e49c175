//! How commands get at an endpoint and at what stands behind it: its circuit, its deliveries, and its queue.

use super::{ID_PREFIX, failure};
use crate::Result;
use crate::stack::Stack;
use aws_sdk_dynamodb::Client;
use std::collections::BTreeSet;
use std::sync::Arc;
use webhook_gateway::aws::sqs::Queues;
use webhook_gateway::messages::Message;
use webhook_gateway::store::deliveries::Deliveries;
use webhook_gateway::store::endpoints::circuit::Circuits;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, Endpoints};

/// How many endpoints are read at once, with their circuits: DynamoDB reads a hundred items.
const MAX_READ: usize = 50;

/// The endpoints of a stack.
pub(crate) fn endpoints(stack: &Stack) -> Result<Endpoints> {
    let table = stack.output("EndpointsTableName")?.to_owned();
    Ok(Endpoints::new(Client::new(&stack.aws), table))
}

/// Their circuits.
pub(crate) fn circuits(stack: &Stack) -> Result<Circuits> {
    let table = stack.output("EndpointsTableName")?.to_owned();
    Ok(Circuits::new(Client::new(&stack.aws), table))
}

/// Their deliveries.
pub(crate) fn history(stack: &Stack) -> Result<Deliveries> {
    let table = stack.output("DeliveriesTableName")?.to_owned();
    Ok(Deliveries::new(Client::new(&stack.aws), table))
}

/// Sends a message to the delivery function.
pub(crate) async fn send(message: &Message, stack: &Stack) -> Result<()> {
    let queue = stack.output("DeliveryQueueUrl")?;
    let queues = Queues::new(aws_sdk_sqs::Client::new(&stack.aws));
    let sent = queues.send(queue, vec![Arc::new(message.queued(0)?)]).await;
    match sent.map_err(failure::queue)?.first() {
        Some(refused) => Err(format!("the delivery queue refuses it: {}", refused.code).into()),
        None => Ok(()),
    }
}

/// All endpoints, and how they are doing.
pub(crate) async fn all(endpoints: &Endpoints) -> Result<Vec<EndpointStatus>> {
    let listed = endpoints.list().await.map_err(failure::endpoint)?;
    let mut all = Vec::new();
    for listed in listed.chunks(MAX_READ) {
        let ids = listed.iter().map(|endpoint| &*endpoint.id).collect();
        let statuses = endpoints.statuses(&ids).await;
        all.extend(statuses.map_err(failure::endpoint)?.into_values());
    }
    Ok(all)
}

/// The endpoint of an id or a name, and how it is doing.
pub(crate) async fn find(which: &str, endpoints: &Endpoints) -> Result<EndpointStatus> {
    let id = find_id(which, endpoints).await?;
    let statuses = endpoints.statuses(&BTreeSet::from([&*id])).await;
    let found = statuses.map_err(failure::endpoint)?.remove(&id);
    Ok(found.ok_or_else(|| unknown(which))?)
}

/// The id of the endpoint of a name; an id as it is, whether there is such an endpoint or not.
pub(crate) async fn find_id(which: &str, endpoints: &Endpoints) -> Result<String> {
    if which.starts_with(ID_PREFIX) {
        return Ok(which.to_owned());
    }
    named(which, &endpoints.list().await.map_err(failure::endpoint)?)
}

fn named(name: &str, endpoints: &[Endpoint]) -> Result<String> {
    let named = endpoints.iter().filter(|endpoint| endpoint.name == name);
    let ids: Vec<_> = named.map(|endpoint| &*endpoint.id).collect();
    match &*ids {
        [] => Err(unknown(name).into()),
        [id] => Ok((*id).to_owned()),
        ids => Err(format!(
            "{} endpoints are called {name:?}: name the one you mean by its id, {}",
            ids.len(),
            ids.join(" or ")
        )
        .into()),
    }
}

/// What is said of an endpoint that is not there.
pub(crate) fn unknown(which: &str) -> String {
    format!("there is no endpoint {which}: see `webhookctl endpoint list`")
}

#[cfg(test)]
mod tests {
    use super::super::create::sample;
    use super::*;

    #[test]
    fn a_name_names_an_endpoint_if_no_other_has_it() {
        let mut endpoints = ["a", "b", "b"].map(|name| sample(name, "https://a.example/"));
        endpoints[2].id = "ep_2".to_owned();
        let named = |name| named(name, &endpoints).map_err(|error| error.to_string());
        assert_eq!(named("a").as_deref(), Ok("ep_1"));
        assert!(named("b").unwrap_err().contains("ep_1 or ep_2"));
        assert!(named("c").unwrap_err().contains("endpoint list"));
    }
}
