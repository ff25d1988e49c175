//! The answers to a provider, case by case, with the real binary. The cases include promises I3, I4 and I5.
//!
//! Seen to fail: I3 with a mismatch taken for the first secret, and with a blank secret taken for one; I4
//! without the message to quarantine, and without the limit of nesting; I5 with a conflict taken for a
//! duplicate.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::function::{Answer, Function};
use testkit::proxy::{Call, Proxy};
use testkit::webhook::{self, SECRET, request, sign, signed};

/// An answer in the form that API Gateway sends to the provider.
struct Http {
    status: u64,
    headers: Value,
    body: Value,
}

async fn send(function: &mut Function, event: &Value) -> Http {
    match function.invoke(event).await {
        Answer::Success(mut response) => Http {
            status: response["statusCode"].as_u64().unwrap(),
            headers: response["headers"].take(),
            body: serde_json::from_str(response["body"].as_str().unwrap()).unwrap(),
        },
        other => panic!("no response: {other:?}"),
    }
}

async fn status(function: &mut Function, event: &Value) -> u64 {
    send(function, event).await.status
}

#[tokio::test]
async fn authentic_webhooks_are_accepted_once() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let first = webhook::creative_force("p-1", "first");
    let other = webhook::creative_force("p-1", "other");

    let accepted = send(&mut function, &signed("studio", &first)).await;
    assert_eq!(
        (accepted.status, &accepted.body),
        (200, &json!({"status": "accepted", "id": "p-1"}))
    );
    assert_eq!(accepted.headers["content-type"], "application/json");
    let again = send(&mut function, &signed("studio", &first)).await;
    assert_eq!(
        (again.status, again.body),
        (200, json!({"status": "duplicate", "id": "p-1"}))
    );

    let conflict = send(&mut function, &signed("studio", &other)).await;
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(other.as_bytes()));
    let id = format!("p-1#{}", &digest[..16]);
    assert_eq!(
        (conflict.status, conflict.body),
        (200, json!({"status": "accepted", "id": id}))
    );
    let again = send(&mut function, &signed("studio", &other)).await;
    assert_eq!(again.body, json!({"status": "duplicate", "id": id}));

    aws.drain_stream(&mut function).await;
    let mut events = aws.drain("events").await;
    events.sort_by_key(|event| event.body["id"].to_string());
    let (first_event, other_event) = (&events[0].body, &events[1].body);
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&first_event["id"], first_event.get("conflict")),
        (&json!("p-1"), None)
    );
    assert_eq!(
        (&other_event["id"], &other_event["conflict"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(other_event["data"]["Note"], "other");
}

#[tokio::test]
async fn equal_bodies_without_an_id_are_one_event_until_the_window_has_passed() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"hr": {"provider": "people-force", "secrets": [SECRET]}}))
        .await;
    let mut function = aws.ingress().await;
    let body = r#"{"action":"employee_update","data":{"id":7}}"#;
    let signature = format!("sha256={}", sign(SECRET, body.as_bytes()));
    let event = request(
        "POST",
        "hr",
        body,
        &[("x-peopleforce-signature", &signature)],
    );

    let accepted = send(&mut function, &event).await;
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(body.as_bytes()));
    let id = accepted.body["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with(&format!("sha256:{digest}:")), "{id}");
    assert_eq!(
        send(&mut function, &event).await.body,
        json!({"status": "duplicate", "id": id})
    );

    let mut item = aws.recorded().await.remove(0);
    item["dedupe_until"] = json!({"N": "1000"});
    aws.put_item(&item).await;
    let later = send(&mut function, &event).await;
    assert_eq!(later.body["status"], "accepted");
    assert_ne!(later.body["id"], id);

    aws.drain_stream(&mut function).await;
    let ids = aws.drain_event_ids().await;
    assert_eq!(
        ids,
        [json!(id), later.body["id"].clone()],
        "the test's own change is no webhook"
    );
}

/// A webhook of Creads about a project.
fn creads(change: &str, status: &str) -> Value {
    let body = json!({
        "event": format!("resource.{change}"), "resource_type": "Project", "resource_gid": "559b",
        "resource": {"gid": "559b", "status": status},
    });
    let body = body.to_string();
    let signature = sign(SECRET, body.as_bytes());
    request(
        "POST",
        "shop",
        &body,
        &[("x-partners-signature", &signature)],
    )
}

