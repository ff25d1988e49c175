//! What a recipe may be, and what its signatures are proof of. `tests/vectors/recipes-refused.json` has
//! objects that are no recipes, and the field that is to blame.

use super::{read, recipe};
use crate::providers::recipe::{Authenticity, Caution, Dedupe, Problem, Recipe};
use http::HeaderName;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Refused {
    name: String,
    recipe: Map<String, Value>,
    field: String,
}

#[test]
fn what_is_no_recipe_is_refused_by_the_name_of_its_field() {
    let cases: Vec<Refused> = read("recipes-refused.json");
    assert!(cases.len() >= 50);
    for Refused {
        name,
        recipe,
        field,
    } in cases
    {
        let error = Recipe::from_fields(&recipe).expect_err(&name);
        assert_eq!(error.field, field, "{name}: {error}");
    }
}

fn name(header: &'static str) -> HeaderName {
    HeaderName::from_static(header)
}

#[test]
fn only_a_signature_over_the_content_is_a_signature() {
    for (fields, expected) in [
        (json!({}), Authenticity::Signature),
        (
            json!({"signed": "{form}", "body": "form"}),
            Authenticity::Signature,
        ),
        (json!({"signed": "{header:X-Id}"}), Authenticity::Token),
        (json!({"signed": "{url}{method}"}), Authenticity::Token),
        (
            json!({"auth": "hash", "signed": "{secret}{header:X-Id}"}),
            Authenticity::Token,
        ),
        (
            json!({"auth": "token", "token_header": "X-Token"}),
            Authenticity::Token,
        ),
        (json!({"auth": "basic"}), Authenticity::Token),
        (json!({"auth": "none"}), Authenticity::None),
        (
            json!({"auth": "public-key", "algorithm": "ed25519", "signed": "{header:X-Id}"}),
            Authenticity::Token,
        ),
    ] {
        let recipe = recipe(fields.clone()).unwrap();
        assert_eq!(recipe.authenticity(), expected, "{fields}");
        let says = recipe.cautions().contains(&Caution::BodyNotBound);
        assert_eq!(says, expected == Authenticity::Token, "{fields}");
    }
}

#[test]
fn a_header_is_covered_where_it_is_signed_and_cut_by_a_literal() {
    let covers = |signed: &str, header| {
        let fields = json!({"signed": signed, "timestamp_header": "X-Time"});
        let without = json!({"signed": signed});
        let recipe = recipe(if signed.contains("{timestamp}") {
            fields
        } else {
            without
        });
        recipe.unwrap().covers(&name(header))
    };
    assert!(covers("{header:X-Id}.{body}", "x-id"));
    assert!(covers("{body}{header:X-Id}", "x-id"));
    assert!(covers("{timestamp}.{body}", "x-time"));
    assert!(!covers("{header:X-Id}.{body}", "x-type"));
    assert!(!covers("{header:X-Id}{header:X-Type}.{body}", "x-id"));
    assert!(!covers("{header:X-Id}{header:X-Type}.{body}", "x-type"));
    assert!(!covers("{timestamp}{header:X-Id}.{body}", "x-id"));
    assert!(!covers("{body}", "x-id"));
}

#[test]
fn copies_are_known_by_the_id_only_if_the_signature_covers_it() {
    let dedupe = |fields: Value| recipe(fields).unwrap().dedupe();
    let id = |id: &str| json!({"type": "a", "id": id});
    let signed = "{header:X-Id}.{body}";
    assert_eq!(dedupe(json!({"event": id("{$.id}")})), Dedupe::Id);
    assert_eq!(dedupe(json!({"event": id("{header:X-Id}")})), Dedupe::Body);
    assert_eq!(
        dedupe(json!({"event": id("{header:X-Id}"), "signed": signed})),
        Dedupe::Id
    );
    // Any place may be the one that is read.
    let either = id("{$.id|header:X-Id}");
    assert_eq!(dedupe(json!({"event": either})), Dedupe::Body);
    assert_eq!(
        dedupe(json!({"event": id("{$.id}"), "signed": "{header:X-Id}"})),
        Dedupe::Body
    );
    assert_eq!(
        dedupe(json!({"event": id("{$.id}"), "auth": "none"})),
        Dedupe::Body
    );
    let token = json!({"event": id("{$.id}"), "auth": "token", "token_header": "X-Token"});
    assert_eq!(dedupe(token), Dedupe::Body);
    let chosen = json!({"event": id("{header:X-Id}"), "dedupe": "id"});
    assert_eq!(dedupe(chosen.clone()), Dedupe::Id);
    let cautions = recipe(chosen).unwrap().cautions();
    let uncovered = Caution::Uncovered(name("x-id"));
    assert_eq!(cautions, [uncovered, Caution::UncoveredDedupe]);
}

