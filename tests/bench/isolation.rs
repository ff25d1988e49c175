//! What dead endpoints cost the others: the time from the acceptance of an event to its first attempt at a healthy
//! endpoint, in a run where all are healthy and in one where three of ten take every request and never answer. Lambda's
//! mapping is played by as many functions as run side by side, each fed from the queue.
//!
//!     cargo bench --bench isolation

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "a benchmark that cannot go on fails, and it does not use all that the tests share"
)]

#[path = "../it/support/mod.rs"]
mod support;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::delivery::World;
use support::function::{Answer, Function};
use support::items::item;
use support::receiver::{Receiver, Reply};
use webhook_gateway::event::EventRef;
use webhook_gateway::signature::sha256;

/// The functions that run side by side.
const CONCURRENCY: usize = 20;
const ENDPOINTS: u32 = 20;
/// Of these, the ones that hang in the second run: 30 %.
const HANGING: u32 = 6;
/// Each endpoint gets an event in so long.
const INTERVAL: Duration = Duration::from_secs(2);
const EVENTS: u32 = 40;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let healthy = run(0).await;
    let with_hanging = run(HANGING).await;
    println!(
        "| first attempt at healthy endpoints, ms | all healthy | 30 % hang | ratio |\n|---|---:|---:|---:|"
    );
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let (one, other) = (at(&healthy, share), at(&with_hanging, share));
        println!(
            "| {name} | {one} | {other} | {:.2} |",
            other as f64 / one as f64
        );
    }
}

/// The delays of first attempts at healthy endpoints, in milliseconds, sorted.
async fn run(hanging: u32) -> Vec<u64> {
    eprintln!("{EVENTS} events for each of {ENDPOINTS} endpoints, of which {hanging} hang");
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.answer(move |request| {
        let endpoint = number(&request.path);
        if endpoint < hanging {
            Reply::Hang
        } else {
            Reply::status(200)
        }
    });
    for number in 0..ENDPOINTS {
        let url = format!("{}/{number}", receiver.url().trim_end_matches('/'));
        let members = json!({"timeout": 20});
        world
            .endpoint(&format!("ep_{number}"), &url, &members)
            .await;
    }
    let event = recorded(&world).await;
    let mut functions = Vec::new();
    for _ in 0..CONCURRENCY {
        functions.push(world.function_behind(world.aws.url()).await);
    }
    let is_over = AtomicBool::new(false);
    let work = functions.iter_mut().map(|it| work(&world, it, &is_over));
    let offer = async {
        offer(&world, &event).await;
        let expected = ((ENDPOINTS - hanging) * EVENTS) as usize;
        support::eventually("the last delivery", || async {
            first_attempts(&receiver, hanging).len() >= expected
        })
        .await;
        is_over.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(offer, futures_util::future::join_all(work)).await;
    let mut delays: Vec<_> = first_attempts(&receiver, hanging).into_values().collect();
    delays.sort_unstable();
    delays
}

/// Puts an event into the ledger that serves for all: its key is the hash of its body.
async fn recorded(world: &World) -> EventRef {
    let body = support::webhook::creative_force("isolation", "");
    let digest = sha256(body.as_bytes());
    let mut event = support::delivery::event(0);
    event.key = format!("studio#sha256:{}", hex::encode(digest));
    let mut entry = item(&json!({
        "pk": event.key, "accepted_at": 0, "headers": {"content-type": "application/json"},
    }));
    entry["body"] = json!({"B": STANDARD.encode(body)});
    entry["body_sha256"] = json!({"B": STANDARD.encode(digest)});
    world.aws.put_item(&entry).await;
    event
}

/// Puts an event for one endpoint after the other onto the queue, at a steady pace.
async fn offer(world: &World, event: &EventRef) {
    let mut pace = tokio::time::interval(INTERVAL / ENDPOINTS);
    for number in 0..EVENTS * ENDPOINTS {
        pace.tick().await;
        let mut event = event.clone();
        event.accepted_at = i64::try_from(now()).unwrap();
        let endpoint = format!("ep_{}", number % ENDPOINTS);
        world
            .send(&json!({"kind": "delivery/1", "endpoint": endpoint, "event": event}))
            .await;
        if number % (ENDPOINTS * 5) == 0 {
            eprintln!("  {number} of {}", EVENTS * ENDPOINTS);
        }
    }
}

/// Hands messages to a function until all is over.
async fn work(world: &World, function: &mut Function, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let batch = world.receive_some(1).await;
        if batch.is_empty() {
            continue;
        }
        let Answer::Success(answer) = function.invoke(&json!({"Records": batch})).await else {
            panic!("an invocation failed");
        };
        world.delete(batch, &answer).await;
    }
}

/// How long each delivery to a healthy endpoint took to be tried, by its id.
fn first_attempts(receiver: &Receiver, hanging: u32) -> HashMap<String, u64> {
    let mut delays = HashMap::new();
    for request in receiver.requests() {
        let endpoint = number(&request.path);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let accepted: jiff::Timestamp = body["recordedtime"].as_str().unwrap().parse().unwrap();
        let came = request.at.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let delay = came.saturating_sub(accepted.as_millisecond().unsigned_abs());
        if endpoint >= hanging {
            delays.entry(request.id()).or_insert(delay);
        }
    }
    delays
}

fn at(sorted: &[u64], share: f64) -> u64 {
    let index = (sorted.len() as f64 * share).ceil() as usize;
    sorted[index.saturating_sub(1)].max(1)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
}

/// The endpoint that a path is of.
fn number(path: &str) -> u32 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}
