//! `tests/vectors/handshakes.json`: requests, and the exact answers.

use super::{Case, read};
use crate::providers::Verified;
use crate::providers::handshake::{Answer, Effect, Facts, Reply};
use crate::providers::recipe::Recipe;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The recipe of a source with this handshake: of a preset that has it, if there is one.
fn recipe_with(handshake: &str, verify_token: Option<&str>) -> Recipe {
    let preset = match handshake {
        "challenge" => "dropbox",
        "hub" => "meta",
        "validation-token" => "microsoft-graph",
        "slack" => "slack",
        "zoom" => "zoom",
        "okta" => "okta",
        "hook-secret" => "asana",
        "verification-token" => "notion",
        "header-echo" => "acrobat-sign",
        "ping" => "hibob",
        _ => "custom",
    };
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
            let effect = match &answer.effect {
                None => json!({}),
                Some(Effect::StoreSecret(text)) => json!({"stores": text}),
                Some(Effect::ShowToken(text)) => json!({"shows": text}),
            };
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            is_answered
                && status == Some(200)
                && has_headers(&headers_of(answer), &expected["headers"])
                && expected.get("body").is_none_or(|text| *text == answer.body)
                && expected.get("json").is_none_or(|json| *json == body)
                && expected.get("stores") == effect.get("stores")
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
