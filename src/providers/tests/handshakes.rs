//! `tests/vectors/handshakes.json`: requests, and the exact answers.

use super::{Case, read};
use crate::crypto::secret::Secret;
use crate::providers::handshake::{Answer, Effect, Facts, Reply};
use crate::providers::recipe::Recipe;
use crate::providers::{Incoming, Verified};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::cases::preset_with;

/// The recipe of a source with this handshake: of a preset that has it, if there is one.
fn recipe_with(handshake: &str, verify_token: Option<&str>) -> Recipe {
    let preset = preset_with(handshake);
    let fields = match (preset, handshake) {
        ("custom", handshake) => json!({
            "signature_header": "X-Signature", "event": {"type": "com.example"},
            "handshake": if handshake == "none" { Value::Null } else { handshake.into() },
        }),
        (_, "hub") => json!({"verify_token": verify_token}),
        _ => json!({}),
    };
    Recipe::of_source(preset, fields.as_object().unwrap()).unwrap()
}

/// What becomes of a request: a reply, a rejection, a record, or nothing that is allowed.
enum Outcome {
    Replied(Reply),
    Rejected,
    Recorded(HeaderMap),
    NotAllowed,
}

/// The order of the HTTP path: a POST is verified, then it may be a handshake, then it is a webhook.
fn outcome(case: &Case, recipe: &Recipe) -> Outcome {
    let secrets = case.secrets(recipe);
    let now = Timestamp::from_second(case.now).unwrap();
    case.with(|incoming| {
        let verified = recipe.verify(incoming, &secrets, &case.url, now).ok();
        let verified: Option<Verified<'_>> = verified.filter(|_| incoming.method == "POST");
        let facts = Facts {
            secrets: &secrets,
            waits: case.waiting,
            verified,
        };
        match (recipe.answer(incoming, facts), verified) {
            (Some(reply), _) => Outcome::Replied(reply),
            (None, _) if incoming.method != "POST" => Outcome::NotAllowed,
            (None, None) => Outcome::Rejected,
            (None, Some(_)) => {
                Outcome::Recorded(recipe.echo(incoming, &secrets).into_iter().collect())
            }
        }
    })
}

fn headers_of(answer: &Answer) -> HeaderMap {
    answer.headers.iter().cloned().collect()
}

fn has_headers(headers: &HeaderMap, expected: &Value) -> bool {
    let pairs = expected.as_array().into_iter().flatten();
    pairs.into_iter().all(|pair| {
        let value = headers.get(pair[0].as_str().unwrap());
        value.is_some_and(|value| value == pair[1].as_str().unwrap())
    })
}

fn is_as_expected(outcome: &Outcome, expected: &Value) -> bool {
    let status = expected["status"].as_u64();
    let is_answered = expected["answered"] == true;
    match outcome {
        Outcome::Replied(Reply::Answer(answer)) => {
            let kept = || answer.headers[0].1.to_str().unwrap();
            let effect = match &answer.effect {
                None => json!({}),
                Some(Effect::KeepSecret) => json!({"keeps": kept()}),
                Some(Effect::ShowToken(text)) => json!({"shows": text}),
            };
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            is_answered
                && status == Some(200)
                && has_headers(&headers_of(answer), &expected["headers"])
                && expected.get("body").is_none_or(|text| *text == answer.body)
                && expected.get("json").is_none_or(|json| *json == body)
                && expected.get("keeps") == effect.get("keeps")
                && expected.get("shows") == effect.get("shows")
        }
        Outcome::Replied(Reply::Refused(refusal)) => {
            !is_answered && status.is_none_or(|status| status == u64::from(*refusal))
        }
        Outcome::Rejected => !is_answered && status.is_none_or(|status| status == 401),
        Outcome::NotAllowed => !is_answered && status.is_none_or(|status| status == 405),
        Outcome::Recorded(headers) => {
            !is_answered
                && status.is_none_or(|status| status == 200)
                && (expected["recorded"] == true || status.is_none())
                && has_headers(headers, &expected["headers"])
        }
    }
}

