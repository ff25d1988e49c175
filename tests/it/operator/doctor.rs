//! What the tool finds of a stack, and that it proves what it says of lost events and deliveries.
//!
//! Seen to fail: with what is quarantined taken for published, with the mark of what was published again not
//! looked at, with the messages on the queue not looked at, and with a dead letter taken for none.

use super::support::{age, deploy, interrupt, send_to_dead};
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::function::Answer;
use testkit::operator::Operator;
use testkit::receiver::Receiver;
use testkit::tap::{Point, Tap};
use testkit::webhook::{creative_force, signed};

const RECONCILE: [&str; 3] = ["reconcile", "--since", "1h"];
const REPAIR: [&str; 4] = ["reconcile", "--since", "1h", "--repair"];

/// Goes on after what is in the stream, as if it had forgotten it.
async fn forget(aws: &mut Aws) {
    loop {
        let (batch, after) = aws.next_batch().await;
        if batch["Records"].as_array().unwrap().is_empty() {
            return;
        }
        aws.acknowledge(after);
    }
}

#[tokio::test]
async fn a_fresh_stack_is_well_and_what_is_wrong_is_told_with_what_to_do() {
    let aws = Aws::start().await;
    deploy(&aws).await;
    let operator = Operator::of(&aws).await;
    let findings = operator.run(&["doctor"]).await.json();
    assert!(
        findings.iter().all(|finding| finding["level"] == "ok"),
        "{findings:#?}"
    );
    for check in [
        "version",
        "sources",
        "payload URLs",
        "timing",
        "stream",
        "queues",
        "endpoints",
        "listeners",
        "tables",
        "alarms",
    ] {
        assert!(
            findings.iter().any(|finding| finding["check"] == check),
            "{check}: {findings:#?}"
        );
    }

    let hr = json!({"provider": "people-force", "unsigned": true});
    aws.put_sources(&json!({"studio": {"provider": "creative-force"}, "hr": hr}))
        .await;
    send_to_dead(&aws, "?").await;
    let said = operator.run(&["doctor"]).await;
    assert_eq!(said.error(), "2 things are wrong");
    let findings = said.lines();
    for (subject, level, to_do) in [
        ("studio", "wrong", "source rotate-secret studio"),
        ("hr", "warning", "source rotate-secret hr"),
        ("dead letters", "wrong", "dead-letter list"),
    ] {
        let is_it = |finding: &&Value| finding["subject"] == subject && finding["level"] == level;
        let finding = findings.iter().find(is_it);
        let finding = finding.unwrap_or_else(|| panic!("{subject}: {findings:#?}"));
        assert!(
            finding["to_do"].as_str().unwrap().contains(to_do),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn in_a_run_with_all_that_happens_nothing_is_missing() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let mut delivery = world.function().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_well", &receiver.url(), &json!({})).await;
    let paused = json!({"state": "paused"});
    world.endpoint("ep_paused", &receiver.url(), &paused).await;
    let other = json!({"events": ["io.peopleforce.*"]});
    world.endpoint("ep_other", &receiver.url(), &other).await;
    let again = creative_force("b", "another");
    for body in [
        creative_force("a", ""),
        creative_force("b", ""),
        again,
        "{}".to_owned(),
        "[]".to_owned(),
    ] {
        ingress.accept(&signed("studio", &body)).await;
    }
    // Offered twice, and noted twice.
    let (batch, _) = world.aws.next_batch().await;
    let noted = ingress.invoke(&batch).await;
    assert!(matches!(noted, Answer::Success(_)), "{noted:?}");
    world.aws.drain_stream(&mut ingress).await;
    world.drain(&mut delivery).await;
    let released = world.aws.recorded().await.into_iter();
    let mut released: Vec<_> = released
        .filter(|item| item["state"]["S"] == "quarantined")
        .collect();
    released[0]["state"] = json!({"S": "released"});
    world.aws.put_item(&released[0]).await;
    world.aws.drain_stream(&mut ingress).await;
    age(&world.aws, "journal", "at", |_| true).await;

    let operator = Operator::of(&world.aws).await;
    let told = operator.run(&RECONCILE).await.json();
    let expected =
        json!({"accepted": 5, "published": 3, "quarantined": 2, "in_flight": 0, "missing": 0});
    assert_eq!(told[0]["events"], expected);
    let expected = json!({
        "all": 6, "delivered": 3, "held": 3, "exhausted": 0, "skipped": 0, "in_flight": 0,
        "in_flight_or_missing": 0, "missing": 0,
    });
    assert_eq!((&told[0]["deliveries"], told.len()), (&expected, 1));
    let repaired = operator.run(&REPAIR).await.json();
    assert_eq!(
        repaired[1],
        json!({"repaired": {"events": 0, "deliveries": 0}})
    );
}

#[tokio::test]
async fn what_was_recorded_and_never_published_is_found_and_published_once() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    ingress
        .accept(&signed("studio", &creative_force("a", "")))
        .await;
    aws.drain_stream(&mut ingress).await;
    ingress
        .accept(&signed("studio", &creative_force("b", "")))
        .await;
    let young = operator.run(&RECONCILE).await.json();
    assert_eq!(young[0]["events"]["in_flight"], 1, "{young:?}");
    age(&aws, "ledger", "accepted_at", |item| item["id"]["S"] == "b").await;
    forget(&mut aws).await;

    for command in [&RECONCILE[..], &[&REPAIR[..], &["--dry-run"]].concat()] {
        let said = operator.run(command).await;
        assert!(said.error().starts_with("missing: 1 event"), "{said:?}");
        let told = said.lines();
        assert_eq!(
            (told.len(), &told[0]["events"]["published"]),
            (2, &json!(1))
        );
        assert_eq!(
            (&told[1]["missing"], &told[1]["id"]),
            (&json!("event"), &json!("b"))
        );
        let (batch, _) = aws.next_batch().await;
        assert_eq!(batch["Records"], json!([]), "{command:?} changed something");
    }
    for expected in [1, 0] {
        let repaired = operator.run(&REPAIR).await.json();
        let repaired = repaired.last().unwrap();
        assert_eq!(repaired["repaired"]["events"], expected);
    }
    aws.drain_stream(&mut ingress).await;
    let mut ids = aws.drain_event_ids().await;
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, ["a", "b"]);
    let told = operator.run(&RECONCILE).await.json();
    assert_eq!(told[0]["events"]["published"], 2);
}

