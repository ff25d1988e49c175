//! I6 and I9: each delivery has one id and one body over all its attempts, which its record counts, on a
//! schedule.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use testkit::delivery::{DeliveryHarness, event, id, now_ms};
use testkit::function::Answer;
use testkit::receiver::{Receiver, Reply};
use testkit::{PATIENCE, free_port};
use tokio::sync::Barrier;

/// The state of a record, and its attempts.
fn course(record: &Value) -> (&str, u64) {
    let attempts = record["attempts"].as_u64().unwrap();
    (record["state"].as_str().unwrap(), attempts)
}

#[tokio::test]
async fn all_attempts_of_a_delivery_have_one_id_and_one_body_and_each_its_own_time() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    let late = Reply::Late(Duration::from_millis(1100), 500);
    // A kept connection that is closed is replaced within the attempt; the new one is closed, too.
    let mut script = [late, Reply::Drop, Reply::Drop, Reply::status(200)].into_iter();
    receiver.answer(move |_| script.next().unwrap());
    for attempt in 1..=3 {
        world.pump(&mut function).await;
        let state = if attempt == 3 { "delivered" } else { "pending" };
        let record = world.record("ep_a", 1).await;
        assert_eq!(course(&record), (state, attempt));
        assert_eq!(record["event"], serde_json::to_value(event(1)).unwrap());
    }
    assert_eq!(world.receive().await.len(), 0);

    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!(
            (&*request.method, &*request.path),
            ("POST", "/hooks?of=gateway")
        );
        assert_eq!(
            (request.id(), &request.body),
            (id("ep_a", 1), &requests[0].body)
        );
        let sent: u64 = request.header("webhook-timestamp").parse().unwrap();
        let came = request.at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(came - sent < PATIENCE.as_secs(), "{came} {sent}");
    }
    let time = |index: usize| requests[index].header("webhook-timestamp");
    assert!(time(0) < time(1));
}

#[tokio::test]
async fn the_record_tells_of_each_attempt_and_of_what_was_sent() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let members = json!({"timeout": 5, "retry": [5, 5, 5, 5], "headers": [["x-team", "search"]]});
    world.endpoint("ep_a", &receiver.url(), &members).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    let long = "é".repeat(2000);
    let mut script = [
        Reply::Whole(400, vec![("location", receiver.url())], "no".to_owned()),
        Reply::Whole(503, Vec::new(), long),
        Reply::Hang,
        Reply::Whole(201, Vec::new(), "thanks".to_owned()),
    ]
    .into_iter();
    receiver.answer(move |_| script.next().unwrap());
    let before = now_ms();
    for _ in 1..=4 {
        world.pump(&mut function).await;
    }
    let refusing = format!("http://127.0.0.1:{}/", free_port());
    world.endpoint("ep_b", &refusing, &json!({})).await;
    world.offer("ep_b", 1).await;
    world.pump(&mut function).await;
    assert_eq!(
        world.record("ep_b", 1).await["history"][0]["error"],
        "refused"
    );
    // The body has no end, but the status stands.
    let endless = Receiver::start().await;
    endless.always(Reply::Drip);
    world.endpoint("ep_c", &endless.url(), &json!({})).await;
    world.offer("ep_c", 1).await;
    world.pump(&mut function).await;
    assert_eq!(course(&world.record("ep_c", 1).await), ("delivered", 1));

    let record = world.record("ep_a", 1).await;
    let history = record["history"].as_array().unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|attempt| {
            (
                attempt["status"].as_u64(),
                attempt["error"].as_str(),
                attempt["response"].as_str(),
            )
        })
        .collect();
    let beginning = "é".repeat(512);
    let expected = [
        (Some(400), None, Some("no")),
        (Some(503), None, Some(&*beginning)),
        (None, Some("timeout"), None),
        (Some(201), None, Some("thanks")),
    ];
    assert_eq!(told, expected);
    assert!(history[2]["duration_ms"].as_u64().unwrap() >= 1000);
    let reason = history[2]["reason"].as_str().unwrap();
    assert!(reason.contains("no reply in time"), "{reason}");
    assert_eq!(history[0].get("reason"), None);
    let refused = world.record("ep_b", 1).await["history"][0]["reason"].clone();
    assert!(refused.as_str().unwrap().contains("refuses connections"));
    let output = function.output().await;
    for part in [
        "no reply in time",
        "refuses connections",
        "\"error\":\"refused\"",
    ] {
        assert!(output.iter().any(|line| line.contains(part)), "{part}");
    }
    assert!(
        history
            .iter()
            .all(|attempt| (before..=now_ms()).contains(&attempt["at"].as_u64().unwrap()))
    );
    let url = receiver.url();
    assert_eq!(record["request"]["url"], url.split('?').next().unwrap());
    let headers = record["request"]["headers"].as_array().unwrap();
    for (name, value) in [
        ("x-team", "[REDACTED]"),
        ("webhook-id", &*id("ep_a", 1)),
        ("webhook-signature", "[REDACTED]"),
    ] {
        assert!(headers.contains(&json!([name, value])), "{headers:?}");
    }
    let month = 30 * 24 * 3600;
    let expires_at = record["expires_at"].as_u64().unwrap();
    assert!((before / 1000 + month..=now_ms() / 1000 + month).contains(&expires_at));
}

