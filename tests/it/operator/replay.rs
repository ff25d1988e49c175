//! Events sent again.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::operator::{Operator, accept, column};
use testkit::receiver::{Receiver, Reply, Request};
use testkit::webhook::{creative_force, signed};

/// The events in requests, by id.
fn events(requests: &[Request]) -> Vec<Value> {
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body));
    let mut events: Vec<Value> = bodies.map(Result::unwrap).collect();
    events.sort_by_key(|event| event["id"].to_string());
    events
}

#[tokio::test]
async fn a_replay_reaches_an_endpoint_that_was_created_later_and_one_that_has_the_event() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    accept(&mut world.aws, &mut ingress, &["a", "b"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    let first = receiver.take();
    assert_eq!(first.len(), 2);

    let operator = Operator::of(&world.aws).await;
    let later = Receiver::start().await;
    let members = json!({"created_at": i64::MAX});
    world.endpoint("ep_b", &later.url(), &members).await;
    for (id, receiver) in [("ep_a", &receiver), ("ep_b", &later), ("ep_a", &receiver)] {
        let replay = ["event", "replay", "--since", "1h", "--endpoint", id];
        let done = operator.run(&replay).await.json().remove(0);
        assert_eq!((&done["replayed"], &done["of"]), (&json!(2), &json!(2)));
        world.drain(&mut delivery).await;
        let again = receiver.take();
        let replayed = events(&again);
        assert_eq!(column(&replayed, "id"), ["a", "b"]);
        assert!(
            replayed.iter().all(|row| row["replayed"] == true),
            "{replayed:?}"
        );
        if id == "ep_a" {
            let ids = |requests: &[Request]| Vec::from_iter(requests.iter().map(Request::id));
            assert_eq!(ids(&again), ids(&first));
        }
    }
}

#[tokio::test]
async fn every_attempt_of_a_replayed_event_has_the_same_bytes() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    receiver.take();
    let mut answers = [500, 500, 200].into_iter();
    receiver.answer(move |_| Reply::status(answers.next().unwrap()));
    let operator = Operator::of(&world.aws).await;
    operator
        .run(&["event", "replay", "--id", "a", "--endpoint", "ep_a"])
        .await
        .json();
    world.drain(&mut delivery).await;
    let requests = receiver.take();
    assert_eq!(requests.len(), 3);
    assert_eq!(events(&requests)[0]["replayed"], true);
    for request in &requests {
        assert_eq!(request.body, requests[0].body);
        assert_eq!(request.id(), requests[0].id());
    }
}

#[tokio::test]
async fn a_replay_to_all_reaches_what_wants_the_event_and_waits_where_it_has_to() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    let (url, search) = (receiver.url(), world.aws.queue_url("search"));
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    world.aws.drain("events").await;
    world
        .aws
        .subscribe("search", &search, &["*.reset"], &[])
        .await;
    world.endpoint("ep_well", &url, &json!({})).await;
    world
        .endpoint("ep_paused", &url, &json!({"state": "paused"}))
        .await;
    world
        .endpoint("ep_other", &url, &json!({"events": ["io.peopleforce.*"]}))
        .await;
    let operator = Operator::of(&world.aws).await;
    let done = operator
        .run(&["event", "replay", "--id", "a", "--all"])
        .await;
    assert_eq!(done.json()[0]["replayed"], 1);
    for queue in ["events", "search"] {
        let sent = world.aws.drain(queue).await;
        assert_eq!(
            (sent.len(), &sent[0].body["replayed"]),
            (1, &json!(true)),
            "{queue}"
        );
    }
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(world.held("ep_paused").await.len(), 1);
    // Nobody of these wants it.
    for to in [["--endpoint", "ep_other"], ["--queue", "hr"]] {
        world
            .aws
            .subscribe("hr", &search, &["io.peopleforce.*"], &[])
            .await;
        let command = [&["event", "replay", "--id", "a"][..], &to].concat();
        let done = operator.run(&command).await.json().remove(0);
        assert_eq!(
            (&done["replayed"], &done["unwanted"]),
            (&json!(0), &json!(1))
        );
    }
    assert!(world.receive().await.is_empty() && world.aws.drain("search").await.is_empty());
}

#[tokio::test]
async fn a_replay_to_a_queue_sends_the_event_as_it_was_sent() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    // The last is a pointer into the bucket.
    let large = creative_force("c", &"x".repeat(1_100_000));
    accept(&mut aws, &mut function, &["a", "b"]).await;
    function.accept(&signed("studio", &large)).await;
    aws.drain_stream(&mut function).await;
    let published = aws.drain("events").await;
    let operator = Operator::of(&aws).await;
    let url = aws.queue_url("search");
    let replay = ["event", "replay", "--id", "b", "--id", "c", "--queue", &url];
    let dry = operator.run(&[&replay[..], &["--dry-run"]].concat()).await;
    assert_eq!(column(&dry.json(), "id"), ["b", "c"]);
    assert!(aws.drain("search").await.is_empty());

    operator.run(&replay).await.json();
    let replayed = aws.drain("search").await;
    let mut expected = published[1].body.clone();
    expected["replayed"] = json!(true);
    assert_eq!(replayed[0].body, expected);
    assert_eq!(replayed[0].attributes, published[1].attributes);
    let key = replayed[1].body[1]["s3Key"].as_str().unwrap();
    let event: Value = serde_json::from_slice(&aws.object(key).await).unwrap();
    assert_eq!(
        (&event["id"], &event["replayed"]),
        (&json!("c"), &json!(true))
    );
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    accept(&mut aws, &mut function, &["a", "b"]).await;
    function.accept(&signed("studio", "{}")).await;
    aws.drain_stream(&mut function).await;
    aws.drain("events").await;
    aws.delete_item(&json!({"S": "studio#a"})).await;
    let done = operator
        .run(&["event", "replay", "--since", "1h", "--queue", "events"])
        .await;
    let expected = json!({"replayed": 1, "of": 2, "forgotten": 1, "unwanted": 0});
    assert_eq!(done.lines(), [expected]);
    for note in ["studio#a was not sent", "1 more are quarantined"] {
        assert!(done.notes.contains(note), "{note}: {}", done.notes);
    }
    assert_eq!(aws.drain_event_ids().await, ["b"]);
    let listed = operator
        .run(&["event", "list", "--state", "quarantined"])
        .await
        .json();
    let id = listed[0]["id"].as_str().unwrap();
    for (id, why) in [("a", "there is no event a"), (id, "quarantine release")] {
        let error = operator
            .run(&["event", "replay", "--id", id, "--all"])
            .await
            .error();
        assert!(error.contains(why), "{error}");
    }
    for wrong in [
        &["--id", "b"][..],
        &["--all"],
        &["--since", "1h", "--all", "--state", "quarantined"],
    ] {
        let command = [&["event", "replay"][..], wrong].concat();
        assert_eq!(operator.run(&command).await.code, Some(2), "{wrong:?}");
    }
}
