//! Requests that are rejected because their source is configured wrongly: the tool says why, its command
//! repairs the source, and what was rejected is released.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::function::Answer;
use testkit::operator::Operator;
use testkit::webhook::request;
use webhook_gateway::providers::Incoming;
use webhook_gateway::providers::recipe::Recipe;

/// Raw text for some providers, and Base64 for others.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

const BODY: &str =
    r#"{"id":"evt_1","type":"order.paid","event_id":"evt_1","note":"café","data":{"id":"o_1"}}"#;

/// The same, as some programs write it.
const SPACED: &str = concat!(
    r#"{"id": "evt_1", "type": "order.paid", "event_id": "evt_1", "note": "café", "#,
    r#""data": {"id": "o_1"}}"#
);

/// A mistake in the configuration of a source.
struct Mistake {
    /// What the finding names.
    cause: &'static str,
    /// The source as its operator configured it.
    entry: Value,
    sender: Sender,
    /// The standard input of the command that repairs the source.
    input: &'static str,
}

/// How a provider sends.
#[derive(Clone)]
struct Sender {
    provider: &'static str,
    fields: Value,
    secret: &'static str,
    seconds_ago: i64,
    body: &'static str,
    /// The URL that it calls, if that is not the Payload URL.
    url: Option<&'static str>,
}

fn sender(provider: &'static str) -> Sender {
    Sender {
        provider,
        fields: json!({}),
        secret: SECRET,
        seconds_ago: 0,
        body: BODY,
        url: None,
    }
}

/// A provider without a preset.
fn other(fields: Value) -> Sender {
    Sender {
        fields: with(json!({"event": {"type": "com.example.{$.type}"}}), fields),
        ..sender("custom")
    }
}

/// An object with the members of another one.
fn with(mut object: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(members);
    object
}

impl Sender {
    /// The entry of its source, without a mistake.
    fn entry(&self) -> Value {
        let entry = json!({"provider": self.provider, "secrets": [self.secret]});
        with(entry, self.fields.clone())
    }

    /// The same source with these fields.
    fn configured(&self, cause: &'static str, wrong: Value) -> Mistake {
        Mistake {
            cause,
            entry: with(self.entry(), wrong),
            sender: self.clone(),
            input: "",
        }
    }

    /// A webhook as it is signed.
    fn sent(&self, source: &str, url: &str) -> Value {
        let fields = self.fields.as_object().unwrap();
        let recipe = Recipe::of_source(self.provider, fields).unwrap();
        let fixed = [
            ("x-github-event", "push"),
            ("x-shopify-topic", "orders/paid"),
            ("webhook-id", "msg_1"),
            ("svix-id", "msg_1"),
        ];
        let fixed = fixed.map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let mut headers: HeaderMap = fixed.into_iter().collect();
        let incoming = Incoming {
            method: "POST",
            query: "",
            headers: &headers,
            body: self.body.as_bytes(),
        };
        let secret = recipe.secret(self.secret).unwrap();
        let at = Timestamp::now() - SignedDuration::from_secs(self.seconds_ago);
        let url = self.url.unwrap_or(url);
        headers.extend(recipe.sign(&incoming, &secret, url, at).unwrap());
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        request("POST", source, self.body, &headers.collect::<Vec<_>>())
    }
}

