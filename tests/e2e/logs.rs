//! I12: the functions' logs contain no secret, signature or body. The tests also check the content of the
//! logs.
//!
//! Seen to fail: with the signature in the reason of a refusal, with the stream's event in the line of a
//! batch, and with the headers of a request to an endpoint.

use crate::support::endpoint::event;
use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::source::{CREATIVE_FORCE, PEOPLE_FORCE, product_reset, send};
use crate::support::{eventually, unique};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use testkit::receiver::Reply;

/// The forms in which a text could be in a log: itself, its bytes as Rust's `Debug` prints them, and the
/// Base64 of a longer text.
fn spellings(text: &str) -> Vec<String> {
    let bytes = format!("{:?}", text.as_bytes());
    let mut spellings = vec![text.to_owned(), bytes.trim_matches(['[', ']']).to_owned()];
    for shift in 0..3 {
        let longer = [&vec![0; shift], text.as_bytes()].concat();
        let encoded = STANDARD.encode(&longer);
        // Only the characters that come from this text alone.
        let (start, end) = ((shift * 8).div_ceil(6), longer.len() * 8 / 6);
        spellings.push(encoded[start..end].to_owned());
    }
    spellings
}

async fn all_logs(gateway: &Gateway) -> Vec<String> {
    let mut lines = gateway.log("IngressFunctionName").await;
    lines.extend(gateway.log("DeliveryFunctionName").await);
    lines.extend(gateway.emulator_log().lines().map(str::to_owned));
    lines
}

