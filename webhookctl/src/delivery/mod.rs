//! `webhookctl delivery`: what became of each event at each endpoint, looked at and sent again. What an endpoint is to
//! get is left to `endpoint`.

mod list;
mod request;
mod resend;
mod select;
mod sending;
mod show;
mod view;

use crate::Result;
use crate::failure;
use crate::output::Output;
use crate::stack::Stack;
use aws_sdk_dynamodb::Client;
use clap::Subcommand;
pub(crate) use select::endpoint;
pub(crate) use sending::Sending;
use std::collections::{BTreeSet, HashMap};
pub(crate) use view::Listed;
use webhook_gateway::store::deliveries::{self, Delivery};
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus, Endpoints, endpoint_of};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A delivery is one event for one endpoint, over all its attempts; its id is the webhook-id of each of its requests. It
is pending until its next attempt, delivered once the endpoint has it, held while the endpoint gets nothing, exhausted
when its attempts are used up, and skipped if it cannot be sent at all. It is told of for 30 days.

Examples:
  webhookctl delivery list --endpoint search --state exhausted
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery resend --endpoint search --state exhausted --since 2d")]
pub(crate) enum Command {
    /// Lists the deliveries to an endpoint, the newest first.
    #[command(after_help = "\
The time of --since is that of the event's acceptance. What was not tried yet is not listed. A removed endpoint's
deliveries are still listed by its id. As a table, these are 100 at most unless --limit says otherwise.

With --json: {\"id\": …, \"event\": …, \"type\": …, \"source\": …, \"endpoint\": …, \"state\": …, \"reason\": …, \"attempts\": 3,
\"last\": 500, \"accepted_at\": …, \"updated_at\": …, \"next_attempt_at\": …} each, null where there is none. The last is
the HTTP status of the last attempt, or in one word why it had none. The event is the event's own id.

Examples:
  webhookctl delivery list --endpoint search
  webhookctl delivery list --endpoint ep_8f3a01c2 --state held --limit 1000
  webhookctl delivery list --endpoint search --since 2026-11-22 --json | jq -r .id")]
    List(list::List),
    /// Shows a delivery: its attempts, and the exact request that was sent last.
    #[command(after_help = "\
The body is made again from the ledger, byte for byte. Signatures are not kept, and values of headers that carry
credentials are not shown.

With --json: what `delivery list --json` has for it, with \"history\": [{\"at\": …, \"status\": …, \"error\": …,
\"duration_ms\": …, \"response\": …}] and \"request\": {\"method\": \"POST\", \"url\": …, \"headers\": {…}, \"body\": …}, null
if nothing was sent. A body that is not UTF-8 is in \"body_base64\" instead.

Examples:
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978 --json | jq -r .request.body")]
    Show(show::Show),
    /// Sends a delivery again, or all of an endpoint that are in one state.
    #[command(
        override_usage = "\
webhookctl delivery resend [OPTIONS] <ID>
       webhookctl delivery resend [OPTIONS] --endpoint <ENDPOINT> --state <STATE> --since <TIME>",
        after_help = "\
The schedule of what is resent begins anew. The endpoint sees the same webhook-id as before. What is pending or held is
on its way already: a single delivery of these states is resent by --force, and many are not.

Many are counted first, then put on the queue, the oldest first, at --rate. Ctrl-C ends that: what was sent is sent,
and how many that were is said. What is on the queue is in its old state until its next attempt, so a second run
just after the first may send some of them twice.

With --json: {\"resent\": 3, \"of\": 3}; with --dry-run what `delivery list --json` has for each.

Examples:
  webhookctl delivery resend ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery resend --endpoint search --state exhausted --since 2d --dry-run
  webhookctl delivery resend --endpoint search --state exhausted --since 2026-11-22T08:00:00Z --rate 50"
    )]
    Resend(resend::Resend),
}

/// As far as it is counted what is held for an endpoint.
pub(crate) const MOST_HELD: usize = 10_000;

/// The tables that deliveries are in.
pub(crate) struct Deliveries {
    pub(crate) history: deliveries::Deliveries,
    endpoints: Endpoints,
}

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    let deliveries = Deliveries::of(stack)?;
    match command {
        Command::List(arguments) => list::run(arguments, &deliveries, output).await,
        Command::Show(arguments) => show::run(arguments, &deliveries, stack, output).await,
        Command::Resend(arguments) => resend::run(arguments, &deliveries, stack, output).await,
    }
}