#[tokio::test]
async fn attempts_are_spaced_by_the_schedule_and_counted_by_the_record() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    for (attempt, seconds) in (1..).zip([4..=6, 240..=360, 1440..=2160]) {
        let mut batch = world.receive().await;
        // Throttled polls are receives, too.
        batch[0]["attributes"]["ApproximateReceiveCount"] = json!("40");
        let receipt = batch[0]["receiptHandle"].as_str().unwrap().to_owned();
        let kept = world.run(&mut function, batch).await;
        assert_eq!(kept.len(), 1);
        let waits = world.tap.waits();
        assert_eq!((waits.len(), &waits[0].0), (1, &receipt));
        assert!(seconds.contains(&waits[0].1), "{attempt}: {waits:?}");
        let record = world.record("ep_a", 1).await;
        assert_eq!(course(&record), ("pending", attempt));
        let due = record["next_attempt_at"].as_u64().unwrap().div_ceil(1000);
        let latest = now_ms() / 1000 + waits[0].1 + 2;
        let earliest = latest - PATIENCE.as_secs().min(waits[0].1);
        assert!((earliest..=latest).contains(&due), "{due} {waits:?}");
    }
    // The last one: the message is gone.
    world.pump(&mut function).await;
    assert_eq!(world.receive().await.len(), 0);
    assert_eq!(course(&world.record("ep_a", 1).await), ("exhausted", 4));
    world.order("ep_a", 1).await;
    world.drain(&mut function).await;
    assert_eq!(receiver.requests().len(), 4, "a copy is no fifth attempt");
}

#[tokio::test]
async fn a_resending_begins_the_schedule_anew_once_however_often_its_message_comes() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"retry": [5]}))
        .await;
    let mut function = world.function().await;
    let resend = |name: &str| {
        json!({
            "kind": "delivery/1", "endpoint": "ep_a", "event": event(1), "resend": name,
        })
    };
    world.offer("ep_a", 1).await;
    world.drain(&mut function).await;
    assert_eq!(course(&world.record("ep_a", 1).await), ("exhausted", 2));

    world.send(&resend("first")).await;
    world.send(&resend("first")).await;
    world.drain(&mut function).await;
    assert_eq!(course(&world.record("ep_a", 1).await), ("exhausted", 4));
    world.send(&resend("first")).await;
    world.drain(&mut function).await;
    assert_eq!(receiver.take().len(), 4);

    receiver.always(Reply::status(200));
    for _ in 0..2 {
        world.send(&resend("second")).await;
        world.drain(&mut function).await;
    }
    assert_eq!(course(&world.record("ep_a", 1).await), ("delivered", 5));
    world.send(&resend("third")).await;
    world.drain(&mut function).await;
    // What was delivered is delivered again if the operator wants that.
    assert_eq!(course(&world.record("ep_a", 1).await), ("delivered", 6));
    assert_eq!(receiver.take().len(), 2);
}

#[tokio::test]
async fn a_resending_that_fails_is_told_of_even_though_it_was_delivered_before() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"retry": []}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.drain(&mut function).await;
    receiver.always(Reply::status(500));
    for (attempts, resend) in [(2, "first"), (3, "second")] {
        let order =
            json!({"kind": "delivery/1", "endpoint": "ep_a", "event": event(1), "resend": resend});
        world.send(&order).await;
        world.drain(&mut function).await;
        assert_eq!(
            course(&world.record("ep_a", 1).await),
            ("exhausted", attempts)
        );
    }
}

