//! A replay that is interrupted or killed goes on where it stopped: nothing is left out, and no more than a
//! batch goes twice.

use super::support::interrupt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::operator::{CommandOutput, Operator, accept};
use testkit::receiver::Receiver;
use testkit::tap::{Gate, Point, Tap};
use tokio::process::Child;

/// The ids of so many events, the oldest first.
fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("e-{number:02}")).collect()
}

async fn accept_all(aws: &mut Aws, ids: &[String]) {
    let mut ingress = aws.ingress().await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    accept(aws, &mut ingress, &ids).await;
    aws.drain("events").await;
}

/// Waits until the tool's call is held up, and kills it there; the id of its replay.
async fn kill_at(gate: &mut Gate, mut tool: Child) -> String {
    gate.reached().await;
    tool.start_kill().unwrap();
    replay_of(&testkit::operator::finish(tool).await)
}

/// The id by which a replay is resumed.
fn replay_of(said: &CommandOutput) -> String {
    let (_, rest) = said.notes.split_once("--resume ").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

fn resuming(id: &str) -> Vec<&str> {
    [&REPLAY[..], &["--resume", id]].concat()
}

const REPLAY: [&str; 8] = [
    "event", "replay", "--since", "1h", "--queue", "events", "--rate", "1000",
];

#[tokio::test]
async fn wherever_it_is_killed_a_replay_goes_on_where_it_stopped() {
    let mut aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let all = ids(25);
    accept_all(&mut aws, &all).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    // The second batch is e-10 to e-19.
    for (point, operation, text, before, twice) in [
        (Point::Before, "SendMessageBatch", "e-10", 10, 0),
        (Point::After, "SendMessageBatch", "e-10", 20, 10),
        (Point::Before, "PutItem", "studio#e-19", 20, 10),
        (Point::After, "PutItem", "studio#e-19", 20, 0),
    ] {
        let mut gate = tap.hold(point, operation, text);
        let id = kill_at(&mut gate, operator.start(&REPLAY)).await;
        drop(gate);
        let first = aws.drain_event_ids().await;
        assert_eq!(first, all[..before], "{operation}");

        let again = operator.run(&resuming(&id)).await;
        let expected = json!({"replayed": 25, "of": 25, "forgotten": 0, "unwanted": 0});
        assert_eq!(again.json(), [expected]);
        let second = aws.drain_event_ids().await;
        assert_eq!(second, all[before - twice..], "{operation}");
        // It is done: there is nothing to resume, and the command begins another.
        let error = operator.run(&resuming(&id)).await.error();
        assert!(error.contains("no replay"), "{error}");
        assert_ne!(replay_of(&operator.run(&REPLAY).await), id);
        assert_eq!(aws.drain_event_ids().await, all);
    }
}

#[tokio::test]
async fn an_interruption_ends_it_after_the_batch_and_its_span_of_time_stays() {
    let mut aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let all = ids(25);
    accept_all(&mut aws, &all).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    let mut gate = tap.hold(Point::Before, "SendMessageBatch", "e-10");
    let tool = operator.start(&REPLAY);
    gate.reached().await;
    interrupt(&tool).await;
    gate.open();
    let said = testkit::operator::finish(tool).await;
    let id = replay_of(&said);
    let advice = format!("interrupted; the same command with --resume {id}");
    assert!(said.error().contains(&advice), "{said:?}");
    assert_eq!(aws.drain_event_ids().await, all[..20]);

    // What is accepted in between is not meant.
    accept_all(&mut aws, &["new".to_owned()]).await;
    let dry = operator.run(&[&REPLAY[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry.json().len(), 26, "a dry run is of the whole");
    let rest = operator.run(&resuming(&id)).await.json();
    assert_eq!(rest[0]["replayed"], 25);
    assert_eq!(aws.drain_event_ids().await, all[20..]);
}

#[tokio::test]
async fn a_replay_that_is_not_resumed_begins_anew() {
    let mut aws = Aws::start().await;
    let tap = Tap::start(aws.url()).await;
    let all = ids(12);
    accept_all(&mut aws, &all).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    let mut gate = tap.hold(Point::Before, "SendMessageBatch", "e-10");
    kill_at(&mut gate, operator.start(&REPLAY)).await;
    assert_eq!(aws.drain_event_ids().await, all[..10]);
    let anew = operator.run(&REPLAY).await;
    assert_eq!(anew.json()[0]["replayed"], 12);
    assert_eq!(aws.drain_event_ids().await, all);
}

#[tokio::test]
async fn an_endpoint_gets_an_event_once_of_a_replay_that_orders_it_twice() {
    let mut world = DeliveryHarness::start().await;
    let all = ids(15);
    accept_all(&mut world.aws, &all).await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let operator = Operator::behind(&world.aws, world.tap.url()).await;
    let replay = [
        "event",
        "replay",
        "--since",
        "1h",
        "--endpoint",
        "ep_a",
        "--rate",
        "1000",
    ];
    let mut gate = world.tap.hold(Point::After, "SendMessageBatch", "e-10");
    let id = kill_at(&mut gate, operator.start(&replay)).await;
    let resumed = [&replay[..], &["--resume", &id]].concat();
    operator.run(&resumed).await.json();
    let queued = world.queued().await;
    assert_eq!(queued, [("delivery/1".to_owned(), 20)].into());
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    let requests = receiver.take();
    let events = requests
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
    let posted: BTreeSet<_> = events
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((requests.len(), posted), (15, BTreeSet::from_iter(all)));
}
