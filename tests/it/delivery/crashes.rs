//! I6 and I7: wherever the process dies, nothing is lost, and what is posted again has the same id and the
//! same bytes.

use super::traffic::Traffic;
use serde_json::{Value, json};
use testkit::delivery::{DeliveryHarness, id};
use testkit::function::{Answer, Function};
use testkit::receiver::{Receiver, Reply};
use testkit::tap::{Gate, Point};

/// Invokes the function, and kills it when a call is held up; whether it was killed.
async fn run_or_kill(
    world: &DeliveryHarness,
    function: &mut Function,
    batch: Vec<Value>,
    gate: &mut Gate,
) -> bool {
    let answer = function.begin(&json!({"Records": batch}));
    tokio::select! {
        answer = answer => {
            let Ok(Answer::Success(answer)) = answer else {
                panic!("{answer:?}");
            };
            world.conclude(batch, &answer).await;
            false
        }
        () = gate.met() => {
            let dead = std::mem::replace(function, world.function().await);
            dead.kill().await;
            world.put_back(&batch).await;
            true
        }
    }
}

#[tokio::test]
async fn wherever_the_process_dies_nothing_is_lost() {
    let world = DeliveryHarness::start().await;
    let mut function = world.function().await;
    for case in 0.. {
        let traffic = Traffic::offer(&world, case).await;
        let mut gate = world.tap.hold_any(usize::try_from(case).unwrap());
        let mut is_killed = false;
        for _ in 0..50 {
            let messages = world.receive().await;
            if messages.is_empty() {
                break;
            }
            for batch in messages.chunks(10) {
                let batch = batch.to_vec();
                if is_killed {
                    world.run(&mut function, batch).await;
                } else {
                    is_killed = run_or_kill(&world, &mut function, batch, &mut gate).await;
                }
            }
        }
        drop(gate);
        traffic.follow_up(&world).await;
        world.drain(&mut function).await;
        traffic.check(&world, &format!("call {case}")).await;
        if !is_killed {
            assert!(case > 30, "only {case} calls");
            return;
        }
    }
}

/// Kills a process on its way through one delivery, and has another one go on; the requests, and the record.
async fn killed_at(world: &DeliveryHarness, number: u32, point: Option<Point>) -> (usize, Value) {
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    world.offer("ep_a", number).await;
    let batch = world.receive().await;
    let function = world.function().await;
    let mut gate = point.map(|point| world.tap.hold(point, "PutItem", "deliveries"));
    if gate.is_none() {
        receiver.always(Reply::Hang);
    }
    let _answer = function.begin(&json!({"Records": batch}));
    match &mut gate {
        None => receiver.got(1).await,
        Some(gate) => gate.reached().await,
    }
    function.kill().await;
    drop(gate);
    receiver.always(Reply::status(200));
    world.put_back(&batch).await;
    world.drain(&mut world.function().await).await;
    let requests = receiver.requests();
    for request in &requests {
        assert_eq!(
            (request.id(), &request.body),
            (id("ep_a", number), &requests[0].body)
        );
    }
    (requests.len(), world.record("ep_a", number).await)
}

#[tokio::test]
async fn a_delivery_is_posted_again_by_the_next_process_unless_its_record_says_that_it_was() {
    let world = DeliveryHarness::start().await;
    for (number, point, requests) in [
        (1, None, 2),
        (2, Some(Point::Before), 2),
        (3, Some(Point::After), 1),
    ] {
        let (posted, record) = killed_at(&world, number, point).await;
        assert_eq!(posted, requests, "{point:?}");
        assert_eq!(record["state"], "delivered", "{point:?}");
        assert_eq!(
            record["attempts"], 1,
            "{point:?}: it counts what it tells of"
        );
    }
}
