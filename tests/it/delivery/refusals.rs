//! What an endpoint may say besides yes and no: that it is gone, and that it wants to be left alone for a
//! while.

use serde_json::json;
use std::time::Duration;
use testkit::cloudevents::assert_strict;
use testkit::delivery::{DeliveryHarness, id, now_ms};
use testkit::proxy::Proxy;
use testkit::receiver::{Receiver, Reply};

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_at_once_and_its_deliveries_wait_for_the_operator() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(410).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    assert_eq!(receiver.take().len(), 3);
    let endpoint = world.standing("endpoint", "ep_a").await;
    assert_eq!(endpoint["state"], "disabled");
    assert_eq!(endpoint["reason"], "it answered 410 Gone");
    assert_eq!(endpoint["version"], 2, "whoever edits it has to look again");

    let events = world.aws.drain("events").await;
    assert_eq!(events.len(), 1);
    assert_strict(std::slice::from_ref(&events[0].text));
    let event = &events[0].body;
    assert_eq!(event["type"], "io.webhook-gateway.endpoint.disabled");
    assert_eq!(event["subject"], "endpoint/ep_a");
    let data =
        json!({"endpoint": "ep_a", "name": "the endpoint ep_a", "reason": "it answered 410 Gone"});
    assert_eq!(event["data"], data);
    let notices = world.aws.drain("notices").await;
    assert_eq!(notices.len(), 1);
    let notice = &notices[0].body;
    assert_eq!(
        notice["Subject"],
        "Webhook endpoint disabled: the endpoint ep_a"
    );
    let text = notice["Message"].as_str().unwrap();
    assert!(
        text.contains("it answered 410 Gone") && text.contains("endpoint enable ep_a"),
        "{text}"
    );

    world.offer("ep_a", 4).await;
    world.pump(&mut function).await;
    assert_eq!(receiver.take().len(), 0);
    assert_eq!(world.states("ep_a").await, [("held".to_owned(), 4)].into());
    let ids: Vec<_> = (1..=4).map(|number| id("ep_a", number)).collect();
    assert_eq!(world.held("ep_a").await, ids);
    assert_eq!(world.queued().await, [].into(), "it is not probed");
    assert_eq!(
        world.aws.drain("events").await.len(),
        0,
        "it is told of once"
    );
}