/// Each kind of mistake with at least three providers.
fn mistakes() -> Vec<Mistake> {
    let signed = |fields: Value| other(with(json!({"signature_header": "X-Signature"}), fields));
    let plain = || signed(json!({}));
    let hash = |signed: &str| json!({"auth": "hash", "signed": signed});
    let token =
        |header: &str| json!({"auth": "token", "token_header": header, "signature_header": null});
    let mut all = Vec::new();
    for sender in ["github", "shopify", "stripe"].map(sender) {
        // None of several secrets is that of the provider, which another source has.
        let secrets = json!({"secrets": ["a-secret-of-the-source-1", "a-secret-of-the-source-2"]});
        let mut mistake = sender.configured("secret", secrets);
        mistake.input = SECRET;
        all.push(mistake);
    }
    for provider in ["standard-webhooks", "svix", "other"] {
        // A previous secret that cannot be used disables the source.
        let sender = match provider {
            "other" => signed(json!({"secret_encoding": "base64"})),
            provider => sender(provider),
        };
        all.push(sender.configured("secret", json!({"secrets": [SECRET, "not Base64!"]})));
    }
    for (sender, encoding) in [
        (sender("stripe"), "base64"),
        (sender("github"), "base64"),
        (sender("slack"), "base64"),
        (sender("standard-webhooks"), "raw"),
        (sender("svix"), "raw"),
        (sender("airtable"), "raw"),
    ] {
        all.push(sender.configured("secret_encoding", json!({"secret_encoding": encoding})));
    }
    for (sender, encoding) in [
        (sender("shopify"), "hex"),
        (sender("zendesk"), "hex"),
        (sender("standard-webhooks"), "hex"),
        (sender("github"), "base64"),
        (sender("slack"), "base64"),
        (sender("stripe"), "base64"),
    ] {
        all.push(sender.configured("encoding", json!({"encoding": encoding})));
    }
    for (sender, prefix) in [
        (sender("github"), ""),
        (sender("slack"), ""),
        (sender("greenhouse"), "sha256="),
        (sender("shopify"), "sha256="),
        (sender("lemon-squeezy"), "sha256="),
        (sender("zendesk"), "v1="),
    ] {
        all.push(sender.configured("signature_prefix", json!({"signature_prefix": prefix})));
    }
    for sender in ["github", "slack", "shopify", "square"].map(sender) {
        all.push(sender.configured(
            "signature_header",
            json!({"signature_header": "X-Signature"}),
        ));
    }
    for (sender, template) in [
        (sender("slack"), "{timestamp}.{body}"),
        (sender("stripe"), "{timestamp}{body}"),
        (sender("zendesk"), "{timestamp}.{body}"),
        (sender("square"), "{body}"),
    ] {
        all.push(sender.configured("signed", json!({"signed": template})));
    }
    for (provider, configured) in [
        ("stripe", "github"),
        ("slack", "shopify"),
        ("standard-webhooks", "github"),
        ("zendesk", "stripe"),
    ] {
        let mut mistake = sender(provider).configured("provider", json!({}));
        mistake.entry["provider"] = json!(configured);
        all.push(mistake);
    }
    for provider in ["stripe", "slack", "zendesk"] {
        for seconds_ago in [900, -1_200] {
            let sender = Sender {
                seconds_ago,
                ..sender(provider)
            };
            all.push(sender.configured("timestamp_tolerance", json!({})));
        }
    }
    for provider in ["square", "hubspot", "twilio"] {
        let sender = Sender {
            body: if provider == "twilio" {
                "CallSid=CA1&From=%2B1"
            } else {
                BODY
            },
            ..sender(provider)
        };
        let old = json!({"public_url": "https://old.example.com/"});
        all.push(sender.configured("public_url", old));
    }
    for template in [
        "{body}{secret}",
        "{secret}{body}",
        "{body}{timestamp}{secret}",
    ] {
        let time = match template.contains("{timestamp}") {
            true => json!({"timestamp_header": "X-Time"}),
            false => json!({}),
        };
        let hashed = signed(with(hash(template), time.clone()));
        let keyed = with(
            json!({"auth": "hmac"}),
            json!({"signed": template.replace("{secret}", "")}),
        );
        all.push(hashed.configured("auth", keyed));
        let keyed = signed(with(
            time,
            json!({"signed": template.replace("{secret}", "")}),
        ));
        all.push(keyed.configured("auth", hash(template)));
    }
    for header in ["X-Token", "X-Webhook-Token", "X-Auth-Key"] {
        let sender = other(token(header));
        let wrong =
            json!({"auth": "hmac", "token_header": null, "signature_header": "X-Signature"});
        all.push(sender.configured("auth", wrong));
        all.push(plain().configured("auth", token(header)));
    }
    all
}

