//! Endpoints as an operator names them, by id or by name, and how they are doing.

use crate::Result;
use std::collections::{BTreeSet, HashMap};
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, Endpoints};

/// The beginning of every id, and of no name.
pub(crate) const ID_PREFIX: &str = "ep_";

/// How many endpoints are read at once. Each is two items, with its circuit, and DynamoDB reads a hundred.
const MAX_READ: usize = 50;

/// How endpoints are doing, by id.
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

/// How all endpoints are doing, by name.
pub(crate) async fn all_statuses(endpoints: &Endpoints) -> Result<Vec<EndpointStatus>> {
    let listed = endpoints.list().await?;
    let ids = listed.iter().map(|endpoint| &*endpoint.id).collect();
    let mut all: Vec<_> = statuses(&ids, endpoints).await?.into_values().collect();
    all.sort_by(|a, b| (&a.endpoint.name, &a.endpoint.id).cmp(&(&b.endpoint.name, &b.endpoint.id)));
    Ok(all)
}

/// The endpoint of an id or a name, and how it is doing.
pub(crate) async fn find(wanted: &str, endpoints: &Endpoints) -> Result<EndpointStatus> {
    let id = find_id(wanted, endpoints).await?;
    let found = endpoints
        .statuses(&BTreeSet::from([&*id]))
        .await?
        .remove(&id);
    Ok(found.ok_or_else(|| unknown(wanted))?)
}

/// The id of the endpoint of a name. An id is returned as it is, also that of an endpoint that is gone.
pub(crate) async fn find_id(wanted: &str, endpoints: &Endpoints) -> Result<String> {
    if wanted.starts_with(ID_PREFIX) {
        return Ok(wanted.to_owned());
    }
    Ok(named(wanted, &endpoints.list().await?)?.id.clone())
}

/// The endpoint of an id or a name among these; `None` for the id of an endpoint that is gone.
pub(crate) fn select<'e>(wanted: &str, endpoints: &'e [Endpoint]) -> Result<Option<&'e Endpoint>> {
    if wanted.starts_with(ID_PREFIX) {
        return Ok(endpoints.iter().find(|endpoint| endpoint.id == wanted));
    }
    named(wanted, endpoints).map(Some)
}

fn named<'e>(name: &str, endpoints: &'e [Endpoint]) -> Result<&'e Endpoint> {
    let named: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| endpoint.name == name)
        .collect();
    match &*named {
        [] => Err(unknown(name).into()),
        [endpoint] => Ok(endpoint),
        several => {
            let ids: Vec<_> = several.iter().map(|endpoint| &*endpoint.id).collect();
            let ids = ids.join(", ");
            Err(format!("several endpoints are called {name}: name one by its id ({ids})").into())
        }
    }
}

pub(crate) fn unknown(wanted: &str) -> String {
    format!("there is no endpoint {wanted}: see `webhookctl endpoint list`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::endpoint::sample;

    #[test]
    fn an_endpoint_is_named_by_its_id_or_by_a_name_of_its_own() {
        let of = |id: &str, name: &str| {
            let mut endpoint = sample(name, "https://a.example/");
            endpoint.id = id.to_owned();
            endpoint
        };
        let endpoints = [
            of("ep_1", "search"),
            of("ep_2", "twice"),
            of("ep_3", "twice"),
        ];
        let selected = |wanted| {
            let found = select(wanted, &endpoints).unwrap();
            found.map(|endpoint| &*endpoint.id)
        };
        assert_eq!(selected("ep_1"), Some("ep_1"));
        assert_eq!(selected("search"), Some("ep_1"));
        assert_eq!(selected("ep_9"), None);
        let refused = |wanted| select(wanted, &endpoints).unwrap_err().to_string();
        assert!(refused("twice").contains("(ep_2, ep_3)"));
        assert!(refused("nobody").contains("endpoint list"));
    }
}
