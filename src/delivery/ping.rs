//! A ping: the operator asks what an endpoint answers. It is signed and guarded as any delivery, sent once,
//! whatever the endpoint's state, and changes nothing but its own record.

use super::DeliveryFunction;
use super::answer::answer;
use super::lifecycle::{Answer, SkipReason, Tried};
use super::line::{line, outcome};
use super::load::Webhook;
use crate::aws::error::AwsError;
use crate::lease::Reschedule;
use crate::messages::Ping;
use crate::store::deliveries::{Delivery, State};
use crate::store::endpoints::{EndpointStatus, delivery_id};
use jiff::Timestamp;
use std::collections::BTreeSet;
use tokio::sync::Notify;

impl DeliveryFunction {
    /// Pings an endpoint, unless a copy of the message did.
    pub(super) async fn run_ping(
        &self,
        ping: &Ping,
        status: Option<&EndpointStatus>,
    ) -> Reschedule {
        match self.ping(ping, status).await {
            Ok(()) => Reschedule::Done,
            Err(error) => {
                tracing::error!(endpoint.id = ping.endpoint, %error, "ping failed");
                Reschedule::Again
            }
        }
    }

    async fn ping(&self, ping: &Ping, status: Option<&EndpointStatus>) -> Result<(), AwsError> {
        let event = ping.event();
        let id = delivery_id(&ping.endpoint, &event);
        let keys = BTreeSet::from([(&*ping.endpoint, &*id)]);
        if self.deliveries.records(&keys).await?.contains_key(&id) {
            return Ok(());
        }
        let mut delivery = Delivery::new(&ping.endpoint, id, event);
        let mut word = None;
        let (state, reason) = match status {
            None => (
                State::Skipped,
                Some(SkipReason::EndpointDeleted.to_string()),
            ),
            Some(EndpointStatus { endpoint, .. }) => {
                let sent = Notify::new();
                let reply = self
                    .attempts
                    .request(endpoint, &mut delivery, &Webhook::default(), &sent)
                    .await;
                match reply {
                    Ok(reply) => {
                        let tried: Tried = Ok(answer(&reply, Timestamp::now()));
                        word = outcome(&tried, &delivery, &endpoint.retry);
                        let is_delivered = tried == Ok(Answer::Delivered);
                        // There is no second attempt, whatever the answer.
                        let state = if is_delivered {
                            State::Delivered
                        } else {
                            State::Exhausted
                        };
                        (state, None)
                    }
                    // Whoever asks is there to read it.
                    Err(error) => (State::Skipped, Some(error.to_string())),
                }
            }
        };
        delivery.turn(state, reason, Timestamp::now());
        self.metrics.delivery(line(&delivery, word));
        self.deliveries.record(&delivery).await?;
        Ok(())
    }
}
