//! The rules of verification that no case of a provider shows.

use super::{NOW, Posted, recipe};
use crate::crypto::mac::{Hash, hmac_sha256};
use crate::providers::recipe::{Caution, Recipe, SecretError};
use crate::providers::verify::VerifyError;
use http::HeaderName;
use jiff::SignedDuration;
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-the-source-1";

fn hmac(text: &str) -> String {
    hex::encode(hmac_sha256(SECRET.as_bytes(), text.as_bytes()))
}

fn name(header: &'static str) -> HeaderName {
    HeaderName::from_static(header)
}

/// How a request of this header and a body `{}` is refused, signed over a text.
fn refusal(recipe: &Recipe, header: (&str, &str), signed: &str) -> VerifyError {
    let request = Posted::new(b"{}", &[("X-Signature", &hmac(signed)), header]);
    request.verify(recipe, &[SECRET]).unwrap_err()
}

#[test]
fn a_value_with_the_literal_that_follows_it_is_refused_though_it_is_signed() {
    let recipe = recipe(json!({"signed": "{header:X-Id}.{body}"})).unwrap();
    let good = Posted::new(b"{}", &[("X-Signature", &hmac("1.{}")), ("X-Id", "1")]);
    assert_eq!(good.verify(&recipe, &[SECRET]), Ok(Some(0)));
    // The same signed text, cut elsewhere.
    let moved = Posted::new(b"b.{}", &[("X-Signature", &hmac("a.b.{}")), ("X-Id", "a")]);
    assert_eq!(moved.verify(&recipe, &[SECRET]), Ok(Some(0)));
    let refused = refusal(&recipe, ("X-Id", ""), ".{}");
    assert_eq!(refused, VerifyError::Malformed(name("x-id")));
    let refused = refusal(&recipe, ("X-Id", "a.b"), "a.b.{}");
    assert_eq!(refused, VerifyError::Ambiguous(name("x-id")));
    let timed = super::recipe(json!({
        "signed": "{timestamp}:{body}", "timestamp_header": "X-Time", "timestamp_format": "rfc3339",
    }));
    let time = "2025-11-27T12:00:00Z";
    let refused = refusal(&timed.unwrap(), ("X-Time", time), &format!("{time}:{{}}"));
    assert_eq!(refused, VerifyError::Ambiguous(name("x-time")));
}

#[test]
fn a_secret_that_could_be_no_key_is_refused() {
    let secret = |fields: Value, text: &str| recipe(fields).unwrap().secret(text).map(|_| ());
    let base64 = json!({"secret_encoding": "base64"});
    for (fields, text, expected) in [
        (json!({}), " \n", SecretError::Empty),
        (base64.clone(), "whsec_", SecretError::Empty),
        (base64.clone(), "", SecretError::Empty),
        (base64.clone(), "a-b!", SecretError::NotBase64),
        (json!({"secret_encoding": "hex"}), "", SecretError::Empty),
        (json!({"secret_encoding": "hex"}), "0g", SecretError::NotHex),
        (json!({"auth": "basic"}), "user", SecretError::NoPassword),
        (json!({"auth": "basic"}), ":", SecretError::Empty),
        (
            json!({"auth": "public-key", "algorithm": "ed25519"}),
            SECRET,
            SecretError::NotAPublicKey,
        ),
        (
            json!({"handshake": "hub", "verify_token": "the-token"}),
            " the-token\n",
            SecretError::VerifyToken,
        ),
    ] {
        assert_eq!(secret(fields.clone(), text), Err(expected), "{fields}");
    }
    for text in ["-_-_", "+/+/"] {
        let decoded = recipe(base64.clone()).unwrap().secret(text).unwrap();
        assert_eq!(decoded.as_bytes(), [0xfb, 0xff, 0xbf], "{text}");
    }
    let decoded = recipe(base64).unwrap().secret("whsec_AAECAw==").unwrap();
    assert_eq!(decoded.as_bytes(), [0, 1, 2, 3]);
    assert!(decoded.is_short());
    let raw = recipe(json!({})).unwrap();
    assert_eq!(
        raw.secret("whsec_AAECAw==").unwrap().as_bytes(),
        b"whsec_AAECAw=="
    );
    assert!(!raw.secret("0123456789abcdef").unwrap().is_short());
}

