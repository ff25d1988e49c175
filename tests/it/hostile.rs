//! I11 and I12: whatever a request contains, the process lives, stays small and keeps its secrets.
//!
//! Seen to fail: I11 with a panic at a body that is not JSON, and with a comparison of each member of a
//! WoodWing event with all others, which takes minutes for 350,000 members; I12 with the request's headers in
//! a log line, and with the body in the message of that panic.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::cloudevents::assert_strict;
use testkit::function::Answer;
use testkit::webhook::{SECRET, creative_force, request, sign, signed};

/// Half of the memory that the template gives the function.
const MAX_MEGABYTES: usize = 128;

fn hostile_bodies() -> Vec<String> {
    let id = "f0e1d2c3";
    let with = |member: &str| {
        format!(r#"{{"PayloadId":"{id}","EventGroupName":"product","Action":"Reset",{member}}}"#)
    };
    vec![
        "[".repeat(4_400_000),
        r#"{"a":"#.repeat(700_000),
        "\"".repeat(1_000_001),
        format!("\"{}", "\\".repeat(1_000_001)),
        with(r#""x":"\ud800","y":"\udfff\ud800""#),
        with(r#""\ud800":1"#),
        with(&format!(r#""x":{}"#, "9".repeat(1_000_000))),
        with(r#""x":-0e-999999999999999999999"#),
        with(r#""EventDatetimeUtc":9223372036854775807"#),
        with(r#""EventDatetimeUtc":-1e308"#),
        with(&format!(r#""ProductId":"{}""#, "p".repeat(600_000))),
        format!(
            r#"{{"PayloadId":"{}","EventGroupName":"product","Action":"Reset"}}"#,
            "i".repeat(600_000)
        ),
        format!(
            r#"{{"PayloadId":"{id}","EventGroupName":"product","Action":"{}"}}"#,
            "Ab".repeat(300_000)
        ),
        format!(
            r#"{{"PayloadId":"{id}","EventGroupName":"{}","Action":"a"}}"#,
            "İ".repeat(1000)
        ),
        with(
            &(0..50_000)
                .map(|n| format!(r#""PayloadId{n}":{n}"#))
                .collect::<Vec<_>>()
                .join(","),
        ),
        "\0".repeat(1000),
        "\u{feff}{}".to_owned(),
        String::new(),
    ]
}

/// Bodies of WoodWing, each as large as a request can be.
fn hostile_events_of_woodwing() -> Vec<String> {
    let with = |member: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"urn:x","type":"com.woodwing.x",{member}}}"#
        )
    };
    let members = |count: usize, member: &dyn Fn(usize) -> String| {
        with(&(0..count).map(member).collect::<Vec<_>>().join(","))
    };
    let (long, escapes) = ("x".repeat(4_300_000), r"\u0078".repeat(700_000));
    vec![
        members(350_000, &|n| format!(r#""m{n}":1"#)),
        members(350_000, &|n| format!(r#""m{}":1"#, n % 2)),
        members(4_000, &|n| format!(r#""{n}{}":{n}"#, "m".repeat(1_000))),
        members(996, &|n| format!(r#""m{n}":"{}""#, "m".repeat(4_000))),
        with(&format!(r#""type":"com.woodwing.{long}""#)),
        with(&format!(r#""source":"urn:{}""#, "%25".repeat(1_400_000))),
        with(&format!(r#""subject":"{long}""#)),
        with(&format!(r#""time":"{}""#, "2".repeat(4_300_000))),
        with(&format!(r#""dataschema":"urn:{long}""#)),
        with(&format!(r#""datacontenttype":"a/{long}""#)),
        with(&format!(r#""data_base64":"{}""#, "AAAA".repeat(1_000_000))),
        with(&format!(r#""extension":"{escapes}""#)),
        with(&format!(
            r#""extension":{}"#,
            "[{\"a\":1}],".repeat(300_000) + "1"
        )),
        with(&format!(r#""{escapes}":1"#)),
        with(&format!(r#""data":[{}1]"#, "[1],".repeat(1_000_000))),
    ]
}

fn hostile_events() -> Vec<Value> {
    let without = |pointer: &str, member: &str| {
        let mut event = signed("studio", "{}");
        event
            .pointer_mut(pointer)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(member);
        event
    };
    let with = |member: &str, value: Value| {
        let mut event = signed("studio", "{}");
        event[member] = value;
        event
    };
    vec![
        without("", "body"),
        without("", "pathParameters"),
        without("", "isBase64Encoded"),
        without("/requestContext", "stage"),
        with("body", Value::Null),
        with("isBase64Encoded", json!(true)),
        with("pathParameters", json!({"source": "../../etc/passwd"})),
        with("pathParameters", json!({"source": "x".repeat(10_000)})),
        with("pathParameters", json!({"other": "studio"})),
        with("rawPath", json!("/\u{0}\u{ffff}")),
        with(
            "headers",
            json!({"x-cf-signature": "é".repeat(64), "x-cf-event": "Tâche terminée"}),
        ),
        with("headers", json!({})),
        with("headers", json!({"webhook-request-origin": "\u{e9}"})),
    ]
}

#[tokio::test]
async fn no_request_ends_the_process_or_goes_without_an_answer() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({
        "studio": {"provider": "creative-force", "secrets": [SECRET]},
        "content": {"provider": "woodwing", "secrets": [SECRET]},
    }))
    .await;
    let mut function = aws.ingress().await;
    let bodies = hostile_bodies();
    let studio = bodies.iter().map(|body| signed("studio", body));
    let bodies = hostile_events_of_woodwing();
    let content = bodies.iter().map(|body| {
        let signature = sign(SECRET, body.as_bytes());
        request("POST", "content", body, &[("x-hook-signature", &signature)])
    });
    for (number, event) in studio.chain(content).enumerate() {
        let answer = function.invoke(&event).await;
        let Answer::Success(response) = &answer else {
            panic!("body {number}: {answer:?}")
        };
        assert_eq!(response["statusCode"], 200, "body {number}: {response}");
        // One by one: in one batch, all of these megabytes would take a busy machine too long.
        aws.drain_stream(&mut function).await;
    }
    for (number, event) in hostile_events().iter().enumerate() {
        let answer = function.invoke(event).await;
        let Answer::Success(response) = &answer else {
            panic!("event {number}: {answer:?}")
        };
        let status = response["statusCode"].as_u64().unwrap();
        assert!(
            [200, 400, 401, 404].contains(&status),
            "event {number}: {response}"
        );
    }
    aws.drain_stream(&mut function).await;
    let published = [aws.drain("events").await, aws.drain("quarantine").await].concat();
    assert_eq!(published.len(), aws.recorded().await.len());
    let mut texts = Vec::new();
    for message in published {
        texts.push(aws.event(message).await);
    }
    assert_strict(&texts);
    let peak = function.peak_megabytes();
    assert!(peak < MAX_MEGABYTES, "{peak} MB");
}

#[tokio::test]
async fn no_secret_signature_or_body_is_in_any_line_that_the_function_writes() {
    let canary = "canary-7b1f0a";
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({
        "studio": {"provider": "creative-force", "secrets": [SECRET, "canary-7b1f0a-old"]},
        "mistyped": {"provider": "canary-7b1f0a-provider", "secrets": ["canary-7b1f0a-secret"]},
        "misplaced": "canary-7b1f0a-secret",
        "misspelled": {"provider": "creads", "secrets": "canary-7b1f0a-secret"},
    }))
    .await;
    let mut function = aws.ingress().await;
    let body = creative_force("p-1", canary);
    let good = sign(SECRET, body.as_bytes());
    let forged = sign(canary, body.as_bytes());
    let forged_too = [("x-cf-signature", &*forged), ("authorization", canary)];
    let made_up = [("x-cf-signature", canary)];
    let elsewhere = [("x-cf-signature", &*good)];
    for (event, status) in [
        (signed("studio", &body), 200),
        (signed("studio", &body), 200),
        (
            signed("studio", &creative_force("p-1", "canary-7b1f0a again")),
            200,
        ),
        (signed("studio", canary), 200),
        (signed("mistyped", &body), 503),
        (signed("misplaced", &body), 503),
        (signed("misspelled", &body), 503),
        (request("POST", "studio", &body, &forged_too), 401),
        (request("POST", "studio", &body, &made_up), 401),
        (request("POST", "nobody", &body, &elsewhere), 404),
    ] {
        function.answered(&event, status).await;
    }
    aws.drain_stream(&mut function).await;
    aws.put_sources_text("{\"sources\": canary-7b1f0a").await;
    let mut restarted = aws.ingress().await;
    restarted.answered(&signed("studio", &body), 503).await;

    let lines = [function.output().await, restarted.output().await].concat();
    for line in &lines {
        assert!(
            serde_json::from_str::<Value>(line).is_ok(),
            "not JSON: {line}"
        );
        for hidden in [canary, SECRET, &good, &forged, "Note"] {
            assert!(!line.contains(hidden), "{hidden} is in {line}");
        }
    }
    let requests: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<_> = requests
        .iter()
        .filter(|line| !line["status"].is_null())
        .map(|line| line["outcome"].clone())
        .collect();
    let expected = [
        "accepted",
        "duplicate",
        "conflict",
        "quarantined",
        "failed",
        "failed",
        "failed",
        "rejected",
        "rejected",
        "rejected",
        "failed",
    ];
    assert_eq!(outcomes, expected);
    let accepted = requests
        .iter()
        .find(|line| line["outcome"] == "accepted")
        .unwrap();
    assert_eq!(
        (&accepted["source"], &accepted["event.id"]),
        (&json!("studio"), &json!("p-1"))
    );
    assert!(accepted["request_ms"].is_number() && accepted["accepted"] == 1);
    let metrics = &accepted["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Dimensions"], json!([["source", "provider"], []]));
}