#[tokio::test]
async fn an_interrupted_repair_ends_after_the_batch() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    let tap = Tap::start(aws.url()).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    for id in ["a", "b", "c"] {
        ingress
            .accept(&signed("studio", &creative_force(id, "")))
            .await;
    }
    age(&aws, "ledger", "accepted_at", |_| true).await;
    forget(&mut aws).await;

    let mut gate = tap.hold(Point::Before, "UpdateItem", "studio#b");
    let mut tool = operator.start(&[&REPAIR[..], &["--rate", "1"]].concat());
    tokio::select! {
        () = gate.met() => {}
        _ = tool.wait() => panic!("the second event was not published"),
    }
    interrupt(&tool).await;
    gate.open();
    let said = testkit::operator::finish(tool).await;
    let expected = "interrupted; 2 events are published again: run the command again for the rest";
    assert_eq!(said.error(), expected);
    let repaired = operator.run(&REPAIR).await.json();
    assert_eq!(repaired.last().unwrap()["repaired"]["events"], 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_said_to_be_published() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    assert_eq!(operator.run(&RECONCILE).await.json().len(), 1);
    let now = jiff::Timestamp::now();
    let (at, later) = (now.as_millisecond(), now.as_second() + 86_400);
    let number = |number: i64| json!({"N": number.to_string()});
    let item =
        json!({"pk": {"S": "studio#odd"}, "accepted_at": number(at), "expires_at": number(later)});
    aws.put_item(&item).await;
    let error = operator.run(&RECONCILE).await.error();
    assert!(error.contains("1 items of the ledger"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_asked_for_a_long_wait_is_not_said_to_be_well() {
    let world = DeliveryHarness::start().await;
    deploy(&world.aws).await;
    let operator = Operator::of(&world.aws).await;
    let now = jiff::Timestamp::now().as_millisecond();
    for (id, wait, level) in [
        ("ep_minute", 60_000, "ok"),
        // What a time for a number of seconds comes to.
        ("ep_epoch", 12 * 3_600_000, "warning"),
    ] {
        world.endpoint(id, "http://localhost:1/", &json!({})).await;
        let circuit = json!({"wait_until": now + wait, "failures": 1});
        world.put_circuit(id, &circuit).await;
        let findings = operator.run(&["doctor"]).await.json();
        let of_endpoints = findings
            .iter()
            .filter(|finding| finding["check"] == "endpoints");
        let levels: Vec<_> = of_endpoints
            .map(|finding| finding["level"].as_str().unwrap())
            .collect();
        assert!(levels.contains(&level), "{id}: {findings:#?}");
    }
}

/// The events `a` and `b`, published for an endpoint, and their messages on the delivery queue.
async fn ordered(receiver: &Receiver) -> DeliveryHarness {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    for id in ["a", "b"] {
        ingress
            .accept(&signed("studio", &creative_force(id, "")))
            .await;
    }
    world.aws.drain_stream(&mut ingress).await;
    world
}

#[tokio::test]
async fn a_delivery_that_nobody_works_on_is_found_and_made_once() {
    let receiver = Receiver::start().await;
    let world = ordered(&receiver).await;
    let mut delivery = world.function().await;
    let operator = Operator::of(&world.aws).await;
    let young = operator.run(&RECONCILE).await.json();
    assert_eq!(young[0]["deliveries"]["in_flight"], 2, "{young:?}");
    age(&world.aws, "journal", "at", |_| true).await;
    let unknown = operator.run(&RECONCILE).await.json();
    assert_eq!(
        unknown[0]["deliveries"]["in_flight_or_missing"], 2,
        "{unknown:?}"
    );

    let (a, b): (Vec<_>, Vec<_>) = world
        .receive()
        .await
        .into_iter()
        .partition(|message| message["body"].as_str().unwrap().contains("\"id\":\"a\""));
    assert_eq!((a.len(), b.len()), (1, 1));
    world.delete(b, &json!({"batchItemFailures": []})).await;
    let said = operator.run(&RECONCILE).await;
    assert!(
        said.error().starts_with("missing at least: 1 delivery"),
        "{said:?}"
    );
    world.run(&mut delivery, a).await;
    let said = operator.run(&RECONCILE).await;
    assert!(said.error().starts_with("missing: 1 delivery"), "{said:?}");
    let told = said.lines();
    assert_eq!(
        (&told[1]["missing"], &told[1]["event"]),
        (&json!("delivery"), &json!("b"))
    );

    for expected in [1, 0] {
        let repaired = operator.run(&REPAIR).await.json();
        let repaired = repaired.last().unwrap();
        assert_eq!(repaired["repaired"]["deliveries"], expected);
    }
    world.drain(&mut delivery).await;
    let requests = receiver.take();
    let of_b = requests
        .iter()
        .filter(|request| request.has("\"id\":\"b\""));
    assert_eq!((of_b.count(), requests.len()), (1, 2));
    let told = operator.run(&RECONCILE).await.json();
    assert_eq!(told[0]["deliveries"]["delivered"], 2);
}