#[test]
fn a_public_key_is_taken_as_providers_show_it() {
    let ed25519 = recipe(json!({"auth": "public-key", "algorithm": "ed25519"})).unwrap();
    let raw = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let spki = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    // RFC 8032, section 7.1, test 2 has this key's sibling; test 1 signs nothing at all.
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac\
                     c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let request = Posted::new(b"", &[("X-Signature", signature)]);
    for text in [raw, hex, spki, &pem, &format!("whpk_{raw}")] {
        assert_eq!(request.verify(&ed25519, &[text]), Ok(Some(0)), "{text}");
    }
    let ecdsa = recipe(json!({"auth": "public-key", "algorithm": "ecdsa-p256-sha256"})).unwrap();
    assert_eq!(
        ecdsa.secret(spki).map(|_| ()),
        Err(SecretError::NotAPublicKey)
    );
}

#[test]
fn the_first_secret_that_matches_counts_and_all_are_tried() {
    let hmacs = recipe(json!({})).unwrap();
    let request = Posted::new(b"{}", &[("X-Signature", &hmac("{}"))]);
    for (secrets, expected) in [
        (&["x", SECRET, "y"][..], Ok(Some(1))),
        (&["x", "y", SECRET], Ok(Some(2))),
        (&[SECRET, SECRET], Ok(Some(0))),
        (&["x"], Err(VerifyError::Mismatch)),
        (&[], Err(VerifyError::Mismatch)),
    ] {
        assert_eq!(request.verify(&hmacs, secrets), expected, "{secrets:?}");
    }
    let tokens = recipe(json!({
        "auth": "token", "token_header": "Authorization", "signature_prefix": "Bearer ",
    }));
    let tokens = tokens.unwrap();
    let request = |value: &str| Posted::new(b"{}", &[("Authorization", value)]);
    let good = request("Bearer a-secret-of-the-source-1");
    assert_eq!(good.verify(&tokens, &["x", SECRET, SECRET]), Ok(Some(1)));
    for malformed in [SECRET, "Bearer ", "bearer a-secret-of-the-source-1"] {
        let expected = VerifyError::Malformed(name("authorization"));
        assert_eq!(request(malformed).verify(&tokens, &[SECRET]), Err(expected));
    }
}

#[test]
fn an_old_request_is_told_from_a_forged_one() {
    let recipe = recipe(json!({
        "signed": "{timestamp}.{body}", "timestamp_header": "X-Time", "timestamp_tolerance": "90s",
    }));
    let recipe = recipe.unwrap();
    let request = |time: i64, signed: String| {
        let request = Posted::new(
            b"{}",
            &[
                ("X-Signature", &hmac(&signed)),
                ("X-Time", &time.to_string()),
            ],
        );
        request.verify(&recipe, &[SECRET])
    };
    for (time, skew) in [
        (NOW - 91, 91),
        (NOW + 91, -91),
        (NOW - 31_536_000, 31_536_000),
    ] {
        let expected = VerifyError::Timestamp {
            skew: SignedDuration::from_secs(skew),
            tolerance: SignedDuration::from_secs(90),
        };
        assert_eq!(request(time, format!("{time}.{{}}")), Err(expected));
        assert_eq!(
            request(time, "forged".to_owned()),
            Err(VerifyError::Mismatch)
        );
    }
    for time in [NOW - 90, NOW + 90] {
        assert_eq!(request(time, format!("{time}.{{}}")), Ok(Some(0)));
    }
}

#[test]
fn a_tolerance_of_nothing_switches_the_check_off() {
    for (tolerance, checks) in [
        (json!("0"), false),
        (json!("0s"), false),
        (json!(0), false),
        (json!("1s"), true),
        (json!("300"), true),
        (json!(300), true),
        (Value::Null, true),
    ] {
        let recipe = recipe(json!({
            "signed": "{timestamp}{body}", "timestamp_header": "X-Time", "timestamp_tolerance": tolerance,
        }));
        let request = Posted::new(b"{}", &[("X-Signature", &hmac("7{}")), ("X-Time", "7")]);
        let verdict = request.verify(&recipe.unwrap(), &[SECRET]);
        assert_eq!(verdict.is_err(), checks, "{tolerance}");
    }
}

#[test]
fn a_signed_time_is_digits_or_rfc_3339_and_nothing_else() {
    for (format, times) in [
        (
            "seconds",
            &[
                "+1764244800",
                "1764244800.0",
                "1764244800 ",
                "-1",
                "１７",
                "99999999999999999999",
            ][..],
        ),
        ("milliseconds", &["1764244800000.5", "0x1", "1e12"]),
        (
            "rfc3339",
            &[
                "2025-11-27",
                "2025-11-27 12:00:00Z",
                "2025-11-27T12:00:00",
                "1764244800",
            ],
        ),
    ] {
        let recipe = recipe(json!({
            "signed": "{timestamp}{body}", "timestamp_header": "X-Time", "timestamp_format": format,
            "timestamp_tolerance": "0",
        }));
        let recipe = recipe.unwrap();
        for time in times {
            let refused = refusal(&recipe, ("X-Time", time), &format!("{time}{{}}"));
            assert_eq!(refused, VerifyError::Malformed(name("x-time")), "{time}");
        }
    }
}

