//! An invalid part of a request never fails the invocation: API Gateway would answer 500, and no line of ours
//! would name the source. The function ignores the part or answers 4xx. Only an event that is neither a
//! request nor a batch fails the invocation.
//!
//! Seen to fail: with requests read as `lambda_http` reads them, at the first odd header.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::eventually;
use testkit::function::{Answer, Function};
use testkit::webhook::{SECRET, creative_force, request, sign, signed};

/// The placeholder in an event for a text that is no value of `serde_json`.
const HERE: &str = "here";

/// The text of an authentic request, with this text at a pointer.
fn with(pointer: &str, text: &str) -> String {
    let mut event = signed("studio", &creative_force("p-1", "é"));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = json!(HERE);
    event.to_string().replace(&format!("\"{HERE}\""), text)
}

/// The text of an authentic request with this additional header.
fn with_header(name: &str, value: &str) -> String {
    let body = creative_force("p-1", "é");
    let signature = sign(SECRET, body.as_bytes());
    with(
        "/headers",
        &format!(r#"{{{name}:{value},"x-cf-signature":"{signature}"}}"#),
    )
    .replace(HERE, "")
}

async fn status(function: &mut Function, event: String) -> u64 {
    match function.invoke_text(event.clone()).await {
        Answer::Success(response) => response["statusCode"].as_u64().unwrap(),
        failed => panic!("{failed:?} for {event:.1000}"),
    }
}

#[tokio::test]
async fn odd_headers_are_ignored() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let long = format!("\"{}\"", "x".repeat(70_000));
    for value in [
        r#""a\u007fb""#,
        r#""\u0000""#,
        r#""a\nb""#,
        r#""a\r\nx-cf-signature: b""#,
        r#""\u001b[2J""#,
        r#""é""#,
        r#""\uffff""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "null",
        "5",
        "1e400",
        "true",
        "{}",
        "[]",
        r#"[null,"a",5]"#,
        r#"["a","b"]"#,
        "\"\"",
        &long,
    ] {
        let event = with_header(r#""x-odd""#, value);
        assert_eq!(status(&mut function, event).await, 200, "{value:.100}");
    }
    for name in [
        "\"\"",
        "\" \"",
        r#""a b""#,
        r#""a:b""#,
        r#""a(b)""#,
        r#""x\u0000""#,
        r#""x\n""#,
        r#""\u007f""#,
        r#""é""#,
        r#""\ud800""#,
        r#""\uffff""#,
        r#""X-CF-Signature\u0000""#,
        r#""x-cf-signature ""#,
        &long,
    ] {
        let event = with_header(name, "\"a\"");
        assert_eq!(status(&mut function, event).await, 200, "{name:.100}");
    }
    for headers in [
        "null",
        "[]",
        "{}",
        "5",
        "\"x\"",
        r#"{"x-cf-signature":null}"#,
        r#"{"x-cf-signature":"\u0000"}"#,
    ] {
        let event = with("/headers", headers);
        assert_eq!(status(&mut function, event).await, 401, "{headers}");
    }
    // The first example that was found.
    let noise = r#"{"version":"2.0","routeKey":"ANY /webhooks/{source}","rawPath":"/webhooks/x","rawQueryString":"",
        "headers":{"x-city":"a\u007fb"},"requestContext":{"accountId":"0","apiId":"x","domainName":"x","domainPrefix":"x",
        "http":{"method":"GET","path":"/webhooks/x","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"t"},
        "requestId":"r","routeKey":"x","stage":"$default","time":"12/Mar/2020:19:03:58 +0000","timeEpoch":0},
        "pathParameters":{"source":"x"},"isBase64Encoded":false}"#;
    assert_eq!(status(&mut function, noise.to_owned()).await, 405);
}

#[tokio::test]
async fn other_odd_parts_are_ignored_or_answered() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let odd = [
        "null",
        "5",
        "1e400",
        "true",
        "\"x\"",
        r#""\ud800""#,
        "[]",
        "[5]",
        "{}",
        r#"{"a":null}"#,
        r#"{"\ud800":{"a":5}}"#,
    ];
    for part in [
        "/version",
        "/routeKey",
        "/rawPath",
        "/rawQueryString",
        "/queryStringParameters",
        "/cookies",
        "/stageVariables",
        "/requestContext/accountId",
        "/requestContext/authorizer",
        "/requestContext/authentication",
        "/requestContext/stage",
        "/requestContext/timeEpoch",
        "/requestContext/http/path",
        "/requestContext/http/sourceIp",
        "/requestContext/http/userAgent",
    ] {
        for value in odd {
            let event = with(part, value);
            assert_eq!(status(&mut function, event).await, 200, "{part}: {value}");
        }
    }
    for (part, expected) in [
        ("/pathParameters", 404),
        ("/pathParameters/source", 404),
        ("/requestContext/http/method", 405),
    ] {
        for value in odd {
            let event = with(part, value);
            assert_eq!(
                status(&mut function, event).await,
                expected,
                "{part}: {value}"
            );
        }
    }
    for value in ["5", "true", r#""\ud800""#, "[]", "{}"] {
        let event = with("/body", value);
        assert_eq!(status(&mut function, event).await, 400, "body: {value}");
    }
    for (value, expected) in [
        ("null", 200),
        ("false", 200),
        ("true", 400),
        ("5", 400),
        ("\"true\"", 400),
        ("[]", 400),
        ("{}", 400),
    ] {
        let event = with("/isBase64Encoded", value);
        assert_eq!(
            status(&mut function, event).await,
            expected,
            "flag: {value}"
        );
    }
    assert_eq!(status(&mut function, with("/body", "null")).await, 401);
}