#[tokio::test]
async fn that_an_endpoint_was_disabled_is_told_later_if_it_cannot_be_told_at_once() {
    let world = DeliveryHarness::start().await;
    let proxy = Proxy::start(world.aws.url()).await;
    let receiver = Receiver::answering(410).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function_behind(&proxy.url()).await;
    proxy
        .break_down("sns", "Publish", "AuthorizationError", 403)
        .await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    assert_eq!(world.aws.drain("notices").await.len(), 0);
    proxy.heal().await;
    world.offer("ep_a", 2).await;
    world.pump(&mut function).await;
    let notices = world.aws.drain("notices").await;
    assert_eq!(notices.len(), 1);
    let text = notices[0].body["Message"].as_str().unwrap();
    assert!(text.contains("it answered 410 Gone"), "{text}");
    world.offer("ep_a", 3).await;
    world.pump(&mut function).await;
    assert_eq!(world.aws.drain("notices").await.len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_only_failed_for_five_days_is_disabled() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    let mut function = world.function().await;
    let five_days = 5 * 24 * 3_600_000;
    for (endpoint, age, state) in [
        ("ep_a", five_days, "disabled"),
        ("ep_b", five_days - 60_000, "active"),
    ] {
        world.endpoint(endpoint, &receiver.url(), &json!({})).await;
        let since = now_ms() - age;
        world
            .put_circuit(endpoint, &json!({"failures": 9, "failing_since": since}))
            .await;
        world.offer(endpoint, 1).await;
        world.pump(&mut function).await;
        assert_eq!(world.standing("endpoint", endpoint).await["state"], state);
        assert_eq!(
            world.states(endpoint).await,
            [("held".to_owned(), 1)].into()
        );
    }
    let reason = &world.standing("endpoint", "ep_a").await["reason"];
    assert_eq!(reason, "it took nothing for 5 days");
    let notices = world.aws.drain("notices").await;
    let text = notices[0].body["Message"].as_str().unwrap();
    assert!(text.contains("it took nothing for 5 days"), "{text}");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_time_gets_it_from_every_delivery_to_it() {
    let world = DeliveryHarness::start().await;
    let (busy, other) = (Receiver::answering(500).await, Receiver::start().await);
    world.endpoint("ep_a", &busy.url(), &json!({})).await;
    world.endpoint("ep_b", &other.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    let pending = world.receive().await;
    busy.always(Reply::retry_after(429, 120));
    world.offer("ep_a", 3).await;
    world.pump(&mut function).await;
    let sent = world.tap.sent();
    assert_eq!((sent.len(), &sent[0].body["kind"]), (1, &json!("probe/1")));
    assert!((110..=120).contains(&sent[0].delay), "{sent:?}");
    assert_eq!(world.record("ep_a", 3).await["history"][0]["status"], 429);
    assert_eq!(busy.take().len(), 2);

    // What waited for its own next attempt, and what is new.
    let probe = world.receive().await;
    world.put_back(&pending).await;
    world.offer("ep_a", 2).await;
    world.offer("ep_b", 2).await;
    world.pump(&mut function).await;
    assert_eq!((busy.take().len(), other.take().len()), (0, 1));
    assert_eq!(world.states("ep_a").await, [("held".to_owned(), 3)].into());
    assert_eq!(world.tap.sent().len(), 0, "there is one probe");

    // It comes when the time is over, and is told to wait longer.
    world.put_back(&probe).await;
    world.tap.waits();
    busy.always(Reply::retry_after(503, 60));
    world.pump(&mut function).await;
    let waits = world.tap.waits();
    assert_eq!((busy.take().len(), waits.len()), (1, 1));
    assert!((50..=60).contains(&waits[0].1), "{waits:?}");
    assert_eq!(world.record("ep_a", 1).await["state"], "held");

    busy.always(Reply::status(200));
    world.drain(&mut function).await;
    let ids: Vec<_> = busy.take().iter().map(|request| request.id()).collect();
    assert_eq!(ids, [id("ep_a", 1), id("ep_a", 2), id("ep_a", 3)]);
    assert_eq!(
        world.states("ep_a").await,
        [("delivered".to_owned(), 3)].into()
    );
    world.offer("ep_a", 4).await;
    world.pump(&mut function).await;
    assert_eq!(busy.take().len(), 1, "the wait is forgotten");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_time_gets_it_whatever_else_is_answered_beside() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    // Those beside it are answered just after it, and when it is settled already.
    receiver.answer(|request| match request {
        it if it.has("\"p-1\"") => Reply::retry_after(429, 120),
        it if it.has("\"p-2\"") => Reply::Late(Duration::from_millis(50), 200),
        _ => Reply::Late(Duration::from_millis(1000), 200),
    });
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    let expected = [("delivered".to_owned(), 2), ("held".to_owned(), 1)];
    assert_eq!(world.states("ep_a").await, expected.into());
    let sent = world.tap.sent();
    assert_eq!(sent.len(), 1);
    assert!((110..=120).contains(&sent[0].delay), "{sent:?}");
    world.offer("ep_a", 4).await;
    world.pump_kind(&mut function, "delivery/1").await;
    assert_eq!(receiver.take().len(), 3);
    assert_eq!(world.record("ep_a", 4).await["state"], "held");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_whatever_else_it_answers_beside() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(|request| match request.has("\"p-1\"") {
        true => Reply::status(410),
        false => Reply::Late(Duration::from_millis(50), 200),
    });
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    for number in 1..=3 {
        world.offer("ep_a", number).await;
    }
    world.pump(&mut function).await;
    assert_eq!(
        world.standing("endpoint", "ep_a").await["state"],
        "disabled"
    );
    let expected = [("delivered".to_owned(), 2), ("held".to_owned(), 1)];
    assert_eq!(world.states("ep_a").await, expected.into());
    assert_eq!(world.queued().await, [].into());
}

#[tokio::test]
async fn a_wait_that_no_queue_keeps_is_kept_by_the_probe_itself() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::retry_after(503, 7200));
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    let sent = world.tap.sent();
    assert_eq!((sent.len(), sent[0].delay), (1, 900));
    assert_eq!(receiver.take().len(), 1);

    world.pump(&mut function).await;
    let waits = world.tap.waits();
    assert!((7190..=7200).contains(&waits[0].1), "{waits:?}");
    assert_eq!(receiver.take().len(), 0);
    assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
}