#[tokio::test]
async fn each_mistake_is_explained_repaired_and_released() {
    let aws = Aws::start().await;
    let mistakes: Vec<_> = mistakes().into_iter().enumerate().collect();
    let name = |number: &usize| format!("source-{number}");
    let entries = mistakes
        .iter()
        .map(|(number, mistake)| (name(number), mistake.entry.clone()));
    aws.put_sources(&Value::Object(entries.collect())).await;
    let mut function = aws.ingress().await;
    let mut rejected = Vec::new();
    for (number, mistake) in &mistakes {
        let name = name(number);
        let url = format!("{}/webhooks/{name}", aws.url());
        let answer = function.invoke(&mistake.sender.sent(&name, &url)).await;
        let Answer::Success(response) = answer else {
            panic!("{answer:?}");
        };
        let is_rejected = response["statusCode"] == 401 || response["statusCode"] == 503;
        rejected.extend((!is_rejected).then_some((name, response)));
    }
    assert!(rejected.is_empty(), "{rejected:?}");
    let operator = Operator::of(&aws).await;
    let mut faults = Vec::new();
    for (number, mistake) in &mistakes {
        if let Err(fault) = repaired(&operator, &name(number), mistake).await {
            faults.push(format!("{} {}: {fault}", mistake.cause, mistake.entry));
        }
    }
    let (count, all) = (faults.len(), mistakes.len());
    assert!(
        faults.is_empty(),
        "{count} of {all}:\n{}",
        faults.join("\n")
    );
    assert_eq!(aws.recorded().await.len(), all);
}

/// Follows the command of the finding about a source, and releases its request. `Err` says what is wrong.
async fn repaired(operator: &Operator, name: &str, mistake: &Mistake) -> Result<(), String> {
    let found = operator.run(&["source", "diagnose", name]).await;
    assert!(!format!("{found:?}").contains(SECRET), "{name}: {found:?}");
    let diagnosed = found.lines().into_iter().next().unwrap_or_default();
    let finding = &diagnosed["findings"][0];
    let causes = finding["causes"].as_array().cloned().unwrap_or_default();
    if !causes.contains(&json!(mistake.cause)) {
        return Err(format!("{found:?}"));
    }
    let what = finding["what"].as_str().unwrap_or_default();
    let ago = mistake.sender.seconds_ago.abs();
    // The clock goes on between the signature and the request, and a timestamp may be in whole seconds.
    let told = |seconds| what.contains(&format!(" {seconds} seconds "));
    if ago != 0 && !(ago - 1..=ago + 1).any(told) {
        return Err(what.to_owned());
    }
    let command = finding["command"]
        .as_str()
        .ok_or_else(|| finding.to_string())?;
    let followed = operator.follow(command, mistake.input).await;
    if !followed.is_success() {
        return Err(format!("{command}: {followed:?}"));
    }
    let release = ["quarantine", "release", "--rejected", "--source", name];
    let released = operator.run(&release).await;
    let is_released = released.is_success() && released.lines()[0]["outcome"] == "released";
    match is_released {
        true => Ok(()),
        false => Err(format!("{command}: {released:?}")),
    }
}

