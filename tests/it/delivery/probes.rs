//! One probe for an endpoint, and none too few: an active endpoint for which something is held has a probe,
//! however invocations come between each other, and whatever message is lost.

use serde_json::{Value, json};
use testkit::delivery::{DeliveryHarness, id, now_ms};
use testkit::function::{Answer, Function};
use testkit::receiver::{Receiver, Reply};
use testkit::tap::Point;
use tokio::sync::oneshot;

/// A world with an endpoint all of whose deliveries are held, as it has a rate, and two functions.
async fn world() -> (DeliveryHarness, Receiver, [Function; 2]) {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 2}))
        .await;
    let functions = [world.function().await, world.function().await];
    (world, receiver, functions)
}

/// Begins an invocation with all that is on the queue.
async fn begin(
    world: &DeliveryHarness,
    function: &Function,
) -> (Vec<Value>, oneshot::Receiver<Answer>) {
    let batch = world.receive().await;
    let answer = function.begin(&json!({"Records": batch}));
    (batch, answer)
}

/// Ends it.
async fn end(
    world: &DeliveryHarness,
    batch: Vec<Value>,
    answer: oneshot::Receiver<Answer>,
) -> Vec<Value> {
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    world.conclude(batch, &answer).await
}

#[tokio::test]
async fn of_probes_that_are_sent_at_the_same_time_one_works_and_the_others_end() {
    let (world, receiver, [mut one, mut other]) = world().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    let mut gate = world.tap.hold(Point::Before, "UpdateItem", "SET probe");
    let (batch, answer) = begin(&world, &one).await;
    gate.reached().await;
    for number in 4..=6 {
        world.offer("ep_a", number).await;
    }
    world.pump_kind(&mut other, "delivery/1").await;
    gate.open();
    end(&world, batch, answer).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 2)].into());

    world.pump(&mut one).await;
    assert_eq!(receiver.requests().len(), 2, "as many as one probe may");
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world.drain(&mut one).await;
    let delivered: Vec<_> = receiver.take().iter().map(|request| request.id()).collect();
    assert_eq!(
        delivered,
        (1..=6).map(|number| id("ep_a", number)).collect::<Vec<_>>()
    );
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
}

/// A probe is ending, and just before or after it gives up its charge another delivery is held.
async fn is_not_stranded(point: Point) {
    let (world, receiver, [mut one, mut other]) = world().await;
    world.offer("ep_a", 1).await;
    // It is held, and delivered by the probe, which then has nothing left to do.
    world.pump(&mut one).await;
    world.pump(&mut one).await;
    let mut gate = world.tap.hold(point, "UpdateItem", "REMOVE probe");
    let (batch, answer) = begin(&world, &one).await;
    gate.reached().await;
    world.offer("ep_a", 2).await;
    world.pump(&mut other).await;
    gate.open();
    end(&world, batch, answer).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world.drain(&mut one).await;
    assert_eq!(receiver.take().len(), 2);
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 2)].into()
    );
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
}

#[tokio::test]
async fn what_is_held_just_before_a_probe_ends_is_not_stranded() {
    is_not_stranded(Point::Before).await;
}

#[tokio::test]
async fn what_is_held_just_after_a_probe_ended_is_not_stranded() {
    is_not_stranded(Point::After).await;
}

#[tokio::test]
async fn an_endpoint_that_is_resumed_while_its_probe_ends_as_it_was_paused_is_not_stranded() {
    let (world, receiver, [mut one, mut other]) = world().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut one).await;
    world
        .endpoint(
            "ep_a",
            &receiver.url(),
            &json!({"rate": 2, "state": "paused"}),
        )
        .await;
    let mut gate = world.tap.hold(Point::Before, "UpdateItem", "REMOVE probe");
    let (batch, answer) = begin(&world, &one).await;
    gate.reached().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 2}))
        .await;
    world
        .send(&json!({"kind": "probe/1", "endpoint": "ep_a", "id": "resumed"}))
        .await;
    world.pump(&mut other).await;
    gate.open();
    end(&world, batch, answer).await;
    world.drain(&mut one).await;
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 1)].into()
    );
}

