//! What happens to an endpoint is notified once: whoever writes that it happened has the claim to give the
//! notice, and another gives it only when that claim is over. All copies of a notice have one id.
//!
//! Seen to fail: with notices that whoever sees them gives, under an id of their own.

use serde_json::{Value, json};
use testkit::delivery::{DeliveryHarness, now_ms};
use testkit::function::{Answer, Function};
use testkit::proxy::Proxy;
use testkit::receiver::{Receiver, Reply};
use testkit::tap::Point;
use tokio::sync::oneshot;

async fn begin(
    world: &DeliveryHarness,
    function: &Function,
    number: u32,
) -> (Vec<Value>, oneshot::Receiver<Answer>) {
    world.offer("ep_a", number).await;
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

/// The ids of the events that were published, and the subjects of the notices.
async fn given(world: &DeliveryHarness) -> (Vec<Value>, Vec<Value>) {
    let events = world.aws.drain_event_ids().await;
    let notices = world.aws.drain("notices").await.into_iter();
    let subjects = notices.map(|mut notice| notice.body["Subject"].take());
    (events, subjects.collect())
}

/// While one invocation waits for SNS, others deliver to the same endpoint.
async fn is_notified_once(status: u16, circuit: Value, subject: &str) {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(status).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    world.put_circuit("ep_a", &circuit).await;
    let one = world.function().await;
    let mut others = [world.function().await, world.function().await];
    let mut gate = world.tap.hold(Point::Before, "", "Action=Publish");
    let (batch, answer) = begin(&world, &one, 1).await;
    gate.reached().await;
    for (number, other) in (2..).zip(&mut others) {
        world.offer("ep_a", number).await;
        world.pump(other).await;
    }
    assert_eq!(given(&world).await.1, Vec::<Value>::new(), "{subject}");
    gate.open();
    end(&world, batch, answer).await;
    assert_eq!(given(&world).await.1, [json!(subject)]);
    assert_eq!(world.standing("circuit", "ep_a").await.get("notice"), None);
    world.offer("ep_a", 4).await;
    world.pump(&mut others[0]).await;
    assert_eq!(given(&world).await, (vec![], vec![]), "{subject}");
}

#[tokio::test]
async fn invocations_side_by_side_give_one_notice_of_an_endpoint_that_is_gone() {
    let subject = "Webhook endpoint disabled: the endpoint ep_a";
    is_notified_once(410, json!({}), subject).await;
}

#[tokio::test]
async fn invocations_side_by_side_give_one_notice_of_a_circuit_that_opens() {
    let circuit = json!({"failures": 9, "failing_since": now_ms()});
    let subject = "Webhook endpoint is failing: the endpoint ep_a";
    is_notified_once(500, circuit, subject).await;
}

#[tokio::test]
async fn what_could_not_be_given_is_given_later_and_once() {
    let world = DeliveryHarness::start().await;
    let proxy = Proxy::start(world.tap.url()).await;
    let receiver = Receiver::answering(410).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function_behind(&proxy.url()).await;
    proxy
        .break_down("sns", "Publish", "AuthorizationError", 403)
        .await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    world.pump(&mut function).await;
    assert_eq!(world.aws.drain("notices").await.len(), 0);
    proxy.heal().await;
    // Nothing comes for the endpoint any more, and yet the notice is given.
    world.drain(&mut function).await;
    let (events, notices) = given(&world).await;
    assert_eq!((events.len(), notices.len()), (1, 1), "{events:?}");
    world.offer("ep_a", 2).await;
    world.drain(&mut function).await;
    assert_eq!(given(&world).await, (vec![], vec![]));
}

#[tokio::test]
async fn what_a_process_left_is_given_by_another_under_the_same_id() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(410).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let one = world.function().await;
    let mut gate = world.tap.hold(Point::Before, "UpdateItem", "REMOVE notice");
    let (batch, _answer) = begin(&world, &one, 1).await;
    gate.reached().await;
    one.kill().await;
    drop(gate);
    let mut other = world.function().await;
    world.put_back(&batch).await;
    world.pump(&mut other).await;
    let (events, notices) = given(&world).await;
    assert_eq!((events.len(), notices.len()), (1, 1), "the claim holds");
    world.end_claim("ep_a").await;
    world.offer("ep_a", 2).await;
    world.pump(&mut other).await;
    let (copies, notices) = given(&world).await;
    assert_eq!((&copies, notices.len()), (&events, 1));
    assert_eq!(world.standing("circuit", "ep_a").await.get("notice"), None);
}

#[tokio::test]
async fn a_notice_that_is_not_known_is_not_taken_for_another() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let mut function = world.function().await;
    let unknown = json!({"news": "exploded", "happened_at": 1, "claimed_until": 0});
    for (endpoint, notice) in [("ep_a", json!("exploded")), ("ep_b", unknown)] {
        world.endpoint(endpoint, &receiver.url(), &json!({})).await;
        let circuit = json!({"failures": 10, "opened_at": now_ms(), "notice": notice});
        world.put_circuit(endpoint, &circuit).await;
        world.offer(endpoint, 1).await;
        world.pump(&mut function).await;
        assert_eq!(given(&world).await, (vec![], vec![]), "{endpoint}");
        let record = world.record(endpoint, 1).await;
        assert_eq!(record["state"], "held", "its circuit is still readable");
        world.receive().await;
    }
}

#[tokio::test]
async fn a_recovery_is_notified_once_too() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let circuit = json!({"failures": 9, "failing_since": now_ms()});
    world.put_circuit("ep_a", &circuit).await;
    let (mut one, mut other) = (world.function().await, world.function().await);
    world.offer("ep_a", 1).await;
    world.pump(&mut one).await;
    let (opened, _) = given(&world).await;
    receiver.always(Reply::status(200));
    let mut gate = world.tap.hold(Point::Before, "", "Action=Publish");
    let batch = world.receive().await;
    let answer = one.begin(&json!({"Records": batch}));
    gate.reached().await;
    world.offer("ep_a", 2).await;
    world.pump(&mut other).await;
    gate.open();
    end(&world, batch, answer).await;
    let (recovered, notices) = given(&world).await;
    assert_eq!((recovered.len(), notices.len()), (1, 1));
    assert_ne!(opened, recovered);
}