#[test]
fn a_header_that_decides_is_sent_once() {
    let listed = recipe(json!({
        "signed": "{timestamp}.{header:X-Id}.{body}", "timestamp_header": "X-Signature",
        "timestamp_prefix": "t=", "signature_prefix": "v1=", "delimiter": ",", "timestamp_tolerance": "0",
    }));
    let listed = listed.unwrap();
    let signature = hmac("7.1.{}");
    let value = format!("t=7,v1={signature}");
    let request = |pairs: &[(&str, &str)]| Posted::new(b"{}", pairs).verify(&listed, &[SECRET]);
    assert_eq!(
        request(&[("X-Signature", &value), ("X-Id", "1")]),
        Ok(Some(0))
    );
    let twice = format!("t=8,{value}");
    let repeated = |header| Err(VerifyError::Repeated(name(header)));
    assert_eq!(
        request(&[("X-Signature", &twice), ("X-Id", "1")]),
        repeated("x-signature")
    );
    let both = [
        ("X-Signature", &*value),
        ("X-Signature", &value),
        ("X-Id", "1"),
    ];
    assert_eq!(request(&both), repeated("x-signature"));
    let both = [("X-Signature", &*value), ("X-Id", "1"), ("X-Id", "2")];
    assert_eq!(request(&both), repeated("x-id"));
    let expected = Err(VerifyError::Missing(name("x-id")));
    assert_eq!(request(&[("X-Signature", &value)]), expected);
}

#[test]
fn no_more_signatures_are_looked_at_than_providers_send() {
    let listed = recipe(json!({"delimiter": ","})).unwrap();
    let signature = hmac("{}");
    let among = |others: usize| {
        let value = "00,".repeat(others) + &signature;
        Posted::new(b"{}", &[("X-Signature", &value)]).verify(&listed, &[SECRET])
    };
    assert_eq!(among(99), Ok(Some(0)));
    assert_eq!(among(100), Err(VerifyError::Malformed(name("x-signature"))));
}