#[tokio::test]
async fn a_probe_is_sent_anew_before_its_queue_gives_up_on_it() {
    let (world, receiver, [mut function, _]) = world().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    let old = world.standing("circuit", "ep_a").await["probe"].clone();
    world.tap.sent();
    let mut batch = world.receive().await;
    batch[0]["attributes"]["ApproximateReceiveCount"] = json!("20");
    assert_eq!(world.run(&mut function, batch).await.len(), 0);
    let sent = world.tap.sent();
    assert_eq!(
        (sent.len(), sent[0].delay, &sent[0].body["replaces"]),
        (1, 1, &old)
    );
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 3);
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
}

#[tokio::test]
async fn a_probe_that_fails_by_our_own_fault_is_sent_anew_as_well() {
    let (world, receiver, [mut function, _]) = world().await;
    let sealed = world
        .sealed("ep_b", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .await;
    let unusable = json!({"rate": 2, "secrets": [sealed]});
    world.endpoint("ep_a", &receiver.url(), &unusable).await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    for receives in ["1", "20"] {
        let mut batch = world.receive().await;
        assert_eq!(batch.len(), 1);
        batch[0]["attributes"]["ApproximateReceiveCount"] = json!(receives);
        world.tap.sent();
        let kept = world.run(&mut function, batch).await;
        let sent = world.tap.sent();
        assert_eq!(
            (kept.len(), sent.len()),
            if receives == "1" { (1, 0) } else { (0, 1) }
        );
    }
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 2}))
        .await;
    world.drain(&mut function).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 1)].into()
    );
}

/// How long after it was due a probe is lost, and a little more.
const LOST: u64 = 31 * 60 * 1_000;

/// A world in which two deliveries are held and the probe is lost: its message is gone, and is overdue.
async fn world_without_its_probe() -> (DeliveryHarness, Receiver, [Function; 2]) {
    let (world, receiver, [mut one, other]) = world().await;
    for number in 1..=2 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut one).await;
    let lost = world.receive().await;
    assert_eq!(lost.len(), 1);
    world.delete(lost, &json!({"batchItemFailures": []})).await;
    overdue(&world).await;
    world.tap.sent();
    (world, receiver, [one, other])
}

/// Makes it long ago that the probe in charge was due.
async fn overdue(world: &DeliveryHarness) {
    let mut circuit = world.standing("circuit", "ep_a").await;
    circuit["probe_due_at"] = json!(now_ms() - LOST);
    world.put_circuit("ep_a", &circuit).await;
}

#[tokio::test]
async fn a_probe_that_is_lost_is_replaced_when_the_next_delivery_is_held() {
    let (world, receiver, [mut function, _]) = world_without_its_probe().await;
    let lost = world.standing("circuit", "ep_a").await["probe"].clone();
    world.offer("ep_a", 3).await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    let circuit = world.standing("circuit", "ep_a").await;
    assert_eq!(circuit["probe"], world.tap.sent()[0].body["id"]);
    assert_ne!(circuit["probe"], lost);
    assert!(circuit["probe_due_at"].as_u64().unwrap() >= now_ms() - 60_000);
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 3);
    let circuit = world.standing("circuit", "ep_a").await;
    assert!(circuit.get("probe").is_none() && circuit.get("probe_due_at").is_none());
}

#[tokio::test]
async fn a_probe_that_is_lost_is_replaced_by_whichever_message_of_its_endpoint_comes_next() {
    let (world, receiver, [mut function, _]) = world_without_its_probe().await;
    // Copies of it, which show the endpoint to the function and hold nothing.
    world
        .send(&json!({"kind": "probe/1", "endpoint": "ep_a", "id": "another"}))
        .await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 2);
}

