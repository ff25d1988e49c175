//! The answers to a provider over HTTP, case by case, and the resulting messages on the queues.
//!
//! Seen to fail: with unmarked conflicts, and with different answers to a missing and a wrong signature.

use crate::support::gateway::{Gateway, name};
use crate::support::inbox::Queue;
use crate::support::source::{
    Answer, CREADS, CREATIVE_FORCE, PEOPLE_FORCE, WOODWING, product_reset, send,
};
use crate::support::unique;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Asserts that an answer is a problem document that says no more than its status.
fn assert_problem(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = json!({"type": "about:blank", "title": title, "status": status});
    assert_eq!(answer.body, problem);
}

#[tokio::test]
async fn an_event_is_accepted_once_and_another_body_under_its_id_is_a_conflict() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let id = unique();
    let (first, other) = (product_reset(&id, "first"), product_reset(&id, "other"));
    let digest = hex::encode(Sha256::digest(&other));
    let conflict_id = format!("{id}#{}", &digest[..16]);

    let accepted = source.post(&first).await;
    assert_eq!(accepted.headers["content-type"], "application/json");
    assert_eq!(accepted.outcome(), ("accepted", &*id));
    assert_eq!(source.post(&first).await.outcome(), ("duplicate", &*id));
    assert_eq!(
        source.post(&other).await.outcome(),
        ("accepted", &*conflict_id)
    );
    assert_eq!(
        source.post(&other).await.outcome(),
        ("duplicate", &*conflict_id)
    );
    let last = source.post(product_reset("last", "")).await;
    assert_eq!(last.outcome(), ("accepted", "last"));

    let conflict = source.message(Queue::Events, &conflict_id).await.json();
    assert_eq!(
        (&conflict["conflict"], &conflict["data"]["Note"]),
        (&json!(true), &json!("other"))
    );
    let event = source.message(Queue::Events, &id).await.json();
    assert_eq!(
        (event.get("conflict"), &event["data"]["Note"]),
        (None, &json!("first"))
    );
    source.message(Queue::Events, "last").await;
    assert_eq!(source.messages(Queue::Events).len(), 3);
}

#[tokio::test]
async fn an_event_without_an_id_of_its_own_is_known_by_its_body() {
    let gateway = Gateway::find().await;
    for provider in [CREADS, PEOPLE_FORCE] {
        let source = gateway.source(provider, &[]).await;
        let body = r#"{"event":"resource.created","resource_type":"Work","action":"employee_update","data":{"id":7}}"#;
        let answer = source.post(body).await;
        let (status, id) = answer.outcome();
        assert_eq!(status, "accepted");
        let hash = format!("sha256:{}:", hex::encode(Sha256::digest(body)));
        assert!(id.starts_with(&hash), "{id}");
        assert_eq!(source.post(body).await.outcome(), ("duplicate", id));
        source.message(Queue::Events, id).await;
    }
}

#[tokio::test]
async fn a_slash_after_the_name_of_the_source_makes_no_difference() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let id = unique();
    let body = product_reset(&id, "");
    let signature = source.signature(&source.secret, body.as_bytes());
    let answer = source
        .known(|| {
            let request = gateway.request("POST", &format!("{}/", source.name));
            let request = request.header(CREATIVE_FORCE.signature_header, &signature);
            let request = request.header("content-type", "application/json");
            request.body(body.clone())
        })
        .await;
    assert_eq!(answer.outcome(), ("accepted", &*id));
    source.message(Queue::Events, &id).await;
}

