//! `webhookctl delivery resend`: puts one delivery or many on the queue again.

use super::find;
use super::select::{self, Pages};
use super::sending::PacedSender;
use super::view::DeliveryRow;
use crate::Result;
use crate::condition::note_if_held;
use crate::find;
use crate::output::Output;
use crate::progress::Progress;
use crate::rate_limit::interrupted;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::num::NonZeroU32;
use uuid::Uuid;
use webhook_gateway::messages::DeliverEvent;
use webhook_gateway::store::deliveries::{Delivery, State};

/// A rate that most endpoints can take.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Sends a delivery again, or all deliveries of an endpoint that are in one state.
#[derive(Debug, Args)]
#[command(
    override_usage = "\
webhookctl delivery resend [OPTIONS] <ID>
       webhookctl delivery resend [OPTIONS] --endpoint <ENDPOINT> --state <STATE> --since <TIME>",
    after_help = "\
The schedule of a delivery that is resent begins again. The endpoint sees the same webhook-id as before. A
pending or held delivery is on its way already: --force resends a single one.

Many deliveries are counted first, then put on the queue, the oldest first, at --rate. After Ctrl-C the
command prints how many were sent. A delivery keeps its old state until its next attempt: a second run right
after the first may send some of them twice.

With --json: {\"resent\": 3, \"of\": 3}; with --dry-run, the objects of `delivery list --json`.

Examples:
  webhookctl delivery resend ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery resend --endpoint search --state exhausted --since 2d --dry-run
  webhookctl delivery resend --endpoint search --state exhausted --since 2026-11-22T08:00:00Z --rate 50"
)]
pub(crate) struct Resend {
    /// The id of the delivery.
    #[arg(required_unless_present = "endpoint", conflicts_with = "endpoint")]
    id: Option<String>,
    /// Sends the delivery again even if it is pending or held.
    #[arg(long, conflicts_with = "endpoint")]
    force: bool,
    /// The id or the name of the endpoint whose deliveries are sent again.
    #[arg(long, value_name = "ENDPOINT", requires_all = ["state", "since"])]
    endpoint: Option<String>,
    /// Sends deliveries in this state: exhausted, skipped or delivered.
    #[arg(long, value_parser = select::state(), hide_possible_values = true, requires = "endpoint")]
    state: Option<State>,
    /// Sends deliveries of events accepted since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339
    /// time.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "endpoint")]
    since: Option<Timestamp>,
    /// The number of deliveries per second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE, requires = "endpoint")]
    rate: NonZeroU32,
    /// Lists the deliveries and sends nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(arguments: Resend, stack: &Stack, output: &Output) -> Result<()> {
    let (name, records) = match (&arguments.id, &arguments.endpoint) {
        (Some(id), _) => one(id, arguments.force, stack, output).await?,
        (None, Some(endpoint)) => many(endpoint, &arguments, stack, output).await?,
        (None, None) => return Ok(()),
    };
    if arguments.dry_run {
        let rows: Vec<_> = records
            .iter()
            .map(|record| DeliveryRow::of(record, Some(&name)))
            .collect();
        return output.list(&rows, DeliveryRow::COLUMNS);
    }
    let sending = PacedSender {
        queues: stack.queues(),
        queue_url: stack.delivery_queue()?,
        rate: arguments.rate,
    };
    send(records, &sending, output).await
}

/// Sends the deliveries, and prints their number.
async fn send(records: Vec<Delivery>, sending: &PacedSender<'_>, output: &Output) -> Result<()> {
    let all = records.len();
    let resend = Uuid::new_v4().simple().to_string();
    let orders = records.into_iter().map(|record| order(record, &resend));
    let progress = Progress::begin(all, "deliveries are on the queue", output);
    let outcome = sending.send(orders.collect(), progress, interrupted());
    let outcome = outcome.await;
    let sent = outcome.sent;
    output.result(
        &format!("resent {sent} of {all}"),
        &json!({"resent": sent, "of": all}),
    )?;
    outcome
        .problem
        .map_or(Ok(()), |problem| Err(problem.into()))
}

fn order(record: Delivery, resend: &str) -> DeliverEvent {
    DeliverEvent {
        endpoint: record.endpoint,
        event: record.event,
        resend: Some(resend.to_owned()),
        not_before: None,
    }
}

/// The delivery of this id, with the name of its endpoint.
async fn one(
    id: &str,
    force: bool,
    stack: &Stack,
    output: &Output,
) -> Result<(String, Vec<Delivery>)> {
    let record = find(id, &stack.deliveries()?).await?;
    if record.event.is_ping() {
        return Err("a ping cannot be resent: run `webhookctl endpoint ping` again".into());
    }
    let endpoints = stack.endpoints()?.list().await?;
    let id = &record.endpoint;
    let endpoint = find::endpoint_or_deleted(id, &endpoints)?.ok_or_else(|| {
        format!("the endpoint {id} was deleted: nothing can be sent to it any more")
    })?;
    note_if_held(endpoint, "resent", output);
    let name = endpoint.name.clone();
    match (on_its_way(&record), force) {
        (Some(why), false) => return Err(format!("{why}; --force sends it now").into()),
        (Some(why), true) => output.note(&format!("{why}; it is sent now as well")),
        (None, _) => {}
    }
    Ok((name, vec![record]))
}

