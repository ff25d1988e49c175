//! I11: whatever is to be delivered at the same time, the function stays within its memory, and all of it is
//! delivered.
//!
//! Seen to fail: with everything loaded that is held.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::delivery::{DeliveryHarness, event, id, ledger_item};
use testkit::function::{Answer, Function};
use testkit::receiver::Receiver;
use testkit::webhook::creative_force;

/// The memory that the template gives the function.
const MEGABYTES: usize = 256;

/// A body in the bucket, as long as API Gateway lets through.
const OBJECT: &str = "bodies/large";

/// Puts an event of this number into the ledger, whose body is the object.
async fn accept_object(world: &DeliveryHarness, number: u32) {
    let mut entry = ledger_item(&event(number));
    entry["body_s3"] = json!({"S": OBJECT});
    world.aws.put_item(&entry).await;
}

/// Puts the object into the bucket: an event with this text in it, so often that it has 4.4 MB.
async fn put_object(world: &DeliveryHarness, text: &str) {
    let text = text.repeat(4_400_000 / text.len());
    let body = creative_force("large", &text);
    world.aws.put_object(OBJECT, body.into()).await;
}

/// Passes the messages of the queue to the function until this many requests came and no message is left,
/// and forgets the requests. Returns the ids of these.
///
/// On a busy machine a probe does not drain everything at once: its next message is delayed.
async fn drain(
    world: &DeliveryHarness,
    function: &Function,
    receiver: &Receiver,
    count: u32,
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut empty = 0;
    loop {
        let batch = world.receive_some(1).await;
        if batch.is_empty() {
            if ids.len() >= count as usize {
                return ids;
            }
            empty += 1;
            assert!(empty < 120, "{} of {count} requests came", ids.len());
            continue;
        }
        let answer = function.begin(&json!({"Records": batch})).await;
        let Ok(Answer::Success(answer)) = answer else {
            panic!("no answer: {answer:?}");
        };
        world.conclude(batch, &answer).await;
        ids.extend(receiver.take().iter().map(|request| request.id()));
    }
}

/// Offers deliveries of so many events to an endpoint, and checks that each is made once within the memory.
async fn all_are_delivered(world: &DeliveryHarness, members: &serde_json::Value, count: u32) {
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), members).await;
    let function = world.function().await;
    for number in 1..=count {
        world.order("ep_a", number).await;
    }
    let ids = drain(world, &function, &receiver, count).await;
    let distinct: BTreeSet<_> = ids.iter().cloned().collect();
    let expected: BTreeSet<_> = (1..=count).map(|number| id("ep_a", number)).collect();
    assert_eq!((distinct, ids.len()), (expected, count as usize));
    let states = world.states("ep_a").await;
    assert_eq!(states, [("delivered".to_owned(), count as usize)].into());
    let peak = function.peak_megabytes();
    assert!(peak < MEGABYTES, "{peak} MB");
}

#[tokio::test]
async fn large_bodies_that_are_held_are_worked_off_within_the_memory() {
    let world = DeliveryHarness::start().await;
    put_object(&world, "x").await;
    for number in 1..=40 {
        accept_object(&world, number).await;
    }
    all_are_delivered(&world, &json!({"rate": 1000, "timeout": 30}), 40).await;
}

#[tokio::test]
async fn many_bodies_that_are_held_are_worked_off_within_the_memory() {
    let world = DeliveryHarness::start().await;
    for number in 1..=100 {
        let event = event(number);
        let body = creative_force(&event.id, &"x".repeat(260_000));
        let mut entry = ledger_item(&event);
        entry["body"] = json!({"B": STANDARD.encode(body)});
        world.aws.put_item(&entry).await;
    }
    all_are_delivered(&world, &json!({"rate": 1000, "timeout": 30}), 100).await;
}

#[tokio::test]
async fn a_batch_of_large_bodies_that_become_twice_as_large_is_delivered_within_the_memory() {
    let world = DeliveryHarness::start().await;
    // Each of these three bytes becomes six in the request.
    put_object(&world, "\u{fffe}").await;
    for number in 1..=10 {
        accept_object(&world, number).await;
    }
    all_are_delivered(&world, &json!({"timeout": 30}), 10).await;
}
