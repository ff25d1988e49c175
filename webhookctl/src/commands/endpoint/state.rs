//! The state of an endpoint, as `webhookctl endpoint pause`, `resume` and `enable` set it.

use super::random_hex;
use super::view::{EndpointDetails, EndpointView};
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use jiff::Timestamp;
use webhook_gateway::lease::Claim;
use webhook_gateway::messages::{Message, Probe};
use webhook_gateway::store::endpoints::circuit::Circuit;
use webhook_gateway::store::endpoints::{Endpoint, Endpoints, State};

/// Activates an endpoint that is in a state, and sends a probe for its held deliveries.
///
/// The probe is also sent for an active endpoint: it replaces one that was lost.
pub(crate) async fn activate(
    which: &str,
    from: State,
    stack: &Stack,
    output: &Output,
) -> Result<()> {
    let now = Timestamp::now();
    let endpoints = stack.endpoints()?;
    let mut status = find::status(which, &endpoints).await?;
    let endpoint = &mut status.endpoint;
    if is_to_activate(endpoint, from)? {
        set(endpoint, State::Active, None, now, &endpoints).await?;
    } else {
        output.note("the endpoint is already active; its held deliveries are tried");
    }
    let probe = status.circuit.probe.take();
    set_going(&status.endpoint.id, probe, now, stack)
        .await
        .map_err(|error| {
            format!(
                "the endpoint is active, but its held deliveries are not tried yet: {error}; run the \
                    command again"
            )
        })?;
    status.circuit = Circuit::default();
    output.details(
        &EndpointDetails::of(EndpointView::of(&status, now)),
        EndpointDetails::COLUMNS,
    )
}

/// Writes the state of an endpoint.
pub(crate) async fn set(
    endpoint: &mut Endpoint,
    state: State,
    reason: Option<String>,
    now: Timestamp,
    endpoints: &Endpoints,
) -> Result<()> {
    endpoint.state = state;
    endpoint.reason = reason;
    endpoint.updated_at = now.as_millisecond();
    Ok(endpoints.put(endpoint).await?)
}

/// Resets the failures, and sends a probe that replaces the one with the lease.
async fn set_going(
    endpoint: &str,
    replaces: Option<String>,
    now: Timestamp,
    stack: &Stack,
) -> Result<()> {
    let reset = stack.circuits()?.reset(endpoint, now).await;
    reset?;
    let probe = Probe {
        endpoint: endpoint.to_owned(),
        claim: Claim {
            id: random_hex()?,
            replaces,
        },
        not_before: None,
    };
    stack.send_to_delivery(&Message::Probe(probe)).await
}

/// Whether pausing changes an endpoint.
pub(crate) fn is_to_pause(endpoint: &Endpoint) -> Result<bool> {
    match endpoint.state {
        State::Active => Ok(true),
        State::Paused => Ok(false),
        State::Disabled => {
            Err(format!("{}; its deliveries are held already", disabled(endpoint)).into())
        }
    }
}

/// Whether resuming, from paused, or enabling, from disabled, changes an endpoint.
fn is_to_activate(endpoint: &Endpoint, from: State) -> Result<bool> {
    match endpoint.state {
        State::Active => Ok(false),
        state if state == from => Ok(true),
        State::Paused => Err(format!(
            "the endpoint is paused, not disabled: `webhookctl endpoint resume {}` resumes it",
            endpoint.id
        )
        .into()),
        State::Disabled => Err(disabled(endpoint).into()),
    }
}

fn disabled(Endpoint { id, reason, .. }: &Endpoint) -> String {
    let reason = reason.as_deref().unwrap_or("no reason is known");
    format!(
        "the endpoint is disabled ({reason}): fix the receiver, then `webhookctl endpoint enable {id}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::named;

    fn endpoint(state: State) -> Endpoint {
        let mut endpoint = named("search", "https://a.example/");
        endpoint.state = state;
        endpoint.reason = Some("410 Gone".to_owned());
        endpoint
    }

    #[test]
    fn an_endpoint_is_paused_unless_the_gateway_disabled_it() {
        assert!(is_to_pause(&endpoint(State::Active)).unwrap());
        assert!(!is_to_pause(&endpoint(State::Paused)).unwrap());
        let refused = is_to_pause(&endpoint(State::Disabled))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("410 Gone") && refused.contains("endpoint enable ep_1"),
            "{refused}"
        );
    }

    #[test]
    fn each_state_has_its_own_way_back() {
        for from in [State::Paused, State::Disabled] {
            assert!(is_to_activate(&endpoint(from), from).unwrap());
            assert!(!is_to_activate(&endpoint(State::Active), from).unwrap());
        }
        for (state, from, way) in [
            (State::Paused, State::Disabled, "endpoint resume ep_1"),
            (State::Disabled, State::Paused, "endpoint enable ep_1"),
        ] {
            let refused = is_to_activate(&endpoint(state), from)
                .unwrap_err()
                .to_string();
            assert!(refused.contains(way), "{refused}");
        }
    }
}
