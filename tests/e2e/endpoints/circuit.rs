//! An endpoint that is down, gone or stuck: the gateway pauses its deliveries, notifies the operator, and
//! loses nothing.
//!
//! Seen to fail: with circuits that never open, with a first probe after 10 s, with the newest first, with a
//! 410 that counts as any other failure, with notifications that reach no topic, and with a batch that is
//! settled as a whole.

use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::queue::OwnQueue;
use crate::support::source::CREATIVE_FORCE;
use crate::support::{PATIENCE, eventually};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::receiver::Reply;

/// The wait before the first probe of an open circuit.
const FIRST_PROBE: Duration = Duration::from_secs(60);

/// Waits for the event that notifies consumers of an endpoint.
async fn notice(endpoint: &Endpoint<'_>, r#type: &str) -> Value {
    let r#type = format!("io.webhook-gateway.endpoint.{type}");
    eventually(&r#type, || async {
        let notices = endpoint.notices();
        notices.into_iter().find(|notice| notice["type"] == r#type)
    })
    .await
}

/// Waits for the message that notifies the operator of an endpoint by e-mail.
async fn mail(queue: &OwnQueue<'_>, endpoint: &Endpoint<'_>, what: &str) -> String {
    let subject = format!("Webhook endpoint {what}: {}", endpoint.name);
    let mail = eventually(&subject, || async {
        let received = queue.receive().await;
        received
            .into_iter()
            .find(|message| message["Subject"] == subject)
    })
    .await;
    mail["Message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_alone_and_gets_all_of_it_in_order_once_it_answers() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let mails = OwnQueue::of_notices(&gateway).await;
    // The schedule has more attempts than the failures that open the circuit. Therefore no delivery is
    // exhausted before that.
    let retry = ["1s"; 12].join(",");
    let endpoint = gateway.endpoint(&source, &["--retry", &retry]).await;
    endpoint.receiver.always(Reply::status(500));
    let mut events = source.events(12).await;
    let open = endpoint
        .comes_to("an open circuit", |shown| shown["condition"] == "open")
        .await;
    assert_eq!(open["state"], "active");
    assert!(
        open["circuit"]["failures"].as_u64().unwrap() >= 10,
        "{open}"
    );

    events.extend(source.events(3).await);
    let held = endpoint.all("held", &events).await;
    assert!(
        held.iter().all(|delivery| delivery["reason"].is_string()),
        "{held:?}"
    );
    assert_eq!(endpoint.told("show", &[]).await["held"], 15);
    assert_eq!(
        held[14]["attempts"], 0,
        "what comes after that is not tried"
    );
    let opened = notice(&endpoint, "circuit-opened").await;
    assert_eq!(opened["subject"], format!("endpoint/{}", endpoint.id));
    let mail_of_it = mail(&mails, &endpoint, "is failing").await;
    let advice = format!("webhookctl delivery list --endpoint {}", endpoint.id);
    assert!(mail_of_it.contains(&advice), "{mail_of_it}");

    endpoint.receiver.always(Reply::status(200));
    let failed = endpoint.receiver.take();
    let delivered = endpoint
        .all_within(FIRST_PROBE + PATIENCE, "delivered", &events)
        .await;
    assert_eq!(endpoint.events(), events);
    let probe = endpoint.receiver.requests()[0].at;
    let wait = probe.duration_since(failed[9].at).unwrap();
    assert!(wait >= FIRST_PROBE, "probed after {wait:?}");
    let attempts: u64 = delivered
        .iter()
        .map(|delivery| delivery["attempts"].as_u64().unwrap())
        .sum();
    assert_eq!(attempts as usize, failed.len() + events.len());
    let well = endpoint.told("show", &[]).await;
    assert_eq!(
        (&well["condition"], &well["circuit"]["failures"]),
        (&json!("active"), &json!(0))
    );
    notice(&endpoint, "recovered").await;
    mail(&mails, &endpoint, "recovered").await;
    mails.delete().await;
    endpoint.delete().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_gets_nothing_more_until_the_operator_enables_it() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let mails = OwnQueue::of_notices(&gateway).await;
    let endpoint = gateway.endpoint(&source, &[]).await;
    endpoint.receiver.always(Reply::status(410));
    let mut events = source.events(1).await;
    let gone = endpoint
        .comes_to("a disabled endpoint", |shown| shown["state"] == "disabled")
        .await;
    let reason = gone["reason"].as_str().unwrap();
    assert!(reason.contains("410"), "{reason}");

    events.extend(source.events(3).await);
    let held = endpoint.all("held", &events).await;
    let attempts: Vec<_> = held.iter().map(|delivery| &delivery["attempts"]).collect();
    assert_eq!(json!(attempts), json!([1, 0, 0, 0]));
    assert_eq!(endpoint.receiver.requests().len(), 1);
    let disabled = notice(&endpoint, "disabled").await;
    assert_eq!(
        disabled["data"],
        json!({"endpoint": endpoint.id, "name": endpoint.name, "reason": reason})
    );
    let mail_of_it = mail(&mails, &endpoint, "disabled").await;
    let advice = format!("webhookctl endpoint enable {}", endpoint.id);
    assert!(
        mail_of_it.contains(reason) && mail_of_it.contains(&advice),
        "{mail_of_it}"
    );
    let resumed = endpoint.run("resume", &[]).await;
    assert!(resumed.error().contains("endpoint enable"), "{resumed:?}");

    endpoint.receiver.always(Reply::status(200));
    endpoint.receiver.take();
    let enabled = endpoint.told("enable", &[]).await;
    assert_eq!(
        (&enabled["state"], &enabled["reason"]),
        (&json!("active"), &Value::Null)
    );
    endpoint.all("delivered", &events).await;
    assert_eq!(endpoint.events(), events);
    mails.delete().await;
    endpoint.delete().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let stuck = gateway
        .new_endpoint(&source, &["--timeout", "30s", "--no-retry"])
        .await;
    stuck.receiver.always(Reply::Hang);
    let healthy = gateway.endpoint(&source, &[]).await;
    let events = source.events(25).await;
    healthy.all("delivered", &events).await;
    assert!(!stuck.receiver.requests().is_empty());
    let stuck_deliveries = stuck.deliveries().await;
    assert!(
        stuck_deliveries
            .iter()
            .all(|delivery| delivery["attempts"] == 0),
        "the other got all of them before the first attempt was over: {stuck_deliveries:?}"
    );
    stuck.delete().await;
    healthy.delete().await;
}