/// The selected deliveries of an endpoint, the oldest first, with its name.
async fn many(
    wanted: &str,
    arguments: &Resend,
    stack: &Stack,
    output: &Output,
) -> Result<(String, Vec<Delivery>)> {
    if let Some(why) = arguments.state.and_then(no_many) {
        return Err(why.into());
    }
    select::check_since(arguments.since, output)?;
    let endpoints = stack.endpoints()?.list().await?;
    let endpoint = find::endpoint(wanted, &endpoints)?;
    note_if_held(endpoint, "resent", output);
    let deliveries = stack.deliveries()?;
    let mut pages = Pages::new(&deliveries, &endpoint.id, arguments.state, arguments.since);
    let mut records = Vec::new();
    while let Some(page) = pages.next().await? {
        let page = page.into_iter().filter(|record| !record.event.is_ping());
        records.extend(page.map(without_answers));
    }
    records.reverse();
    output.note(&plan(records.len(), arguments.rate, arguments.dry_run));
    Ok((endpoint.name.clone(), records))
}

/// Why a delivery is sent without a resend.
fn on_its_way(record: &Delivery) -> Option<String> {
    match record.state {
        State::Pending => {
            let next = record.next_attempt_at.and_then(time::shown);
            let next = next.map_or_else(|| "soon".to_owned(), |next| format!("at {next}"));
            Some(format!(
                "the delivery is pending; its next attempt is {next}"
            ))
        }
        State::Held => Some(
            "the delivery is held; it is sent as soon as its endpoint gets deliveries again"
                .to_owned(),
        ),
        State::Delivered | State::Exhausted | State::Skipped => None,
    }
}

/// Why deliveries in a state cannot be resent together.
fn no_many(state: State) -> Option<&'static str> {
    match state {
        State::Pending => Some(
            "pending deliveries are sent at their next attempt anyway: resend exhausted, skipped or \
                delivered ones, or a single delivery with --force",
        ),
        State::Held => Some(
            "held deliveries are sent as soon as their endpoint gets deliveries again: resume or enable \
                the endpoint instead",
        ),
        State::Delivered | State::Exhausted | State::Skipped => None,
    }
}

/// The delivery without the answers, which would fill the memory if there are many thousands.
fn without_answers(mut record: Delivery) -> Delivery {
    record.history = record.history.pop().into_iter().collect();
    record.request = None;
    record
}

fn plan(count: usize, rate: NonZeroU32, is_dry: bool) -> String {
    let deliveries = match count {
        0 => return "no delivery matches".to_owned(),
        1 => "1 delivery".to_owned(),
        count => format!("{count} deliveries"),
    };
    match is_dry {
        true => format!("{deliveries} would be resent"),
        false => format!("resending {deliveries} at {rate} per second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::delivery;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        resend: Resend,
    }

    fn parse(line: &str) -> Option<Resend> {
        let line = Line::try_parse_from(format!("resend {line}").split_whitespace());
        line.ok().map(|line| line.resend)
    }

    #[test]
    fn it_is_one_delivery_or_those_of_an_endpoint_in_a_state_since_a_time() {
        assert!(!parse("ep_1_1_d").unwrap().force);
        assert!(parse("ep_1_1_d --force").unwrap().force);
        assert!(parse("ep_1_1_d --dry-run").unwrap().dry_run);
        let many = parse("--endpoint ep_1 --state exhausted --since 2d").unwrap();
        assert_eq!((many.state, many.rate.get()), (Some(State::Exhausted), 10));
        for wrong in [
            "",
            "--endpoint ep_1",
            "--endpoint ep_1 --state exhausted",
            "--endpoint ep_1 --since 2d",
            "--state exhausted --since 2d",
            "ep_1_1_d --endpoint ep_1 --state exhausted --since 2d",
            "--endpoint ep_1 --state exhausted --since 2d --rate 0",
            "--endpoint ep_1 --state exhausted --since 2d --force",
            "--endpoint ep_1 --state lost --since 2d",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn what_is_on_its_way_is_said_to_be() {
        let mut pending = delivery(State::Pending);
        pending.next_attempt_at = Some(1_790_000_300_000);
        let why = on_its_way(&pending).unwrap();
        assert!(why.contains("at 2026-09-21T14:18:20"), "{why}");
        assert!(on_its_way(&delivery(State::Held)).unwrap().contains("held"));
        for state in [State::Delivered, State::Exhausted, State::Skipped] {
            assert_eq!(on_its_way(&delivery(state)), None);
            assert_eq!(no_many(state), None);
        }
        assert!(no_many(State::Pending).is_some() && no_many(State::Held).is_some());
    }

    #[test]
    fn an_order_names_the_event_and_the_resending() {
        let record = without_answers(delivery(State::Exhausted));
        assert_eq!((record.history.len(), &record.request), (1, &None));
        let event = record.event.clone();
        let expected = DeliverEvent {
            endpoint: "ep_1".to_owned(),
            event,
            resend: Some("r".to_owned()),
            not_before: None,
        };
        assert_eq!(order(record, "r"), expected);
    }

    #[test]
    fn what_is_meant_is_counted_before_anything_is_sent() {
        let rate = NonZeroU32::new(10).unwrap();
        assert_eq!(plan(0, rate, false), "no delivery matches");
        assert_eq!(plan(1, rate, true), "1 delivery would be resent");
        let many = plan(25, rate, false);
        assert_eq!(many, "resending 25 deliveries at 10 per second");
    }
}
