//! Who could have got an event: subscriptions, the endpoints that there are, and those that there were; and
//! what became of it at each of these.

use crate::Result;
use crate::endpoints::statuses;
use crate::stack::Stack;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::{Deliveries, Delivery};
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, Endpoints, delivery_id};
use webhook_gateway::store::journal::Removed;

/// The endpoints, with their deliveries.
pub(crate) struct Recipients {
    deliveries: Deliveries,
    table: Endpoints,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) removed: Vec<Removed>,
}

impl Recipients {
    pub(crate) async fn of(stack: &Stack) -> Result<Self> {
        let table = stack.endpoints()?;
        Ok(Self {
            deliveries: stack.deliveries()?,
            endpoints: table.list().await?,
            removed: stack.journal()?.removed().await?,
            table,
        })
    }

    /// What became of an event at each of them, by the id of the endpoint; none for where nothing did.
    pub(crate) async fn records(&self, event: &EventMeta) -> Result<BTreeMap<String, Delivery>> {
        let there_are = self.endpoints.iter().map(|endpoint| &*endpoint.id);
        let there_were = self.removed.iter().map(|removed| &*removed.endpoint);
        let ids = there_are.chain(there_were);
        let ids: Vec<_> = ids.map(|id| (id, delivery_id(id, event))).collect();
        let keys: BTreeSet<_> = ids.iter().map(|(key, id)| (*key, &**id)).collect();
        let records = self.deliveries.records(&keys).await?.into_values();
        Ok(records
            .map(|record| (record.endpoint.clone(), record))
            .collect())
    }

    /// The name of an endpoint, also of one that was removed.
    pub(crate) fn name(&self, id: &str) -> Option<&str> {
        let present = self.endpoints.iter().find(|endpoint| endpoint.id == id);
        let removed = || self.removed.iter().find(|endpoint| endpoint.endpoint == id);
        present
            .map(|endpoint| &*endpoint.name)
            .or_else(|| removed()?.name.as_deref())
    }

    /// How those that there are are doing.
    pub(crate) async fn statuses(&self) -> Result<HashMap<String, EndpointStatus>> {
        let ids = self
            .endpoints
            .iter()
            .map(|endpoint| &*endpoint.id)
            .collect();
        Ok(statuses(&ids, &self.table).await?)
    }
}