#[test]
fn each_handshake_is_answered_as_its_cases_say() {
    let cases: Vec<Case> = read("handshakes.json");
    let mut faults = Vec::new();
    for case in &cases {
        let recipe = recipe_with(&case.handshake, case.verify_token.as_deref());
        let outcome = outcome(case, &recipe);
        if !is_as_expected(&outcome, &case.expect) {
            let got = match outcome {
                Outcome::Replied(reply) => format!("{reply:?}"),
                Outcome::Rejected => "rejected".to_owned(),
                Outcome::NotAllowed => "not allowed".to_owned(),
                Outcome::Recorded(headers) => format!("recorded {headers:?}"),
            };
            faults.push(format!(
                "{} ({}): {got}\n  {}",
                case.name, case.why, case.expect
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
    assert!(cases.len() > 150);
}

/// The reply to a request of a source that has a secret, or waits for it.
fn reply(
    handshake: &str,
    request: (&str, &str, &[u8]),
    verified_by: Option<usize>,
    waits: bool,
) -> Option<Reply> {
    let (method, query, body) = request;
    let recipe = recipe_with(handshake, Some("a-token"));
    let mut headers = HeaderMap::new();
    for name in [
        "x-okta-verification-challenge",
        "x-hook-secret",
        "x-adobesign-clientid",
    ] {
        headers.insert(name, "a-secret".parse().unwrap());
    }
    let secrets: Vec<Secret> = ["another", "a-secret"]
        .into_iter()
        .filter_map(Secret::new)
        .collect();
    let incoming = Incoming {
        method,
        query,
        headers: &headers,
        body,
    };
    let verified = verified_by.map(|position| Verified {
        body,
        secret: Some(position),
    });
    let facts = Facts {
        secrets: if waits { &[] } else { &secrets },
        waits,
        verified,
    };
    recipe.answer(&incoming, facts)
}

const QUERY: &str =
    "challenge=a&validationToken=a&hub.mode=subscribe&hub.challenge=a&hub.verify_token=a-token";
const CHALLENGE: &[u8] = br#"{"challenge":"a"}"#;
const PING: &[u8] = b"webhook_id=1";

#[test]
fn a_handshake_has_its_methods_and_no_other() {
    for (handshake, body, methods) in [
        ("challenge", &b""[..], &["GET"][..]),
        ("hub", b"", &["GET"]),
        ("validation-token", b"", &["GET", "POST"]),
        ("echo-challenge", CHALLENGE, &["POST"]),
        ("okta", b"", &["GET"]),
        (
            "header-echo",
            b"",
            &["GET", "HEAD", "PUT", "OPTIONS", "get"],
        ),
        ("ping", PING, &["GET", "HEAD", "POST"]),
        ("cloudevents", b"", &[]),
        ("none", CHALLENGE, &[]),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "get"] {
            let reply = reply(handshake, (method, QUERY, body), None, false);
            let is_answered = matches!(reply, Some(Reply::Answer(_)));
            assert_eq!(
                is_answered,
                methods.contains(&method),
                "{handshake} {method}"
            );
        }
    }
    let token = br#"{"verification_token":"a"}"#;
    for method in ["GET", "HEAD", "PUT"] {
        for waits in [true, false] {
            assert_eq!(reply("hook-secret", (method, "", b""), None, waits), None);
        }
        assert_eq!(
            reply("verification-token", (method, "", token), None, true),
            None
        );
        let slack = br#"{"type":"url_verification","challenge":"a"}"#;
        assert_eq!(reply("slack", (method, "", slack), Some(1), false), None);
        let zoom = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"a"}}"#;
        assert_eq!(reply("zoom", (method, "", zoom), Some(1), false), None);
    }
}

#[test]
fn what_a_secret_vouches_for_is_a_webhook() {
    for (handshake, body) in [
        ("validation-token", &b"{}"[..]),
        ("echo-challenge", CHALLENGE),
        ("ping", PING),
    ] {
        let request = ("POST", QUERY, body);
        assert!(
            reply(handshake, request, None, false).is_some(),
            "{handshake}"
        );
        assert_eq!(
            reply(handshake, request, Some(1), false),
            None,
            "{handshake}"
        );
    }
}

#[test]
fn a_secret_is_taken_only_while_the_source_waits_and_has_none() {
    let token = br#"{"verification_token":"a"}"#;
    for (handshake, body) in [("hook-secret", &b""[..]), ("verification-token", token)] {
        let request = ("POST", "", body);
        let taken = reply(handshake, request, None, true);
        let Some(Reply::Answer(Answer {
            effect: Some(_), ..
        })) = taken
        else {
            panic!("{handshake}: {taken:?}");
        };
        let recipe = recipe_with(handshake, None);
        let secrets = [Secret::new("a").unwrap()];
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("x-hook-secret"),
            "b".parse().unwrap(),
        )]);
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &headers,
            body,
        };
        let facts = Facts {
            secrets: &secrets,
            waits: true,
            verified: None,
        };
        assert_eq!(recipe.answer(&incoming, facts), None, "{handshake}");
    }
}

