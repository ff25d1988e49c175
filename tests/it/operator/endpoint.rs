//! `webhookctl endpoint` and `delivery resend`: what the operator says of an endpoint is what the function
//! goes by.
//!
//! Seen to fail: with an update that leaves the secrets as they were, with a refused second try that is taken
//! for somebody else's change, and with a dry run that sends.

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use testkit::delivery::{DeliveryHarness, SECRET, id};
use testkit::operator::Operator;
use testkit::proxy::{Call, Fault, Proxy};
use testkit::receiver::{Receiver, Request};

fn is_signed(request: &Request, secret: &str) -> bool {
    let webhook = Webhook::new(secret).unwrap();
    webhook.verify(&request.body, &request.headers).is_ok()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[tokio::test]
async fn an_update_takes_a_secret_that_replaces_the_others_at_once() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let operator = Operator::of(&world.aws).await;
    let create = [
        "endpoint",
        "create",
        "--name",
        "a",
        "--url",
        &receiver.url(),
    ];
    let made = operator.run(&create).await.json().remove(0);
    let (endpoint, first) = (text(&made, "id"), text(&made, "secret"));
    let mut function = world.function().await;
    world.offer(endpoint, 1).await;
    world.drain(&mut function).await;
    assert!(is_signed(&receiver.take()[0], first));

    let update = ["endpoint", "update", endpoint, "--secret-stdin"];
    let refused = operator.run_with(&update, "too short").await;
    assert!(refused.error().contains("whsec_"), "{refused:?}");
    let updated = operator.run_with(&update, SECRET).await.json().remove(0);
    assert_eq!(updated["secrets"], json!([{"until": null}]));
    assert!(!updated.to_string().contains(SECRET), "{updated}");
    world.offer(endpoint, 2).await;
    world.drain(&mut function).await;
    let request = &receiver.take()[0];
    assert!(is_signed(request, SECRET) && !is_signed(request, first));
    // A secret of no scheme but the providers' comes with theirs.
    let hmac = [
        "--signature",
        "hmac-sha256-hex",
        "--signature-header",
        "X-Cf-Signature",
    ];
    let providers = [&update[..], &hmac].concat();
    let updated = operator
        .run_with(&providers, "too short")
        .await
        .json()
        .remove(0);
    assert_eq!(updated["signature"], "hmac-sha256-hex");
    world.offer(endpoint, 3).await;
    world.drain(&mut function).await;
    let request = &receiver.take()[0];
    let expected = testkit::webhook::sign("too short", &request.body);
    assert_eq!(request.header("x-cf-signature"), expected);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_the_operators_own() {
    let world = DeliveryHarness::start().await;
    let proxy = Proxy::start(world.aws.url()).await;
    let operator = Operator::behind(&world.aws, &proxy.url()).await;
    let write = Call {
        service: "dynamodb",
        operation: "PutItem",
        body: None,
    };
    let url = "http://127.0.0.1:1/";
    proxy.inject(write, Fault::CutOff).await;
    let create = ["endpoint", "create", "--name", "a", "--url", url];
    let made = operator.run(&create).await.json().remove(0);
    assert_eq!(proxy.fired().await, 1);
    let listed = operator.run(&["endpoint", "list"]).await.json();
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &made["id"]));
    proxy.inject(write, Fault::CutOff).await;
    let update = ["endpoint", "update", "a", "--rate", "7"];
    assert_eq!(operator.run(&update).await.json()[0]["rate"], 7);
    assert_eq!(proxy.fired().await, 1);
    let endpoint = world.standing("endpoint", text(&made, "id")).await;
    assert_eq!(
        (&endpoint["rate"], &endpoint["version"]),
        (&json!(7), &json!(2))
    );
}

#[tokio::test]
async fn one_delivery_is_resent_dry_like_many() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::answering(500).await;
    let operator = Operator::of(&world.aws).await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"retry": []}))
        .await;
    let mut function = world.function().await;
    world.offer("ep_a", 1).await;
    world.drain(&mut function).await;
    let delivery = id("ep_a", 1);
    let listed = operator
        .run(&["delivery", "list", "--endpoint", "ep_a"])
        .await
        .json();
    let dry = operator
        .run(&["delivery", "resend", &delivery, "--dry-run"])
        .await;
    assert_eq!(
        (dry.json(), text(&listed[0], "id")),
        (listed.clone(), &*delivery)
    );
    assert_eq!(world.queued().await, [].into());
    let resent = operator.run(&["delivery", "resend", &delivery]).await;
    assert_eq!(resent.json(), [json!({"resent": 1, "of": 1})]);
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
}

#[tokio::test]
async fn what_an_endpoint_lacks_to_get_anything_is_said() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let operator = Operator::of(&world.aws).await;
    let url = receiver.url();
    let create = ["endpoint", "create", "--url", &url];
    let unknown = "there is no source typo";
    for (source, is_known) in [("studio", true), ("typo", false)] {
        let create = [&create[..], &["--name", source, "--source", source]].concat();
        let said = operator.run(&create).await;
        assert_eq!(said.notes.contains(unknown), !is_known, "{said:?}");
        said.json();
    }
    let update = ["endpoint", "update", "studio", "--source", "typo"];
    assert!(operator.run(&update).await.notes.contains(unknown));
    let queue = world.aws.queue_url("search");
    let add = [
        "subscription",
        "create",
        "search",
        "--queue",
        &queue,
        "--source",
        "typo",
    ];
    assert!(operator.run(&add).await.notes.contains(unknown));
}

#[tokio::test]
async fn an_update_says_how_an_endpoint_is_tried_at_once() {
    let world = DeliveryHarness::start().await;
    let operator = Operator::of(&world.aws).await;
    let update = async |id: &str, url: &str| {
        let update = ["endpoint", "update", id, "--url", url];
        let said = operator.run(&update).await;
        said.json();
        said.notes
    };
    for (id, members, circuit, is_said) in [
        ("ep_well", json!({}), None, false),
        ("ep_open", json!({}), Some(json!({"opened_at": 1})), true),
        ("ep_off", json!({"state": "disabled"}), None, true),
    ] {
        world.endpoint(id, "http://localhost:1/", &members).await;
        if let Some(circuit) = circuit {
            world.put_circuit(id, &circuit).await;
        }
        let notes = update(id, "http://localhost:2/").await;
        let way = format!("webhookctl endpoint enable {id}");
        assert_eq!(notes.contains(&way), is_said, "{id}: {notes}");
    }
}
