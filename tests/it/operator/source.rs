//! Sources of any provider: created and changed by the tool, and taken as such by the function.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::operator::Operator;
use testkit::webhook::request;
use webhook_gateway::providers::Incoming;
use webhook_gateway::providers::recipe::Recipe;

const SECRET: &str = "a-long-secret-of-the-provider";

/// A webhook as a provider with this recipe signs it now.
fn signed(
    source: &str,
    provider: &str,
    fields: &Value,
    body: &str,
    more: &[(&str, &str)],
) -> Value {
    let recipe = Recipe::of_source(provider, fields.as_object().unwrap()).unwrap();
    let pair = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    let mut headers: HeaderMap = more.iter().map(pair).collect();
    let incoming = Incoming {
        method: "POST",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let secret = recipe.secret(SECRET).unwrap();
    let made = recipe
        .sign(&incoming, &secret, "", Timestamp::now())
        .unwrap();
    headers.extend(made);
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    request("POST", source, body, &headers.collect::<Vec<_>>())
}

#[tokio::test]
async fn a_preset_and_a_recipe_are_a_source_each_and_their_webhooks_are_events() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({})).await;
    let operator = Operator::of(&aws).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.json");
    let recipe = json!({
        "signature_header": "X-Forms-Signature", "signed": "{timestamp}.{body}", "timestamp_header": "X-Time",
        "event": {"type": "com.example.{$.kind}"},
    });
    std::fs::write(&file, recipe.to_string()).unwrap();
    let file = file.to_str().unwrap();

    let code = [
        "source",
        "create",
        "code",
        "--provider",
        "github",
        "--secret-stdin",
    ];
    let created = operator.run_with(&code, SECRET).await;
    assert!(
        created.notes.contains("/webhooks/code as the Payload URL"),
        "{created:?}"
    );
    assert_eq!(created.json()[0]["provider"], "github");
    assert!(!format!("{created:?}").contains(SECRET));
    let forms = [
        "source",
        "create",
        "forms",
        "--provider",
        "custom",
        "--from",
        file,
        "--set",
        "encoding=base64",
    ];
    let forms = [&forms[..], &["--set", "event.id={$.id}", "--secret-stdin"]].concat();
    operator.run_with(&forms, SECRET).await.json();

    let mut function = aws.ingress().await;
    let github = [("x-github-event", "issues"), ("x-github-delivery", "d-1")];
    let body = r#"{"action":"opened","repository":{"full_name":"a/b"}}"#;
    function
        .accept(&signed("code", "github", &json!({}), body, &github))
        .await;
    let mut fields = recipe;
    fields["encoding"] = json!("base64");
    let body = r#"{"kind":"sent","id":"f-1"}"#;
    function
        .accept(&signed("forms", "custom", &fields, body, &[]))
        .await;
    aws.drain_stream(&mut function).await;
    let events = aws.drain("events").await;
    let told = |name: &str| -> Vec<Value> {
        let mut told: Vec<_> = events
            .iter()
            .map(|event| event.body[name].clone())
            .collect();
        told.sort_by_key(Value::to_string);
        told
    };
    assert_eq!(
        told("type"),
        ["com.example.sent", "com.github.issues.opened"]
    );
    assert_eq!(told("authenticity"), ["signature", "signature"]);

    let shown = operator
        .run(&["source", "show", "code"])
        .await
        .json()
        .remove(0);
    assert_eq!(
        shown["not_covered_by_the_signature"],
        json!(["x-github-delivery", "x-github-event"])
    );
    assert_eq!(shown["dedupe"], "by the body");
    assert!(shown["last_event_at"].is_string() && shown["sources_changed_at"].is_string());
    let used = &shown["secret_use"][0];
    assert_eq!(used["last_matched_at"], shown["last_event_at"]);
    assert_eq!(
        (&used["position"], &used["safe_to_remove"]),
        (&json!(1), &json!(false))
    );
    assert!(
        shown["authenticity"]
            .as_str()
            .unwrap()
            .starts_with("signature: ")
    );
    assert!(
        shown["authentication"]
            .as_str()
            .unwrap()
            .contains("X-Hub-Signature-256")
    );
    let id = events[0].body["id"].as_str().unwrap();
    let explained = operator.run_plain(&["event", "explain", id], "").await;
    assert!(
        explained.output.contains("authenticity signature: "),
        "{explained:?}"
    );
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_and_changes_nothing() {
    let aws = Aws::start().await;
    aws.put_sources(&json!({"code": {"provider": "github", "secrets": [SECRET]}}))
        .await;
    let operator = Operator::of(&aws).await;
    let create = ["source", "create", "new", "--provider"];
    for (words, says) in [
        (&["custom"][..], "signature_header: it is missing"),
        (
            &["github", "--set", "encoding=base32"],
            "encoding: it must be hex, base64 or base64url",
        ),
        (
            &["github", "--set", "event.typ=x"],
            "event.typ: there is no such field",
        ),
        (
            &["github", "--set", "signed={timestamp}"],
            "timestamp_header: it is missing",
        ),
        (&["meta"], "verify_token: it is missing"),
        (&["sendgrid"], "--secret-stdin"),
        (&["acme"], "there is no preset of this name"),
        (
            &["github", "--set", "secrets=x"],
            "secrets: a secret is never an argument",
        ),
        (&["github", "--from", "none.json"], "none.json"),
    ] {
        let error = operator.run(&[&create[..], words].concat()).await.error();
        assert!(error.contains(says), "{words:?}: {error}");
    }
    let update = ["source", "update", "code"];
    for (words, says) in [
        (&["--set", "auth=token"][..], "token_header: it is missing"),
        (&["--set", "event.type={$.a"], "event.type: a brace"),
        (
            &["--set", "timestamp_tolerance=5m"],
            "timestamp_tolerance: the timestamp is not signed",
        ),
        (&["--provider", "svix"], "secrets: a secret is not Base64"),
    ] {
        let error = operator.run(&[&update[..], words].concat()).await.error();
        assert!(error.contains(says), "{words:?}: {error}");
    }
    let listed = operator.run(&["source", "list"]).await.json();
    assert_eq!(listed.len(), 1);
    let same = operator
        .run(&["source", "update", "code", "--set", "encoding=base64"])
        .await;
    assert!(
        same.json()[0]["authentication"]
            .as_str()
            .unwrap()
            .contains("Base64")
    );
    let unset = operator
        .run(&["source", "update", "code", "--unset", "encoding"])
        .await;
    assert!(
        unset.json()[0]["authentication"]
            .as_str()
            .unwrap()
            .contains(", hex")
    );
}

