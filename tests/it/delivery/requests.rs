//! The whole way: what a vendor sent, through both doors of ingress and the delivery queue, to the endpoints that want
//! it, in the form and with the signature that each wants.
//!
//! Seen to fail:

use crate::support::delivery::{SECRET, World};
use crate::support::function::Function;
use crate::support::receiver::{Receiver, Request};
use crate::support::webhook::{self, creative_force};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

/// Another secret of Standard Webhooks.
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Sends webhooks through both doors of ingress.
async fn send(world: &mut World, bodies: &[String]) {
    let mut ingress: Function = world.aws.ingress().await;
    for body in bodies {
        let signature = webhook::sign(webhook::SECRET, body.as_bytes());
        let headers = [
            ("x-cf-signature", &*signature),
            ("content-type", "application/json; charset=utf-8"),
        ];
        let request = webhook::request("POST", "studio", body, &headers);
        ingress.invoke(&request).await;
    }
    world.aws.drain_stream(&mut ingress).await;
}

/// Whether a request has a signature of Standard Webhooks that this secret makes.
fn is_signed(request: &Request, secret: &str) -> bool {
    let webhook = Webhook::new(secret).unwrap();
    webhook.verify(&request.body, &request.headers).is_ok()
}

#[tokio::test]
async fn an_event_reaches_every_endpoint_that_wants_it_as_it_is_on_the_events_queue() {
    let mut world = World::start().await;
    let wants = [
        ("ep_all", json!({})),
        (
            "ep_type",
            json!({"events": ["other", "io.creativeforce.product.*"], "sources": ["hr", "studio"]}),
        ),
        (
            "ep_other_type",
            json!({"events": ["io.creativeforce.sample.*"]}),
        ),
        ("ep_other_source", json!({"sources": ["hr"]})),
    ];
    let receiver = Receiver::start().await;
    for (id, members) in &wants {
        world.endpoint(id, &receiver.url(), members).await;
    }
    // What must stay to the letter, what SQS does not take, and what is kept in the bucket.
    let odd = creative_force("odd", "\u{fffe} \\u00e9")
        .replace("1595204418000", "1595204418000, \"n\":1.50,\"n\" : 1e2");
    let bodies = [
        creative_force("small", ""),
        odd,
        creative_force("large", &"x".repeat(300 * 1024)),
    ];
    send(&mut world, &bodies).await;
    let published = world.aws.drain("events").await;
    assert_eq!(published.len(), bodies.len());

    let messages = world.receive().await;
    let groups = messages
        .iter()
        .map(|it| it["attributes"]["MessageGroupId"].as_str().unwrap());
    let mut groups: Vec<_> = groups.collect();
    groups.sort_unstable();
    assert_eq!(
        groups,
        [
            "ep_all", "ep_all", "ep_all", "ep_type", "ep_type", "ep_type"
        ]
    );
    let mut delivery = world.function().await;
    assert!(world.run(&mut delivery, messages).await.is_empty());

    let requests = receiver.requests();
    assert_eq!(requests.len(), 6);
    for event in &published {
        let same = requests
            .iter()
            .filter(|it| it.body == event.text.as_bytes());
        let same: Vec<_> = same.collect();
        let mut ids: Vec<_> = same.iter().map(|it| it.id()).collect();
        ids.sort();
        assert!(
            ids[0].starts_with("ep_all_") && ids[1].starts_with("ep_type_"),
            "{ids:?}"
        );
        assert_eq!(same.len(), 2, "{}", event.attributes);
        for request in same {
            assert_eq!(
                request.header("content-type"),
                "application/cloudevents+json"
            );
            assert!(request.header("user-agent").starts_with("webhook-gateway/"));
            assert!(is_signed(request, SECRET));
            assert!(!is_signed(request, OTHER));
        }
    }
    for endpoint in ["ep_all", "ep_type"] {
        assert_eq!(
            world.states(endpoint).await,
            [("delivered".to_owned(), 3)].into()
        );
    }
}

#[tokio::test]
async fn an_endpoint_may_have_the_vendors_own_bytes() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_raw", &receiver.url(), &json!({"format": "raw"}))
        .await;
    let bodies = [
        creative_force("1", "\u{fffe} \\u00e9  é"),
        creative_force("2", &"x".repeat(300 * 1024)),
    ];
    send(&mut world, &bodies).await;
    world.drain(&mut world.function().await).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    for body in bodies {
        let request = requests.iter().find(|it| it.body == body.as_bytes());
        let request = request.expect("the body, to the byte");
        assert_eq!(
            request.header("content-type"),
            "application/json; charset=utf-8"
        );
        assert!(is_signed(request, SECRET));
    }
}

#[tokio::test]
async fn an_endpoint_may_have_the_signature_and_the_headers_that_it_is_used_to() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let members = json!({
        "signature": "hmac-sha256-hex", "signature_header": "X-Hub-Signature-256", "signature_prefix": "sha256=",
        "secrets": [world.sealed("ep_hub", "newest").await, world.sealed("ep_hub", "older").await],
        "headers": [["authorization", "Bearer token"], ["X-Hub-Signature-256", "forged"], ["Webhook-Id", "forged"]],
    });
    world.endpoint("ep_hub", &receiver.url(), &members).await;
    world.offer("ep_hub", 1).await;
    world.drain(&mut world.function().await).await;
    let requests = receiver.requests();
    let request = &requests[0];
    let signature = format!("sha256={}", webhook::sign("newest", &request.body));
    let all = |name: &str| -> Vec<_> { request.headers.get_all(name).iter().collect() };
    assert_eq!(all("x-hub-signature-256"), [&*signature]);
    assert_eq!(all("authorization"), ["Bearer token"]);
    assert_eq!(
        all("webhook-id"),
        [&*crate::support::delivery::id("ep_hub", 1)]
    );
    assert_eq!(all("webhook-signature").len(), 0);
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation_and_a_past_one_does_not() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let with_end = async |end: u64| {
        let mut old = world.sealed("ep_a", OTHER).await;
        old["until"] = json!(end);
        json!({"secrets": [world.sealed("ep_a", SECRET).await, old]})
    };
    let mut function = world.function().await;
    for (number, end, is_signed_by_old) in [(1, 4_000_000_000_u64, true), (2, 1, false)] {
        world
            .endpoint("ep_a", &receiver.url(), &with_end(end).await)
            .await;
        world.offer("ep_a", number).await;
        world.drain(&mut function).await;
        let request = &receiver.take()[0];
        assert!(is_signed(request, SECRET));
        assert_eq!(is_signed(request, OTHER), is_signed_by_old);
    }
}

#[tokio::test]
async fn a_secret_signs_for_the_endpoint_that_it_was_sealed_for_and_no_other() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let stolen = json!({"secrets": [world.sealed("ep_a", SECRET).await]});
    world.endpoint("ep_b", &receiver.url(), &stolen).await;
    world.offer("ep_b", 1).await;
    let mut function = world.function().await;
    world.pump(&mut function).await;
    assert_eq!(receiver.requests().len(), 0);
    assert_eq!(world.queued().await, [("delivery/1".to_owned(), 1)].into());
    assert_eq!(world.record("ep_b", 1).await, Value::Null);
}
