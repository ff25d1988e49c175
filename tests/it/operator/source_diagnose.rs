//! Requests that are rejected because their source is configured wrongly: the tool says why, its command
//! repairs the source, and what was rejected is released.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::operator::Operator;
use testkit::webhook::request;
use webhook_gateway::providers::Incoming;
use webhook_gateway::providers::recipe::Recipe;

/// Raw text for some providers, and Base64 for others.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

const BODY: &str = r#"{"id":"evt_1","type":"order.paid","event_id":"evt_1","data":{"id":"o_1"}}"#;

/// A webhook as a provider signs it, some seconds ago.
fn sent(source: &str, provider: &str, url: &str, seconds_ago: i64) -> Value {
    let recipe = Recipe::of_source(provider, &Default::default()).unwrap();
    let fixed = [
        ("x-github-event", "push"),
        ("x-shopify-topic", "orders/paid"),
        ("webhook-id", "msg_1"),
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
        body: BODY.as_bytes(),
    };
    let secret = recipe.secret(SECRET).unwrap();
    let at = Timestamp::now() - SignedDuration::from_secs(seconds_ago);
    let made = recipe.sign(&incoming, &secret, url, at).unwrap();
    headers.extend(made);
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let mut event = request("POST", source, BODY, &headers.collect::<Vec<_>>());
    event["requestContext"]["timeEpoch"] = json!(Timestamp::now().as_millisecond());
    event
}

/// The words of a command of the tool, after its name. Only single quotes keep words together.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in command.split('\'').enumerate() {
        let mut pieces = if at % 2 == 1 {
            vec![part]
        } else {
            part.split(' ').collect()
        }
        .into_iter();
        words
            .last_mut()
            .unwrap()
            .push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.split_off(1)
}

#[tokio::test]
async fn each_mistake_is_explained_repaired_and_released() {
    let aws = Aws::start().await;
    let with = |provider: &str, fields: Value| {
        let mut entry = json!({"provider": provider, "secrets": [SECRET]});
        entry
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        entry
    };
    // The source, its entry, the provider that sends, how many seconds ago, and the cause.
    let mistakes = [
        (
            "encoding",
            with("shopify", json!({"encoding": "hex"})),
            "shopify",
            0,
            "encoding",
        ),
        (
            "prefix",
            with("github", json!({"signature_prefix": ""})),
            "github",
            0,
            "signature_prefix",
        ),
        (
            "secret",
            with("stripe", json!({"secret_encoding": "base64"})),
            "stripe",
            0,
            "secret_encoding",
        ),
        (
            "header",
            with("github", json!({"signature_header": "X-Signature"})),
            "github",
            0,
            "signature_header",
        ),
        (
            "template",
            with("slack", json!({"signed": "{timestamp}.{body}"})),
            "slack",
            0,
            "signed",
        ),
        ("other", with("github", json!({})), "stripe", 0, "provider"),
        (
            "standard",
            with("github", json!({})),
            "standard-webhooks",
            0,
            "provider",
        ),
        (
            "clock",
            with("stripe", json!({})),
            "stripe",
            900,
            "timestamp_tolerance",
        ),
        (
            "url",
            with("square", json!({"public_url": "https://old.example.com/"})),
            "square",
            0,
            "public_url",
        ),
    ];
    let entries = mistakes
        .iter()
        .map(|(name, entry, ..)| ((*name).to_owned(), entry.clone()));
    aws.put_sources(&Value::Object(entries.collect())).await;
    let mut function = aws.ingress().await;
    for (name, _, provider, seconds, _) in &mistakes {
        let url = format!("{}/webhooks/{name}", aws.url());
        function
            .answered(&sent(name, provider, &url, *seconds), 401)
            .await;
    }
    let operator = Operator::of(&aws).await;
    for (name, _, _, _, cause) in &mistakes {
        let found = operator.run(&["source", "diagnose", name]).await;
        assert!(!format!("{found:?}").contains(SECRET), "{name}");
        let found = found.json().remove(0);
        let finding = &found["findings"][0];
        let causes = finding["causes"].as_array().unwrap();
        assert!(causes.contains(&json!(cause)), "{name}: {found}");
        let command = finding["command"].as_str().unwrap();
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        operator.run(&words).await.json();
        let again = operator
            .run(&["source", "diagnose", name])
            .await
            .json()
            .remove(0);
        assert_eq!(
            again["findings"][0]["causes"],
            json!(["changed-since"]),
            "{name}: {again}"
        );
        let release = ["quarantine", "release", "--rejected", "--source", name];
        let released = operator.run(&release).await.json();
        assert_eq!(released[0]["outcome"], "released", "{name}: {released:?}");
        let none = operator.run(&["source", "diagnose", name]).await.error();
        assert!(none.contains("rejected no request"), "{none}");
    }
    assert_eq!(aws.recorded().await.len(), mistakes.len());
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
        .answered(&sent("shop", "shopify", "", 0), 401)
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
