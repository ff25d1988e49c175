//! I8: the messages of a batch do not stand in each other's way, nor do the copies of one.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use testkit::delivery::{DeliveryHarness, ledger_item};
use testkit::eventually;
use testkit::function::Answer;
use testkit::receiver::{Receiver, Reply};
use tokio::sync::Semaphore;

/// The batch of `events/delivery/poison.json`: a message that is none, and a delivery.
fn poison() -> Value {
    serde_json::from_str(include_str!("../../../events/delivery/poison.json")).unwrap()
}

#[tokio::test]
async fn a_message_that_is_not_readable_is_set_aside_and_the_batch_goes_on() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let poison = poison();
    let bodies = [0, 1].map(|index: usize| poison["Records"][index]["body"].as_str().unwrap());
    let order: Value = serde_json::from_str(bodies[1]).unwrap();
    let endpoint = order["endpoint"].as_str().unwrap();
    world
        .endpoint(endpoint, &receiver.url(), &json!({"format": "raw"}))
        .await;
    let mut entry = ledger_item(&serde_json::from_value(order["event"].clone()).unwrap());
    entry["body"] = json!({"B": "e30="});
    world.aws.put_item(&entry).await;
    let mut function = world.function().await;
    // The file's messages are on no queue: what becomes of them is in the answer alone.
    let answer = function.invoke(&poison).await;
    assert_eq!(answer, Answer::Success(json!({"batchItemFailures": []})));
    assert_eq!(receiver.take().len(), 1);
    let dead = world.aws.drain("dead").await;
    assert_eq!((dead.len(), &*dead[0].text), (1, bodies[0]));
    let queue = world.aws.queue_url("deliveries");
    assert_eq!(dead[0].attributes["queue"]["StringValue"], queue);
    let reason = dead[0].attributes["reason"]["StringValue"]
        .as_str()
        .unwrap();
    assert!(
        reason.starts_with("the message is not readable: "),
        "{reason}"
    );
}

#[tokio::test]
async fn of_a_batch_of_unreadable_messages_nothing_is_said_but_that() {
    let world = DeliveryHarness::start().await;
    let mut function = world.function().await;
    let mut batch = poison();
    batch["Records"].as_array_mut().unwrap().truncate(1);
    let answer = function.invoke(&batch).await;
    assert_eq!(answer, Answer::Success(json!({"batchItemFailures": []})));
    assert_eq!(world.aws.drain("dead").await.len(), 1);
    let output = function.output().await;
    let errors: Vec<_> = output
        .iter()
        .filter(|line| line.contains("ERROR"))
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[tokio::test]
async fn a_message_without_an_id_fails_the_batch() {
    let world = DeliveryHarness::start().await;
    let mut function = world.function().await;
    for id in [Value::Null, json!("")] {
        let mut batch = poison();
        batch["Records"][1]["messageId"] = id;
        let answer = function.invoke(&batch).await;
        assert!(matches!(answer, Answer::Error(_)), "{answer:?}");
    }
    assert_eq!(world.aws.drain("dead").await.len(), 0);
}

#[tokio::test]
async fn copies_of_a_delivery_are_posted_once() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.order("ep_a", 1).await;
    world.pump(&mut function).await;
    assert_eq!(receiver.requests().len(), 1);
    // The copy comes again, in case the first did not end well.
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
    let waits = world.tap.waits();
    assert_eq!((waits.len(), waits[0].1), (1, 30));
    world.drain(&mut function).await;
    world.order("ep_a", 1).await;
    world.drain(&mut function).await;
    assert_eq!(receiver.requests().len(), 1);
    assert_eq!(world.record("ep_a", 1).await["attempts"], 1);
}

#[tokio::test]
async fn a_copy_that_fails_does_not_undo_a_delivery() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let (slow, mut quick) = (world.function().await, world.function().await);
    let gate = Arc::new(Semaphore::new(0));
    let first = Reply::Gated(Arc::clone(&gate), 500);
    let mut script = [first, Reply::status(200)].into_iter();
    receiver.answer(move |_| script.next().unwrap());
    world.offer("ep_a", 1).await;
    let batch = world.receive().await;
    let answer = slow.begin(&json!({"Records": batch}));
    receiver.got(1).await;
    world.order("ep_a", 1).await;
    world.pump(&mut quick).await;
    assert_eq!(world.record("ep_a", 1).await["state"], "delivered");
    gate.add_permits(1);
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    assert_eq!(
        world.conclude(batch, &answer).await.len(),
        0,
        "there is nothing left to do"
    );
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(world.record("ep_a", 1).await["state"], "delivered");
}

#[tokio::test]
async fn what_may_not_end_in_time_is_not_begun() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_slow", &receiver.url(), &json!({"timeout": 30}))
        .await;
    world
        .endpoint("ep_fast", &receiver.url(), &json!({"timeout": 5}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_slow", 1).await;
    world.offer("ep_fast", 1).await;
    let batch = world.receive().await;
    let answer = function.begin_within(&json!({"Records": batch}), Duration::from_secs(25));
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    let kept = world.conclude(batch, &answer).await;
    assert_eq!(kept.len(), 1);
    let receipt = kept[0]["receiptHandle"].as_str().unwrap().to_owned();
    assert_eq!(
        world.tap.waits(),
        [(receipt, 0)],
        "another invocation has the time"
    );
    let requests = receiver.take();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].id().starts_with("ep_fast"));
    assert_eq!(world.record("ep_slow", 1).await, Value::Null);
    world.drain(&mut function).await;
    assert_eq!(world.record("ep_slow", 1).await["attempts"], 1);
}

#[tokio::test]
async fn a_probe_begins_nothing_that_may_not_end_in_time() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"timeout": 30, "rate": 5}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    let batch = world.receive().await;
    let answer = function.begin_within(&json!({"Records": batch}), Duration::from_secs(25));
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    assert_eq!(world.conclude(batch, &answer).await.len(), 1);
    assert_eq!(receiver.take().len(), 0);
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn a_fast_endpoint_is_settled_while_a_slow_one_still_hangs() {
    let world = DeliveryHarness::start().await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    slow.always(Reply::Hang);
    world
        .endpoint("ep_slow", &slow.url(), &json!({"timeout": 30}))
        .await;
    world.endpoint("ep_fast", &fast.url(), &json!({})).await;
    let function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_slow", number).await;
        world.offer("ep_fast", number).await;
    }
    let batch = world.receive().await;
    let answer = function.begin(&json!({"Records": batch}));
    let delivered = [("delivered".to_owned(), 3)].into();
    eventually("the fast endpoint", || async {
        world.states("ep_fast").await == delivered
    })
    .await;
    slow.got(3).await;
    assert_eq!(world.records("ep_slow").await.len(), 0, "it still hangs");
    // The endpoint goes away, and with it its connections.
    drop(slow);
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    assert_eq!(world.conclude(batch, &answer).await.len(), 3);
    assert_eq!(
        world.states("ep_slow").await,
        [("pending".to_owned(), 3)].into()
    );
}