#[tokio::test]
async fn no_secret_signature_or_body_is_in_any_log() {
    let gateway = Gateway::find().await;
    let mut canaries = Vec::new();
    let mut ids = Vec::new();
    for provider in [CREATIVE_FORCE, PEOPLE_FORCE] {
        let source = gateway.source(provider, &[]).await;
        let canary = unique();
        let id = unique();
        let json = product_reset(&id, &canary);
        let json = json.replace("\"Note\"", r#""action":"employee_create","Note""#);
        let conflict = format!("{json} ");
        let large = json.replace(&canary, &format!("{canary} {}", "x".repeat(300_000)));
        let not_json = format!("{canary} is no JSON");
        let no_type = format!(r#"{{"PayloadId":"{canary}","actor":"{canary}"}}"#);
        for body in [&json, &json, &conflict, &large, &not_json, &no_type] {
            let answer = source.post(body).await;
            ids.push(answer.outcome().1.to_owned());
            canaries.push(
                source
                    .signature(&source.secret, body.as_bytes())
                    .replace("sha256=", ""),
            );
        }
        for signature in [
            unique(),
            source.signature(&unique(), json.as_bytes()),
            "sha256=".to_owned() + &unique(),
        ] {
            let forged = || {
                let request = source.unsigned(json.as_bytes());
                request.header(provider.signature_header, &signature)
            };
            assert_eq!(source.known(forged).await.status, 401);
            canaries.push(signature.replace("sha256=", ""));
        }
        let guard = gateway.change().await;
        let rotated = gateway
            .webhookctl(&["--json", "source", "rotate-secret", &source.name])
            .await;
        drop(guard);
        let new = rotated.json()[0]["secret"].as_str().unwrap().to_owned();
        eventually("the rotated secret", || async {
            let answer = send(source.signed_with(&new, json.as_bytes())).await;
            (answer.status == 200).then_some(())
        })
        .await;
        let last = source
            .post(product_reset(&unique(), &canary).replace("\"Note\"", r#""action":"a","Note""#))
            .await;
        source.message(Queue::Events, last.outcome().1).await;
        canaries.extend([canary, source.secret.clone(), new]);
    }

    // The lines about the last batch come after its messages.
    let lines = eventually("the log of all events", || async {
        let lines = all_logs(&gateway).await;
        ids.iter()
            .all(|id| lines.iter().any(|line| line.contains(id)))
            .then_some(lines)
    })
    .await;
    assert!(
        lines.iter().any(|line| line.contains(r#""changes""#)),
        "the lines of batches are there"
    );
    for canary in canaries {
        for spelling in spellings(&canary) {
            let found = lines.iter().find(|line| line.contains(&spelling));
            assert_eq!(found, None, "{spelling}, which is {canary}, is in a log");
        }
    }
}

#[tokio::test]
async fn no_secret_signature_header_or_body_of_a_delivery_is_in_any_log() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let [header, body, answer] = [(); 3].map(|()| unique());
    let own = format!("X-Canary: {header}");
    let options = [
        "--header",
        &own,
        "--retry",
        "1s,1s,1s,1s",
        "--timeout",
        "1s",
    ];
    let endpoint = gateway.endpoint(&source, &options).await;
    let said = |status| Reply::Whole(status, Vec::new(), answer.clone());
    endpoint.answers([said(500), Reply::Hang, Reply::Drop, said(429), said(200)]);
    let id = unique();
    source.post(product_reset(&id, &body)).await;
    endpoint.all("delivered", std::slice::from_ref(&id)).await;
    let rotated = endpoint.told("rotate-secret", &[]).await;
    endpoint.answers([said(500), said(200)]);
    endpoint.run("ping", &[]).await;
    endpoint.told("ping", &[]).await;
    let requests = endpoint.receiver.requests();
    assert_eq!(requests.len(), 7);
    endpoint.told("pause", &[]).await;
    let held = source.event().await;

    let lines = eventually("the log of all deliveries", || async {
        let lines = all_logs(&gateway).await;
        let is_told = |id: &String| lines.iter().any(|line| line.contains(id));
        let ids: Vec<_> = requests.iter().map(event).collect();
        (ids.iter().all(is_told) && is_told(&held)).then_some(lines)
    })
    .await;
    let secrets = [&endpoint.secret, rotated["secret"].as_str().unwrap()];
    let secrets = secrets.map(|secret| secret.trim_start_matches("whsec_").to_owned());
    let signatures = requests
        .iter()
        .map(|request| request.header("webhook-signature"));
    let signatures =
        signatures.flat_map(|signature| signature.split(' ').map(|part| part.replace("v1,", "")));
    let mut canaries: Vec<String> = signatures.collect();
    assert_eq!(canaries.len(), 9, "two secrets sign what comes last");
    canaries.extend(secrets.into_iter().chain([header, body, answer]));
    for canary in canaries {
        for spelling in spellings(&canary) {
            let found = lines.iter().find(|line| line.contains(&spelling));
            assert_eq!(found, None, "{spelling}, which is {canary}, is in a log");
        }
    }
    endpoint.delete().await;
}

#[tokio::test]
async fn a_delivery_is_one_line_each_time_that_something_becomes_of_it() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway
        .endpoint(&source, &["--retry", "1s", "--timeout", "1s"])
        .await;
    endpoint.answers([Reply::status(500), Reply::Hang, Reply::status(410)]);
    let mut events = source.events(1).await;
    endpoint.all("exhausted", &events).await;
    events.extend(source.events(1).await);
    let deliveries = eventually("the second is held", || async {
        let deliveries = endpoint.deliveries().await;
        (deliveries.len() == 2 && deliveries[1]["state"] == "held").then_some(deliveries)
    })
    .await;

    // A line comes after the event that it describes.
    let lines: Vec<Value> = eventually("the lines of the deliveries", || async {
        let log = gateway.log("DeliveryFunctionName").await;
        let lines = log
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        let lines: Vec<Value> = lines
            .filter(|line: &Value| line["endpoint"] == endpoint.id)
            .collect();
        (lines.len() >= 4).then_some(lines)
    })
    .await;
    let (news, lines): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line["news"].is_string());
    let told: Vec<_> = news
        .iter()
        .map(|line| (&line["news"], &line["disabled"]))
        .collect();
    assert_eq!(told, [(&json!("disabled"), &json!(1))]);
    let told = |line: &Value| {
        json!([
            line["event.id"],
            line["state"],
            line["outcome"],
            line["status"],
            line["reason"]
        ])
    };
    let expected = json!([
        [events[0], "pending", "retry", 500, null],
        [
            events[0],
            "exhausted",
            "exhausted",
            null,
            "there was no reply in time; answer first and work later, or allow more time"
        ],
        [events[1], "held", "gone", 410, deliveries[1]["reason"]],
    ]);
    let of_all: Vec<_> = lines.iter().map(told).collect();
    assert_eq!(json!(of_all), expected);
    for (line, of_attempt) in lines.iter().zip([1, 2, 1]) {
        assert!(line["_aws"].is_object(), "{line} counts in no metric");
        assert_eq!(
            (&line["attempts"], &line["failed_attempts"]),
            (&json!(of_attempt), &json!(1))
        );
        assert!(line["attempt_ms"].is_number(), "{line}");
        assert_eq!(line["latency_ms"].is_number(), of_attempt == 1, "{line}");
    }
    let ids = [&deliveries[0], &deliveries[0], &deliveries[1]].map(|delivery| &delivery["id"]);
    assert!(lines.iter().map(|line| &line["delivery.id"]).eq(ids));
    assert_eq!(
        (&lines[1]["exhausted"], &lines[2]["held"]),
        (&json!(1), &json!(1))
    );
    endpoint.delete().await;
}

#[tokio::test]
async fn a_request_is_one_line_with_its_source_event_outcome_and_duration() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let id = unique();
    let (first, other) = (product_reset(&id, "first"), product_reset(&id, "other"));
    for body in [&first, &first, &other] {
        source.post(body).await.outcome();
    }
    let quarantined = source.post("{").await;
    let refused = source
        .known(|| source.signed_with("another", first.as_bytes()))
        .await;
    assert_eq!(refused.status, 401);

    // The log has a line a moment after the answer.
    let lines = eventually("a line of each request", || async {
        let lines = gateway.log("IngressFunctionName").await;
        let lines = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // A function that did not know the source yet has rejected the request before.
        let of_source = lines.filter(|line| line["source"] == source.name);
        let lines: Vec<Value> = of_source.collect();
        (lines.len() >= 5).then_some(lines)
    })
    .await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["outcome"].as_str().unwrap(), line["event.id"].as_str()))
        .collect();
    let conflict = source.post(&other).await;
    assert_eq!(
        told,
        [
            ("accepted", Some(&*id)),
            ("duplicate", Some(&*id)),
            ("conflict", Some(conflict.outcome().1)),
            ("quarantined", Some(quarantined.outcome().1)),
            ("rejected", None),
        ]
    );
    for line in &lines {
        assert_eq!(line["provider"], "creative-force");
        assert!(line["request_ms"].is_number(), "{line}");
        assert!(line["_aws"].is_object(), "{line} counts in no metric");
        let outcome = line["outcome"].as_str().unwrap();
        assert_eq!(line[outcome], 1, "{line}");
    }
}

#[tokio::test]
async fn no_function_complains_but_of_what_the_tests_break() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let id = unique();
    source.post(product_reset(&id, "")).await.outcome();
    source.message(Queue::Events, &id).await;
    let mut lines = gateway.log("IngressFunctionName").await;
    lines.extend(gateway.log("DeliveryFunctionName").await);
    assert!(lines.iter().any(|line| line.contains(&id)));

    // Also lines about failing endpoints, and the warning that endpoints may have any address.
    let broken = [
        "message is refused",
        "source is disabled",
        r#""news":"#,
        "endpoints may be anywhere",
    ];
    let complaints = [
        "\"ERROR\"",
        "\"WARN\"",
        "panicked",
        "errorMessage",
        r#""status":"timeout""#,
        r#""status":"error""#,
        // The emulator's spelling of the first of the two.
        "Task timed out",
    ];
    for line in lines
        .iter()
        .filter(|line| !broken.iter().any(|rule| line.contains(rule)))
    {
        assert!(!complaints.iter().any(|rule| line.contains(rule)), "{line}");
    }
}
