//! Who could have got an event: subscriptions, the endpoints that there are, and those that there were; and what became
//! of it at each of these.

use crate::Result;
use crate::delivery::Deliveries;
use crate::failure;
use crate::stack::Stack;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::Delivery;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, delivery_id};
use webhook_gateway::store::journal::{Journal, Removed};
use webhook_gateway::store::subscriptions::{Subscription, Subscriptions};

/// The endpoints, with their deliveries.
pub(crate) struct Parties {
    deliveries: Deliveries,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) removed: Vec<Removed>,
}

impl Parties {
    pub(crate) async fn of(stack: &Stack) -> Result<Self> {
        let table = stack.output("JournalTableName")?.to_owned();
        let client = aws_sdk_dynamodb::Client::new(&stack.aws);
        let removed = Journal::new(client, table).removed().await;
        let deliveries = Deliveries::of(stack)?;
        Ok(Self {
            endpoints: deliveries.endpoints().await?,
            removed: removed.map_err(failure::journal)?,
            deliveries,
        })
    }

    /// What became of an event at each of them, by the id of the endpoint; none for where nothing did.
    pub(crate) async fn records(&self, event: &EventMeta) -> Result<BTreeMap<String, Delivery>> {
        let there_are = self.endpoints.iter().map(|it| &*it.id);
        let there_were = self.removed.iter().map(|it| &*it.endpoint);
        let ids = there_are.chain(there_were);
        let ids: Vec<_> = ids.map(|it| (it, delivery_id(it, event))).collect();
        let keys: BTreeSet<_> = ids.iter().map(|(it, id)| (*it, &**id)).collect();
        let records = self.deliveries.records(&keys).await?.into_values();
        Ok(records.map(|it| (it.endpoint.clone(), it)).collect())
    }

    /// How those that there are are doing.
    pub(crate) async fn statuses(&self) -> Result<HashMap<String, EndpointStatus>> {
        let ids = self.endpoints.iter().map(|it| &*it.id).collect();
        self.deliveries.statuses(&ids).await
    }
}

/// The subscriptions that there are.
pub(crate) async fn subscriptions(stack: &Stack) -> Result<Vec<Subscription>> {
    let table = stack.output("EndpointsTableName")?.to_owned();
    let client = aws_sdk_dynamodb::Client::new(&stack.aws);
    let listed = Subscriptions::new(client, table).list().await;
    let listed = listed.map_err(failure::subscription)?.into_iter();
    Ok(listed.filter_map(std::result::Result::ok).collect())
}
