//! A wait that an endpoint asks for is no failure: it uses up no attempt, opens no circuit, and nobody is
//! notified of it. Neither do the probes of an open circuit use up the schedule of a delivery.
//!
//! Seen to fail: with waits that count as failures, with probes that count as attempts of the schedule.

use serde_json::{Value, json};
use testkit::delivery::{DeliveryHarness, now_ms};
use testkit::receiver::{Receiver, Reply};

/// Answers so many requests with one reply, and all others with another.
fn first(count: usize, reply: Reply, then: Reply) -> impl FnMut() -> Reply {
    let mut left = count;
    move || {
        let reply = if left > 0 { &reply } else { &then };
        left = left.saturating_sub(1);
        reply.clone()
    }
}

async fn assert_not_notified(world: &DeliveryHarness) {
    assert_eq!(world.aws.drain("events").await.len(), 0);
    assert_eq!(world.aws.drain("notices").await.len(), 0);
}

#[tokio::test]
async fn a_wait_that_is_asked_for_uses_up_no_attempt() {
    let world = DeliveryHarness::start().await;
    for (number, status) in [(1, 429), (2, 503)] {
        let endpoint = format!("ep_{number}");
        let receiver = Receiver::start().await;
        let mut reply = first(3, Reply::retry_after(status, 2), Reply::status(500));
        receiver.answer(move |_| reply());
        world
            .endpoint(&endpoint, &receiver.url(), &json!({"retry": [1, 1, 1]}))
            .await;
        let mut function = world.function().await;
        world.offer(&endpoint, number).await;
        for attempt in 1..=3 {
            world.pump(&mut function).await;
            let record = world.record(&endpoint, number).await;
            assert_eq!(
                (&record["state"], &record["attempts"]),
                (&json!("held"), &json!(attempt))
            );
        }
        let circuit = world.standing("circuit", &endpoint).await;
        assert_eq!(circuit["failures"].as_u64().unwrap_or(0), 0, "{circuit}");
        // From here on it fails: four times, as its schedule has it.
        world.pump(&mut function).await;
        let record = world.record(&endpoint, number).await;
        assert_eq!(
            (&record["state"], &record["attempts"]),
            (&json!("pending"), &json!(4))
        );
        world.drain(&mut function).await;
        let record = world.record(&endpoint, number).await;
        assert_eq!(
            (&record["state"], &record["attempts"]),
            (&json!("exhausted"), &json!(7))
        );
        assert_eq!(receiver.requests().len(), 7);
    }
}

#[tokio::test]
async fn an_endpoint_that_limits_is_drained_at_its_own_pace_without_an_alarm() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    // Two of each seven, and the circuit would open by the many others.
    let mut count = 0;
    receiver.answer(move |_| {
        count += 1;
        if count % 7 < 2 {
            Reply::status(200)
        } else {
            Reply::retry_after(429, 1)
        }
    });
    world
        .endpoint("ep_a", &receiver.url(), &json!({"retry": [1, 1]}))
        .await;
    let mut function = world.function().await;
    for number in 1..=30 {
        world.offer("ep_a", number).await;
    }
    for _ in 0..300 {
        world.pump(&mut function).await;
        let circuit = world.standing("circuit", "ep_a").await;
        assert_eq!(circuit.get("opened_at"), None);
        if world.states("ep_a").await == [("delivered".to_owned(), 30)].into() {
            assert_not_notified(&world).await;
            return;
        }
    }
    panic!("{:?}", world.states("ep_a").await);
}

#[tokio::test]
async fn waits_in_a_row_open_no_circuit_and_are_kept_longer_from_the_tenth_on() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::retry_after(503, 1));
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    let mut waits = Vec::new();
    for _ in 0..13 {
        world.tap.waits();
        world.pump(&mut function).await;
        waits.extend(world.tap.waits().iter().map(|wait| wait.1));
    }
    assert_eq!(waits, [1, 1, 1, 1, 1, 1, 1, 1, 1, 60, 120, 240, 480]);
    assert_eq!(receiver.requests().len(), 14);
    let circuit = world.standing("circuit", "ep_a").await;
    assert_eq!(circuit.get("opened_at"), None);
    assert_not_notified(&world).await;
    receiver.always(Reply::status(200));
    world.drain(&mut function).await;
    assert_eq!(world.record("ep_a", 1).await["state"], "delivered");
    world.offer("ep_a", 2).await;
    world.pump(&mut function).await;
    assert_eq!(world.record("ep_a", 2).await["state"], "delivered");
}

#[tokio::test]
async fn an_endpoint_that_asked_for_waits_and_took_nothing_for_five_days_is_disabled() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::retry_after(429, 60));
    let mut function = world.function().await;
    let five_days = 5 * 24 * 3_600_000;
    for (endpoint, age, state) in [
        ("ep_a", five_days, "disabled"),
        ("ep_b", five_days - 60_000, "active"),
    ] {
        world.endpoint(endpoint, &receiver.url(), &json!({})).await;
        world.offer(endpoint, 1).await;
        world.pump(&mut function).await;
        let mut circuit = world.standing("circuit", endpoint).await;
        circuit["asked"] = json!(9);
        circuit["failing_since"] = json!(now_ms() - age);
        world.put_circuit(endpoint, &circuit).await;
        world.pump(&mut function).await;
        assert_eq!(world.standing("endpoint", endpoint).await["state"], state);
        assert_eq!(
            world.states(endpoint).await,
            [("held".to_owned(), 1)].into()
        );
    }
    let reason = &world.standing("endpoint", "ep_a").await["reason"];
    assert_eq!(reason, "it took nothing for 5 days");
    assert_eq!(world.aws.drain("notices").await.len(), 1);
}

#[tokio::test]
async fn probes_of_an_open_circuit_use_up_no_attempt() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"retry": [5, 5]}))
        .await;
    let circuit = json!({"failures": 9, "failing_since": now_ms()});
    world.put_circuit("ep_a", &circuit).await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    for attempts in 1..=6 {
        world.pump(&mut function).await;
        let record = world.record("ep_a", 1).await;
        assert_eq!(
            (&record["state"], &record["attempts"]),
            (&json!("held"), &json!(attempts))
        );
    }
    // Another delivery closes the circuit; this one fails for the second time only.
    receiver.answer(|request| Reply::status(if request.has("\"p-1\"") { 500 } else { 200 }));
    world.offer("ep_a", 2).await;
    for _ in 0..3 {
        world.pump_kind(&mut function, "delivery/1").await;
        world.pump_kind(&mut function, "probe/1").await;
        if world.record("ep_a", 1).await["state"] == "pending" {
            break;
        }
    }
    let record = world.record("ep_a", 1).await;
    assert_eq!(record["state"], "pending", "{record}");
    assert!(record["next_attempt_at"].is_u64(), "{record}");
    world.drain(&mut function).await;
    assert_eq!(world.record("ep_a", 1).await["state"], "exhausted");
    assert_eq!(world.record("ep_a", 2).await["state"], "delivered");
    assert_eq!(
        world.standing("circuit", "ep_a").await.get("opened_at"),
        None::<&Value>
    );
}
