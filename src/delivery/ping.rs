//! A ping: the operator's question what an endpoint says. It is signed and guarded as any delivery, tried once,
//! whatever the endpoint's state, and tells nobody but the history.

use super::DeliveryFunction;
use super::attempt::Tried;
use super::outcome::Outcome;
use super::plan::DELETED;
use super::probe::Next;
use crate::aws::error::AwsError;
use crate::messages::Ping;
use crate::metrics::DeliveryLine;
use crate::store::deliveries::{Delivery, State};
use crate::store::endpoints::{EndpointStatus, delivery_id};
use jiff::Timestamp;
use std::collections::BTreeSet;
use tokio::sync::Notify;

impl DeliveryFunction {
    /// Tries an endpoint, unless a copy of the message did.
    pub(super) async fn run_ping(&self, ping: &Ping, standing: Option<&EndpointStatus>) -> Next {
        match self.ping(ping, standing).await {
            Ok(()) => Next::Done,
            Err(error) => {
                tracing::error!(endpoint.id = ping.endpoint, %error, "ping failed");
                Next::Again
            }
        }
    }

    async fn ping(&self, ping: &Ping, standing: Option<&EndpointStatus>) -> Result<(), AwsError> {
        let event = ping.event();
        let id = delivery_id(&ping.endpoint, &event);
        let keys = BTreeSet::from([(&*ping.endpoint, &*id)]);
        if self.history.records(&keys).await?.contains_key(&id) {
            return Ok(());
        }
        let mut record = Delivery::new(&ping.endpoint, id, event);
        let tried = match standing {
            None => Ok(Tried::Skip(DELETED.to_owned())),
            Some(EndpointStatus { endpoint, .. }) => {
                let sent = Notify::new();
                self.attempt(endpoint, &mut record, "", &[], &sent).await
            }
        };
        let (state, reason) = match &tried {
            Ok(Tried::Outcome(Outcome::Delivered)) => (State::Delivered, None),
            Ok(Tried::Outcome(_)) => (State::Exhausted, None),
            Ok(Tried::Skip(reason)) => (State::Skipped, Some(reason.clone())),
            // Whoever asks is there to read it.
            Err(error) => (State::Skipped, Some(error.to_string())),
        };
        record.turn(state, reason, Timestamp::now());
        let outcome = match tried {
            Ok(Tried::Outcome(outcome)) => Some(outcome),
            _ => None,
        };
        self.metrics.delivery(DeliveryLine::of(&record, outcome));
        self.history.record(&record).await?;
        Ok(())
    }
}
