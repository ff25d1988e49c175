//! The events that each endpoint gets, from when on, and until when.
//!
//! Seen to fail: with ignored sources, and with no record of the events that a deleted endpoint did not get.

use crate::support::endpoint::in_force;
use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::source::{CREATIVE_FORCE, product_reset};
use crate::support::{eventually, unique};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::receiver::{Receiver, Reply};

#[tokio::test]
async fn a_new_endpoint_gets_events_within_half_a_minute_and_without_a_deployment() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    // Every copy of the function that takes part has read the endpoints by now.
    source.event().await;
    let endpoint = gateway.new_endpoint(&source, &[]).await;
    let created = tokio::time::Instant::now();
    let id = eventually("an event for the new endpoint", || async {
        source.event().await;
        endpoint.events().pop()
    })
    .await;
    // The events of half a minute, and the time that they take to arrive on a slow machine.
    assert!(created.elapsed() < Duration::from_secs(45));
    source.message(Queue::Events, &id).await;
    endpoint.delete().await;
}

#[tokio::test]
async fn an_endpoint_gets_the_types_and_sources_that_it_wants_and_no_others() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let other = gateway.source(CREATIVE_FORCE, &[]).await;
    let all = ["--source", &other.name];
    let all = gateway.new_endpoint(&source, &all).await;
    let one = ["--event", "io.creativeforce.product.re*", "--event", "x"];
    let one = gateway.endpoint(&source, &one).await;

    let (mut wanted, mut every) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let elsewhere = other.event().await;
        let id = unique();
        let deleted = product_reset(&id, "").replace("ProductReset", "Deleted");
        source.post(deleted).await.outcome();
        let reset = source.event().await;
        every.extend([elsewhere, id, reset.clone()]);
        wanted.push(reset);
    }
    all.all("delivered", &every).await;
    one.all("delivered", &wanted).await;

    // From now on the other way round.
    let changed = ["--event", "*.deleted", "--source", &other.name];
    let changed = one.told("update", &changed).await;
    assert_eq!(
        (&changed["events"], &changed["sources"]),
        (&json!(["*.deleted"]), &json!([other.name]))
    );
    in_force().await;
    source.event().await;
    let deleted = product_reset(&unique(), "").replace("ProductReset", "Deleted");
    wanted.push(other.post(deleted).await.outcome().1.to_owned());
    one.all("delivered", &wanted).await;
    one.delete().await;
    all.delete().await;
}

#[tokio::test]
async fn another_url_is_in_force_at_once_also_for_what_is_tried_again() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &["--retry", "5s,5s,5s"]).await;
    endpoint.receiver.always(Reply::status(500));
    let mut events = source.events(1).await;
    endpoint.all("pending", &events).await;
    let new = Receiver::start().await;
    let updated = endpoint.told("update", &["--url", &new.url()]).await;
    assert_eq!(updated["url"], json!(new.url()));
    let before = endpoint.receiver.requests().len();

    events.extend(source.events(1).await);
    endpoint.all("delivered", &events).await;
    assert_eq!(new.requests().len(), 2);
    assert_eq!(endpoint.receiver.requests().len(), before);
    endpoint.delete().await;
}

#[tokio::test]
async fn what_a_deleted_endpoint_did_not_get_is_skipped() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.endpoint(&source, &["--retry", "5s,5s,5s"]).await;
    endpoint.receiver.always(Reply::status(500));
    let mut events = source.events(1).await;
    endpoint.all("pending", &events).await;
    endpoint.told("pause", &[]).await;
    let held = source.events(2).await;
    eventually("held deliveries", || async {
        let deliveries = endpoint.deliveries().await;
        let held = deliveries
            .iter()
            .filter(|delivery| delivery["state"] == "held");
        (held.count() >= 2).then_some(())
    })
    .await;
    events.extend(held);

    let refused = endpoint.run("delete", &[]).await;
    assert!(refused.error().contains("--discard-held"), "{refused:?}");
    let requests = endpoint.receiver.requests().len();
    let deleted = endpoint.told("delete", &["--discard-held"]).await;
    assert_eq!(deleted["deleted"], json!(endpoint.id));
    assert!(deleted["skipped"].as_u64().unwrap() >= 2, "{deleted}");
    for delivery in endpoint.all("skipped", &events).await {
        assert_eq!(delivery["reason"], "the endpoint was deleted");
    }
    assert_eq!(endpoint.receiver.requests().len(), requests);
    let gone = endpoint.run("show", &[]).await;
    assert!(gone.error().contains("there is no endpoint"), "{gone:?}");
    let id = endpoint.deliveries().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let resend = ["--json", "delivery", "resend", &id];
    let resent = gateway.webhookctl(&resend).await;
    assert!(resent.error().contains("was deleted"), "{resent:?}");
    let tested: Value = json!(endpoint.run("ping", &[]).await.code);
    assert_eq!(tested, 1);
}
