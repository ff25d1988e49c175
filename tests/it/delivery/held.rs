//! What is not sent: to an endpoint that is paused or disabled, faster than its rate, to one that was
//! deleted, and of an event that is not there any more.

use serde_json::json;
use std::sync::Arc;
use testkit::delivery::{DeliveryHarness, event, id, ledger_item, now_ms};
use testkit::eventually;
use testkit::function::Answer;
use testkit::receiver::{Receiver, Reply};
use tokio::sync::Semaphore;

#[tokio::test]
async fn what_comes_for_a_paused_or_disabled_endpoint_waits_until_a_probe_is_sent() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let mut function = world.function().await;
    for (endpoint, state) in [("ep_a", "paused"), ("ep_b", "disabled")] {
        world
            .endpoint(endpoint, &receiver.url(), &json!({"state": state}))
            .await;
        for number in [2, 3, 1] {
            world.offer(endpoint, number).await;
        }
        world.pump(&mut function).await;
        assert_eq!(receiver.requests().len(), 0);
        assert_eq!(
            world.states(endpoint).await,
            [("held".to_owned(), 3)].into()
        );
        assert_eq!(world.queued().await, [].into());
        assert_eq!(
            world.record(endpoint, 1).await.get("expires_at"),
            None,
            "it waits as long as it takes"
        );

        // As the operator's tool does.
        world.endpoint(endpoint, &receiver.url(), &json!({})).await;
        world
            .send(&json!({"kind": "probe/1", "endpoint": endpoint, "id": "resumed"}))
            .await;
        world.drain(&mut function).await;
        let ids: Vec<_> = receiver.take().iter().map(|request| request.id()).collect();
        assert_eq!(ids, [1, 2, 3].map(|number| id(endpoint, number)));
        assert_eq!(
            world.states(endpoint).await,
            [("delivered".to_owned(), 3)].into()
        );
        assert_eq!(world.held(endpoint).await.len(), 0);
    }
}

#[tokio::test]
async fn a_probe_of_an_endpoint_that_was_paused_ends_and_posts_nothing() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 1}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
    world
        .endpoint(
            "ep_a",
            &receiver.url(),
            &json!({"rate": 1, "state": "paused"}),
        )
        .await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [].into());
    assert_eq!(world.standing("circuit", "ep_a").await.get("probe"), None);
    assert_eq!(receiver.take().len(), 0);
    assert_eq!(world.held("ep_a").await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_with_a_rate_gets_no_more_in_a_second() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 2}))
        .await;
    let mut function = world.function().await;
    for number in 1..=5 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    assert_eq!(receiver.take().len(), 0);
    let sent = world.tap.sent();
    assert_eq!((sent.len(), sent[0].delay), (1, 0));
    // The probe outlasts the second in which it sent the last: another would begin to count anew.
    for (count, seconds) in [(2, Some(1)), (2, Some(1)), (1, Some(1)), (0, None)] {
        world.pump(&mut function).await;
        assert_eq!(receiver.take().len(), count);
        assert_eq!(world.tap.waits().first().map(|wait| wait.1), seconds);
    }
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 5)].into()
    );
    assert_eq!(world.queued().await, [].into());
}