/// Makes the window of every recorded webhook end this many seconds earlier.
async fn pass(aws: &Aws, seconds: i64) {
    for mut item in aws.recorded().await {
        let until: i64 = item["dedupe_until"]["N"].as_str().unwrap().parse().unwrap();
        item["dedupe_until"] = json!({"N": (until - seconds).to_string()});
        aws.put_item(&item).await;
    }
}

#[tokio::test]
async fn a_change_back_is_an_event_after_ten_minutes_and_a_second_creation_never_is() {
    let mut aws = Aws::start().await;
    let source = json!({"provider": "creads", "secrets": [SECRET]});
    aws.put_sources(&json!({"shop": source})).await;
    let mut function = aws.ingress().await;
    let changes = [
        ("created", "draft"),
        ("updated", "draft"),
        ("updated", "live"),
        // Without a pause, the gateway cannot distinguish the change back from a repetition of the first
        // webhook.
        ("updated", "draft"),
        ("deleted", "live"),
    ];
    let (new, copy) = ("accepted", "duplicate");
    for (passed, expected) in [
        (0, [new, new, new, copy, new]),
        (601, [copy, new, new, copy, copy]),
        (3_601, [copy, new, new, copy, copy]),
        (28 * 86_400, [copy, new, new, copy, copy]),
    ] {
        pass(&aws, passed).await;
        let mut answers = Vec::new();
        for (change, status) in changes {
            answers.push(send(&mut function, &creads(change, status)).await.body);
        }
        let outcomes: Vec<_> = answers
            .iter()
            .map(|answer| answer["status"].clone())
            .collect();
        assert_eq!(outcomes, expected, "after {passed} s");
        aws.drain_stream(&mut function).await;
        let accepted = answers.iter().filter(|answer| answer["status"] == new);
        let ids: Vec<_> = accepted.map(|answer| answer["id"].clone()).collect();
        assert_eq!(aws.drain_event_ids().await, ids, "after {passed} s");
    }
    // The configured window applies to changes only.
    let source = json!({"provider": "creads", "secrets": [SECRET], "dedupe_window": "1h"});
    aws.put_sources(&json!({"other": source})).await;
    let mut restarted = aws.ingress().await;
    for change in ["created", "updated"] {
        let mut event = creads(change, "new");
        event["pathParameters"]["source"] = json!("other");
        send(&mut restarted, &event).await;
    }
    let window = |item: &Value| {
        let number = |name: &str| -> i64 { item[name]["N"].as_str().unwrap().parse().unwrap() };
        let window = number("dedupe_until") - number("accepted_at") / 1000;
        (item["type"]["S"].as_str().unwrap().to_owned(), window)
    };
    let recorded = aws.recorded().await;
    let mut windows: Vec<_> = recorded
        .iter()
        .filter(|item| item["gatewaysource"]["S"] == "other")
        .map(window)
        .collect();
    windows.sort();
    let of = |change: &str| format!("com.creads.project.{change}");
    assert_eq!(
        windows,
        [(of("created"), 30 * 86_400), (of("updated"), 3_600)]
    );
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_without_a_hint() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let body = webhook::creative_force("p-1", "");
    let good = sign(SECRET, body.as_bytes());
    let forged = sign("another secret", body.as_bytes());
    let twice = format!("{good},{good}");
    let mut answers = Vec::new();
    for signature in [
        "",
        "zz",
        &good[1..],
        &forged,
        &twice,
        &format!("sha256={good}"),
    ] {
        let event = request("POST", "studio", &body, &[("x-cf-signature", signature)]);
        answers.push(send(&mut function, &event).await);
    }
    answers.push(send(&mut function, &request("POST", "studio", &body, &[])).await);
    let two_values = {
        let mut event = request("POST", "studio", &body, &[]);
        event["headers"]["x-cf-signature"] = json!([good, good]);
        event
    };
    answers.push(send(&mut function, &two_values).await);
    let other_body = request(
        "POST",
        "studio",
        &format!("{body} "),
        &[("x-cf-signature", &good)],
    );
    answers.push(send(&mut function, &other_body).await);
    for answer in answers {
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(
            answer.body,
            json!({"type": "about:blank", "title": "Unauthorized", "status": 401})
        );
    }
    assert_eq!(aws.recorded().await, Vec::<Value>::new());
    assert_eq!(
        status(
            &mut function,
            &request("POST", "studio", &body, &[("X-CF-Signature", &good)])
        )
        .await,
        200
    );
}