#[tokio::test]
async fn short_secrets_and_missing_signatures_are_warned_of() {
    let aws = Aws::start().await;
    aws.put_sources(&json!({})).await;
    let operator = Operator::of(&aws).await;
    let short = [
        "source",
        "create",
        "a",
        "--provider",
        "github",
        "--secret-stdin",
    ];
    let created = operator.run_with(&short, "short").await;
    assert!(created.notes.contains("fewer than 16 bytes"), "{created:?}");
    let long = [
        "source",
        "create",
        "b",
        "--provider",
        "gitlab",
        "--secret-stdin",
    ];
    let created = operator.run_with(&long, SECRET).await;
    assert!(!created.notes.contains("16 bytes"), "{created:?}");
    assert!(
        created.notes.contains("not that the body is unchanged"),
        "{created:?}"
    );
    let found = operator.run(&["doctor"]).await.lines();
    let warned = found.iter().filter(|finding| {
        finding["what"]
            .as_str()
            .unwrap_or_default()
            .contains("16 bytes")
    });
    assert_eq!(warned.count(), 1, "{found:?}");
}

#[tokio::test]
async fn a_waiting_source_shows_its_handshake_and_takes_its_secret_afterwards() {
    let aws = Aws::start().await;
    aws.put_sources(&json!({})).await;
    let operator = Operator::of(&aws).await;
    let create = [
        "source",
        "create",
        "pages",
        "--provider",
        "notion",
        "--waiting",
    ];
    operator.run(&create).await.json();
    let shown = operator
        .run(&["source", "show", "pages"])
        .await
        .json()
        .remove(0);
    assert_eq!(
        (&shown["status"], &shown["secrets"]),
        (&json!("waiting"), &json!(0))
    );
    assert!(
        shown["handshake"]
            .as_str()
            .unwrap()
            .starts_with("verification-token: ")
    );
    let mut function = aws.ingress().await;
    let body = r#"{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}"#;
    function
        .answered(&request("POST", "pages", body, &[]), 200)
        .await;
    assert_eq!(aws.recorded().await.len(), 0);
    let rotate = ["source", "rotate-secret", "pages", "--secret-stdin"];
    operator.run_with(&rotate, SECRET).await.json();
    let shown = operator
        .run(&["source", "show", "pages"])
        .await
        .json()
        .remove(0);
    assert_eq!(
        (&shown["status"], &shown["secrets"]),
        (&json!("signed"), &json!(1))
    );
}
