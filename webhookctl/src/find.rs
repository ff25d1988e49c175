//! Endpoints, subscriptions and sources as an operator names them, and the one error for a name that nothing
//! has.

use crate::Result;
use crate::stack::Stack;
use jiff::Timestamp;
use std::collections::BTreeSet;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, Endpoints};
use webhook_gateway::store::subscriptions::Subscription;

/// The beginning of every endpoint's id, and of no endpoint's name.
pub(crate) const ID_PREFIX: &str = "ep_";

/// Nothing has this name or id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    #[error("there is no endpoint {0}: see `webhookctl endpoint list`")]
    Endpoint(String),
    #[error("there is no source {0}: see `webhookctl source list`")]
    Source(String),
    #[error("there is no subscription {0}: see `webhookctl subscription list`")]
    Subscription(String),
}

/// The endpoint of an id or a name, with its circuit.
pub(crate) async fn status(wanted: &str, endpoints: &Endpoints) -> Result<EndpointStatus> {
    let id = endpoint_id(wanted, endpoints).await?;
    let mut statuses = endpoints.statuses(&BTreeSet::from([&*id])).await?;
    let status = statuses.remove(&id);
    Ok(status.ok_or_else(|| Unknown::Endpoint(wanted.to_owned()))?)
}

/// The id of the endpoint of a name. An id is returned as it is, even if its endpoint was deleted.
pub(crate) async fn endpoint_id(wanted: &str, endpoints: &Endpoints) -> Result<String> {
    if wanted.starts_with(ID_PREFIX) {
        return Ok(wanted.to_owned());
    }
    Ok(named(wanted, &endpoints.list().await?)?.id.clone())
}

/// The endpoint of an id or a name among these.
pub(crate) fn endpoint<'e>(wanted: &str, endpoints: &'e [Endpoint]) -> Result<&'e Endpoint> {
    let endpoint = endpoint_or_deleted(wanted, endpoints)?;
    Ok(endpoint.ok_or_else(|| Unknown::Endpoint(wanted.to_owned()))?)
}

/// The endpoint of an id or a name among these; `None` for an id that none of them has. Deliveries outlive
/// their endpoint.
pub(crate) fn endpoint_or_deleted<'e>(
    wanted: &str,
    endpoints: &'e [Endpoint],
) -> Result<Option<&'e Endpoint>> {
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
        [] => Err(Unknown::Endpoint(name.to_owned()).into()),
        [endpoint] => Ok(endpoint),
        several => {
            let ids: Vec<_> = several.iter().map(|endpoint| &*endpoint.id).collect();
            let ids = ids.join(", ");
            Err(format!("several endpoints have the name {name}: use an id instead ({ids})").into())
        }
    }
}

/// The subscriptions that can be read, without those of listeners, which nobody relies on.
pub(crate) async fn subscriptions(stack: &Stack) -> Result<Vec<Subscription>> {
    let listed = stack.subscriptions()?.list().await?.into_iter();
    let readable = listed.filter_map(std::result::Result::ok);
    Ok(readable
        .filter(|subscription| !subscription.is_of_listener())
        .collect())
}

/// The subscription of a name, unless it belongs to a listener that has ended.
pub(crate) async fn subscription(name: &str, stack: &Stack) -> Result<Subscription> {
    let now = Timestamp::now();
    let listed = stack.subscriptions()?.list().await?.into_iter();
    let found = listed
        .filter_map(std::result::Result::ok)
        .find(|subscription| subscription.name == name && !subscription.has_expired(now));
    Ok(found.ok_or_else(|| Unknown::Subscription(name.to_owned()))?)
}