#[test]
fn a_source_changes_single_fields_of_a_preset() {
    let of = |preset: &str, fields: Value| Recipe::of_source(preset, fields.as_object().unwrap());
    let github = of(
        "github",
        json!({"event": {"type": "x.{header:X-Kind}", "actor": null}}),
    )
    .unwrap();
    let headers: Vec<&str> = github
        .event_headers()
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(headers, ["x-github-delivery", "x-kind"]);
    // How the preset authenticates goes with it.
    let token = json!({"auth": "token", "token_header": "X-Token"});
    assert_eq!(
        of("stripe", token).unwrap().authenticity(),
        Authenticity::Token
    );
    let hash = of("cloudinary", json!({"algorithm": "sha256"})).unwrap();
    assert_eq!(hash.cautions(), []);
    let same = of("stripe", json!({"auth": "hmac"})).unwrap();
    assert_eq!(same, of("stripe", json!({})).unwrap());
    // Signatures have most fields in common.
    let by_key = json!({"auth": "public-key", "algorithm": "ed25519", "signature_prefix": "v1a,"});
    let by_key = of("standard-webhooks", by_key).unwrap();
    assert!(by_key.covers(&name("webhook-id")));
    let error = of(
        "sendgrid",
        json!({"auth": "public-key", "algorithm": "sha1"}),
    )
    .unwrap_err();
    assert_eq!(error.field, "algorithm");
    let hmac = of("sendgrid", json!({"auth": "hmac"})).unwrap();
    assert_eq!(hmac.authenticity(), Authenticity::Signature);
    // One place takes that of the other.
    let in_body = of("okta", json!({"token_path": "$.token"})).unwrap();
    assert!(
        in_body
            .authenticating_headers()
            .iter()
            .all(|name| name.as_str() != "authorization")
    );
    let in_header = json!({"token_header": "X-Token", "token_path": null});
    assert!(of("microsoft-graph", in_header).is_ok());
    assert!(of("microsoft-graph", json!({"token_header": "X-Token"})).is_ok());
    let timed = json!({"timestamp_header": "X-Time", "signed": "{timestamp}{body}"});
    assert!(of("linear", timed).unwrap().covers(&name("x-time")));
    assert!(
        of(
            "slack",
            json!({"timestamp_path": "$.event_time", "signed": "{body}"})
        )
        .is_ok()
    );
    let without = of("slack", json!({"handshake": null})).unwrap();
    assert!(without.handshake().is_none());
    let error = of("github", json!({"event": {"type": null}})).unwrap_err();
    assert_eq!(error.field, "event.type");
    let error = of("github", json!({"event": "x"})).unwrap_err();
    assert_eq!(error.field, "event");
    for (field, value) in [("event", json!({"type": "x"})), ("body", json!("form"))] {
        let error = of("creads", json!({field: value})).unwrap_err();
        assert_eq!(error.field, field);
        assert!(matches!(error.problem, Problem::Contradiction { .. }));
    }
    assert_eq!(of("acme", json!({})).unwrap_err().field, "provider");
    let error = of("custom", json!({"title": "x"})).unwrap_err();
    assert_eq!(error.problem, Problem::Unknown);
}

