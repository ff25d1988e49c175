//! What a recipe signs, the same recipe verifies; and the providers' own signatures are made again.

use super::{Case, NOW, URL, read};
use crate::providers::recipe::{Kind, Recipe, Scheme, TokenPlace};
use crate::providers::sign::SignError;
use crate::providers::{Incoming, presets};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, json};

fn recipe_of(preset: &str) -> Recipe {
    let token = json!({"verify_token": "a-token"});
    let with_token = Recipe::of_source(preset, token.as_object().unwrap());
    with_token
        .or_else(|_| Recipe::of_source(preset, &Map::new()))
        .unwrap()
}

#[test]
fn each_preset_verifies_what_it_signs() {
    for preset in presets::all() {
        let (name, recipe) = (preset.name(), recipe_of(preset.name()));
        let cases: Vec<Case> = read(&format!("providers/{name}.json"));
        let case = cases.iter().find(|case| case.name == "authentic").unwrap();
        let secrets = case.secrets(&recipe);
        let url = case.public_url.as_deref().unwrap_or(&case.url);
        let now = Timestamp::from_second(NOW).unwrap();
        let (mut headers, body) = (super::headers(&case.headers), case.body());
        let is_by_key = match recipe.scheme() {
            Scheme::Signed(signing) => matches!(signing.kind, Kind::PublicKey(_)),
            _ => false,
        };
        let is_in_body = matches!(recipe.scheme(), Scheme::Token(TokenPlace::Body(_)));
        let of = |headers: &HeaderMap| {
            recipe.sign(
                &Incoming {
                    method: &case.method,
                    query: "",
                    headers,
                    body: &body,
                },
                &secrets[0],
                url,
                now,
            )
        };
        let signed = match of(&headers) {
            Err(SignError::PublicKey) => {
                assert!(is_by_key, "{name}");
                continue;
            }
            Err(SignError::InBody) => {
                assert!(is_in_body, "{name}");
                continue;
            }
            signed => signed.unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        assert!(!is_by_key && !is_in_body, "{name}");
        for (header, value) in signed {
            headers.insert(header, value);
        }
        let incoming = Incoming {
            method: &case.method,
            query: "",
            headers: &headers,
            body: &body,
        };
        let verified = recipe.verify(&incoming, &secrets, url, now);
        assert_eq!(
            verified.map(|webhook| webhook.secret()),
            Ok(Some(0)),
            "{name}"
        );
    }
}

#[test]
fn a_published_signature_is_made_again() {
    for (preset, header) in [
        ("github", "x-hub-signature-256"),
        ("twilio", "x-twilio-signature"),
        ("slack", "x-slack-signature"),
        ("standard-webhooks", "webhook-signature"),
    ] {
        let recipe = recipe_of(preset);
        let cases: Vec<Case> = read(&format!("providers/{preset}.json"));
        let case = cases
            .iter()
            .find(|case| case.name.starts_with("published"))
            .unwrap();
        let headers = super::headers(&case.headers);
        let stamps = ["x-slack-request-timestamp", "webhook-timestamp"];
        let stamp = stamps.iter().find_map(|name| headers.get(*name));
        let now = stamp
            .map_or("0", |value| value.to_str().unwrap())
            .parse()
            .unwrap();
        let url = case.public_url.as_deref().unwrap_or(URL);
        let secret = recipe.secret(&case.secrets[0]).unwrap();
        let signed = case.with(|incoming| {
            let now = Timestamp::from_second(now).unwrap();
            recipe.sign(incoming, &secret, url, now).unwrap()
        });
        let value = signed
            .iter()
            .find(|(name, _)| name == header)
            .map(|(_, value)| value);
        assert_eq!(value, headers.get(header), "{preset}");
    }
}

#[test]
fn a_header_that_is_signed_must_be_there_to_sign_it() {
    let recipe = recipe_of("standard-webhooks");
    let secret = recipe
        .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .unwrap();
    let incoming = Incoming {
        method: "POST",
        query: "",
        headers: &HeaderMap::new(),
        body: b"{}",
    };
    let error = recipe
        .sign(&incoming, &secret, URL, Timestamp::UNIX_EPOCH)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the header webhook-id is missing: give the request this header"
    );
}
