//! What the tool tells of events, and that it sends them again.

use crate::support::aws::Aws;
use crate::support::delivery::World;
use crate::support::function::Function;
use crate::support::operator::Operator;
use crate::support::receiver::Receiver;
use crate::support::webhook::{creative_force, signed};
use serde_json::{Value, json};

async fn accept(aws: &mut Aws, function: &mut Function, ids: &[&str]) {
    for id in ids {
        function
            .invoke(&signed("studio", &creative_force(id, "")))
            .await;
    }
    aws.drain_stream(function).await;
}

fn column<'a>(lines: &'a [Value], name: &str) -> Vec<&'a str> {
    lines.iter().map(|it| it[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn events_are_listed_the_newest_first_and_by_what_is_asked_for() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    accept(&mut aws, &mut function, &["a", "b"]).await;
    function.invoke(&signed("studio", "{}")).await;
    let conflict = creative_force("b", "another");
    function.invoke(&signed("studio", &conflict)).await;
    aws.drain_stream(&mut function).await;
    accept(&mut aws, &mut function, &["c"]).await;

    let listed = operator.run(&["event", "list"]).await.json();
    let ids = column(&listed, "id");
    assert_eq!((ids.len(), ids[0]), (5, "c"));
    assert_eq!(ids[3..], ["b", "a"]);
    for (filter, count) in [
        (["--state", "accepted"], 4),
        (["--state", "quarantined"], 1),
        (["--state", "conflict"], 1),
        (["--source", "studio"], 5),
        (["--source", "hr"], 0),
        (["--type", "io.creativeforce.product.*"], 4),
        (["--type", "io.peopleforce.*"], 0),
        (["--since", "2999-01-01"], 0),
        (["--until", "2000-01-01"], 0),
        (["--limit", "2"], 2),
    ] {
        let command = [&["event", "list"][..], &filter].concat();
        let listed = operator.run(&command).await;
        assert_eq!(listed.json().len(), count, "{filter:?}");
    }
}

#[tokio::test]
async fn an_event_is_shown_as_it_came_and_as_it_was_published() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    accept(&mut aws, &mut function, &["a"]).await;
    let shown = operator.run(&["event", "show", "a"]).await;
    let published = aws.drain("events").await.remove(0);
    assert!(
        shown
            .output
            .contains(&format!("\"event\":{}", published.text))
    );
    let shown = shown.json().remove(0);
    assert_eq!(shown["body"], creative_force("a", ""));
    assert_eq!(shown["headers"]["content-type"], "application/json");
    let raw = operator.run(&["event", "show", "studio#a", "--raw"]).await;
    assert_eq!(raw.output, creative_force("a", ""));
    let error = operator.run(&["event", "show", "b"]).await.error();
    assert!(error.contains("there is no event b"), "{error}");
}

#[tokio::test]
async fn every_endpoint_that_got_nothing_has_its_reason() {
    let mut world = World::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    for (id, members) in [
        ("ep_type", json!({"events": ["io.peopleforce.*"]})),
        ("ep_source", json!({"sources": ["hr"]})),
        ("ep_paused", json!({"state": "paused"})),
        ("ep_well", json!({})),
    ] {
        world.endpoint(id, &url, &members).await;
    }
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    let later = json!({"created_at": i64::MAX});
    world.endpoint("ep_later", &url, &later).await;

    let operator = Operator::of(&world.aws).await;
    let told = operator.run(&["event", "explain", "a"]).await;
    let told = told.json().remove(0);
    for (id, state, reason) in [
        ("ep_type", "none", "io.peopleforce.*"),
        ("ep_source", "none", "events of hr alone"),
        ("ep_paused", "held", "paused"),
        ("ep_well", "delivered", ""),
        ("ep_later", "none", "created later"),
    ] {
        let mut endpoints = told["endpoints"].as_array().unwrap().iter();
        let endpoint = endpoints.find(|it| it["endpoint"] == id).unwrap();
        assert_eq!(endpoint["state"], state, "{endpoint}");
        let why = endpoint["reason"].as_str().unwrap_or_default();
        assert!(why.contains(reason), "{endpoint}");
    }
    let steps = column(told["steps"].as_array().unwrap(), "what");
    for what in [
        "by the source studio",
        "position 0",
        "accepted as",
        "published",
    ] {
        assert!(
            steps.iter().any(|it| it.contains(what)),
            "{what}: {steps:?}"
        );
    }
}