#[test]
fn what_does_not_go_together_is_an_error_of_its_field() {
    let list = |header: &str| json!({"forward_headers": [header]});
    let token = |event: Value| json!({"auth": "token", "token_header": "X-Token", "event": event});
    for (fields, field) in [
        (json!({"auth": "none", "encoding": "hex"}), "encoding"),
        (
            json!({"auth": "basic", "token_header": "X"}),
            "token_header",
        ),
        (
            json!({"auth": "basic", "signature_prefix": "X"}),
            "signature_prefix",
        ),
        (
            json!({"auth": "token", "token_path": "$.a", "signature_prefix": "x"}),
            "signature_prefix",
        ),
        (
            json!({"auth": "token", "token_header": "X", "secret_encoding": "hex"}),
            "secret_encoding",
        ),
        (json!({"timestamp_tolerance": "5m"}), "timestamp_tolerance"),
        (json!({"timestamp_format": "seconds"}), "timestamp_format"),
        (
            json!({"timestamp_path": "$.at", "timestamp_header": "X"}),
            "timestamp_header",
        ),
        (
            json!({"timestamp_path": "$.at", "signed": "{header:X}"}),
            "timestamp_path",
        ),
        (
            json!({"timestamp_path": "$.at", "body": "any"}),
            "timestamp_path",
        ),
        (json!({"timestamp_path": "at"}), "timestamp_path"),
        (
            json!({"signed": "{timestamp}{body}", "timestamp_header": "X-Signature", "delimiter": ","}),
            "timestamp_prefix",
        ),
        (json!({"event": {"type": "a", "id": "b"}}), "event.id"),
        (
            json!({"event": {"type": "a", "time_format": "seconds"}}),
            "event.time_format",
        ),
        (json!({"event": {"type": "a.{$.b?}"}}), "event.type"),
        (
            json!({"event": {"type": "a", "subject": "{$.a}"}, "body": "form"}),
            "event.subject",
        ),
        (
            json!({"event": {"type": "a", "subject": "{$.a}"}, "body": "any"}),
            "event.subject",
        ),
        (
            json!({"event": {"type": "a", "subject": "{form:a}"}, "body": "any"}),
            "event.subject",
        ),
        (list("Content Type"), "forward_headers"),
        (list("Authorization"), "forward_headers"),
        (list("Data"), "forward_headers"),
        (list("Partition-Key"), "forward_headers"),
        (list("Authenticity"), "forward_headers"),
        (list("---"), "forward_headers"),
        (
            json!({"forward_headers": ["X-A", "X-a"]}),
            "forward_headers",
        ),
        (json!({"forward_headers": "X-A"}), "forward_headers"),
        (token(json!({"type": "{header:x-token}"})), "event"),
        (
            json!({"event": {"type": "a", "actor": "{header:authorization}"}}),
            "event",
        ),
        (
            json!({"response": {"status": 204, "headers": {}}}),
            "response.headers",
        ),
        (
            json!({"response": {"status": 200, "content_type": "a\r\nb: c"}}),
            "response",
        ),
        (json!({"public_url": "ftp://example.com"}), "public_url"),
        (
            json!({"handshake": "hub", "verify_token": " "}),
            "verify_token",
        ),
    ] {
        let error = recipe(fields.clone()).expect_err(&fields.to_string());
        assert_eq!(error.field, field, "{fields}: {error}");
    }
}

#[test]
fn a_signature_may_be_in_a_hundred_headers_and_no_more() {
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("X-{n}")).collect() };
    let of = |count| recipe(json!({"signature_header": names(count)}));
    assert_eq!(of(100).unwrap().authenticating_headers().len(), 100);
    assert_eq!(of(101).unwrap_err().field, "signature_header");
}

#[test]
fn an_error_shows_no_value() {
    for field in [
        "auth",
        "signed",
        "public_url",
        "delimiter",
        "body",
        "event",
        "response",
        "dedupe",
        "verify_token",
    ] {
        for value in [
            json!("hunter2{"),
            json!(["hunter2"]),
            json!({"hunter2": "hunter2"}),
            json!(2),
        ] {
            if let Err(error) = recipe(json!({field: value.clone()})) {
                let names_it = error.field.ends_with(".hunter2");
                assert!(
                    names_it || !format!("{error} {error:?}").contains("hunter2"),
                    "{error:?}"
                );
            }
        }
    }
    let hub = recipe(json!({"handshake": "hub", "verify_token": "hunter2"})).unwrap();
    assert!(!format!("{hub:?}").contains("hunter2"));
}

