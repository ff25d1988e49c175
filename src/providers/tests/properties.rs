//! Promises about any input: made-up templates, requests and recipes, from a generator with a fixed seed.

use super::{Posted, recipe};
use crate::crypto::mac::hmac_sha256;
use crate::crypto::secret::Secret;
use crate::providers::handshake::{Facts, Reply};
use crate::providers::recipe::Recipe;
use crate::providers::{Incoming, Verified, presets};
use http::HeaderMap;
use serde_json::{Map, Value, json};

const SECRET: &str = "a-secret-of-the-source-1";

/// [Xorshift](https://en.wikipedia.org/wiki/Xorshift): numbers without an order that is easy to see.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn text(&mut self, most: usize, texts: &[&str]) -> String {
        let parts = self.below(most + 1);
        (0..parts).map(|_| self.pick(texts)).collect()
    }
}

/// A template with the body in it, and the text that it makes of a request.
fn template(random: &mut Random, body: &str) -> (String, String) {
    let pieces = [
        ("{header:X-A}", "one"),
        ("{header:X-B}", "two"),
        ("{timestamp}", "1764244770"),
        ("{method}", "POST"),
        ("{url}", super::URL),
        ("v0", "v0"),
        (":", ":"),
        (".", "."),
    ];
    let mut chosen: Vec<(&str, &str)> = (0..random.below(6))
        .map(|_| pieces[random.below(8)])
        .collect();
    let at = random.below(chosen.len() + 1);
    chosen.insert(at, ("{body}", body));
    let texts = |side: fn(&(&str, &str)) -> String| chosen.iter().map(side).collect::<String>();
    (
        texts(|piece| piece.0.to_owned()),
        texts(|piece| piece.1.to_owned()),
    )
}

#[test]
fn a_template_signs_the_text_that_it_describes_and_each_byte_of_it() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..500 {
        let body = format!("{{\"n\":{}}}", random.below(1_000_000));
        let (signed, text) = template(&mut random, &body);
        let mut fields = json!({"signed": signed});
        if signed.contains("{timestamp}") {
            fields["timestamp_header"] = json!("X-Time");
        }
        let recipe = recipe(fields).unwrap();
        let signature = hex::encode(hmac_sha256(SECRET.as_bytes(), text.as_bytes()));
        let pairs = [
            ("X-A", "one"),
            ("X-B", "two"),
            ("X-Time", "1764244770"),
            ("X-Signature", &*signature),
        ];
        let request = |pairs: &[(&str, &str)], body: &[u8]| {
            Posted::new(body, pairs).verify(&recipe, &[SECRET])
        };
        assert_eq!(request(&pairs, body.as_bytes()), Ok(Some(0)), "{signed}");
        let at = random.below(body.len());
        let mut other = body.clone().into_bytes();
        other[at] ^= 1;
        assert!(request(&pairs, &other).is_err(), "{signed}");
        for (at, placeholder, value) in [
            (0, "{header:X-A}", "onf"),
            (1, "{header:X-B}", "tw"),
            (2, "{timestamp}", "1764244771"),
        ] {
            let mut changed = pairs;
            changed[at].1 = value;
            let is_refused = request(&changed, body.as_bytes()).is_err();
            assert_eq!(is_refused, signed.contains(placeholder), "{signed}");
        }
    }
}

#[test]
fn any_text_is_a_template_or_an_error() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let parts = [
        "{", "}", "body", "{body}", "{$.a", "[0]", "[*]", "?", "|", "header:", "X-A", "é", ".",
        "$", "form:", "\0", "{secret}",
    ];
    for _ in 0..20_000 {
        let text = random.text(7, &parts);
        let signed = recipe(json!({"signed": text}));
        let event = recipe(json!({"event": {"type": text}}));
        if let Ok(recipe) = &signed {
            let request = Posted::new(b"{}", &[("X-Signature", "00"), ("X-A", "1")]);
            assert!(request.verify(recipe, &[SECRET]).is_err());
        }
        if let Ok(recipe) = &event {
            let content = recipe.content(Verified::recorded(b"{\"a\":[1]}")).unwrap();
            let event = recipe.event(&content, &HeaderMap::new());
            assert!(event.is_err() || !event.unwrap().event_type.is_empty());
        }
    }
}