#[tokio::test]
async fn attempts_side_by_side_are_all_told_of() {
    for (first, expected) in [(500, "pending"), (200, "delivered")] {
        let world = DeliveryHarness::start().await;
        let receiver = Receiver::start().await;
        world.endpoint("ep_a", &receiver.url(), &json!({})).await;
        world.accept(1).await;
        for name in ["a", "b", "c", "d"] {
            let resend = json!({"kind": "delivery/1", "endpoint": "ep_a", "event": event(1), "resend": name});
            world.send(&resend).await;
        }
        // None is answered before all have come, so that none sees what the others write.
        let (all, is_first) = (Arc::new(Barrier::new(4)), AtomicBool::new(true));
        receiver.answer(move |_| {
            let is_first = is_first.swap(false, Ordering::SeqCst);
            Reply::Together(Arc::clone(&all), if is_first { first } else { 500 })
        });
        let mut runs = Vec::new();
        for message in world.receive().await {
            let function = world.function().await;
            let answer = function.begin(&json!({"Records": [message]}));
            runs.push((function, answer));
        }
        for (_function, answer) in runs {
            let answer = answer.await.unwrap();
            assert!(matches!(answer, Answer::Success(_)), "{answer:?}");
        }
        let record = world.record("ep_a", 1).await;
        assert_eq!(course(&record), (expected, 4));
        assert_eq!(record["history"].as_array().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn first_attempts_of_a_batch_share_their_calls() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    for number in 1..=10 {
        world.offer("ep_a", number).await;
    }
    let batch = world.receive().await;
    world.tap.called();
    world.run(&mut function, batch).await;
    let called = world.tap.called().into_iter();
    let called: Vec<_> = called.map(|call| call.operation).collect();
    let read = "DynamoDB_20120810.BatchGetItem";
    let written = "DynamoDB_20120810.TransactWriteItems";
    assert_eq!(called, [read, read, read, written]);
    let delivered = [("delivered".to_owned(), 10)].into();
    assert_eq!(world.states("ep_a").await, delivered);
}

#[tokio::test]
async fn first_attempts_side_by_side_in_batches_are_all_told_of() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    for number in [1, 2, 3] {
        world.accept(number).await;
        world.order("ep_a", number).await;
        world.order("ep_a", number).await;
    }
    // None is answered before all have come: no batch sees what the other writes.
    let all = Arc::new(Barrier::new(5));
    receiver.answer(move |_| Reply::Together(Arc::clone(&all), 500));
    let messages = world.receive().await;
    let bodies: BTreeSet<_> = messages
        .iter()
        .map(|message| message["body"].as_str())
        .collect();
    // Each batch has a copy of 1 and of 2, and one of them has 3.
    let copies = bodies.iter().map(|body| {
        let of_body = messages
            .iter()
            .filter(|message| message["body"].as_str() == *body);
        of_body.cloned().collect::<Vec<_>>()
    });
    let copies: Vec<_> = copies.collect();
    let batches = [
        vec![&copies[0][0], &copies[1][0], &copies[2][0]],
        vec![&copies[1][1], &copies[0][1]],
    ];
    let mut runs = Vec::new();
    for batch in batches {
        let function = world.function().await;
        let answer = function.begin(&json!({"Records": batch}));
        runs.push((function, answer));
    }
    for (_function, answer) in runs {
        let answer = answer.await.unwrap();
        assert!(matches!(answer, Answer::Success(_)), "{answer:?}");
    }
    for (number, attempts) in [(1, 2), (2, 2), (3, 1)] {
        let record = world.record("ep_a", number).await;
        assert_eq!(course(&record), ("pending", attempts));
        assert_eq!(record["history"].as_array().unwrap().len() as u64, attempts);
    }
}

#[tokio::test]
async fn no_record_holds_what_may_be_a_credential() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    // It answers with all that it was sent.
    receiver.answer(|request| {
        let sent = format!("{} {:?}", request.path, request.headers);
        let location = format!("https://user:canary-user@b.example/{}", request.path);
        Reply::Whole(307, vec![("location", location)], sent)
    });
    let members =
        json!({"headers": [["X-Pass", "canary-header"], ["authorization", "Bearer canary-token"]]});
    let url = format!("{}&key=canary-query#canary-fragment", receiver.url());
    world.endpoint("ep_a", &url, &members).await;
    world.offer("ep_a", 1).await;
    let mut function = world.function().await;
    world.pump(&mut function).await;
    assert_eq!(receiver.requests()[0].header("X-Pass"), "canary-header");
    let record = world.record("ep_a", 1).await;
    let reason = record["history"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("redirects to https://b.example//hooks,"),
        "{reason}"
    );
    assert!(record["history"][0]["response"].is_string());
    let all = format!("{record}{:?}", function.output().await);
    assert!(!all.contains("canary"), "{all}");
}
