//! The endpoints that could have got an event, deleted ones included, and its delivery to each.

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

    /// The deliveries of an event, by the id of the endpoint.
    pub(crate) async fn records(&self, event: &EventMeta) -> Result<BTreeMap<String, Delivery>> {
        let present = self.endpoints.iter().map(|endpoint| &*endpoint.id);
        let deleted = self.removed.iter().map(|removed| &*removed.endpoint);
        let ids = present.chain(deleted);
        let ids: Vec<_> = ids.map(|id| (id, delivery_id(id, event))).collect();
        let keys: BTreeSet<_> = ids.iter().map(|(key, id)| (*key, &**id)).collect();
        let records = self.deliveries.records(&keys).await?.into_values();
        Ok(records
            .map(|record| (record.endpoint.clone(), record))
            .collect())
    }

    /// The name of an endpoint, even of a deleted one.
    pub(crate) fn name(&self, id: &str) -> Option<&str> {
        let present = self.endpoints.iter().find(|endpoint| endpoint.id == id);
        let removed = || self.removed.iter().find(|endpoint| endpoint.endpoint == id);
        present
            .map(|endpoint| &*endpoint.name)
            .or_else(|| removed()?.name.as_deref())
    }

    /// The statuses of the endpoints that exist.
    pub(crate) async fn statuses(&self) -> Result<HashMap<String, EndpointStatus>> {
        let ids = self
            .endpoints
            .iter()
            .map(|endpoint| &*endpoint.id)
            .collect();
        Ok(statuses(&ids, &self.table).await?)
    }
}
