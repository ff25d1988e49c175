//! `webhookctl delivery resend`: deliveries put on the queue again, one of them or many. That the schedule
//! begins anew is left to the function that reads the queue.

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

/// Easily borne by most endpoints.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Sends a delivery again, or all of an endpoint that are in one state.
#[derive(Debug, Args)]
#[command(
    override_usage = "\
webhookctl delivery resend [OPTIONS] <ID>
       webhookctl delivery resend [OPTIONS] --endpoint <ENDPOINT> --state <STATE> --since <TIME>",
    after_help = "\
The schedule of what is resent begins anew. The endpoint sees the same webhook-id as before. What is pending
or held is on its way already: a single delivery of these states is resent by --force, and many are not.

Many are counted first, then put on the queue, the oldest first, at --rate. Ctrl-C ends that: what was sent is
sent, and how many that were is said. What is on the queue is in its old state until its next attempt, so a
second run just after the first may send some of them twice.

With --json: {\"resent\": 3, \"of\": 3}; with --dry-run what `delivery list --json` has for each.

Examples:
  webhookctl delivery resend ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery resend --endpoint search --state exhausted --since 2d --dry-run
  webhookctl delivery resend --endpoint search --state exhausted --since 2026-11-22T08:00:00Z --rate 50"
)]
pub(crate) struct Resend {
    /// The id of the delivery.
    #[arg(required_unless_present = "endpoint", conflicts_with = "endpoint")]
    id: Option<String>,
    /// Sends it again although it is pending or held.
    #[arg(long, conflicts_with = "endpoint")]
    force: bool,
    /// The id of the endpoint whose deliveries to send again, or its name.
    #[arg(long, value_name = "ENDPOINT", requires_all = ["state", "since"])]
    endpoint: Option<String>,
    /// Those in this state: exhausted, skipped or delivered.
    #[arg(long, value_parser = select::state(), hide_possible_values = true, requires = "endpoint")]
    state: Option<State>,
    /// Those of events accepted since then: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = time::since, requires = "endpoint")]
    since: Option<Timestamp>,
    /// How many a second.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_RATE, requires = "endpoint")]
    rate: NonZeroU32,
    /// Lists what would be sent again, and sends nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(arguments: Resend, stack: &Stack, output: Output) -> Result<()> {
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

/// Sends what was found, and says how much of it.
async fn send(records: Vec<Delivery>, sending: &PacedSender<'_>, output: Output) -> Result<()> {
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
    output: Output,
) -> Result<(String, Vec<Delivery>)> {
    let record = find(id, &stack.deliveries()?).await?;
    if record.event.is_ping() {
        return Err("this is a ping, which is sent once: ping the endpoint again".into());
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
        (Some(why), true) => output.note(&format!("{why}; it is sent now all the same")),
        (None, _) => {}
    }
    Ok((name, vec![record]))
}

/// The selected deliveries of an endpoint, the oldest first, with its name.
async fn many(
    wanted: &str,
    arguments: &Resend,
    stack: &Stack,
    output: Output,
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

/// Why a delivery need not be resent.
fn on_its_way(record: &Delivery) -> Option<String> {
    match record.state {
        State::Pending => {
            let next = record.next_attempt_at.and_then(time::shown);
            let next = next.map_or_else(|| "soon".to_owned(), |next| format!("at {next}"));
            Some(format!(
                "the delivery is pending, with its next attempt {next}"
            ))
        }
        State::Held => Some(
            "the delivery is held, and sent as soon as its endpoint gets anything again".to_owned(),
        ),
        State::Delivered | State::Exhausted | State::Skipped => None,
    }
}

/// Why not all deliveries in a state are resent.
fn no_many(state: State) -> Option<&'static str> {
    match state {
        State::Pending => Some(
            "what is pending is sent at its next attempt anyway: resend what is exhausted, skipped or \
             delivered, or a single delivery with --force",
        ),
        State::Held => Some(
            "what is held is sent as soon as its endpoint gets anything again: resume or enable the endpoint \
             instead",
        ),
        State::Delivered | State::Exhausted | State::Skipped => None,
    }
}

/// What sending needs: of many thousands, the answers would fill the memory.
fn without_answers(mut record: Delivery) -> Delivery {
    record.history = record.history.pop().into_iter().collect();
    record.request = None;
    record
}

fn plan(count: usize, rate: NonZeroU32, is_dry: bool) -> String {
    let deliveries = match count {
        0 => return "there is no such delivery".to_owned(),
        1 => "1 delivery".to_owned(),
        count => format!("{count} deliveries"),
    };
    match is_dry {
        true => format!("{deliveries} would be resent"),
        false => format!("{deliveries} to resend, at {rate} a second"),
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
        assert_eq!(plan(0, rate, false), "there is no such delivery");
        assert_eq!(plan(1, rate, true), "1 delivery would be resent");
        let many = plan(25, rate, false);
        assert_eq!(many, "25 deliveries to resend, at 10 a second");
    }
}
