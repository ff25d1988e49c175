//! `webhookctl delivery`: the delivery of each event to each endpoint, shown and sent again.

mod list;
mod request;
mod resend;
mod select;
mod sending;
mod show;
mod view;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;
pub(crate) use select::Pages;
pub(crate) use sending::PacedSender;
use std::collections::BTreeSet;
pub(crate) use view::DeliveryRow;
use webhook_gateway::store::deliveries::{Deliveries, Delivery};
use webhook_gateway::store::endpoints::endpoint_of;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A delivery is one event for one endpoint, over all its attempts. Its id is the webhook-id of each of its
requests. A delivery is pending until its next attempt, delivered once the endpoint has it, held while the
endpoint gets no deliveries, exhausted when its attempts are used up, and skipped if it can never be sent. The
gateway keeps a delivery for 30 days.

Examples:
  webhookctl delivery list --endpoint search --state exhausted
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery resend --endpoint search --state exhausted --since 2d")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Resend(resend::Resend),
}

/// The most held deliveries of an endpoint that are counted.
pub(crate) const MOST_HELD: usize = 10_000;

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(arguments, stack, output).await,
        Command::Resend(arguments) => resend::run(arguments, stack, output).await,
    }
}

/// The delivery of this id.
async fn find(id: &str, deliveries: &Deliveries) -> Result<Delivery> {
    let endpoint = endpoint_of(id).ok_or_else(|| {
        format!("{id:?} is not the id of a delivery: see `webhookctl delivery list`")
    })?;
    let wanted = BTreeSet::from([(endpoint, id)]);
    let delivery = deliveries.records(&wanted).await?.remove(id);
    Ok(delivery.ok_or_else(|| {
        format!(
            "there is no delivery {id}: it has had no attempt yet, or its 30 days are over. See \
                `webhookctl delivery list --endpoint {endpoint}`"
        )
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_delivery_is_not_looked_for() {
        let stack =
            Stack::with_outputs(&[("DeliveriesTableName", "d"), ("EndpointsTableName", "e")]);
        let deliveries = stack.deliveries().unwrap();
        let error = find("evt-1", &deliveries).await.unwrap_err().to_string();
        assert!(error.contains("not the id of a delivery"), "{error}");
    }
}