#[tokio::test]
async fn what_is_authentic_but_not_understood_is_kept_in_quarantine() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let cases: [(&[u8], &str); 5] = [
        (b"", "not JSON"),
        (b"payload=%7B%7D", "not JSON"),
        (deep.as_bytes(), "deeper than 128"),
        (b"[]", "not an object"),
        (
            br#"{"EventGroupName":"product","Action":"Reset"}"#,
            "PayloadId is not a usable id",
        ),
    ];
    for (body, why) in cases {
        let answer = source.post(body).await;
        let (status, id) = answer.outcome();
        assert_eq!(status, "quarantined", "{why}");
        let event = source.message(Queue::Quarantine, id).await.json();
        assert_eq!(event["data_base64"], STANDARD.encode(body), "{why}");
        let reason = event["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{reason}");
        assert_eq!(source.post(body).await.outcome(), ("duplicate", id));
    }
    assert_eq!(source.messages(Queue::Quarantine).len(), cases.len());
    assert_eq!(source.messages(Queue::Events).len(), 0);
}

#[tokio::test]
async fn a_body_is_verified_by_its_bytes_however_the_api_hands_it_on() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let post = async |content_type: &str, body: &[u8]| {
        let request = || {
            let signature = source.signature(&source.secret, body);
            let request = gateway.request("POST", &source.name).body(body.to_vec());
            let request = request.header("X-CF-Signature", signature);
            request.header("content-type", content_type)
        };
        source.known(request).await
    };
    let body = product_reset(&unique(), "caf\u{e9} \u{1f642} \u{ffff}");
    for (content_type, expected) in [
        ("application/octet-stream", "accepted"),
        ("text/plain", "duplicate"),
        ("application/json; charset=utf-8", "duplicate"),
    ] {
        let answer = post(content_type, body.as_bytes()).await;
        assert_eq!(answer.outcome().0, expected, "{content_type}");
        let message = source.message(Queue::Events, answer.outcome().1).await;
        let data: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(message.json()["data"], data);
    }

    let binary = b"\xff\xfe\0binary";
    let answer = post("application/octet-stream", binary).await;
    assert_eq!(answer.outcome().0, "quarantined");
    let message = source.message(Queue::Quarantine, answer.outcome().1).await;
    let event = message.json();
    assert_eq!(event["data_base64"], STANDARD.encode(binary));
    assert_eq!(event["datacontenttype"], "application/octet-stream");
    assert_eq!(event["reason"], "the body is not UTF-8 at byte 0");
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_by_one_constant_answer() {
    let gateway = Gateway::find().await;
    for provider in [CREATIVE_FORCE, WOODWING, CREADS, PEOPLE_FORCE] {
        let source = gateway.source(provider, &[]).await;
        let body = product_reset("forged", "");
        let good = source.signature(&source.secret, body.as_bytes());
        let forged = source.signature("another", body.as_bytes());
        let signed = |values: &[&str]| {
            let header = provider.signature_header;
            values
                .iter()
                .fold(source.unsigned(body.as_bytes()), |request, value| {
                    request.header(header, *value)
                })
        };
        let cut = &good[..good.len() - 1];
        let other_case = good.replace("sha256=", "SHA256:");
        let refused: [&[&str]; 8] = [
            &[],
            &[""],
            &["zz"],
            &[cut],
            &[&forged],
            &[&good, &good],
            &[&forged, &good],
            &[&format!("{other_case}00")],
        ];
        for signatures in refused {
            let answer = source.known(|| signed(signatures)).await;
            assert_problem(&answer, 401, "Unauthorized");
        }
        let other_body = format!("{body} ");
        let answer = source
            .known(|| {
                let request = source.unsigned(other_body.as_bytes());
                request.header(provider.signature_header, &good)
            })
            .await;
        assert_problem(&answer, 401, "Unauthorized");

        // The gateway recorded nothing of it: the genuine request is the first.
        let body = r#"{"id":"1","source":"s","specversion":"1.0","type":"com.woodwing.t","PayloadId":"1","EventGroupName":"job","Action":"Created","event":"resource.created","resource_type":"Work","action":"a"}"#;
        let answer = source.post(body).await;
        assert_eq!(answer.outcome().0, "accepted", "{}", provider.name);
        source.message(Queue::Events, answer.outcome().1).await;
        assert_eq!(source.messages(Queue::Events).len(), 1);
        assert_eq!(source.messages(Queue::Quarantine).len(), 0);
    }
}