#[test]
fn any_object_is_a_recipe_or_an_error_of_a_field() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let names = [
        "auth",
        "algorithm",
        "encoding",
        "signature_header",
        "delimiter",
        "timestamp_header",
        "timestamp_path",
        "timestamp_tolerance",
        "secret_encoding",
        "signed",
        "token_header",
        "token_path",
        "handshake",
        "event",
        "body",
        "forward_headers",
        "response",
        "dedupe",
        "public_url",
        "verify_token",
        "x",
    ];
    let values = [
        json!("hmac"),
        json!("token"),
        json!("basic"),
        json!("public-key"),
        json!("ed25519"),
        json!("hex"),
        json!("X-A"),
        json!(","),
        json!("5m"),
        json!("{timestamp}{body}"),
        json!("$.a"),
        json!("hub"),
        json!({"type": "a", "id": "{$.a}"}),
        json!("form"),
        json!(["X-A"]),
        json!({"status": 200}),
        json!("id"),
        json!(null),
        json!(0),
        json!([]),
        json!({}),
        json!(true),
        json!(""),
    ];
    let mut recipes = 0;
    for _ in 0..50_000 {
        let mut fields = Map::new();
        for _ in 0..random.below(6) {
            let value = values[random.below(values.len())].clone();
            fields.insert(random.pick(&names).to_owned(), value);
        }
        fields.entry("event").or_insert(json!({"type": "a"}));
        match Recipe::from_fields(&fields) {
            Ok(_) => recipes += 1,
            Err(error) => {
                let outer = error.field.split('.').next().unwrap();
                assert!(
                    names.contains(&outer) || outer == "timestamp_prefix",
                    "{error}"
                );
            }
        }
    }
    assert!(recipes > 50, "{recipes}");
}

#[test]
fn no_answer_to_a_handshake_has_control_characters_or_is_long() {
    let mut random = Random(0xdead_beef_0bad_cafe);
    let mut answers = 0;
    let parts = [
        "challenge",
        "=",
        "&",
        "hub.mode=subscribe",
        "hub.challenge",
        "hub.verify_token=a-token",
        "validationToken",
        "%0A",
        "%00",
        "%",
        "+",
        "é",
        "%C3%A9",
        "abc",
        "{\"challenge\":\"",
        "\"}",
        "\\n",
        "webhook_id=",
        "1",
        "{\"type\":\"url_verification\",\"challenge\":\"a\"}",
        "\r\n",
    ];
    for preset in presets::all() {
        let fields = json!({"verify_token": "a-token"});
        let with_token = Recipe::of_source(preset.name(), fields.as_object().unwrap());
        let recipe = with_token
            .or_else(|_| Recipe::of_source(preset.name(), &Map::new()))
            .unwrap();
        for _ in 0..400 {
            let (query, body) = (random.text(6, &parts), random.text(6, &parts));
            let value = random.text(3, &["a", "é", "\t", "~"]);
            let mut headers = HeaderMap::new();
            for name in recipe.authenticating_headers() {
                headers.insert(
                    name.clone(),
                    http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                );
            }
            let incoming = Incoming {
                method: random.pick(&["GET", "POST", "HEAD", "PUT", "OPTIONS"]),
                query: &query,
                headers: &headers,
                body: body.as_bytes(),
            };
            let secrets: Vec<Secret> = Secret::new("a").into_iter().collect();
            let verified = (random.below(2) == 0).then(|| Verified::recorded(body.as_bytes()));
            let waits = random.below(2) == 0;
            let secrets = if waits { &[][..] } else { &secrets };
            let facts = Facts {
                secrets,
                waits,
                verified,
            };
            if let Some(Reply::Answer(answer)) = recipe.answer(&incoming, facts) {
                answers += 1;
                assert!(answer.body.len() <= 2_100, "{answer:?}");
                assert!(!answer.body.contains(char::is_control), "{answer:?}");
                let json: Result<Value, _> = serde_json::from_str(&answer.body);
                let is_text = answer
                    .headers
                    .iter()
                    .any(|(_, value)| value == "text/plain");
                assert!(is_text || answer.body.is_empty() || json.is_ok());
            }
        }
    }
    assert!(answers > 100, "{answers}");
}
