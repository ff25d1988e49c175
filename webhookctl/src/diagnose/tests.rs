//! Makes each mistake with several providers, and has the command of the finding carried out: the same
//! request verifies then.

use super::*;
use crate::commands::source;
use crate::{Cli, Command};
use clap::Parser;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use webhook_gateway::crypto::secret::trimmed;

const URL: &str = "https://hooks.example.com/webhooks/shop";

/// 32 bytes in Base64, in the form that several providers give secrets.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

const BODY: &str = concat!(
    r#"{"id":"evt_1","type":"order.paid","created":1764244800,"note":"café / 1","#,
    r#""data":{"object":{"object":"order","id":"o_1"}}}"#
);

fn at() -> Timestamp {
    Timestamp::from_second(1_764_244_800).unwrap()
}

/// A request as a provider sends it.
struct Sent {
    provider: &'static str,
    fields: Value,
    secret: &'static str,
    url: &'static str,
    body: Vec<u8>,
    sent_at: Timestamp,
}

fn sent(provider: &'static str) -> Sent {
    Sent {
        provider,
        fields: json!({}),
        secret: SECRET,
        url: URL,
        body: BODY.into(),
        sent_at: at(),
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

impl Sent {
    fn request(&self) -> Request {
        let fields = self.fields.as_object().unwrap();
        let recipe = Recipe::of_source(self.provider, fields).unwrap();
        let mut headers = headers(&[
            ("content-type", "application/json"),
            ("x-github-event", "issues"),
            ("x-shopify-topic", "orders/paid"),
            ("webhook-id", "msg_1"),
            ("svix-id", "msg_1"),
        ]);
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &headers,
            body: &self.body,
        };
        let secret = recipe.secret(self.secret).unwrap();
        let signed = recipe
            .sign(&incoming, &secret, self.url, self.sent_at)
            .unwrap();
        headers.extend(signed);
        Request {
            method: "POST".to_owned(),
            path: "/webhooks/shop".to_owned(),
            query: String::new(),
            headers,
            body: self.body.clone(),
            at: at(),
        }
    }
}

/// A request that a provider signed with a secret.
pub(super) fn sent_by(provider: &'static str, secret: &'static str) -> Request {
    let sent = Sent {
        secret,
        ..sent(provider)
    };
    sent.request()
}

/// The parts of a source's entry.
pub(super) struct Configured {
    provider: String,
    fields: Map<String, Value>,
    secrets: Vec<String>,
}

pub(super) fn configured(entry: &Value) -> Configured {
    let entry = entry.as_object().unwrap();
    let secrets = entry.get("secrets").and_then(Value::as_array);
    let secrets = secrets.into_iter().flatten().filter_map(Value::as_str);
    Configured {
        provider: entry["provider"].as_str().unwrap().to_owned(),
        fields: crate::settings::of_recipe(entry),
        secrets: secrets.map(|text| trimmed(text).to_owned()).collect(),
    }
}

impl Configured {
    pub(super) fn suspect(&self) -> Suspect<'_> {
        Suspect {
            name: "shop",
            provider: &self.provider,
            fields: &self.fields,
            secrets: &self.secrets,
            payload_url: URL,
            others: &[],
            tried_secret: None,
            tried_url: None,
            hosts: &[],
        }
    }
}

/// The entry after a command of the tool.
fn after(command: &str, mut entry: Value) -> Value {
    let words = shlex::split(command).unwrap();
    let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
    match cli.command {
        Command::Source(source::Command::Update(update)) => {
            update.apply(entry.as_object_mut().unwrap(), Vec::new());
        }
        Command::Quarantine(_) => {}
        other => panic!("{other:?}"),
    }
    entry
}

/// The finding about a request, after whose command it verifies.
fn fixed(entry: Value, request: &Request) -> Finding {
    let of = configured(&entry);
    fixed_for(entry, &of.suspect(), request)
}

fn fixed_for(entry: Value, suspect: &Suspect<'_>, request: &Request) -> Finding {
    let is_right = |outcome| matches!(outcome, Outcome::Verified(_));
    assert!(
        !is_right(suspect.outcome(request)),
        "it verifies before the command"
    );
    let diagnosis = diagnose(suspect, request);
    assert_eq!(diagnosis.findings.len(), 1, "{entry}: {diagnosis:?}");
    let finding = diagnosis.findings[0].clone();
    let command = finding
        .command
        .clone()
        .unwrap_or_else(|| panic!("{finding:?}"));
    let repaired = configured(&after(&command, entry));
    assert!(is_right(repaired.suspect().outcome(request)), "{command}");
    finding
}