#[tokio::test]
async fn requests_for_no_source_or_by_no_post_are_refused() {
    let gateway = Gateway::find().await;
    let unknown = send(gateway.request("POST", &name()).body("{}")).await;
    assert_problem(&unknown, 404, "Not Found");

    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let answer = send(gateway.request(method, &source.name)).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "POST, OPTIONS", "{method}");
    }
    let answer = send(gateway.request("GET", &source.name)).await;
    assert_problem(&answer, 405, "Method Not Allowed");

    for path in ["", "a/b"] {
        let answer = send(gateway.request("POST", path).body("{}")).await;
        assert_eq!(answer.status, 404, "{path:?} is no route");
    }
}

#[tokio::test]
async fn a_handshake_is_consented_to_for_the_origins_of_the_source_only() {
    let gateway = Gateway::find().await;
    let source = gateway
        .source(WOODWING, &["--origin", "studio.example.com"])
        .await;
    let (gateway, source) = (&gateway, &source);
    let shake = |origin: &'static str| {
        source.known(move || {
            let request = gateway.request("OPTIONS", &source.name);
            // A callback of the sender's choice would be a request forged by the gateway.
            let request = request.header("WebHook-Request-Callback", "http://127.0.0.1:9/");
            request.header("WebHook-Request-Origin", origin)
        })
    };
    let consent = shake("studio.example.com").await;
    assert_eq!(consent.status, 200);
    assert_eq!(
        consent.headers["webhook-allowed-origin"],
        "studio.example.com"
    );
    assert_eq!(consent.headers["webhook-allowed-rate"], "*");
    assert_eq!(consent.headers["allow"], "POST, OPTIONS");

    let refusal = shake("evil.example.com").await;
    assert_problem(&refusal, 405, "Method Not Allowed");
    assert_eq!(refusal.headers["allow"], "POST, OPTIONS");
    assert_eq!(refusal.headers.get("webhook-allowed-origin"), None);
}

#[tokio::test]
async fn a_source_without_a_usable_secret_is_unavailable_and_the_others_are_not() {
    let gateway = Gateway::find().await;
    let broken = gateway.new_source(CREATIVE_FORCE);
    let guard = gateway.change().await;
    let entry = json!({"provider": "creative-force", "secrets": [" "]});
    gateway
        .edit_sources(|sources| drop(sources.insert(broken.name.clone(), entry)))
        .await;
    drop(guard);
    let source = gateway.source(CREATIVE_FORCE, &[]).await;

    let body = product_reset(&unique(), "");
    let answer = broken
        .known(|| broken.signed_with(" ", body.as_bytes()))
        .await;
    assert_problem(&answer, 503, "Service Unavailable");
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(source.post(&body).await.outcome().0, "accepted");

    let shown = gateway
        .webhookctl(&["--json", "source", "show", &broken.name])
        .await;
    assert_eq!(shown.json()[0]["status"], "disabled");
    let guard = gateway.change().await;
    let removed = gateway
        .webhookctl(&["source", "delete", &broken.name])
        .await;
    drop(guard);
    assert!(removed.is_success(), "{removed:?}");
}

#[tokio::test]
async fn an_unsigned_source_takes_all_that_comes() {
    let gateway = Gateway::find().await;
    let source = gateway.new_source(PEOPLE_FORCE);
    let guard = gateway.change().await;
    let add = [
        "source",
        "create",
        &source.name,
        "--provider",
        "people-force",
        "--unsigned",
    ];
    let added = gateway.webhookctl(&add).await;
    drop(guard);
    assert!(
        added.is_success() && added.notes.contains("unsigned"),
        "{added:?}"
    );
    let body = br#"{"action":"employee_create","data":{"id":7}}"#;
    let answer = source.known(|| source.unsigned(body)).await;
    let event = source
        .message(Queue::Events, answer.outcome().1)
        .await
        .json();
    assert_eq!(event["type"], "io.peopleforce.employee_create");
    assert_eq!(event["subject"], "employee/7");
}