#[tokio::test]
async fn a_backlog_is_worked_off_beside_what_comes_for_others() {
    let world = DeliveryHarness::start().await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    let gate = Arc::new(Semaphore::new(0));
    slow.always(Reply::Gated(Arc::clone(&gate), 200));
    let members = json!({"state": "paused", "timeout": 30});
    world.endpoint("ep_slow", &slow.url(), &members).await;
    world.endpoint("ep_fast", &fast.url(), &json!({})).await;
    let mut function = world.function().await;
    for number in 1..=10 {
        world.offer("ep_slow", number).await;
    }
    world.pump(&mut function).await;
    let members = json!({"timeout": 30});
    world.endpoint("ep_slow", &slow.url(), &members).await;
    world
        .send(&json!({"kind": "probe/1", "endpoint": "ep_slow", "id": "resumed"}))
        .await;
    for number in 1..=5 {
        world.offer("ep_fast", number).await;
    }
    let batch = world.receive().await;
    let answer = function.begin(&json!({"Records": batch}));
    let delivered = [("delivered".to_owned(), 5)].into();
    eventually("the other endpoint", || async {
        world.states("ep_fast").await == delivered
    })
    .await;
    assert!(world.held("ep_slow").await.len() > 5, "it still drains");
    gate.add_permits(10);
    let Ok(Answer::Success(answer)) = answer.await else {
        panic!("no answer");
    };
    world.conclude(batch, &answer).await;
    world.drain(&mut function).await;
    let ids: Vec<_> = slow.take().iter().map(|request| request.id()).collect();
    let expected: Vec<_> = (1..=10).map(|number| id("ep_slow", number)).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn what_can_never_be_sent_is_skipped_and_its_record_says_why() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    world
        .endpoint("ep_b", &receiver.url(), &json!({"rate": 1}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_deleted", 1).await;
    for endpoint in ["ep_a", "ep_b"] {
        // Of one, the ledger has nothing; of the other, it has what the bucket has no more.
        world.order(endpoint, 2).await;
        world.order(endpoint, 3).await;
    }
    let mut gone = ledger_item(&event(3));
    gone["body_s3"] = json!({"S": "bodies/gone"});
    world.aws.put_item(&gone).await;
    world.drain(&mut function).await;
    let record = world.record("ep_deleted", 1).await;
    assert_eq!(
        (&record["state"], &record["reason"]),
        (&json!("skipped"), &json!("the endpoint was deleted"))
    );
    for endpoint in ["ep_a", "ep_b"] {
        assert_eq!(
            world.states(endpoint).await,
            [("skipped".to_owned(), 2)].into()
        );
        let forgotten = world.record(endpoint, 2).await;
        assert_eq!(
            forgotten["reason"],
            "the ledger does not have the event any more"
        );
        let reason = &world.record(endpoint, 3).await["reason"];
        assert!(
            reason.as_str().unwrap().contains("not in the bucket"),
            "{reason}"
        );
        assert_eq!(world.held(endpoint).await.len(), 0);
    }
    assert_eq!(receiver.take().len(), 0);
}

#[tokio::test]
async fn a_ping_is_tried_once_whatever_the_endpoints_state() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"state": "paused"}))
        .await;
    let mut function = world.function().await;
    for (id, status, state) in [
        ("ping_1", 500, "exhausted"),
        ("ping_2", 410, "exhausted"),
        ("ping_3", 200, "delivered"),
    ] {
        receiver.always(Reply::status(status));
        for _ in 0..2 {
            let at = 1_790_000_000_000_u64;
            let ping = json!({"kind": "ping/1", "endpoint": "ep_a", "id": id, "at": at});
            world.send(&ping).await;
            world.drain(&mut function).await;
        }
        let requests = receiver.take();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].has(id));
        let records = world.records("ep_a").await;
        let record = records
            .iter()
            .find(|record| record["event"]["id"] == id)
            .unwrap();
        assert_eq!(
            (&record["state"], &record["history"][0]["status"]),
            (&json!(state), &json!(status))
        );
    }
    assert_eq!(world.standing("endpoint", "ep_a").await["state"], "paused");
    assert_eq!(world.standing("circuit", "ep_a").await, json!(null));
}

#[tokio::test]
async fn an_order_that_is_not_due_for_long_is_sent_anew_before_it_is_old() {
    const HOUR: u64 = 3_600;
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.accept(1).await;
    let due = now_ms() + 10 * HOUR * 1_000;
    let order =
        json!({"kind": "delivery/1", "endpoint": "ep_a", "event": event(1), "not_before": due});
    world.send(&order).await;
    let mut come = async |age: u64| {
        let mut batch = world.receive().await;
        let sent = now_ms() - age * 1_000;
        batch[0]["attributes"]["SentTimestamp"] = json!(sent.to_string());
        world.run(&mut function, batch).await.len()
    };
    assert_eq!(come(900).await, 1, "it is put off");
    let waits = world.tap.waits();
    let expected = 3 * HOUR - 900;
    assert!(
        (expected - 60..=expected).contains(&waits[0].1),
        "{waits:?}"
    );
    world.tap.refuse(Some("delivery/1"));
    assert_eq!(come(3 * HOUR).await, 1, "nothing takes its place");
    world.tap.refuse(None);
    assert_eq!(come(3 * HOUR).await, 0);
    assert_eq!(world.tap.waits().len(), 0);
    let sent = world.tap.sent();
    assert_eq!((sent.len(), &sent[0].body, sent[0].delay), (1, &order, 900));
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
    assert_eq!(receiver.requests().len(), 0);
}