/// The entry of a source with some fields.
fn entry(provider: &str, fields: Value) -> Value {
    let mut entry = json!({"provider": provider, "secrets": [SECRET]});
    let members = fields.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(members);
    entry
}

/// A custom source with the recipe of a preset.
fn custom(provider: &str, fields: Value) -> Value {
    let mut recipe = Recipe::fields_of_source(provider, &Map::new()).unwrap();
    recipe.extend(fields.as_object().unwrap().clone());
    entry("custom", recipe.into())
}

#[track_caller]
fn has(finding: &Finding, cause: &str, command: &str) {
    assert!(finding.causes.contains(&cause), "{finding:?}");
    let told = finding.command.as_deref().unwrap_or_default();
    assert_eq!(told, command, "{finding:?}");
}

#[test]
fn hex_for_base64_and_the_reverse() {
    for (provider, wrong, right) in [
        ("github", "base64", "hex"),
        ("slack", "base64", "hex"),
        ("stripe", "base64url", "hex"),
        ("shopify", "hex", "base64"),
        ("square", "hex", "base64"),
        ("standard-webhooks", "hex", "base64"),
    ] {
        let request = sent(provider).request();
        for entry in [
            entry(provider, json!({"encoding": wrong})),
            custom(provider, json!({"encoding": wrong})),
        ] {
            let finding = fixed(entry, &request);
            has(
                &finding,
                "encoding",
                &format!("webhookctl source update shop --set encoding={right}"),
            );
        }
    }
}