#[tokio::test]
async fn of_those_who_see_at_the_same_time_that_a_probe_is_lost_one_replaces_it() {
    let (world, receiver, [mut one, mut other]) = world_without_its_probe().await;
    world.offer("ep_a", 3).await;
    let mut gate = world.tap.hold(Point::Before, "UpdateItem", ":lost");
    let (batch, answer) = begin(&world, &one).await;
    gate.reached().await;
    world.offer("ep_a", 4).await;
    world.pump_kind(&mut other, "delivery/1").await;
    gate.open();
    end(&world, batch, answer).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world.drain(&mut one).await;
    assert_eq!(receiver.take().len(), 4);
}

#[tokio::test]
async fn a_probe_that_comes_late_after_all_is_not_replaced_and_one_that_was_replaced_ends() {
    let (world, receiver, [mut one, mut other]) = world().await;
    for number in 1..=6 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut one).await;
    overdue(&world).await;
    // It is at work: that it came is noted by then.
    let mut gate = world.tap.hold(Point::Before, "PutItem", "delivered");
    let (batch, answer) = begin(&world, &one).await;
    gate.reached().await;
    world.tap.sent();
    world.offer("ep_a", 7).await;
    world.pump(&mut other).await;
    assert_eq!(world.tap.sent().len(), 0);
    gate.open();
    let late = end(&world, batch, answer).await;
    assert_eq!(late.len(), 1, "it goes on");

    let late = world.receive().await;
    overdue(&world).await;
    world.offer("ep_a", 8).await;
    world.pump(&mut one).await;
    world.put_back(&late).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 2)].into());
    receiver.take();
    world.pump(&mut one).await;
    assert_eq!(receiver.take().len(), 2, "as many as one probe may");
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world.drain(&mut one).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 8)].into()
    );
}

#[tokio::test]
async fn a_probe_in_the_place_of_a_lost_one_that_cannot_be_sent_is_sent_the_next_time() {
    let (world, receiver, [mut function, _]) = world_without_its_probe().await;
    world.tap.refuse(Some("probe/1"));
    world.offer("ep_a", 3).await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
    world.tap.refuse(None);
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 3);
}

/// The endpoint asks to be left alone for 12 hours: the probe that comes then never grows old on the queue.
#[tokio::test]
async fn a_probe_that_has_to_wait_for_long_is_replaced_before_it_is_old_and_acts_in_time() {
    const OLDEST: u64 = 3 * 3_600;
    let (world, receiver, [mut function, _]) = world().await;
    receiver.answer(|_| Reply::retry_after(429, 12 * 3_600));
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    // It tries the delivery, and is to wait from then on.
    world.tap.sent();
    world.pump(&mut function).await;
    assert_eq!(receiver.take().len(), 1);
    let due = async || world.standing("circuit", "ep_a").await["probe_due_at"].as_u64();
    let later = now_ms() + 11 * 3_600_000;
    assert!(due().await.unwrap() > later);
    let mut age = match &world.tap.sent()[..] {
        [new] => new.delay,
        other => panic!("{other:?}"),
    };
    let (mut replaced, mut waited) = (0, age);
    for _ in 0..6 {
        world.tap.waits();
        let mut batch = world.receive().await;
        assert_eq!(batch.len(), 1);
        let sent = now_ms() - age * 1_000;
        batch[0]["attributes"]["SentTimestamp"] = json!(sent.to_string());
        world.run(&mut function, batch).await;
        match (&world.tap.waits()[..], &world.tap.sent()[..]) {
            ([(_, wait)], []) => {
                age += wait;
                waited += wait;
            }
            ([], [new]) => {
                assert_eq!(new.body["kind"], "probe/1");
                (age, replaced) = (new.delay, replaced + 1);
                waited += age;
            }
            other => panic!("{other:?}"),
        }
        assert!(age <= OLDEST, "{age} s");
    }
    assert!(replaced > 1 && waited > OLDEST, "{replaced} {waited}");
    assert_eq!(receiver.take().len(), 0, "it is left alone");
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    assert!(due().await.unwrap() > later);
}
