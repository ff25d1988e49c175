//! A slow endpoint takes the place of one invocation at a time: until an attempt at it succeeded quickly, and
//! again from when attempts at it hang.
//!
//! Seen to fail: with any success that forgets that attempts hung, with one delivery for all that came in a
//! batch, with deliveries that are put off again and again.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use testkit::delivery::{DeliveryHarness, id};
use testkit::eventually;
use testkit::function::{Answer, Function};
use testkit::receiver::{Receiver, Reply};
use tokio::sync::{Semaphore, oneshot};

/// A success that is slow: an attempt hangs from 2 seconds on.
const LATE: Reply = Reply::Late(Duration::from_secs(4), 200);

/// A world with an endpoint of which nothing is known yet, as `endpoint create` leaves it.
async fn world() -> (DeliveryHarness, Receiver) {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let members = json!({"timeout": 20});
    world.endpoint("ep_a", &receiver.url(), &members).await;
    world.put_circuit("ep_a", &json!({"slow_until": 0})).await;
    (world, receiver)
}

async fn begin(
    world: &DeliveryHarness,
    function: &Function,
) -> (Vec<Value>, oneshot::Receiver<Answer>) {
    let batch = world.receive().await;
    let answer = function.begin(&json!({"Records": batch}));
    (batch, answer)
}

async fn end(world: &DeliveryHarness, batch: Vec<Value>, answer: oneshot::Receiver<Answer>) {
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    world.conclude(batch, &answer).await;
}

async fn circuit(world: &DeliveryHarness) -> Value {
    world.standing("circuit", "ep_a").await
}

/// Lets a minute pass since the last attempt that was slow.
async fn a_minute_passes(world: &DeliveryHarness) {
    let mut circuit = circuit(world).await;
    circuit["slow_at"] = json!(circuit["slow_at"].as_u64().unwrap() - 60_000);
    world.put_circuit("ep_a", &circuit).await;
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| id("ep_a", number))
        .collect()
}

#[tokio::test]
async fn a_slow_success_is_no_reason_to_try_all_at_once() {
    let (world, receiver) = world().await;
    receiver.always(LATE);
    let (one, mut other) = (world.function().await, world.function().await);
    world.offer("ep_a", 1).await;
    let (batch, answer) = begin(&world, &one).await;
    receiver.got(1).await;
    eventually("the endpoint is known to be slow", || async {
        circuit(&world).await["slow_since"].is_u64()
    })
    .await;
    end(&world, batch, answer).await;
    assert_eq!(world.record("ep_a", 1).await["state"], "delivered");
    // What comes now is held, and its probe alone tries it: side by side in one invocation, as it takes no
    // more place so.
    for number in 2..=6 {
        world.offer("ep_a", number).await;
    }
    world.pump_kind(&mut other, "delivery/1").await;
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(world.held("ep_a").await, ids(2..=6));
    let reason = &world.record("ep_a", 2).await["reason"];
    assert_eq!(reason, "the endpoint is slow");
    let (batch, answer) = begin(&world, &one).await;
    assert_eq!(batch.len(), 1, "one probe");
    receiver.got(5).await;
    world.offer("ep_a", 7).await;
    world.pump(&mut other).await;
    assert_eq!(receiver.requests().len(), 5, "it does not come between");
    end(&world, batch, answer).await;
    assert!(circuit(&world).await["slow_since"].is_u64(), "it still is");

    // Only what was quick makes it forgotten.
    receiver.always(Reply::status(200));
    world.offer("ep_a", 8).await;
    world.pump_kind(&mut other, "delivery/1").await;
    assert_eq!(world.record("ep_a", 8).await["state"], "held");
    world.drain(&mut other).await;
    // An attempt was slow a moment ago: one invocation at a time tries the endpoint for another minute.
    let recovering = circuit(&world).await;
    assert_eq!(recovering["slow_since"], Value::Null);
    assert!(recovering["slow_until"].is_u64(), "{recovering}");
    a_minute_passes(&world).await;
    world.offer("ep_a", 9).await;
    world.pump(&mut other).await;
    let quick = json!({"kind": "circuit", "id": "ep_a"});
    assert_eq!(circuit(&world).await, quick);
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 9)].into()
    );
    assert_eq!(world.queued().await, [].into());
}