#[test]
fn a_secret_that_needs_decoding_and_one_that_needs_none() {
    for (provider, wrong, right) in [
        ("stripe", "base64", "raw"),
        ("github", "base64", "raw"),
        ("slack", "base64", "raw"),
        ("standard-webhooks", "raw", "base64"),
        ("svix", "raw", "base64"),
        ("airtable", "raw", "base64"),
    ] {
        let request = sent(provider).request();
        let finding = fixed(entry(provider, json!({"secret_encoding": wrong})), &request);
        let command = format!("webhookctl source update shop --set secret_encoding={right}");
        has(&finding, "secret_encoding", &command);
    }
    // A key in hexadecimal digits, and one of Standard Webhooks.
    for (secret, encoding) in [
        ("6d794b65794b65794b65794b65794b6579", "hex"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"),
    ] {
        for provider in ["github", "shopify", "stripe"] {
            let mut sent = sent(provider);
            (sent.secret, sent.fields) = (secret, json!({"secret_encoding": encoding}));
            let mut entry = entry(provider, json!({}));
            entry["secrets"] = json!([secret]);
            let finding = fixed(entry, &sent.request());
            let command = format!("webhookctl source update shop --set secret_encoding={encoding}");
            has(&finding, "secret_encoding", &command);
        }
    }
}

#[test]
fn a_missing_and_an_extra_prefix() {
    for (provider, wrong, right) in [
        ("github", "", "sha256="),
        ("github", "sha256 ", "sha256="),
        ("slack", "", "v0="),
        ("stripe", "v0=", "v1="),
        ("shopify", "sha256=", ""),
        ("square", "v1,", ""),
    ] {
        let request = sent(provider).request();
        let finding = fixed(
            entry(provider, json!({"signature_prefix": wrong})),
            &request,
        );
        let command = format!("webhookctl source update shop --set signature_prefix={right}");
        has(&finding, "signature_prefix", &command);
    }
}

#[test]
fn another_header() {
    for (provider, header) in [
        ("github", "x-hub-signature-256"),
        ("shopify", "x-shopify-hmac-sha256"),
        ("slack", "x-slack-signature"),
        ("square", "x-square-hmacsha256-signature"),
    ] {
        let request = sent(provider).request();
        let finding = fixed(
            custom(provider, json!({"signature_header": "X-Signature"})),
            &request,
        );
        let command = format!("webhookctl source update shop --set signature_header={header}");
        has(&finding, "signature_header", &command);
    }
}

#[test]
fn another_template() {
    for (provider, wrong) in [
        ("slack", "{timestamp}.{body}"),
        ("stripe", "{timestamp}{body}"),
        ("zendesk", "{timestamp}.{body}"),
        ("paddle", "{timestamp}.{body}"),
        ("square", "{body}{url}"),
        ("square", "{body}"),
        ("standard-webhooks", "{timestamp}.{body}"),
        ("hubspot", "{method}{url}{timestamp}{body}"),
        ("cloudinary", "{secret}{body}{timestamp}"),
    ] {
        let request = sent(provider).request();
        let finding = fixed(entry(provider, json!({"signed": wrong})), &request);
        assert!(finding.causes.contains(&"signed"), "{finding:?}");
        assert!(
            finding.command.unwrap().contains("--set 'signed="),
            "{provider}"
        );
    }
    // The timestamp of a custom source is not known yet.
    for provider in ["slack", "stripe", "zendesk"] {
        let request = sent(provider).request();
        let fields = json!({
            "signed": null, "timestamp_header": null, "timestamp_prefix": null, "timestamp_format": null,
        });
        let mut entry = custom(provider, fields);
        entry
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let finding = fixed(entry, &request);
        // Where more than two fields are wrong, the preset is the smaller change.
        let by_fields = ["signed", "timestamp_header"]
            .iter()
            .all(|cause| finding.causes.contains(cause));
        let by_preset = finding
            .command
            .as_deref()
            .unwrap()
            .ends_with(&format!("--provider {provider}"));
        assert!(by_fields || by_preset, "{finding:?}");
    }
    // And the other way round: a time is signed by nobody.
    for provider in ["github", "shopify", "bitbucket"] {
        let fields = json!({"signed": "{timestamp}.{body}", "timestamp_header": "X-Time"});
        let request = sent(provider).request();
        for entry in [entry(provider, fields.clone()), custom(provider, fields)] {
            let finding = fixed(entry, &request);
            assert!(finding.causes.contains(&"signed"), "{finding:?}");
        }
    }
}

#[test]
fn another_algorithm_and_another_kind() {
    for (provider, wrong) in [
        ("github", "sha512"),
        ("shopify", "sha1"),
        ("intercom", "sha256"),
    ] {
        let request = sent(provider).request();
        let finding = fixed(entry(provider, json!({"algorithm": wrong})), &request);
        assert_eq!(finding.causes, ["algorithm"], "{finding:?}");
    }
    let request = sent("cloudinary").request();
    let entry_of = json!({"auth": "hmac", "signed": "{timestamp}.{body}"});
    let finding = fixed(entry("cloudinary", entry_of), &request);
    assert!(finding.causes.contains(&"auth"), "{finding:?}");
    // A token in the place of a signature.
    for provider in ["gitlab", "contentful"] {
        let request = sent(provider).request();
        let fields = json!({"signature_header": "X-Signature", "event": {"type": "a"}});
        let finding = fixed(entry("custom", fields), &request);
        assert!(finding.causes.contains(&"auth"), "{finding:?}");
        assert!(finding.to_do.unwrap().contains("proves less"));
        let finding = fixed(
            custom(provider, json!({"token_header": "X-Token"})),
            &request,
        );
        assert_eq!(finding.causes, ["token_header"]);
    }
    // And a signature in the place of a token.
    let request = sent("github").request();
    let fields = json!({"auth": "token", "token_header": "X-Token", "event": {"type": "a"}});
    let finding = fixed(entry("custom", fields), &request);
    assert!(
        finding.causes.contains(&"signature_header") || finding.causes == ["provider"],
        "{finding:?}"
    );
}

#[test]
fn another_provider_altogether() {
    for (configured, provider) in [
        ("github", "stripe"),
        ("stripe", "slack"),
        ("slack", "shopify"),
        ("shopify", "github"),
        ("creative-force", "standard-webhooks"),
        ("gitlab", "square"),
        ("square", "paddle"),
    ] {
        let request = sent(provider).request();
        let finding = fixed(entry(configured, json!({})), &request);
        let command = format!("webhookctl source update shop --provider {provider}");
        has(&finding, "provider", &command);
        assert!(finding.to_do.is_some());
    }
    // What was set for the wrong provider does not stay.
    let fields = json!({"event": {"type": "a"}, "encoding": "base64"});
    let finding = fixed(entry("github", fields), &sent("stripe").request());
    has(
        &finding,
        "provider",
        "webhookctl source update shop --provider stripe",
    );
}

#[test]
fn a_clock_that_is_wrong() {
    for provider in ["stripe", "slack", "standard-webhooks", "zendesk"] {
        for (seconds, tolerance, word) in [(423, "8m", "before"), (-3_600, "61m", "after")] {
            let mut sent = sent(provider);
            sent.sent_at = at() - SignedDuration::from_secs(seconds);
            let finding = fixed(entry(provider, json!({})), &sent.request());
            let command =
                format!("webhookctl source update shop --set timestamp_tolerance={tolerance}");
            has(&finding, "timestamp_tolerance", &command);
            let told = format!("{} seconds {word}", seconds.abs());
            assert!(finding.what.contains(&told), "{finding:?}");
        }
    }
    // Two mistakes at once.
    let mut late = sent("stripe");
    late.sent_at = at() - SignedDuration::from_secs(900);
    let finding = fixed(
        entry("stripe", json!({"signed": "{timestamp}:{body}"})),
        &late.request(),
    );
    assert_eq!(
        finding.causes,
        ["signed", "timestamp_tolerance"],
        "{finding:?}"
    );
}

#[test]
fn a_url_that_differs() {
    for (called, told) in [
        (
            "http://hooks.example.com/webhooks/shop",
            "http://hooks.example.com/webhooks/shop",
        ),
        (
            "https://hooks.example.com/webhooks/shop/",
            "https://hooks.example.com/webhooks/shop/",
        ),
        (
            "https://proxy.example.com:8443/webhooks/shop",
            "https://proxy.example.com:8443/webhooks/shop",
        ),
    ] {
        for provider in ["square", "hubspot"] {
            let mut sent = sent(provider);
            sent.url = called;
            let mut request = sent.request();
            request.headers.insert(
                "x-forwarded-host",
                HeaderValue::from_static("proxy.example.com:8443"),
            );
            let finding = fixed(entry(provider, json!({})), &request);
            let command = format!("webhookctl source update shop --set public_url={told}");
            has(&finding, "public_url", &command);
        }
    }
    // Twilio signs a form.
    let mut twilio = sent("twilio");
    (twilio.body, twilio.url) = (
        b"CallSid=CA1&From=%2B1".to_vec(),
        "http://hooks.example.com/webhooks/shop/",
    );
    let finding = fixed(entry("twilio", json!({})), &twilio.request());
    assert_eq!(finding.causes, ["public_url"], "{finding:?}");
}

#[test]
fn a_url_that_the_operator_names() {
    let mut sent = sent("square");
    sent.url = "https://other.example.org/in?source=shop";
    let entry = entry("square", json!({"public_url": "https://old.example.com/"}));
    let of = configured(&entry);
    let request = sent.request();
    assert_eq!(diagnose(&of.suspect(), &request).findings, []);
    let suspect = Suspect {
        tried_url: Some(sent.url),
        ..of.suspect()
    };
    let finding = fixed_for(entry, &suspect, &request);
    assert_eq!(finding.causes, ["public_url"]);
}

#[test]
fn a_body_that_was_changed_on_the_way() {
    for provider in ["github", "stripe", "shopify", "slack", "square"] {
        for (came, told) in [
            (format!("\u{feff}{BODY}"), "byte order mark"),
            (format!("{BODY}\n"), "without the line end"),
            (
                BODY.replace(",\"", ", \"").replace("\":", "\": "),
                "compact",
            ),
            (BODY.replace('é', "\\u00e9"), "JSON"),
            (BODY.replace('/', "\\/"), "JSON"),
        ] {
            let of = configured(&entry(provider, json!({})));
            let mut request = sent(provider).request();
            request.body = came.into_bytes();
            let diagnosis = diagnose(&of.suspect(), &request);
            let finding = &diagnosis.findings[0];
            assert_eq!(finding.causes, ["body"], "{finding:?}");
            assert!(finding.what.contains(told), "{told}: {finding:?}");
            assert!(finding.command.is_none() && finding.to_do.is_some());
        }
        let windows = sent(provider);
        let windows = Sent {
            body: BODY.replace(',', ",\r\n").into_bytes(),
            ..windows
        };
        let mut request = windows.request();
        request.body = BODY.replace(',', ",\n").into_bytes();
        let of = configured(&entry(provider, json!({})));
        let diagnosis = diagnose(&of.suspect(), &request);
        assert!(
            diagnosis.findings[0].what.contains("Windows"),
            "{diagnosis:?}"
        );
        // A letter that is lost cannot be found again, and is named.
        request.body = BODY.replace('é', "\u{fffd}").into_bytes();
        let diagnosis = diagnose(&of.suspect(), &request);
        assert_eq!(diagnosis.findings, []);
        assert!(
            diagnosis.left.iter().any(|left| left.contains("U+FFFD")),
            "{diagnosis:?}"
        );
    }
}

#[test]
fn a_secret_that_is_not_the_sources() {
    for provider in ["github", "stripe", "shopify", "square"] {
        let request = sent(provider).request();
        let rotate = "webhookctl source rotate-secret shop --secret-stdin";
        let mut wrong = entry(provider, json!({}));
        wrong["secrets"] = json!(["another-secret-of-the-source", "a-third-one-of-the-source"]);
        let of = configured(&wrong);
        let others = [
            ("blog".to_owned(), "x".to_owned()),
            ("studio".to_owned(), SECRET.to_owned()),
        ];
        let confused = Suspect {
            others: &others,
            ..of.suspect()
        };
        let finding = diagnose(&confused, &request).findings.remove(0);
        has(&finding, "secret", rotate);
        assert!(finding.what.contains("studio"), "{finding:?}");

        let entered = Suspect {
            tried_secret: Some(SECRET),
            ..of.suspect()
        };
        let finding = diagnose(&entered, &request).findings.remove(0);
        has(&finding, "secret", rotate);

        for wrapped in [
            format!("\"{SECRET}\""),
            format!("whsec_{SECRET}"),
            format!("WEBHOOK_SECRET={SECRET}"),
        ] {
            let mut wrong = entry(provider, json!({}));
            wrong["secrets"] = json!([wrapped]);
            let finding = diagnose(&configured(&wrong).suspect(), &request)
                .findings
                .remove(0);
            has(&finding, "secret", rotate);
            assert!(!finding.what.contains(SECRET) && !finding.to_do.unwrap().contains(SECRET));
        }

        let mut whole = sent(provider);
        whole.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let mut cut = entry(provider, json!({}));
        cut["secrets"] = json!(["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let finding = diagnose(&configured(&cut).suspect(), &whole.request())
            .findings
            .remove(0);
        assert!(finding.what.contains("without whsec_"), "{finding:?}");

        let left = diagnose(&of.suspect(), &request);
        assert_eq!(left.findings, []);
        assert!(
            left.left
                .iter()
                .any(|left| left.contains("another secret") && left.contains("2 tried"))
        );
        assert_eq!(
            left.left.iter().any(|left| left.contains("--url")),
            provider == "square"
        );
    }
}

#[test]
fn one_of_several_secrets() {
    for provider in ["github", "stripe", "shopify"] {
        let request = sent(provider).request();
        let mut now = entry(provider, json!({}));
        now["secrets"] = json!(["a-newer-one-of-the-source", SECRET]);
        let of = configured(&now);
        let finding = diagnose(&of.suspect(), &request).findings.remove(0);
        has(
            &finding,
            "changed-since",
            "webhookctl quarantine release --rejected --source shop",
        );
        assert!(finding.what.contains("secret 2 of 2"), "{finding:?}");
    }
    // One of them disables the source.
    for provider in ["standard-webhooks", "airtable", "svix"] {
        let mut sent = sent(provider);
        sent.fields = json!({"signed": "{header:webhook-id}.{body}", "timestamp_header": null});
        let fields = sent.fields.clone();
        let mut now = entry(provider, fields);
        now["secrets"] = json!([SECRET, "not Base64!"]);
        let finding = diagnose(&configured(&now).suspect(), &sent.request())
            .findings
            .remove(0);
        has(
            &finding,
            "secret",
            "webhookctl source rotate-secret shop --drop-previous",
        );
        assert!(finding.what.contains("secret 2 of 2"), "{finding:?}");
    }
}

#[test]
fn what_is_left_if_nothing_fits() {
    let of = configured(&entry("github", json!({})));
    let mut request = sent("github").request();
    request.headers = headers(&[
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ]);
    let left = diagnose(&of.suspect(), &request).left.join("\n");
    for part in [
        "x-hub-signature-256 is missing",
        "compressed",
        "no header of the request",
        "--secret-stdin",
    ] {
        assert!(left.contains(part), "{part}: {left}");
    }
    for provider in ["okta", "custom"] {
        let fields = match provider {
            "custom" => json!({"auth": "basic", "event": {"type": "a"}}),
            _ => json!({}),
        };
        let mut entry = entry(provider, fields);
        entry["secrets"] = json!(["user:password"]);
        let left = diagnose(&configured(&entry).suspect(), &request)
            .left
            .join("\n");
        assert!(left.contains("Authorization"), "{left}");
    }
    let broken = configured(&entry("github", json!({"encoding": "base32"})));
    let left = diagnose(&broken.suspect(), &request).left.join("\n");
    assert!(
        left.contains("disabled") && left.contains("encoding"),
        "{left}"
    );
}