#[tokio::test]
async fn a_body_that_was_changed_on_the_way_is_named_and_no_command_is() {
    let aws = Aws::start().await;
    let providers = ["github", "stripe", "shopify"];
    // What was signed, what comes, and what the finding says.
    let changes = [
        (BODY, BODY.replace("\":", "\": "), "compact JSON"),
        (SPACED, BODY.to_owned(), "a space after each"),
        (BODY, format!("{BODY}\n"), "without the line end"),
        (BODY, format!("\u{feff}{BODY}"), "byte order mark"),
        (BODY, BODY.replace('é', "\\u00e9"), "as compact JSON"),
    ];
    let all = providers.iter().flat_map(|provider| {
        let changes = changes.iter().enumerate();
        changes.map(move |(number, change)| (format!("{provider}-{number}"), *provider, change))
    });
    let all: Vec<_> = all.collect();
    let entries = all
        .iter()
        .map(|(name, provider, _)| (name.clone(), sender(provider).entry()));
    aws.put_sources(&Value::Object(entries.collect())).await;
    let mut function = aws.ingress().await;
    for (name, provider, (signed, came, _)) in &all {
        let sender = Sender {
            body: signed,
            ..sender(provider)
        };
        let mut event = sender.sent(name, "");
        event["body"] = json!(came);
        function.answered(&event, 401).await;
    }
    let operator = Operator::of(&aws).await;
    for (name, _, (.., told)) in &all {
        let found = operator.run(&["source", "diagnose", name]).await.json();
        let finding = &found[0]["findings"][0];
        assert_eq!(
            (&finding["causes"], &finding["command"]),
            (&json!(["body"]), &Value::Null)
        );
        let what = finding["what"].as_str().unwrap();
        assert!(what.contains(told), "{name}: {told}: {what}");
        assert!(
            finding["to_do"].as_str().unwrap().contains("proxy"),
            "{finding}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_named() {
    let aws = Aws::start().await;
    let providers = ["github", "stripe", "shopify"];
    let entries = providers.map(|provider| (provider.to_owned(), sender(provider).entry()));
    aws.put_sources(&Value::Object(entries.into_iter().collect()))
        .await;
    let mut function = aws.ingress().await;
    for provider in providers {
        // The letter stood there in Latin-1, and API Gateway takes JSON for UTF-8.
        let mut event = sender(provider).sent(provider, "");
        event["body"] = json!(BODY.replace('é', "\u{fffd}"));
        function.answered(&event, 401).await;
    }
    let operator = Operator::of(&aws).await;
    for provider in providers {
        let said = operator.run(&["source", "diagnose", provider]).await;
        assert_eq!(said.code, Some(1), "{said:?}");
        let said = said.lines().remove(0);
        assert!(
            said["reason"].as_str().unwrap().contains("U+FFFD"),
            "{said}"
        );
        assert!(
            said["left"].to_string().contains("must send UTF-8"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_request_without_an_explanation_leaves_causes_and_a_secret_may_be_tried() {
    let aws = Aws::start().await;
    let sources = json!({
        "shop": {"provider": "shopify", "secrets": ["another-secret-of-the-shop"]},
        "blog": {"provider": "github", "secrets": ["a-secret-of-the-blog-itself"]},
    });
    aws.put_sources(&sources).await;
    let mut function = aws.ingress().await;
    function
        .answered(&sender("shopify").sent("shop", ""), 401)
        .await;
    let operator = Operator::of(&aws).await;
    let said = operator.run(&["source", "diagnose", "shop"]).await;
    assert!(said.error().contains("no change"), "{said:?}");
    let said = said.lines().remove(0);
    assert_eq!(said["findings"], json!([]));
    let left = said["left"].to_string();
    assert!(
        left.contains("another secret") && left.contains("--secret-stdin"),
        "{left}"
    );

    let id = said["request"].as_str().unwrap();
    let with_secret = [
        "source",
        "diagnose",
        "shop",
        "--request",
        id,
        "--secret-stdin",
    ];
    let found = operator
        .run_with(&with_secret, SECRET)
        .await
        .json()
        .remove(0);
    assert_eq!(
        found["findings"][0]["command"],
        "webhookctl source rotate-secret shop --secret-stdin"
    );
    let plain = operator
        .run_plain(&["source", "diagnose", "shop", "--secret-stdin"], SECRET)
        .await;
    assert!(
        plain
            .output
            .contains("\n  webhookctl source rotate-secret shop"),
        "{plain:?}"
    );

    let other = ["source", "diagnose", "blog", "--request", id];
    assert!(
        operator
            .run(&other)
            .await
            .error()
            .contains("of the source shop")
    );
    let none = operator.run(&["source", "diagnose", "blog"]).await.error();
    assert!(
        none.contains("rejected no request") && none.contains("source url blog"),
        "{none}"
    );
    let unknown = operator.run(&["source", "diagnose", "absent"]).await;
    assert_eq!(unknown.code, Some(1));
}
