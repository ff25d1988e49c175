//! What the tool prints of a stack with many sources, subscriptions and endpoints fits on a screen, and names
//! endpoints and sources.

use super::support::{age, deploy, send_to_dead};
use serde_json::{Value, json};
use testkit::delivery::DeliveryHarness;
use testkit::operator::{Operator, accept};
use testkit::receiver::Receiver;
use testkit::webhook::SECRET;

/// The number of lines that a screen shows.
const SCREEN: usize = 24;

/// 41 sources, 30 subscriptions and 59 endpoints. Three of the endpoints get the events of `studio`: one is
/// well, one fails and one is paused.
async fn big(well: &Receiver, ill: &Receiver) -> DeliveryHarness {
    let world = DeliveryHarness::start().await;
    deploy(&world.aws).await;
    let mut sources = json!({"studio": {"provider": "creative-force", "secrets": [SECRET]}});
    for number in 0..40 {
        sources[format!("source-{number}")] =
            json!({"provider": "creads", "secrets": ["a-secret-of-the-source"]});
    }
    world.aws.put_sources(&sources).await;
    let queue = world.aws.queue_url("search");
    for number in 0..30 {
        let name = format!("subscription-{number}");
        let source = format!("source-{number}");
        world.aws.subscribe(&name, &queue, &["*"], &[&source]).await;
    }
    for number in 0..56 {
        let members = match number % 2 {
            0 => json!({"name": format!("typed-{number}"), "events": ["io.peopleforce.*"]}),
            _ => json!({"name": format!("sourced-{number}"), "sources": ["source-1"]}),
        };
        let id = format!("ep_{number}");
        world.endpoint(&id, &well.url(), &members).await;
    }
    for (id, url, members) in [
        ("ep_well", well.url(), json!({"name": "well"})),
        ("ep_ill", ill.url(), json!({"name": "ill", "retry": []})),
        (
            "ep_paused",
            well.url(),
            json!({"name": "paused", "state": "paused"}),
        ),
    ] {
        world.endpoint(id, &url, &members).await;
    }
    world
}

/// The lines of a table or a text.
async fn lines(operator: &Operator, command: &[&str]) -> Vec<String> {
    let said = operator.run_plain(command, "").await;
    said.output.lines().map(str::to_owned).collect()
}

fn assert_has(lines: &[String], parts: &[&str]) {
    let has_all = |line: &String| parts.iter().all(|part| line.contains(part));
    assert!(lines.iter().any(has_all), "{parts:?}: {lines:#?}");
}

#[tokio::test]
async fn what_is_printed_of_a_big_stack_fits_on_a_screen_and_has_names() {
    let (well, ill) = (Receiver::start().await, Receiver::answering(500).await);
    let mut world = big(&well, &ill).await;
    let mut ingress = world.aws.ingress().await;
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    let later = json!({"name": "later", "created_at": i64::MAX});
    world.endpoint("ep_later", &well.url(), &later).await;
    let operator = Operator::of(&world.aws).await;

    let explained = lines(&operator, &["event", "explain", "a"]).await;
    assert!(explained.len() <= SCREEN, "{explained:#?}");
    let more = "and 23 more)";
    assert_has(
        &explained,
        &[
            "28 endpoints: nothing, because none of their patterns",
            more,
        ],
    );
    assert_has(
        &explained,
        &["28 endpoints: nothing, because their sources", more],
    );
    assert_has(
        &explained,
        &["30 subscriptions: nothing, because their sources"],
    );
    // One that stands alone has a line of its own, with its name.
    for (name, state) in [
        ("well", "delivered"),
        ("ill", "exhausted"),
        ("paused", "held"),
    ] {
        assert_has(
            &explained,
            &[&format!("endpoint {name} (ep_{name}): {state}")],
        );
    }
    assert_has(
        &explained,
        &["endpoint later (ep_later): nothing, because it was created later"],
    );
    let json = operator.run(&["event", "explain", "a"]).await.json();
    assert_eq!(json[0]["endpoints"].as_array().unwrap().len(), 60);

    let summary = lines(&operator, &["doctor"]).await;
    assert!(summary.len() <= SCREEN, "{summary:#?}");
    assert_has(&summary, &["warning", "paused: paused"]);
    assert_has(
        &summary,
        &["ok: ", "sources 41", "endpoints 59", "(--all lists them)"],
    );
    let all = lines(&operator, &["doctor", "--all"]).await;
    assert!(all.len() > 140, "{all:#?}");
    assert_has(&all, &["ok", "source-39: signed"]);

    let listed = lines(&operator, &["delivery", "list", "--endpoint", "ep_ill"]).await;
    assert_has(&listed, &["ep_ill_", " ill ", "exhausted"]);
    let subscriptions = lines(&operator, &["subscription", "list"]).await;
    assert_has(&subscriptions, &["subscription-29", "source-29"]);
}

#[tokio::test]
async fn what_is_missing_or_dead_is_listed_with_the_names_of_its_endpoint_and_source() {
    let (well, ill) = (Receiver::start().await, Receiver::answering(500).await);
    let mut world = big(&well, &ill).await;
    let mut ingress = world.aws.ingress().await;
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    age(&world.aws, "journal", "at", |_| true).await;
    let received = world.receive().await;
    let body = |endpoint: &str| {
        let endpoint = format!("\"endpoint\":\"{endpoint}\"");
        let bodies = received
            .iter()
            .map(|message| message["body"].as_str().unwrap());
        let mut bodies = bodies.filter(move |body| body.contains(&endpoint));
        bodies.next().unwrap().to_owned()
    };
    send_to_dead(&world.aws, &body("ep_ill")).await;
    let done = json!({"batchItemFailures": []});
    world.delete(received.clone(), &done).await;
    let operator = Operator::of(&world.aws).await;

    let letters = operator.run(&["dead-letter", "list"]).await.json();
    let named =
        |row: &Value| [&row["endpoint"], &row["endpoint_name"], &row["source"]].map(Value::clone);
    assert_eq!(letters.len(), 1);
    assert_eq!(named(&letters[0]), ["ep_ill", "ill", "studio"]);
    assert_has(
        &lines(&operator, &["dead-letter", "list"]).await,
        &[" ill ", " studio "],
    );

    let reconcile = ["reconcile", "--since", "1h"];
    let rows = operator.run(&reconcile).await.lines();
    let mut missing: Vec<_> = rows[1..].iter().map(named).collect();
    missing.sort_by_key(|row| row[0].to_string());
    let expected = ["ill", "paused", "well"].map(|name| {
        let id = format!("ep_{name}");
        [json!(id), json!(name), json!("studio")]
    });
    assert_eq!(missing, expected);
    let table = lines(&operator, &reconcile).await;
    assert!(table.len() <= SCREEN, "{table:#?}");
    assert_has(&table, &["delivery", " paused ", " studio "]);
}
