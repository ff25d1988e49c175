//! The circuit: an endpoint that fails ten times in a row is left alone but for one probe, and when it
//! answers again all that was held for it is delivered.

use serde_json::{Value, json};
use std::ops::RangeInclusive;
use testkit::cloudevents::assert_strict;
use testkit::delivery::{DeliveryHarness, id};
use testkit::function::Function;
use testkit::receiver::{Receiver, Reply};

/// Offers events of these numbers, and hands them to the function.
async fn offer(world: &DeliveryHarness, function: &mut Function, numbers: RangeInclusive<u32>) {
    for number in numbers {
        world.offer("ep_a", number).await;
    }
    world.pump_kind(function, "delivery/1").await;
}

/// A world whose endpoint has failed ten times, and of whose notices and messages nothing is left to look at.
async fn failing(members: &Value) -> (DeliveryHarness, Receiver, Function) {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), members).await;
    let mut function = world.function().await;
    offer(&world, &mut function, 1..=10).await;
    assert_ne!(
        world.standing("circuit", "ep_a").await["opened_at"],
        Value::Null
    );
    receiver.take();
    world.tap.sent();
    world.tap.waits();
    world.aws.drain("events").await;
    world.aws.drain("notices").await;
    (world, receiver, function)
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| id("ep_a", number))
        .collect()
}

