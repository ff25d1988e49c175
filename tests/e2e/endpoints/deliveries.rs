//! An event on its way to one endpoint: the requests, the number of attempts, and the operator's view.
//!
//! Seen to fail: with an id for each attempt, with the time before the id in the signed text, and with
//! redirects as successes.

use crate::support::endpoint::verifies;
use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::source::CREATIVE_FORCE;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::receiver::Reply;

#[tokio::test]
async fn an_event_arrives_as_it_is_on_the_queue_and_signed() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &[]).await;
    let events = source.events(1).await;

    let request = endpoint.requests(1).await.remove(0);
    let queued = source.message(Queue::Events, &events[0]).await;
    assert_eq!(String::from_utf8_lossy(&request.body), queued.body);
    assert_eq!(
        (&*request.method, &*request.path),
        ("POST", "/hooks?of=gateway")
    );
    assert_eq!(
        request.header("content-type"),
        queued.attribute("content-type")
    );
    assert!(verifies(&request, &endpoint.secret));
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert!(!verifies(&request, other));

    let delivery = endpoint.all("delivered", &events).await.remove(0);
    assert_eq!(delivery["id"], json!(request.id()));
    assert_eq!(delivery["endpoint"], json!(endpoint.id));
    assert_eq!(delivery["source"], json!(source.name));
    assert_eq!(delivery["type"], queued.json()["type"]);
    assert_eq!(
        (&delivery["attempts"], &delivery["last"]),
        (&json!(1), &json!(200))
    );
    endpoint.delete().await;
}

#[tokio::test]
async fn the_operator_is_shown_the_exact_request_but_for_its_credentials() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let headers = [
        "--header",
        "X-Env: test",
        "--header",
        "Authorization: Bearer hunter2",
    ];
    let endpoint = gateway.endpoint(&source, &headers).await;
    let answer = "thank you".to_owned();
    endpoint
        .receiver
        .always(Reply::Whole(202, Vec::new(), answer.clone()));
    let events = source.events(1).await;
    let delivery = endpoint.all("delivered", &events).await.remove(0);
    let got = endpoint.requests(1).await.remove(0);
    assert_eq!(got.header("authorization"), "Bearer hunter2");

    let shown = endpoint.shown(&delivery).await;
    let attempt = &shown["history"][0];
    assert_eq!(
        (&attempt["status"], &attempt["response"]),
        (&json!(202), &json!(answer))
    );
    let request = &shown["request"];
    let url = endpoint.receiver.url();
    let (without_query, _) = url.split_once('?').unwrap();
    assert_eq!(
        (&request["method"], &request["url"]),
        (&json!("POST"), &json!(without_query)),
        "a query may hold a credential"
    );
    assert_eq!(
        request["body"],
        json!(String::from_utf8(got.body.clone()).unwrap())
    );
    let shown = request["headers"].as_object().unwrap();
    for (name, value) in shown {
        let is_credential = ["webhook-signature", "authorization", "x-env"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        let (value, sent) = (value.as_str().unwrap(), got.header(name));
        match is_credential {
            true => assert!(!value.contains(sent), "{name}: {value}"),
            false => assert_eq!(value, sent, "{name}"),
        }
    }
    for name in got.headers.keys() {
        let is_shown = shown
            .keys()
            .any(|header| header.eq_ignore_ascii_case(name.as_str()));
        let frames = ["host", "content-length"].contains(&name.as_str());
        assert_eq!(is_shown, !frames, "{name}");
    }
    endpoint.delete().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_with_the_same_id_and_bytes() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway
        .endpoint(&source, &["--retry", "1s,1s,1s,1s,1s", "--timeout", "1s"])
        .await;
    let elsewhere = vec![("location", endpoint.receiver.url())];
    // Another copy of the function would repeat a request at once that it sent on this connection, if the
    // endpoint closed it: such an attempt has no line of its own.
    let closed = vec![("connection", "close".to_owned())];
    endpoint.answers([
        Reply::Whole(500, closed, String::new()),
        Reply::Hang,
        Reply::Drop,
        Reply::Whole(302, elsewhere, String::new()),
    ]);
    let events = source.events(1).await;

    let delivery = endpoint.all("delivered", &events).await.remove(0);
    let attempts = endpoint.attempts(&delivery).await;
    assert_eq!(
        json!(attempts),
        json!([500, "timeout", "reset", 302, 200]),
        "a redirect is not followed"
    );
    assert_eq!(delivery["attempts"], 5);
    let requests = endpoint.receiver.requests();
    assert_eq!(requests.len(), 5);
    for two in requests.windows(2) {
        assert_eq!((&two[0].id(), &two[0].body), (&two[1].id(), &two[1].body));
        let wait = two[1].at.duration_since(two[0].at).unwrap();
        // One second, and at most a fifth less.
        assert!(wait >= Duration::from_millis(800), "{wait:?}");
    }
    for request in &requests {
        assert!(verifies(request, &endpoint.secret));
    }
    endpoint.delete().await;
}

/// Runs `webhookctl delivery resend`.
async fn resend(gateway: &Gateway, options: &[&str]) -> Vec<Value> {
    let resend = ["--json", "delivery", "resend"];
    gateway
        .webhookctl(&[&resend, options].concat())
        .await
        .json()
}

#[tokio::test]
async fn what_is_exhausted_can_be_resent() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &["--no-retry"]).await;
    endpoint.receiver.always(Reply::status(500));
    let events = source.events(3).await;
    let exhausted = endpoint.all("exhausted", &events).await;
    assert!(exhausted.iter().all(|delivery| delivery["attempts"] == 1));
    endpoint.receiver.always(Reply::status(200));

    let first = exhausted[0]["id"].as_str().unwrap();
    assert_eq!(
        resend(&gateway, &[first]).await,
        [json!({"resent": 1, "of": 1})]
    );
    let requests = endpoint.requests(4).await;
    assert_eq!(
        requests[3].id(),
        first,
        "the receiver can tell a repetition"
    );

    let many = ["--endpoint", &endpoint.name, "--since", "1h", "--state"];
    // The first delivery stays exhausted until the function has written that it is delivered.
    let planned = crate::support::eventually("the first is delivered", || async {
        let dry = [&many[..], &["exhausted", "--dry-run"]].concat();
        Some(resend(&gateway, &dry).await).filter(|planned| planned.len() == 2)
    })
    .await;
    assert_eq!(planned, exhausted[1..]);
    assert_eq!(endpoint.receiver.requests().len(), 4, "nothing was sent");
    assert_eq!(
        resend(&gateway, &[&many[..], &["exhausted"]].concat()).await,
        [json!({"resent": 2, "of": 2})]
    );
    for delivery in endpoint.all("delivered", &events).await {
        assert_eq!(delivery["attempts"], 2);
        assert_eq!(json!(endpoint.attempts(&delivery).await), json!([500, 200]));
    }
    assert_eq!(
        resend(&gateway, &[&many[..], &["delivered"]].concat()).await,
        [json!({"resent": 3, "of": 3})]
    );
    endpoint.requests(9).await;
    endpoint.delete().await;
}