impl Deliveries {
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        let client = Client::new(&stack.aws);
        let table = |name| stack.output(name).map(str::to_owned);
        Ok(Self {
            history: deliveries::Deliveries::new(client.clone(), table("DeliveriesTableName")?),
            endpoints: Endpoints::new(client, table("EndpointsTableName")?),
        })
    }

    /// The endpoints that there are.
    pub(crate) async fn endpoints(&self) -> Result<Vec<Endpoint>> {
        Ok(self.endpoints.list().await.map_err(failure::endpoint)?)
    }

    /// How endpoints are doing, by id.
    pub(crate) async fn statuses(
        &self,
        ids: &BTreeSet<&str>,
    ) -> Result<HashMap<String, EndpointStatus>> {
        let mut statuses = HashMap::new();
        // Each is two items of a batch of a hundred.
        let ids: Vec<_> = ids.iter().copied().collect();
        for ids in ids.chunks(50) {
            let ids = ids.iter().copied().collect();
            let read = self.endpoints.statuses(&ids).await;
            statuses.extend(read.map_err(failure::endpoint)?);
        }
        Ok(statuses)
    }

    /// How all endpoints are doing, by name.
    pub(crate) async fn all_standings(&self) -> Result<Vec<EndpointStatus>> {
        let endpoints = self.endpoints().await?;
        let ids = endpoints.iter().map(|it| &*it.id).collect();
        let mut statuses: Vec<_> = self.statuses(&ids).await?.into_values().collect();
        statuses.sort_by(|a, b| a.endpoint.name.cmp(&b.endpoint.name));
        Ok(statuses)
    }

    /// How much is held for an endpoint, if it is not more than [`MOST_HELD`].
    pub(crate) async fn held(&self, endpoint: &str) -> Result<usize> {
        let counted = self.history.count_held(endpoint, MOST_HELD).await;
        Ok(counted.map_err(failure::history)?)
    }

    /// What became of deliveries, each by its endpoint and its id.
    pub(crate) async fn records(
        &self,
        wanted: &BTreeSet<(&str, &str)>,
    ) -> Result<HashMap<String, Delivery>> {
        Ok(self
            .history
            .records(wanted)
            .await
            .map_err(failure::history)?)
    }

    /// The delivery of this id.
    async fn record(&self, id: &str) -> Result<Delivery> {
        let endpoint = endpoint_of(id).ok_or_else(|| {
            format!("{id:?} is not the id of a delivery: see `webhookctl delivery list`")
        })?;
        let wanted = BTreeSet::from([(endpoint, id)]);
        let mut records = self.records(&wanted).await?;
        let record = records.remove(id).ok_or_else(|| {
            format!("there is no delivery {id}: it was not tried yet, or its 30 days are over; see `webhookctl delivery list --endpoint {endpoint}`")
        })?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_gateway::event::EventMeta;
    use webhook_gateway::store::deliveries::{Attempt, Sent, State};

    /// A delivery that failed twice.
    pub(crate) fn record(state: State) -> Delivery {
        let event = EventMeta {
            key: "studio#evt-1".to_owned(),
            id: "evt-1".to_owned(),
            event_type: "a.b".to_owned(),
            source: "studio".to_owned(),
            provider: "creative-force".to_owned(),
            accepted_at: 1_790_000_000_000,
            conflict: false,
            replayed: false,
        };
        let id = "ep_1_1790000000000_d";
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sent = Sent {
            url: "https://example.com/hook".to_owned(),
            headers: vec![
                header("content-type", "application/cloudevents+json"),
                header("webhook-id", id),
                header("authorization", "Bearer hunter2"),
            ],
        };
        let mut record = Delivery::new("ep_1", id.to_owned(), event);
        for (at, duration_ms, status, error, response) in [
            (1_790_000_001_000, 30, Some(500), None, Some("it is\n down")),
            (1_790_000_006_000, 20_000, None, Some("timeout"), None),
        ] {
            let attempt = Attempt {
                at,
                duration_ms,
                status,
                error: error.map(str::to_owned),
                reason: error.map(|_| "there was no reply in time".to_owned()),
                response: response.map(str::to_owned),
            };
            record.tried(attempt, sent.clone());
        }
        record.state = state;
        record.updated_at = 1_790_000_007_000;
        record
    }

    #[tokio::test]
    async fn what_is_no_delivery_is_not_looked_for() {
        let stack =
            Stack::with_outputs(&[("DeliveriesTableName", "d"), ("EndpointsTableName", "e")]);
        let deliveries = Deliveries::of(&stack).unwrap();
        let error = deliveries.record("evt-1").await.unwrap_err().to_string();
        assert!(error.contains("not the id of a delivery"), "{error}");
    }
}
