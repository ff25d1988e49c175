//! The endpoints with their circuits, read for lists of them.

use crate::Result;
use std::collections::{BTreeSet, HashMap};
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::endpoints::{EndpointStatus, Endpoints};

/// The number of endpoints that are read at once. Each is two items, with its circuit, and DynamoDB reads a
/// hundred.
const MAX_READ: usize = 50;

/// The statuses of endpoints, by id.
pub(crate) async fn statuses(
    ids: &BTreeSet<&str>,
    endpoints: &Endpoints,
) -> std::result::Result<HashMap<String, EndpointStatus>, AwsError> {
    let ids: Vec<_> = ids.iter().copied().collect();
    let mut statuses = HashMap::new();
    for ids in ids.chunks(MAX_READ) {
        let ids = ids.iter().copied().collect();
        statuses.extend(endpoints.statuses(&ids).await?);
    }
    Ok(statuses)
}

/// The statuses of all endpoints, sorted by name.
pub(crate) async fn all_statuses(endpoints: &Endpoints) -> Result<Vec<EndpointStatus>> {
    let listed = endpoints.list().await?;
    let ids = listed.iter().map(|endpoint| &*endpoint.id).collect();
    let mut all: Vec<_> = statuses(&ids, endpoints).await?.into_values().collect();
    all.sort_by(|a, b| (&a.endpoint.name, &a.endpoint.id).cmp(&(&b.endpoint.name, &b.endpoint.id)));
    Ok(all)
}