#[test]
fn each_item_of_a_batch_must_have_the_token() {
    let recipe = recipe(json!({"auth": "token", "token_path": "$[*].token"})).unwrap();
    let verdict =
        |body: &str| Posted::new(body.as_bytes(), &[]).verify(&recipe, &[SECRET, "other"]);
    let item = |token: &str| format!(r#"{{"token":"{token}"}}"#);
    let all = |tokens: &[&str]| {
        let items: Vec<String> = tokens.iter().map(|token| item(token)).collect();
        verdict(&format!("[{}]", items.join(",")))
    };
    assert_eq!(all(&[SECRET]), Ok(Some(0)));
    assert_eq!(all(&[SECRET, SECRET]), Ok(Some(0)));
    assert_eq!(all(&["other", "other"]), Ok(Some(1)));
    assert_eq!(all(&[SECRET, "other"]), Err(VerifyError::Mismatch));
    assert_eq!(all(&[SECRET, ""]), Err(VerifyError::Mismatch));
    assert_eq!(all(&[""]), Err(VerifyError::NoToken));
    assert_eq!(all(&[]), Err(VerifyError::NoToken));
    for body in [
        "{}",
        "",
        "x",
        r#"[{"token":1}]"#,
        r#"[{"token":"a"},{}]"#,
        r#"{"token":"a"}"#,
    ] {
        assert_eq!(verdict(body), Err(VerifyError::NoToken), "{body}");
    }
    // One that is not looked at could have any token.
    let many = format!("[{}]", vec![item(SECRET); 10_001].join(","));
    assert_eq!(verdict(&many), Err(VerifyError::NoToken));
}

#[test]
fn a_form_of_too_many_fields_is_not_read_to_verify_it() {
    let recipe = recipe(json!({"signed": "{form}", "body": "form"})).unwrap();
    let verdict = |fields: usize| {
        let body = vec!["a"; fields].join("&");
        Posted::new(body.as_bytes(), &[("X-Signature", &hmac("a"))]).verify(&recipe, &[SECRET])
    };
    assert_eq!(verdict(1_000), Ok(Some(0)));
    assert_eq!(verdict(1_001), Err(VerifyError::TooManyFields));
}

#[test]
fn a_hash_has_the_secret_where_the_template_has_it() {
    for (signed, text) in [
        ("{secret}{body}", "a-secret-of-the-source-1{}"),
        ("{body}-{secret}", "{}-a-secret-of-the-source-1"),
    ] {
        let recipe =
            recipe(json!({"auth": "hash", "algorithm": "sha512", "signed": signed})).unwrap();
        let tag = Hash::Sha512.digest(|sink| sink(text.as_bytes()));
        let request = Posted::new(b"{}", &[("X-Signature", &hex::encode(tag.as_bytes()))]);
        assert_eq!(request.verify(&recipe, &["x", SECRET]), Ok(Some(1)));
        let is_first = recipe.cautions().contains(&Caution::SecretFirst);
        assert_eq!(is_first, signed.starts_with("{secret}"));
    }
}

#[test]
fn a_url_is_signed_with_its_port_or_without_it() {
    for (configured, signed) in [
        ("https://a.example/x?y#z", "https://a.example:443/x?y#z"),
        ("https://a.example:443/x", "https://a.example/x"),
        ("https://a.example:8443", "https://a.example"),
        ("https://a.example?b", "https://a.example:443?b"),
        ("http://a.example/x:1", "http://a.example:80/x:1"),
        ("https://[::1]/x", "https://[::1]:443/x"),
        ("https://[::1]:443/x", "https://[::1]/x"),
    ] {
        let fields = json!({"signed": "{url}{body}", "public_url": configured});
        let recipe = recipe(fields).unwrap();
        let verdict = |url: &str| {
            let signature = hmac(&format!("{url}{{}}"));
            Posted::new(b"{}", &[("X-Signature", &signature)]).verify(&recipe, &[SECRET])
        };
        assert_eq!(verdict(configured), Ok(Some(0)), "{configured}");
        assert_eq!(verdict(signed), Ok(Some(0)), "{configured}");
        // The URL of the source is not the one that is configured.
        for other in [
            super::URL,
            "https://a.example:8444/x",
            "https://b.example/x",
        ] {
            assert_eq!(verdict(other), Err(VerifyError::Mismatch), "{configured}");
        }
    }
}

#[test]
fn any_of_several_signatures_by_a_key_is_enough() {
    let fields = json!({"auth": "public-key", "algorithm": "ed25519", "delimiter": " "});
    let recipe = recipe(fields).unwrap();
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let right = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac\
                 c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let wrong = "00".repeat(64);
    let verdict =
        |value: String| Posted::new(b"", &[("X-Signature", &value)]).verify(&recipe, &[key]);
    assert_eq!(verdict(format!("{wrong} {right}")), Ok(Some(0)));
    assert_eq!(verdict(format!("{right} {wrong} junk")), Ok(Some(0)));
    assert_eq!(
        verdict(format!("{wrong} {wrong}")),
        Err(VerifyError::Mismatch)
    );
    let malformed = VerifyError::Malformed(name("x-signature"));
    assert_eq!(verdict("junk".to_owned()), Err(malformed));
}

#[test]
fn credentials_may_have_several_spaces_before_them() {
    let recipe = recipe(json!({"auth": "basic"})).unwrap();
    let verdict = |value: &str| {
        Posted::new(b"", &[("Authorization", value)]).verify(&recipe, &["x:y", "user:pass"])
    };
    assert_eq!(verdict("Basic dXNlcjpwYXNz"), Ok(Some(1)));
    assert_eq!(verdict("BASIC   dXNlcjpwYXNz"), Ok(Some(1)));
    for secret in ["user:", ":pass"] {
        assert!(recipe.secret(secret).is_ok(), "{secret}");
    }
    let malformed = Err(VerifyError::Malformed(name("authorization")));
    for value in ["Basic", "Basic x", "Digest dXNlcjpwYXNz", "Basic dXNlcg=="] {
        assert_eq!(verdict(value), malformed, "{value}");
    }
}

#[test]
fn a_signature_of_another_length_is_malformed_in_each_encoding() {
    for (encoding, signatures) in [
        ("hex", &["00", "", "0", "zz"][..]),
        ("base64", &["AAAA", "AA==", "A", "-_-_", "!"]),
        ("base64url", &["AAAA", "AA", "A", "+/+/", "!"]),
    ] {
        let recipe = recipe(json!({"encoding": encoding})).unwrap();
        let longer = ["00".repeat(33), "A".repeat(46), "A".repeat(2_000)];
        let signatures = signatures
            .iter()
            .copied()
            .chain(longer.iter().map(String::as_str));
        for signature in signatures {
            let request = Posted::new(b"{}", &[("X-Signature", signature)]);
            let malformed = Err(VerifyError::Malformed(name("x-signature")));
            assert_eq!(request.verify(&recipe, &[SECRET]), malformed, "{signature}");
        }
    }
}