#[tokio::test]
async fn ten_failures_in_a_row_open_the_circuit_and_leave_one_probe_on_the_queue() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    offer(&world, &mut function, 1..=9).await;
    let nine = world.receive().await;
    receiver.always(Reply::status(200));
    offer(&world, &mut function, 10..=10).await;
    assert_eq!(
        world.standing("circuit", "ep_a").await.get("failures"),
        None,
        "nine, and a success"
    );

    receiver.always(Reply::status(500));
    offer(&world, &mut function, 11..=19).await;
    assert_eq!(world.standing("circuit", "ep_a").await["failures"], 9);
    assert_eq!(world.aws.drain("events").await.len(), 0);
    assert_eq!(receiver.take().len(), 19);
    assert_eq!(world.tap.sent().len(), 0);
    offer(&world, &mut function, 20..=20).await;
    assert_eq!(
        receiver.take().len(),
        10,
        "all nine that waited came, and one new"
    );

    let events = world.aws.drain("events").await;
    let types: Vec<_> = events
        .iter()
        .map(|event| event.body["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["io.webhook-gateway.endpoint.circuit-opened"]);
    assert_strict(std::slice::from_ref(&events[0].text));
    assert_eq!(world.aws.drain("notices").await.len(), 1);
    let mut sent = world.tap.sent();
    sent.retain(|message| message.queue == "deliveries");
    assert_eq!(
        (sent.len(), &sent[0].body["kind"], sent[0].delay),
        (1, &json!("probe/1"), 60)
    );
    let circuit = world.standing("circuit", "ep_a").await;
    assert_eq!(circuit["probe"], sent[0].body["id"]);
    assert_eq!(circuit.get("notice"), None, "it was told");
    // What failed before comes back from the queue, and what is new: all is held, and nothing is posted.
    world.put_back(&nine).await;
    offer(&world, &mut function, 21..=21).await;
    assert_eq!(receiver.take().len(), 0);
    let expected = [("delivered".to_owned(), 1), ("held".to_owned(), 20)];
    assert_eq!(world.states("ep_a").await, expected.into());
    assert_eq!(world.held("ep_a").await, ids((1..=9).chain(11..=21)));
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    assert_eq!(world.tap.sent().len(), 0);
}

#[tokio::test]
async fn a_failing_probe_waits_twice_as_long_each_time_and_exhausts_no_delivery() {
    let (world, receiver, mut function) = failing(&json!({"retry": [5]})).await;
    let mut tried = Vec::new();
    for seconds in [120, 240, 480, 960, 1920, 3600, 3600] {
        world.pump(&mut function).await;
        let waits = world.tap.waits();
        assert_eq!((waits.len(), waits[0].1), (1, seconds));
        let requests = receiver.take();
        assert_eq!(requests.len(), 1, "one delivery is tried");
        tried.extend(requests.iter().map(|request| request.id()));
    }
    // The oldest that has attempts left.
    assert_eq!(tried, ids(1..=7));
    assert_eq!(world.states("ep_a").await, [("held".to_owned(), 10)].into());
    assert_eq!(world.held("ep_a").await.len(), 10);
    assert_eq!(world.aws.drain("events").await.len(), 0);
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_success_closes_the_circuit_and_what_was_held_is_delivered_the_oldest_first() {
    let (world, receiver, mut function) = failing(&json!({})).await;
    world.pump(&mut function).await;
    receiver.take();
    offer(&world, &mut function, 11..=25).await;
    receiver.always(Reply::status(200));
    world.pump(&mut function).await;
    assert_eq!(receiver.requests().len(), 10, "as many as in a second");
    let events = world.aws.drain("events").await;
    let types: Vec<_> = events
        .iter()
        .map(|event| event.body["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["io.webhook-gateway.endpoint.recovered"]);
    assert_strict(std::slice::from_ref(&events[0].text));
    assert_eq!(world.aws.drain("notices").await.len(), 1);
    assert_eq!(world.held("ep_a").await, ids(11..=25));

    // While it drains, new deliveries go past what is held.
    offer(&world, &mut function, 26..=26).await;
    assert_eq!(world.record("ep_a", 26).await["state"], "delivered");
    world.drain(&mut function).await;
    let delivered: Vec<_> = receiver.take().iter().map(|request| request.id()).collect();
    let expected: Vec<_> = (1..=10).chain([26]).chain(11..=25).collect();
    assert_eq!(delivered, ids(expected));
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 26)].into()
    );
    assert_eq!(world.held("ep_a").await.len(), 0);
    let circuit = json!({"kind": "circuit", "id": "ep_a"});
    assert_eq!(
        world.standing("circuit", "ep_a").await,
        circuit,
        "nothing is remembered"
    );
    world.tap.sent();
    offer(&world, &mut function, 27..=27).await;
    assert_eq!(world.record("ep_a", 27).await["state"], "delivered");
    assert_eq!(world.tap.sent().len(), 0);
}

#[tokio::test]
async fn a_delivery_that_the_endpoint_refuses_for_itself_does_not_block_the_others() {
    let (world, receiver, mut function) = failing(&json!({"retry": [5]})).await;
    receiver.answer(|request| Reply::status(if request.has("\"p-1\"") { 400 } else { 200 }));
    world.pump(&mut function).await;
    assert_eq!(
        world.held("ep_a").await.len(),
        10,
        "it is the oldest, and has an attempt left"
    );
    world.drain(&mut function).await;
    let expected = [("delivered".to_owned(), 9), ("exhausted".to_owned(), 1)];
    assert_eq!(world.states("ep_a").await, expected.into());
    assert_eq!(world.record("ep_a", 1).await["state"], "exhausted");
    assert_eq!(world.held("ep_a").await.len(), 0);
    assert_eq!(
        world.standing("circuit", "ep_a").await.get("opened_at"),
        None
    );
}

#[tokio::test]
async fn a_delivery_that_fails_while_the_rest_drains_goes_back_to_its_schedule() {
    let (world, receiver, mut function) = failing(&json!({})).await;
    receiver.answer(|request| Reply::status(if request.has("\"p-3\"") { 400 } else { 200 }));
    world.pump_kind(&mut function, "probe/1").await;
    let record = world.record("ep_a", 3).await;
    assert_eq!(
        (&record["state"], &record["attempts"]),
        (&json!("pending"), &json!(2))
    );
    let mut sent = world.tap.sent();
    sent.retain(|message| message.body["kind"] == "delivery/1");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body["event"]["id"], "p-3");
    // The second wait of the schedule.
    assert!((240..=360).contains(&sent[0].delay), "{sent:?}");
    assert_eq!(world.held("ep_a").await.len(), 0);
    receiver.always(Reply::status(200));
    world.drain(&mut function).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 10)].into()
    );
}
