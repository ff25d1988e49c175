//! The whole way: what a provider sent, through both paths of ingress and the delivery queue, to the
//! endpoints that want it, in the form and with the signature that each wants.

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use testkit::delivery::{DeliveryHarness, SECRET, event, ledger_item};
use testkit::function::Function;
use testkit::proxy::Proxy;
use testkit::receiver::{Receiver, Request};
use testkit::webhook::{self, creative_force};

/// Another secret of Standard Webhooks.
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Sends webhooks through both paths of ingress.
async fn send(world: &mut DeliveryHarness, bodies: &[String]) {
    let mut ingress: Function = world.aws.ingress().await;
    for body in bodies {
        let signature = webhook::sign(webhook::SECRET, body.as_bytes());
        let headers = [
            ("x-cf-signature", &*signature),
            ("content-type", "application/json; charset=utf-8"),
        ];
        let request = webhook::request("POST", "studio", body, &headers);
        ingress.accept(&request).await;
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
    let mut world = DeliveryHarness::start().await;
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
        .map(|message| message["attributes"]["MessageGroupId"].as_str().unwrap());
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
            .filter(|request| request.body == event.text.as_bytes());
        let same: Vec<_> = same.collect();
        let mut ids: Vec<_> = same.iter().map(|request| request.id()).collect();
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
async fn an_endpoint_may_have_the_providers_own_bytes() {
    let mut world = DeliveryHarness::start().await;
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
        let request = requests
            .iter()
            .find(|request| request.body == body.as_bytes());
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
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let members = json!({
        "signature": "hmac-sha256-hex", "signature_header": "X-Hub-Signature-256",
        "signature_prefix": "sha256=",
        "secrets": [world.sealed("ep_hub", "newest").await, world.sealed("ep_hub", "older").await],
        "headers": [
            ["authorization", "Bearer token"], ["X-Hub-Signature-256", "forged"], ["Webhook-Id", "forged"],
        ],
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
    assert_eq!(all("webhook-id"), [&*testkit::delivery::id("ep_hub", 1)]);
    assert_eq!(all("webhook-signature").len(), 0);
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation_and_a_past_one_does_not() {
    let world = DeliveryHarness::start().await;
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
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let own = json!({"secrets": [world.sealed("ep_a", SECRET).await]});
    world.endpoint("ep_a", &receiver.url(), &own).await;
    world.endpoint("ep_b", &receiver.url(), &own).await;
    let mut function = world.function().await;
    // It was opened for its own endpoint before, and stays in memory.
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    assert_eq!(receiver.take().len(), 1);
    world.offer("ep_b", 1).await;
    world.pump(&mut function).await;
    assert_eq!(receiver.requests().len(), 0);
    assert_eq!(world.record("ep_b", 1).await["state"], "held");
}

#[tokio::test]
async fn an_endpoint_whose_secret_cannot_be_opened_is_held_and_probed_until_it_can() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let past = async |id| {
        let mut secret = world.sealed(id, SECRET).await;
        secret["until"] = json!(1);
        secret
    };
    let secrets = [
        ("ep_moved", json!([world.sealed("ep_other", SECRET).await])),
        ("ep_garbage", json!([{"ciphertext": "Z2FyYmFnZQ=="}])),
        ("ep_no_digits", json!([{"ciphertext": "!"}])),
        ("ep_empty", json!([world.sealed("ep_empty", " ").await])),
        (
            "ep_short",
            json!([world.sealed("ep_short", "whsec_c2hvcnQ=").await]),
        ),
        ("ep_none", json!([])),
        ("ep_past", json!([past("ep_past").await])),
        (
            "ep_one_of_two",
            json!([world.sealed("ep_one_of_two", SECRET).await, {"ciphertext": "!"}]),
        ),
    ];
    let mut function = world.function().await;
    for (id, secrets) in secrets {
        let members = json!({"secrets": secrets});
        world.endpoint(id, &receiver.url(), &members).await;
        for number in 1..=12 {
            world.offer(id, number).await;
        }
        world.pump_kind(&mut function, "delivery/1").await;
        assert_eq!(world.states(id).await, [("held".to_owned(), 12)].into());
        let record = world.record(id, 1).await;
        assert_eq!(record["reason"], "its secret cannot be opened", "{id}");
        assert_eq!(record["attempts"], 0, "nothing was sent");
        let circuit = world.standing("circuit", id).await;
        assert!(circuit["opened_at"].is_u64(), "{id}: {circuit}");
        assert_eq!(world.queued().await, [("probe/1".to_owned(), 1)].into());
        world.pump(&mut function).await;
        assert_eq!(receiver.take().len(), 0, "{id}");

        world.endpoint(id, &receiver.url(), &json!({})).await;
        world.drain(&mut function).await;
        assert_eq!(receiver.take().len(), 12, "{id}");
        let delivered = [("delivered".to_owned(), 12)];
        assert_eq!(world.states(id).await, delivered.into(), "{id}");
    }
}

#[tokio::test]
async fn an_item_cannot_change_how_the_request_is_framed_nor_make_it_too_long() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let mut function = world.function().await;
    let framing = json!({"headers": [
        ["Transfer-Encoding", "chunked"], ["content-length", "3"], ["Content-Encoding", "gzip"],
        ["Host", "other"],
        ["expect", "100-continue"], ["x-own", "stays"],
    ]});
    world.endpoint("ep_a", &receiver.url(), &framing).await;
    world.offer("ep_a", 1).await;
    world.pump(&mut function).await;
    let requests = receiver.take();
    let headers = &requests[0].headers;
    assert!(is_signed(&requests[0], SECRET));
    assert_eq!(
        headers["content-length"],
        requests[0].body.len().to_string()
    );
    assert_eq!(headers["x-own"], "stays");
    assert_ne!(headers["host"], "other");
    for name in ["transfer-encoding", "content-encoding", "expect"] {
        assert!(!headers.contains_key(name), "{name}");
    }

    let many: Vec<_> = (0..33)
        .map(|number| json!([format!("x-{number}"), "a"]))
        .collect();
    let long = json!([["x-long", "a".repeat(300 * 1024)]]);
    for (id, headers) in [
        ("ep_many", json!(many)),
        ("ep_long", long),
        ("ep_no_name", json!([["x y", "a"]])),
        ("ep_no_value", json!([["x-y", "a\r\nb: c"]])),
    ] {
        let members = json!({"headers": headers});
        world.endpoint(id, &receiver.url(), &members).await;
        world.offer(id, 1).await;
        world.pump_kind(&mut function, "delivery/1").await;
        assert_eq!(receiver.take().len(), 0, "{id}");
        let record = world.record(id, 1).await;
        assert_eq!(record["state"], "held", "{id}");
        assert_eq!(record["reason"], "its headers cannot be sent", "{id}");
        world.endpoint(id, &receiver.url(), &json!({})).await;
        world.drain(&mut function).await;
        assert_eq!(receiver.take().len(), 1, "{id}");
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_does_not_keep_others_from_being_delivered() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    world
        .endpoint("ep_a", &receiver.url(), &json!({"rate": 1, "retry": []}))
        .await;
    let proxy = Proxy::start(world.tap.url()).await;
    let mut function = world.function_behind(&proxy.url()).await;
    world.aws.put_object("bodies/1", b"{}".to_vec()).await;
    let mut entry = ledger_item(&event(1));
    entry["body_s3"] = json!({"S": "bodies/1"});
    world.aws.put_item(&entry).await;
    world.order("ep_a", 1).await;
    world.offer("ep_a", 2).await;
    proxy
        .break_down("s3", "GetObject", "AccessDenied", 403)
        .await;
    for _ in 0..10 {
        world.pump_kind(&mut function, "delivery/1").await;
    }
    assert_eq!(world.states("ep_a").await, [("held".to_owned(), 2)].into());
    // The probe tries the oldest first.
    for _ in 0..10 {
        world.pump_kind(&mut function, "probe/1").await;
    }
    assert_eq!(world.record("ep_a", 2).await["state"], "delivered");
    let record = world.record("ep_a", 1).await;
    assert_eq!(record["state"], "pending", "it waits by itself");
    assert_eq!(record["history"][0]["error"], "unread");
    assert_eq!(
        world.standing("circuit", "ep_a").await["failures"],
        Value::Null
    );
}