#[test]
fn an_empty_object_is_told_what_it_lacks() {
    let error = Recipe::from_fields(&Map::new()).unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "signature_header: it is missing: a signature is in a header; name it"
    );
}

#[test]
fn the_headers_that_a_rejected_request_is_kept_with_are_those_of_its_recipe() {
    let recipe = Recipe::of_source("standard-webhooks", &Map::new()).unwrap();
    let names = recipe.authenticating_headers();
    let names: Vec<&str> = names.into_iter().map(HeaderName::as_str).collect();
    assert_eq!(
        names,
        ["webhook-id", "webhook-signature", "webhook-timestamp"]
    );
}

/// Schemes of the field that have no preset: an operator can write each of them.
#[test]
fn the_schemes_of_the_field_can_be_written() {
    let list = |fields: Value| {
        let mut all = json!({"timestamp_header": "X-Signature", "timestamp_prefix": "t=",
            "signature_prefix": "v1="});
        all.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        all
    };
    for fields in [
        list(json!({"delimiter": ",", "signed": "{timestamp}.{body}"})),
        list(json!({"delimiter": ", ", "signed": "{timestamp}.{body}",
                "timestamp_format": "milliseconds"})),
        json!({"delimiter": ",", "signature_prefix": "v1="}),
        json!({"algorithm": "sha1"}),
        json!({"algorithm": "sha512"}),
        json!({"encoding": "base64", "signed": "{body}.{header:X-Nonce}.{timestamp}",
            "timestamp_header": "X-Time"}),
        json!({"signed": "{timestamp}:{body}", "timestamp_header": "X-Time",
            "timestamp_format": "milliseconds"}),
        json!({"signed": "{body}{timestamp}", "timestamp_header": "X-Time",
            "timestamp_format": "rfc3339"}),
        json!({"signed": "{header:X-Time}{body}"}),
        json!({"signed": "POST{body}"}),
        json!({"algorithm": "sha1", "encoding": "base64", "signed": "{body}{url}"}),
        json!({"auth": "public-key", "algorithm": "ed25519", "signed": "{timestamp}{body}",
            "timestamp_header": "X-Signature-Timestamp"}),
        json!({"auth": "public-key", "algorithm": "rsa-sha256", "encoding": "base64"}),
        json!({"auth": "hash", "signed": "{secret}{body}"}),
        json!({"secret_encoding": "hex", "encoding": "base64"}),
        json!({"body": "form:payload", "signed": "{body}", "event": {"type": "{$.type}",
            "subject": "{form:user}"}}),
    ] {
        let recipe = recipe(fields.clone()).unwrap_or_else(|error| panic!("{fields}: {error}"));
        assert_eq!(recipe.authenticity(), Authenticity::Signature, "{fields}");
    }
    for fields in [
        json!({"auth": "token", "token_header": "X-Telegram-Bot-Api-Secret-Token"}),
        json!({"auth": "token", "token_header": "Authorization", "signature_prefix": "Bearer "}),
        json!({"auth": "token", "token_path": "$.token"}),
        json!({"auth": "basic"}),
    ] {
        let recipe = recipe(fields.clone()).unwrap_or_else(|error| panic!("{fields}: {error}"));
        assert_eq!(recipe.authenticity(), Authenticity::Token, "{fields}");
    }
}

#[test]
fn an_answer_that_a_provider_insists_on_is_short() {
    let response = |bytes: usize| json!({"response": {"status": 202, "body": "x".repeat(bytes)}});
    let accepted = recipe(response(4_096)).unwrap();
    let answer = accepted.response().unwrap();
    assert_eq!((answer.status, answer.body.len()), (202, 4_096));
    assert_eq!(answer.content_type, "text/plain");
    assert_eq!(recipe(response(4_097)).unwrap_err().field, "response");
}
