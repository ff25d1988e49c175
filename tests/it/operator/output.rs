//! What the tool writes: all of it or an error, and nothing that steers a terminal; and what is typed is not
//! seen.
//!
//! Seen to fail: all of them, with a tool that leaves what it has written to the end of the process, prints
//! errors as they are, and has secrets typed in sight.

use serde_json::{Value, json};
use std::fs::File;
use std::process::Stdio;
use testkit::aws::Aws;
use testkit::operator::{Operator, accept};
use testkit::webhook::{creative_force, signed};

/// What steers a terminal, or has it show something else than is there, as a webhook may have it in its
/// texts.
const STEERING: &str =
    "\u{7f}\u{9b}31m \u{90}x\u{9c} \u{202e}txet\u{202c} \u{2066}a\u{2069} \u{200b}\u{feff}\u{2028}";

fn is_steering(c: char) -> bool {
    (c.is_control() && c != '\n')
        || "\u{202e}\u{202c}\u{2066}\u{2069}\u{200b}\u{feff}\u{2028}".contains(c)
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error_and_who_has_seen_enough_is_none() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    accept(&mut aws, &mut ingress, &["a"]).await;
    let operator = Operator::of(&aws).await;
    for command in [
        &["event", "show", "a", "--raw"][..],
        &["event", "show", "a"],
        &["--json", "event", "show", "a"],
        &["event", "list"],
        &["source", "list"],
        &["--json", "source", "list"],
        &["source", "url", "studio"],
        &["provider", "event-types"],
        &["doctor"],
        &["status"],
        &["--help"],
        &["event", "replay", "--help"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let tool = operator.command(command).stdout(full).spawn().unwrap();
        let said = testkit::operator::finish(tool).await;
        assert_eq!(said.code, Some(1), "{command:?}: {said:?}");
        let why = "the output cannot be written";
        assert!(said.notes.contains(why), "{command:?}: {said:?}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let writer = Stdio::from(writer);
        let tool = operator.command(command).stdout(writer).spawn().unwrap();
        let said = testkit::operator::finish(tool).await;
        assert_eq!(said.code, Some(0), "{command:?}: {said:?}");
        assert!(!said.notes.contains("error"), "{command:?}: {said:?}");
    }
}

#[tokio::test]
async fn nothing_of_a_webhook_steers_the_terminal_and_its_values_are_what_they_are() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    let body = creative_force("a", STEERING);
    ingress.accept(&signed("studio", &body)).await;
    aws.drain_stream(&mut ingress).await;
    let operator = Operator::of(&aws).await;
    let plain = operator.run_plain(&["event", "show", "a"], "").await;
    let json = operator.run(&["event", "show", "a"]).await;
    for said in [&plain, &json] {
        assert!(!said.output.contains(is_steering), "{said:?}");
        assert!(!said.notes.contains(is_steering), "{said:?}");
    }
    let shown = &json.json()[0];
    assert_eq!(shown["body"], json!(body));
    assert_eq!(shown["event"]["data"]["Note"], STEERING);
    let raw = operator
        .run_plain(&["event", "show", "a", "--raw"], "")
        .await;
    assert_eq!(raw.output, body);

    let error = operator.run(&["event", "show", STEERING]).await.error();
    assert!(error.contains(STEERING), "{error:?}");
    let error = operator.run_plain(&["event", "show", STEERING], "").await;
    assert!(!error.notes.contains(is_steering), "{error:?}");
    assert!(error.notes.contains("there is no event"), "{error:?}");
}

#[tokio::test]
async fn bytes_from_outside_go_to_no_terminal_unless_that_is_said() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    let body = creative_force("a", STEERING);
    ingress.accept(&signed("studio", &body)).await;
    aws.drain_stream(&mut ingress).await;
    let operator = Operator::of(&aws).await;
    let show = ["event", "show", "a", "--raw"];
    let said = operator.run_at_terminal(&show, "", "").await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.output.contains("--force") && !said.output.contains("PayloadId"));
    let show = [&show[..], &["--force"]].concat();
    let said = operator.run_at_terminal(&show, "", "").await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.output.contains(&body), "{said:?}");
}

#[tokio::test]
async fn a_secret_that_is_typed_is_not_seen() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let url = "http://localhost:1/";
    let secret = "typed-hunter2";
    let document = async || {
        let read = json!({"SecretId": "sources"});
        let read = aws.call("secretsmanager.GetSecretValue", &read).await;
        serde_json::from_str::<Value>(read["SecretString"].as_str().unwrap()).unwrap()
    };
    // Where nothing is hidden, the text ends by Ctrl-D.
    let typed = format!("{secret}\r\x04");
    let add = [
        "source",
        "create",
        "hr",
        "--provider",
        "people-force",
        "--secret-stdin",
    ];
    let rotate = ["source", "rotate-secret", "studio", "--secret-stdin"];
    let create = [
        "endpoint",
        "create",
        "--name",
        "a",
        "--url",
        url,
        "--secret-stdin",
        "--signature",
        "hmac-sha256-hex",
        "--signature-header",
        "X-Signature",
    ];
    for command in [&add[..], &rotate, &create] {
        let said = operator.run_at_terminal(command, "ecret", &typed).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!said.output.contains(secret), "{said:?}");
    }
    let sources = document().await["sources"].take();
    assert_eq!(sources["hr"]["secrets"], json!([secret]));
    assert_eq!(sources["studio"]["secrets"][0], secret);
}