#[tokio::test]
async fn a_replay_reaches_an_endpoint_that_was_created_later_and_one_that_has_the_event() {
    let mut world = World::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    accept(&mut world.aws, &mut ingress, &["a", "b"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    assert_eq!(receiver.take().len(), 2);

    let operator = Operator::of(&world.aws).await;
    let later = Receiver::start().await;
    let members = json!({"created_at": i64::MAX});
    world.endpoint("ep_b", &later.url(), &members).await;
    for (id, receiver) in [("ep_a", &receiver), ("ep_b", &later)] {
        let replay = ["event", "replay", "--since", "1h", "--endpoint", id];
        let done = operator.run(&replay).await.json().remove(0);
        assert_eq!((&done["replayed"], &done["of"]), (&json!(2), &json!(2)));
        world.drain(&mut delivery).await;
        let again = receiver.take();
        let bodies = again
            .iter()
            .map(|it| serde_json::from_slice(&it.body).unwrap());
        let mut bodies: Vec<Value> = bodies.collect();
        bodies.sort_by_key(|it| it["id"].to_string());
        assert_eq!(column(&bodies, "id"), ["a", "b"]);
        assert!(bodies.iter().all(|it| it["replayed"] == true), "{bodies:?}");
    }
}

#[tokio::test]
async fn a_replay_to_a_queue_sends_the_event_with_its_id() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    accept(&mut aws, &mut function, &["a", "b", "c"]).await;
    let published = aws.drain("events").await;
    let operator = Operator::of(&aws).await;
    let url = aws.queue_url("search");
    let replay = ["event", "replay", "--id", "b", "--queue", &url];
    let dry = operator.run(&[&replay[..], &["--dry-run"]].concat()).await;
    assert_eq!(column(&dry.json(), "id"), ["b"]);
    assert!(aws.drain("search").await.is_empty());
    operator.run(&replay).await.json();
    let replayed = aws.drain("search").await.remove(0);
    let mut expected = published[1].body.clone();
    expected["replayed"] = json!(true);
    assert_eq!(replayed.body, expected);
    assert_eq!(replayed.attributes, published[1].attributes);
}

#[tokio::test]
async fn an_interrupted_replay_goes_on_where_it_stopped() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let ids: Vec<String> = (0..12).map(|it| format!("e-{it:02}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    accept(&mut aws, &mut function, &all).await;
    let operator = Operator::of(&aws).await;
    let url = aws.queue_url("search");
    let replay = ["event", "replay", "--since", "1h", "--queue", &url];
    // Two a second: it cannot be done before it is killed.
    let mut tool = operator.start(&[&replay[..], &["--rate", "2"]].concat());
    let mut before = Vec::new();
    while before.len() < 4 {
        before.extend(aws.drain("search").await);
    }
    tool.kill().await.unwrap();
    before.extend(aws.drain("search").await);

    let command = [&replay[..], &["--rate", "1000"]].concat();
    let again = operator.run(&command).await;
    assert!(
        again.notes.contains("going on where it stopped"),
        "{again:?}"
    );
    let after = aws.drain("search").await;
    let reached = before.iter().chain(&after);
    let mut reached: Vec<_> = reached.map(|it| it.body["id"].clone()).collect();
    assert!(
        reached.len() <= ids.len() + 2,
        "more than a batch went twice"
    );
    reached.sort_by_key(Value::to_string);
    reached.dedup();
    assert_eq!(reached, all);
    let anew = operator.run(&[&replay[..], &["--dry-run"]].concat()).await;
    assert_eq!(anew.json().len(), ids.len());
}
