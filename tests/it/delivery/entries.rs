//! An entry of a batch that SQS refuses for good, while it takes the batch: the message counts as not sent.

use serde_json::json;
use testkit::delivery::{DeliveryHarness, id, now_ms};
use testkit::receiver::Receiver;

#[tokio::test]
async fn a_held_delivery_that_the_queue_refuses_stays_held_with_its_attempt() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 20}))
        .await;
    let mut function = world.function().await;
    for number in 1..=2 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    world.tap.refuse(Some("p-1"));
    world.pump(&mut function).await;
    assert_eq!(world.held("ep_a").await, [id("ep_a", 1)]);
    let refused = world.record("ep_a", 1).await;
    assert_eq!(
        (&refused["state"], &refused["attempts"]),
        (&json!("held"), &json!(1))
    );
    let queued = world.record("ep_a", 2).await;
    assert_eq!(queued["state"], "pending");
    let kinds = [("probe/1".to_owned(), 1), ("delivery/1".to_owned(), 1)];
    assert_eq!(world.queued().await, kinds.into());

    world.tap.refuse(None);
    receiver.answer(|_| testkit::receiver::Reply::status(200));
    world.drain(&mut function).await;
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 2)].into()
    );
}

#[tokio::test]
async fn a_delivery_whose_probe_is_refused_keeps_its_message() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 20}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.tap.refuse(Some("probe/1"));
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
    world.tap.refuse(None);
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn a_notice_that_is_refused_is_given_later() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let circuit = json!({"failures": 9, "failing_since": now_ms()});
    world.put_circuit("ep_a", &circuit).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.tap.refuse(Some("circuit-opened"));
    world.pump(&mut function).await;
    let circuit = world.standing("circuit", "ep_a").await;
    assert_eq!(circuit["notice"]["news"], "opened");
    assert_eq!(world.aws.drain("notices").await.len(), 0);
    world.tap.refuse(None);
    world.pump(&mut function).await;
    assert_eq!(world.aws.drain("events").await.len(), 1);
    assert_eq!(world.aws.drain("notices").await.len(), 1);
}

#[tokio::test]
async fn a_wait_that_the_queue_refuses_is_logged_with_its_reason_and_counted() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.tap.refuse(Some("VisibilityTimeout"));
    world.pump(&mut function).await;
    assert_eq!(world.tap.waits().len(), 0);
    let lines = async |text: &str| {
        let output = function.output().await.into_iter();
        output.filter(|line| line.contains(text)).count()
    };
    testkit::eventually("a line", || async {
        lines("messages come again").await == 1
    })
    .await;
    assert_eq!(
        lines("\"code\":\"InvalidParameterValue\",\"reason\":\"by the test\"").await,
        1
    );
}
