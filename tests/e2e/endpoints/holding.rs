//! An endpoint that must not get its deliveries now: they wait off the queue, and come in order.
//!
//! Seen to fail: with an ignored pause, with `Retry-After` unread, with the newest first, and with a probe
//! that ends before the second of its rate does.

use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::source::CREATIVE_FORCE;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use testkit::receiver::Reply;

/// The wait that the endpoints here ask for: longer than the test needs to see it.
const WAIT: Duration = Duration::from_secs(15);

/// The header of the second wait, in its other form: a date in whole seconds.
fn date() -> (SystemTime, String) {
    let date = httpdate::fmt_http_date(SystemTime::now() + WAIT);
    (httpdate::parse_http_date(&date).unwrap(), date)
}

/// Answers the first request with a status and `Retry-After`, and all others with 200.
fn ask_first(
    endpoint: &Endpoint<'_>,
    status: u16,
    retry_after: impl Fn() -> String + Send + 'static,
) {
    let mut is_first = true;
    endpoint.receiver.answer(move |_| {
        if !std::mem::take(&mut is_first) {
            return Reply::status(200);
        }
        Reply::Whole(status, vec![("retry-after", retry_after())], String::new())
    });
}

#[tokio::test]
async fn an_endpoint_that_asks_for_it_is_left_alone_as_a_whole() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let seconds = gateway.new_endpoint(&source, &[]).await;
    ask_first(&seconds, 429, || WAIT.as_secs().to_string());
    let dated = gateway.endpoint(&source, &[]).await;
    ask_first(&dated, 503, || date().1);
    let endpoints = [seconds, dated];

    let mut events = source.events(1).await;
    for endpoint in &endpoints {
        let waiting = endpoint
            .comes_to("a wait", |shown| shown["condition"] == "waiting")
            .await;
        assert_eq!(waiting["state"], "active");
    }
    events.extend(source.events(4).await);
    for endpoint in &endpoints {
        endpoint.all("held", &events).await;
        assert_eq!(endpoint.receiver.requests().len(), 1);
    }
    for endpoint in endpoints {
        let delivered = endpoint.all("delivered", &events).await;
        let attempts: Vec<_> = delivered
            .iter()
            .map(|delivery| &delivery["attempts"])
            .collect();
        assert_eq!(json!(attempts), json!([2, 1, 1, 1, 1]));
        assert_eq!(endpoint.events()[1..], events);
        let requests = endpoint.receiver.requests();
        let wait = requests[1].at.duration_since(requests[0].at).unwrap();
        // The date has no fractions of a second.
        assert!(wait >= WAIT - Duration::from_secs(1), "{wait:?}");
        endpoint.delete().await;
    }
}

#[tokio::test]
async fn what_comes_for_a_paused_endpoint_is_delivered_in_order_once_it_is_resumed() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &[]).await;
    let mut events = source.events(1).await;
    endpoint.all("delivered", &events).await;

    let paused = endpoint.told("pause", &["--reason", "migration"]).await;
    assert_eq!(
        (&paused["state"], &paused["reason"]),
        (&json!("paused"), &json!("migration"))
    );
    let later = source.events(5).await;
    events.extend_from_slice(&later);
    let told = crate::support::eventually("all of it is held", || async {
        let deliveries = endpoint.deliveries().await;
        let is_held = |delivery: &Value| delivery["state"] == "held";
        (deliveries.len() == 6 && deliveries[1..].iter().all(is_held)).then_some(deliveries)
    })
    .await;
    assert_eq!(told[5]["attempts"], 0);
    assert_eq!(
        endpoint.receiver.requests().len(),
        1,
        "the pause is in force at once"
    );
    assert_eq!(endpoint.told("show", &[]).await["held"], 5);

    let resumed = endpoint.told("resume", &[]).await;
    assert_eq!(
        (&resumed["state"], &resumed["reason"]),
        (&json!("active"), &Value::Null)
    );
    endpoint.all("delivered", &events).await;
    assert_eq!(endpoint.events(), events);
    endpoint.delete().await;
}

#[tokio::test]
async fn a_rate_is_never_exceeded_and_all_is_delivered() {
    const RATE: usize = 2;
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway
        .endpoint(&source, &["--rate", &RATE.to_string()])
        .await;
    let events = source.events(8).await;
    endpoint.all("delivered", &events).await;
    let requests = endpoint.receiver.requests();
    assert_eq!(requests.len(), events.len());
    // The receiver records a request before it answers, and the next second's requests are sent a second
    // after the last answer. A slow machine only adds to the time between them.
    for more in requests.windows(RATE + 1) {
        let between = more[RATE].at.duration_since(more[0].at).unwrap();
        assert!(between >= Duration::from_secs(1), "{between:?}");
    }
    endpoint.delete().await;
}