#[tokio::test]
async fn what_is_authentic_but_not_understood_is_quarantined() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let deep = format!(
        r#"{{"PayloadId":"p","Action":"a","EventGroupName":"job","x":{}{}}}"#,
        "[".repeat(128),
        "]".repeat(128)
    );
    let bodies = [
        "",
        "not JSON",
        "[]",
        r#"{"Action":"Reset","EventGroupName":"product"}"#,
        &deep,
    ];
    for body in bodies {
        let answer = send(&mut function, &signed("studio", body)).await;
        assert_eq!(
            (answer.status, &answer.body["status"]),
            (200, &json!("quarantined")),
            "{body}"
        );
    }
    let bytes = b"\xff\xfe\0binary";
    let mut event = request(
        "POST",
        "studio",
        "",
        &[
            ("x-cf-signature", &sign(SECRET, bytes)),
            ("content-type", "application/octet-stream"),
        ],
    );
    event["body"] = json!(base64(bytes));
    event["isBase64Encoded"] = json!(true);
    assert_eq!(
        send(&mut function, &event).await.body["status"],
        "quarantined"
    );

    aws.drain_stream(&mut function).await;
    assert!(aws.drain("events").await.is_empty());
    let quarantined = aws.drain("quarantine").await;
    let kept: Vec<_> = quarantined
        .iter()
        .map(|message| message.body["data_base64"].clone())
        .collect();
    let sent = bodies
        .iter()
        .map(|body| body.as_bytes())
        .chain([&bytes[..]]);
    assert_eq!(
        kept,
        sent.map(|body| json!(base64(body))).collect::<Vec<_>>()
    );
    for message in &quarantined {
        assert_eq!(message.body["gatewaysource"], "studio");
        assert_eq!(message.body["type"], "io.webhook-gateway.event.quarantined");
        assert!(message.body["reason"].as_str().unwrap().len() > 10);
    }
    assert_eq!(
        quarantined[5].body["datacontenttype"],
        "application/octet-stream"
    );
}

#[tokio::test]
async fn requests_for_no_source_or_by_no_post_are_refused() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let unknown = send(&mut function, &signed("nobody", "{}")).await;
    assert_eq!(
        (unknown.status, &unknown.body["title"]),
        (404, &json!("Not Found"))
    );
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let answer = send(&mut function, &request(method, "studio", "", &[])).await;
        assert_eq!(
            (answer.status, &answer.headers["allow"]),
            (405, &json!("POST, OPTIONS")),
            "{method}"
        );
    }
    let mut undecodable = signed("studio", "%%%");
    undecodable["isBase64Encoded"] = json!(true);
    assert_eq!(status(&mut function, &undecodable).await, 400);
}

#[tokio::test]
async fn a_handshake_is_consented_to_for_the_origins_of_the_source_only() {
    let aws = Aws::start().await;
    aws.put_sources(&json!({
        "content": {"provider": "woodwing", "secrets": [SECRET], "origins": ["studio.example.com"]},
        "open": {"provider": "woodwing", "secrets": [SECRET], "origins": ["*"]},
    }))
    .await;
    let mut function = aws.ingress().await;
    let shake = |source: &str, origin: &str| {
        let callback = "http://169.254.169.254/latest";
        request(
            "OPTIONS",
            source,
            "",
            &[
                ("webhook-request-origin", origin),
                ("webhook-request-callback", callback),
            ],
        )
    };
    for (source, origin) in [
        ("content", "studio.example.com"),
        ("content", "Studio.EXAMPLE.com"),
        ("open", "anywhere.example.net"),
    ] {
        let consent = send(&mut function, &shake(source, origin)).await;
        assert_eq!(consent.status, 200);
        assert_eq!(consent.headers["webhook-allowed-origin"], origin);
        assert_eq!(consent.headers["webhook-allowed-rate"], "*");
        assert_eq!(consent.headers["allow"], "POST, OPTIONS");
    }
    for (source, origin, expected) in [
        ("content", "evil.example.com", 405),
        ("open", "", 405),
        ("nobody", "studio.example.com", 404),
    ] {
        let refusal = send(&mut function, &shake(source, origin)).await;
        assert_eq!(refusal.status, expected);
        assert_eq!(refusal.headers.get("webhook-allowed-origin"), None);
    }
}