#[tokio::test]
async fn an_endpoint_that_is_quick_by_turns_is_slow() {
    let (world, receiver) = world().await;
    receiver.answer(|request| match request.has("\"p-2\"") {
        true => LATE,
        false => Reply::status(200),
    });
    let mut function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 3)].into()
    );
    assert!(circuit(&world).await["slow_since"].is_u64());
}

#[tokio::test]
async fn one_invocation_has_the_turn_at_an_endpoint_of_which_nothing_is_known() {
    let (world, receiver) = world().await;
    let gate = Arc::new(Semaphore::new(0));
    receiver.always(Reply::Gated(Arc::clone(&gate), 200));
    let (one, mut other) = (world.function().await, world.function().await);
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    let (batch, answer) = begin(&world, &one).await;
    // All that the batch has of it.
    receiver.got(3).await;
    world.offer("ep_a", 4).await;
    world.pump(&mut other).await;
    assert_eq!(receiver.requests().len(), 3);
    let waits = world.tap.waits();
    assert_eq!(waits.len(), 1);
    assert!((2..=6).contains(&waits[0].1), "{waits:?}");
    assert_eq!(world.record("ep_a", 4).await, Value::Null);
    gate.add_permits(4);
    end(&world, batch, answer).await;
    // On a busy machine the first were slow, and a probe delivers the last.
    world.drain(&mut other).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 4)].into()
    );
}

#[tokio::test]
async fn a_turn_lasts_until_the_last_of_its_attempts_is_done() {
    let (world, receiver) = world().await;
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    receiver.answer(move |request| match request.has("\"p-2\"") {
        true => Reply::Gated(Arc::clone(&open), 200),
        false => Reply::status(200),
    });
    let (one, mut other) = (world.function().await, world.function().await);
    world.offer("ep_a", 1).await;
    world.offer("ep_a", 2).await;
    let (batch, answer) = begin(&world, &one).await;
    eventually("the quick delivery is settled", || async {
        world.record("ep_a", 1).await["state"] == "delivered"
    })
    .await;
    // The other attempt may still prove to be slow: nobody else tries the endpoint.
    world.offer("ep_a", 3).await;
    world.pump_kind(&mut other, "delivery/1").await;
    assert_eq!(receiver.requests().len(), 2);
    gate.add_permits(1);
    end(&world, batch, answer).await;
    world.drain(&mut other).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 3)].into()
    );
}

#[tokio::test]
async fn a_turn_ends_with_its_invocation() {
    let (world, receiver) = world().await;
    receiver.always(Reply::status(500));
    let mut function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
        let batch = world.receive().await;
        // What failed before stays away.
        let (new, old): (Vec<_>, Vec<_>) = batch.into_iter().partition(|message| {
            message["body"]
                .as_str()
                .unwrap()
                .contains(&format!("\"p-{number}\""))
        });
        world.run(&mut function, new).await;
        world.put_back(&old).await;
        assert_eq!(receiver.take().len(), 1, "{number}");
    }
    assert_eq!(circuit(&world).await["failures"], 3);
}

#[tokio::test]
async fn an_attempt_that_hangs_holds_nothing_up_at_an_endpoint_that_was_quick() {
    let (world, receiver) = world().await;
    world.put_circuit("ep_a", &json!({})).await;
    receiver.answer(|request| match request.has("\"p-1\"") {
        true => LATE,
        false => Reply::status(200),
    });
    let mut function = world.function().await;
    for number in 1..=2 {
        world.offer("ep_a", number).await;
        world.pump(&mut function).await;
    }
    // The first was slow, by which the second had a turn; it was quick.
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 2)].into()
    );
    assert_eq!(circuit(&world).await["slow_since"], Value::Null);
    a_minute_passes(&world).await;
    world.offer("ep_a", 3).await;
    world.pump(&mut function).await;
    let quick = json!({"kind": "circuit", "id": "ep_a"});
    assert_eq!(circuit(&world).await, quick);
}