#[tokio::test]
async fn what_is_neither_a_request_nor_a_batch_fails() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for event in [
        "{}",
        "[]",
        "null",
        "5",
        "\"x\"",
        r#"{"Records":5}"#,
        r#"{"Records":null}"#,
        r#"{"requestContext":{}}"#,
        r#"{"requestContext":5}"#,
        r#"{"requestContext":{"http":null}}"#,
        r#"{"requestContext":{"elb":{}},"headers":{}}"#,
        r#"{"body":"{}"}"#,
    ] {
        let answer = function.invoke_text(event.to_owned()).await;
        let Answer::Error(error) = &answer else {
            panic!("{event}: {answer:?}");
        };
        assert_eq!(error["errorType"], "FanoutError", "{event}");
    }
}

#[tokio::test]
async fn a_slash_after_the_name_of_the_source_makes_no_difference() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for (name, expected) in [
        ("studio/", 200),
        ("studio//", 200),
        ("studio/x", 404),
        ("/", 404),
        ("/studio", 404),
    ] {
        let mut event = signed("studio", &creative_force("p-1", ""));
        event["pathParameters"]["source"] = json!(name);
        assert_eq!(
            status(&mut function, event.to_string()).await,
            expected,
            "{name}"
        );
    }
}

/// The reasons in the lines of all requests so far. There must be this many.
async fn reasons(function: &Function, count: usize) -> Vec<String> {
    let lines = async || {
        let output = function.output().await;
        let lines = output
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines
            .filter(|line: &Value| line["status"].is_number())
            .collect::<Vec<_>>()
    };
    eventually("a line of each request", || async {
        lines().await.len() == count
    })
    .await;
    let lines = lines().await;
    lines
        .iter()
        .map(|line| line["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn a_body_that_was_changed_on_its_way_is_not_put_down_to_the_secret() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let bytes = b"{\"PayloadId\":\"p-1\",\"EventGroupName\":\"product\",\"Action\":\"Reset\",\"a\":\"\xff\"}";
    let (right, wrong) = (sign(SECRET, bytes), sign("another", bytes));
    let text = String::from_utf8_lossy(bytes);
    let genuine = sign(SECRET, text.as_bytes());
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff";
    let request = |body: &str, signature: &str, encoding: &str| {
        let headers = [
            ("x-cf-signature", signature),
            ("content-encoding", encoding),
        ];
        request("POST", "studio", body, &headers)
    };
    let as_bytes = |mut event: Value, body: &[u8]| {
        event["body"] = json!(STANDARD.encode(body));
        event["isBase64Encoded"] = json!(true);
        event
    };
    let requests = [
        (request(&text, &right, "identity"), 401, "UTF-8"),
        (request(&text, &right, "GZIP"), 401, "GZIP"),
        (request(&text, &genuine, ""), 200, ""),
        (
            request("{}", &right, ""),
            401,
            "matches none of the secrets",
        ),
        (
            as_bytes(request("", &wrong, ""), text.as_bytes()),
            401,
            "matches none of the secrets",
        ),
        (as_bytes(request("", &wrong, "gzip"), gzip), 401, "gzip"),
        (
            as_bytes(request("", &sign(SECRET, gzip), "gzip"), gzip),
            200,
            "gzip",
        ),
    ];
    for (number, (event, expected, _)) in requests.iter().enumerate() {
        assert_eq!(
            status(&mut function, event.to_string()).await,
            *expected,
            "request {number}"
        );
    }
    let reasons = reasons(&function, requests.len()).await;
    for (number, (reason, (_, _, expected))) in reasons.iter().zip(&requests).enumerate() {
        assert!(reason.contains(expected), "request {number}: {reason}");
        assert_eq!(
            reason.contains("need not be wrong"),
            [0, 1, 5].contains(&number),
            "request {number}: {reason}"
        );
    }
    aws.drain_stream(&mut function).await;
    let kept = aws.recorded().await;
    let encodings: Vec<_> = kept
        .iter()
        .map(|item| &item["headers"]["M"]["content-encoding"]["S"])
        .collect();
    assert!(encodings.contains(&&json!("gzip")), "{encodings:?}");
}
