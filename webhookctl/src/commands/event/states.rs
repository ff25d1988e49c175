//! The state of each listed event at the endpoints that select it.

use crate::Result;
use crate::stack::Stack;
use serde::Serialize;
use std::collections::BTreeSet;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::deliveries::Deliveries;
use webhook_gateway::store::endpoints::{Endpoint, delivery_id};

/// The endpoints, and the table of their deliveries.
pub(crate) struct States {
    deliveries: Deliveries,
    endpoints: Vec<Endpoint>,
}

/// The state of an event at an endpoint.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct StateAt {
    endpoint: String,
    name: String,
    /// The id of the delivery.
    delivery: String,
    /// The state of the delivery, or `on-its-way`. Without either, it is not known that the endpoint was to
    /// get the event: it was created, or selected other events, shortly before.
    state: Option<&'static str>,
}

impl States {
    pub(crate) async fn of(stack: &Stack) -> Result<Self> {
        Ok(Self {
            deliveries: stack.deliveries()?,
            endpoints: stack.endpoints()?.list().await?,
        })
    }

    /// The states of each of these events.
    pub(crate) async fn at(&self, events: &[&EventMeta]) -> Result<Vec<Vec<StateAt>>> {
        let mut states: Vec<_> = events.iter().map(|event| self.selecting(event)).collect();
        let all = || states.iter().flatten();
        let keys: BTreeSet<_> = all().map(|at| (&*at.endpoint, &*at.delivery)).collect();
        let records = self.deliveries.records(&keys).await?;
        for at in states.iter_mut().flatten() {
            if let Some(record) = records.get(&at.delivery) {
                at.state = Some(record.state.name());
            }
        }
        for of_event in &mut states {
            of_event.retain(|at| at.state.is_some());
        }
        Ok(states)
    }

    /// The endpoints that select an event, as they are today, and existed before it.
    fn selecting(&self, event: &EventMeta) -> Vec<StateAt> {
        selecting(&self.endpoints, event)
    }
}

fn selecting(endpoints: &[Endpoint], event: &EventMeta) -> Vec<StateAt> {
    let selects = |endpoint: &&Endpoint| {
        endpoint.created_at <= event.accepted_at
            && endpoint.matches(&event.event_type, &event.source)
    };
    let selecting = endpoints.iter().filter(selects).map(|endpoint| StateAt {
        endpoint: endpoint.id.clone(),
        name: endpoint.name.clone(),
        delivery: delivery_id(&endpoint.id, event),
        state: (event.accepted_at >= endpoint.wants_since()).then_some("on-its-way"),
    });
    selecting.collect()
}

/// The states in one line of a table.
pub(crate) fn line(states: &[StateAt]) -> String {
    let state = |at: &StateAt| format!("{} {}", at.name, at.state.unwrap_or_default());
    let states = states.iter().map(state);
    states.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn only_endpoints_that_select_an_event_and_are_older_have_a_state() {
        let event = samples::event("studio#1", "1");
        let mut endpoints = vec![samples::endpoint(); 5];
        endpoints[1].sources = vec!["hr".to_owned()];
        endpoints[2].events = vec!["b.*".to_owned()];
        endpoints[3].created_at = event.accepted_at + 1;
        endpoints[4].selected_at = Some(event.accepted_at);
        let states = selecting(&endpoints, &event);
        assert_eq!(states.len(), 2);
        // It is not known whether the event was to go to the one that was just changed.
        assert_eq!(states[1].state, None);
        assert_eq!(states[0].delivery, delivery_id("ep_1", &event));
        assert_eq!(line(&states[..1]), "search on-its-way");
    }
}
