//! `webhookctl endpoint ping` shows the answer of an endpoint without an event.
//!
//! Seen to fail: with a wrong signature, and with paused endpoints left out.

use crate::support::endpoint::{event, verifies};
use crate::support::gateway::Gateway;
use crate::support::source::CREATIVE_FORCE;
use serde_json::{Value, json};
use testkit::receiver::Reply;

#[tokio::test]
async fn a_test_tells_what_the_endpoint_answers_and_fails_unless_it_takes_it() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.new_endpoint(&source, &["--timeout", "1s"]).await;
    let said = |status: u16| Reply::Whole(status, Vec::new(), "well".to_owned());
    for (reply, code, expected) in [
        (
            said(200),
            0,
            json!({"state": "delivered", "status": 200, "error": null, "response": "well"}),
        ),
        (
            said(500),
            1,
            json!({"state": "exhausted", "status": 500, "error": null, "response": "well"}),
        ),
        (
            Reply::Hang,
            1,
            json!({"state": "exhausted", "status": null, "error": "timeout", "response": null}),
        ),
    ] {
        endpoint.receiver.always(reply);
        let tested = endpoint.run("ping", &[]).await;
        assert_eq!(tested.code, Some(code), "{tested:?}");
        let answer: Value = serde_json::from_str(tested.output.trim()).unwrap();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&answer[name], value, "{name} of {answer}");
        }
        let request = endpoint.receiver.take().remove(0);
        assert_eq!(answer["delivery"], json!(request.id()));
        assert!(event(&request).starts_with("ping_"));
        assert!(request.has("io.webhook-gateway.endpoint.ping"));
        assert!(verifies(&request, &endpoint.secret));
    }
    let nobody = endpoint.told("update", &["--url", "http://127.0.0.1:1/"]);
    assert_eq!(nobody.await["url"], "http://127.0.0.1:1/");
    let tested = endpoint.run("ping", &[]).await;
    assert!(tested.error().contains("refused"), "{tested:?}");
    endpoint.delete().await;
}

#[tokio::test]
async fn a_test_goes_to_a_paused_endpoint_too_and_counts_as_no_failure() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.new_endpoint(&source, &[]).await;
    endpoint.told("pause", &[]).await;
    for status in [500, 410] {
        endpoint.receiver.always(Reply::status(status));
        let tested = endpoint.run("ping", &[]).await;
        assert!(tested.error().contains(&status.to_string()), "{tested:?}");
        assert_eq!(endpoint.receiver.take().len(), 1, "it is sent once");
    }
    let as_before = endpoint.told("show", &[]).await;
    assert_eq!(
        (&as_before["state"], &as_before["circuit"]["failures"]),
        (&json!("paused"), &json!(0))
    );
    endpoint.receiver.always(Reply::status(200));
    let tested = endpoint.run("ping", &[]).await;
    assert_eq!(
        (tested.is_success(), tested.code),
        (true, Some(0)),
        "{tested:?}"
    );
    assert_eq!(endpoint.notices(), [] as [Value; 0]);
    endpoint.delete().await;
}
