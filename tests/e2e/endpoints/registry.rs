//! The settings that an operator may give an endpoint, and that they last.
//!
//! Seen to fail: with endpoints that are written without a check for changes since they were read.

use crate::support::gateway::{Gateway, name};
use crate::support::source::CREATIVE_FORCE;
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_said_of_an_endpoint_is_shown_without_what_is_secret() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let options = [
        "--description",
        "of a test",
        "--event",
        "io.creativeforce.*",
        "--header",
        "X-Env: test",
        "--header",
        "X-Api-Key: hunter2",
        "--timeout",
        "5s",
        "--retry",
        "5s,1m,1h30m",
        "--rate",
        "10",
    ];
    let endpoint = gateway.new_endpoint(&source, &options).await;
    let shown = endpoint.told("show", &[]).await;
    for (name, value) in json!({
        "name": endpoint.name, "url": endpoint.receiver.url(), "description": "of a test", "state": "active",
        "events": ["io.creativeforce.*"], "sources": [source.name],
        "headers": {"X-Env": "test", "X-Api-Key": "[redacted]"},
        "timeout": "5s", "retry": ["5s", "1m", "1h30m"], "rate": 10, "format": "cloudevents",
        "signature": "standard-webhooks", "secrets": [{"until": null}], "held": 0,
    })
    .as_object()
    .unwrap()
    {
        assert_eq!(&shown[name], value, "{name}");
    }
    let listed = gateway.webhookctl(&["--json", "endpoint", "list"]).await;
    assert!(listed.json().iter().any(|row| row["id"] == shown["id"]));
    let by_name = gateway
        .webhookctl(&["endpoint", "show", &endpoint.name])
        .await;
    assert!(by_name.is_success() && by_name.output.contains(&endpoint.id));
    for said in [listed, by_name] {
        assert!(!said.output.contains("hunter2") && !said.output.contains(&endpoint.secret));
    }
    endpoint.delete().await;
}

#[tokio::test]
async fn of_two_operators_the_later_does_not_overwrite_the_earlier() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.new_endpoint(&source, &[]).await;
    let secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let rotate = [
        "--json",
        "endpoint",
        "rotate-secret",
        &endpoint.id,
        "--secret-stdin",
    ];
    // The tool that asks for a secret has read the endpoint by then, unless this machine is very slow.
    let mut refused = None;
    for timeout in 1..=5 {
        let waiting = gateway.start_webhookctl(&rotate);
        endpoint.told("show", &[]).await;
        let timeout = format!("{timeout}s");
        endpoint.told("update", &["--timeout", &timeout]).await;
        let later = testkit::operator::finish_with(waiting, secret).await;
        let now = endpoint.told("show", &[]).await;
        assert_eq!(now["timeout"], timeout, "what was told to be changed is");
        if !later.is_success() {
            assert_eq!(now["secrets"].as_array().unwrap().len(), 1);
            refused = Some(later.error());
            break;
        }
    }
    let refused = refused.expect("a conflict in one of five tries");
    assert!(refused.contains("changed in the meantime"), "{refused}");
    endpoint.delete().await;
}

#[tokio::test]
async fn the_tool_refuses_an_endpoint_that_could_not_work_and_says_why() {
    let gateway = Gateway::find().await;
    let name = name();
    let url = "http://127.0.0.1:1/hooks";
    let create = ["--json", "endpoint", "create", "--name", &name, "--url"];
    // Code 1 for a rejected command, 2 for an unknown one.
    for (options, code, why) in [
        (&["ftp://127.0.0.1/"][..], 1, "must begin with https://"),
        (
            &["https://user:hunter2@example.com/"],
            1,
            "must not hold a user",
        ),
        (&["hooks.example.com"], 1, "not valid"),
        (
            &[url, "--header", "webhook-id: 1"],
            2,
            "webhook-id is reserved",
        ),
        (&[url, "--header", "X-Env"], 2, "NAME: VALUE"),
        (&[url, "--header", "X-Env: ü"], 2, "printable ASCII"),
        (&[url, "--timeout", "31s"], 2, "1s to 30s"),
        (&[url, "--timeout", "5"], 2, "not a duration"),
        (&[url, "--retry", "1s,,2s"], 2, "not a duration"),
        (&[url, "--retry", "13h"], 2, "12h"),
        (&[url, "--rate", "0"], 2, "1..=1000"),
        (&[url, "--source", "no such"], 2, "source list"),
        (&[url, "--secret-stdin"], 1, "whsec_"),
        (
            &[url, "--signature", "hmac-sha256-hex"],
            1,
            "needs --signature-header",
        ),
        (
            &[url, "--signature-header", "X-Signature"],
            1,
            "--signature hmac-sha256-hex",
        ),
    ] {
        let said = gateway
            .webhookctl_with(&[&create, options].concat(), "too short")
            .await;
        assert_eq!(said.code, Some(code), "{said:?}");
        let error = said.error();
        assert!(error.contains(why), "{options:?}: {error}");
        assert!(!said.output.contains("whsec_") && !error.contains("hunter2"));
    }
    let listed = gateway.webhookctl(&["--json", "endpoint", "list"]).await;
    assert!(!listed.json().iter().any(|row| row["name"] == name));
}

/// The command checks the public policy, whatever the stack's policy is.
#[tokio::test]
async fn a_check_tells_of_each_url_whether_it_may_be_called() {
    let gateway = Gateway::find().await;
    let urls = [
        ("https://hooks.example.com/in?a=b", true),
        ("https://hooks.example.com:8443/", true),
        ("http://hooks.example.com/", false),
        ("https://user@hooks.example.com/", false),
        ("https://127.0.0.1/", false),
        ("https://0x7f.1/", false),
        ("https://[::ffff:169.254.169.254]/", false),
        ("https://metadata.google.internal/", false),
        ("https://localhost/", false),
        ("", false),
    ];
    let lines = urls.map(|(url, _)| url).join("\n") + "\n";
    let checked = gateway
        .webhookctl_with(&["endpoint", "check-url", "-"], &lines)
        .await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let verdicts = checked.output.lines().map(serde_json::from_str);
    let verdicts: Vec<Value> = verdicts.collect::<Result<_, _>>().unwrap();
    assert_eq!(verdicts.len(), urls.len());
    for (verdict, (url, is_allowed)) in verdicts.iter().zip(urls) {
        let word = if is_allowed { "allow" } else { "deny" };
        assert_eq!(
            (&verdict["url"], &verdict["verdict"]),
            (&json!(url), &json!(word))
        );
        assert_eq!(verdict["reason"].is_string(), !is_allowed, "{verdict}");
    }
    let allowed = ["endpoint", "check-url", urls[0].0, urls[1].0];
    let checked = gateway.webhookctl(&allowed).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