#[tokio::test]
async fn a_source_without_a_usable_secret_never_accepts() {
    let aws = Aws::start().await;
    aws.put_sources(&json!({
        "blank": {"provider": "creative-force", "secrets": ["", " \n"]},
        "typo": {"provider": "creative-farce", "secrets": [SECRET]},
        "unsigned": {"provider": "creative-force", "unsigned": true},
        "studio": {"provider": "creative-force", "secrets": [SECRET]},
    }))
    .await;
    let mut function = aws.ingress().await;
    let body = webhook::creative_force("p-1", "");
    for (source, secret) in [("blank", ""), ("blank", " \n"), ("typo", SECRET)] {
        let event = request(
            "POST",
            source,
            &body,
            &[("x-cf-signature", &sign(secret, body.as_bytes()))],
        );
        let answer = send(&mut function, &event).await;
        assert_eq!(
            (answer.status, &answer.headers["retry-after"]),
            (503, &json!("30")),
            "{source}"
        );
    }
    assert_eq!(
        status(&mut function, &request("POST", "unsigned", &body, &[])).await,
        200
    );
    assert_eq!(status(&mut function, &signed("studio", &body)).await, 200);
}

#[tokio::test]
async fn a_rotated_secret_and_a_new_source_work_at_once_and_a_flood_does_not_read_them_again() {
    let aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    assert_eq!(
        status(
            &mut function,
            &signed("studio", &webhook::creative_force("p-1", ""))
        )
        .await,
        200
    );

    // A rule that changes nothing, but leaves a trace, shows the reads.
    let read = Call {
        service: "secretsmanager",
        operation: "GetSecretValue",
        body: None,
    };
    proxy.trace(read).await;
    aws.put_sources(&json!({
        "studio": {"provider": "creative-force", "secrets": ["new", SECRET]},
        "added": {"provider": "creative-force", "secrets": [SECRET]},
    }))
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let body = webhook::creative_force("p-2", "");
    let rotated = request(
        "POST",
        "studio",
        &body,
        &[("x-cf-signature", &sign("new", body.as_bytes()))],
    );
    let before = std::time::Instant::now();
    assert_eq!(status(&mut function, &rotated).await, 200);
    assert_eq!(proxy.fired().await, 1, "a miss reads the sources anew");
    assert_eq!(status(&mut function, &signed("added", &body)).await, 200);

    for number in 0..20 {
        let forged = request(
            "POST",
            "studio",
            &body,
            &[("x-cf-signature", &sign(&number.to_string(), b""))],
        );
        assert_eq!(status(&mut function, &forged).await, 401);
        assert_eq!(
            status(&mut function, &signed(&format!("made-up-{number}"), &body)).await,
            404
        );
    }
    let reads = proxy.fired().await;
    let most = 1 + before.elapsed().as_secs() / 10;
    assert!(
        reads as u64 <= most,
        "a flood reads once in 10 s, not {reads} times"
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_answered_503() {
    let aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let body = webhook::creative_force("p-1", "");

    proxy
        .break_down(
            "secretsmanager",
            "GetSecretValue",
            "AccessDeniedException",
            400,
        )
        .await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    let no_sources = send(&mut function, &signed("studio", &body)).await;
    assert_eq!(
        (no_sources.status, &no_sources.headers["retry-after"]),
        (503, &json!("30"))
    );
    assert_eq!(no_sources.body["title"], "Service Unavailable");
    proxy.heal().await;
    assert_eq!(
        status(&mut function, &signed("studio", &body)).await,
        200,
        "no restart is needed"
    );

    for (service, operation, code, body) in [
        (
            "dynamodb",
            "PutItem",
            "AccessDeniedException",
            webhook::creative_force("p-2", ""),
        ),
        (
            "s3",
            "PutObject",
            "AccessDenied",
            webhook::creative_force("p-3", &"x".repeat(300_000)),
        ),
    ] {
        proxy.break_down(service, operation, code, 403).await;
        let refused = send(&mut function, &signed("studio", &body)).await;
        assert_eq!(
            (refused.status, &refused.headers["retry-after"]),
            (503, &json!("30")),
            "{operation}"
        );
        proxy.heal().await;
        assert_eq!(
            status(&mut function, &signed("studio", &body)).await,
            200,
            "{operation}"
        );
    }

    aws.put_sources_text("{\"sources\": ").await;
    assert_eq!(
        status(
            &mut function,
            &signed("studio", &webhook::creative_force("p-4", ""))
        )
        .await,
        200
    );
    let mut other = aws.ingress().await;
    assert_eq!(status(&mut other, &signed("studio", &body)).await, 503);
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}