#[test]
fn a_secret_of_the_source_is_repeated_and_kept_by_nobody() {
    // The second of the secrets is in the header.
    let request = ("POST", "", &b""[..]);
    let Some(Reply::Answer(answer)) = reply("hook-secret", request, None, false) else {
        panic!("it is not repeated");
    };
    assert_eq!(headers_of(&answer)["x-hook-secret"], "a-secret");
    assert_eq!(answer.effect, None);
    assert_eq!(reply("hook-secret", request, Some(1), false), None);
    assert_eq!(reply("verification-token", request, None, false), None);
}

#[test]
fn a_refusal_has_the_form_of_the_handshake_and_nothing_to_repeat() {
    let status = |handshake, query: &str, body: &[u8], verified| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        match reply(handshake, (method, query, body), verified, false) {
            Some(Reply::Refused(status)) => Some(status),
            Some(Reply::Answer(_)) => Some(200),
            None => None,
        }
    };
    assert_eq!(
        status("challenge", "challenge=a&challenge=b", b"", None),
        Some(400)
    );
    assert_eq!(status("challenge", "challenge", b"", None), Some(400));
    assert_eq!(status("challenge", "Challenge=a", b"", None), None);
    assert_eq!(
        status("hub", "hub.mode=subscribe&hub.challenge=a", b"", None),
        Some(403)
    );
    assert_eq!(
        status("hub", "hub.challenge=a&hub.verify_token=a-token", b"", None),
        None
    );
    let long = format!(r#"{{"challenge":"a"{}}}"#, " ".repeat(9_000));
    assert_eq!(status("echo-challenge", "", long.as_bytes(), None), None);
    let zoom = |token: &str| {
        format!(r#"{{"event":"endpoint.url_validation","payload":{{"plainToken":"{token}"}}}}"#)
    };
    assert_eq!(
        status("zoom", "", zoom("v0:1:{}").as_bytes(), Some(1)),
        Some(400)
    );
    assert_eq!(status("zoom", "", zoom("a").as_bytes(), Some(1)), Some(200));
    assert_eq!(status("zoom", "", zoom("a").as_bytes(), None), None);
    assert_eq!(status("zoom", "", zoom("a").as_bytes(), Some(9)), None);
    for body in [
        &b"webhook_id="[..],
        b"webhook_id=123456789012345678901",
        b"webhook_id=1a",
        b"Ping tests",
        br#"{"text":1}"#,
    ] {
        assert_eq!(status("ping", "", body, None), None);
    }
    for body in [
        &b"webhook_id=12345678901234567890"[..],
        b" Ping test\n",
        b"\"Ping test\"",
    ] {
        assert_eq!(status("ping", "", body, None), Some(200));
    }
}
