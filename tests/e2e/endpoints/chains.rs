//! Messages that the delivery function sends to the queue that starts it. Lambda stops a chain of such
//! invocations after 16 unless the template allows more. The local AWS does so too.
//!
//! Seen to fail: without `RecursiveLoop: Allow` in the template.

use crate::support::endpoint::{event, in_force};
use crate::support::gateway::Gateway;
use crate::support::source::CREATIVE_FORCE;
use std::time::Duration;
use testkit::receiver::Reply;

const ENDPOINTS: usize = 5;

const EVENTS: usize = 50;

/// One more failure would open the circuit. Each failure makes the chain two invocations longer: one sends
/// the delivery to the queue, and the next holds it there and sends a probe.
const FAILURES: usize = 9;

/// A failed attempt waits at most 3 seconds, and a probe one second more.
const PATIENCE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn what_is_held_is_delivered_however_long_its_chain_of_invocations_is() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let retry = ["2s"; FAILURES].join(",");
    let mut endpoints = Vec::new();
    for _ in 0..ENDPOINTS {
        let options = ["--rate", "100", "--retry", &retry];
        let endpoint = gateway.new_endpoint(&source, &options).await;
        endpoint.told("pause", &[]).await;
        endpoints.push(endpoint);
    }
    in_force().await;
    let events = source.events(EVENTS).await;
    for endpoint in &endpoints {
        endpoint.all("held", &events).await;
        let (stubborn, mut failures) = (events[0].clone(), 0);
        endpoint.receiver.answer(move |request| {
            let fails = event(request) == stubborn && failures < FAILURES;
            failures += usize::from(fails);
            Reply::status(if fails { 500 } else { 200 })
        });
    }
    for endpoint in &endpoints {
        endpoint.told("resume", &[]).await;
    }
    for endpoint in endpoints {
        let delivered = endpoint.all_within(PATIENCE, "delivered", &events).await;
        assert_eq!(delivered[0]["attempts"], FAILURES + 1);
        endpoint.delete().await;
    }
}
