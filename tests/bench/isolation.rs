//! The cost of dead and slow endpoints for the others: the time from the acceptance of an event to its first
//! attempt at a healthy endpoint. In each run, three of ten endpoints take every request and never answer, or
//! answer 200 after 19 seconds, or do so every other time. The comparison is a run of the same load in which
//! all endpoints are healthy. Several functions, each fed from the queue, play the part of Lambda's event
//! source mapping.
//!
//!     cargo bench --profile dev --bench isolation
//!     cargo bench --profile dev --bench isolation -- "after 19 s"    # the runs of this name alone

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "a benchmark that cannot go on fails, and it does not use all that the tests share"
)]

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::delivery::{DeliveryHarness, ledger_item};
use testkit::function::{Answer, Function};
use testkit::receiver::{Receiver, Reply};
use webhook_gateway::crypto::mac::sha256;
use webhook_gateway::event::EventMeta;

/// The functions that run at the same time.
const CONCURRENCY: usize = 20;
const ENDPOINTS: u32 = 20;
/// The unhealthy ones among them in the second run: 30 %.
const ILL: u32 = 6;
/// The time between two events for a healthy endpoint.
const INTERVAL: Duration = Duration::from_secs(2);
/// The time for which events are offered.
const TIME: Duration = Duration::from_secs(80);
/// An invocation that lasts longer is waiting for an unhealthy endpoint.
const LONG: Duration = Duration::from_secs(3);
/// The time that a slow endpoint takes. Its time-out is 20 seconds.
const SLOW: Duration = Duration::from_secs(19);

/// The behaviour of an unhealthy endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Illness {
    Hangs,
    Slow,
    /// Every other time.
    ByTurns,
}

/// Two runs to compare.
struct Case {
    name: &'static str,
    illness: Illness,
    /// The events per second for each of these endpoints.
    rate: f64,
}

const CASES: [Case; 5] = [
    Case {
        name: "30 % hang, 0.5 events/s each",
        illness: Illness::Hangs,
        rate: 0.5,
    },
    Case {
        name: "30 % answer 200 after 19 s, 2 events/s each",
        illness: Illness::Slow,
        rate: 2.0,
    },
    Case {
        name: "30 % answer 200 after 19 s every other time, 2 events/s each",
        illness: Illness::ByTurns,
        rate: 2.0,
    },
    Case {
        name: "30 % answer 200 after 19 s, 10 events/s each",
        illness: Illness::Slow,
        rate: 10.0,
    },
    Case {
        name: "30 % hang, 10 events/s each",
        illness: Illness::Hangs,
        rate: 10.0,
    },
];

/// The result of a run.
struct Run {
    /// The delays of first attempts at healthy endpoints, in milliseconds, sorted.
    delays: Vec<u64>,
    /// The attempts at the other endpoints.
    others: usize,
    /// The average number of functions that waited for the other endpoints.
    taken: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_wanted = |case: &&Case| {
        wanted.is_empty() || wanted.iter().any(|word| case.name.contains(word.as_str()))
    };
    let mut healthy: HashMap<String, Run> = HashMap::new();
    let mut rows = Vec::new();
    for case in CASES.iter().filter(is_wanted) {
        let key = case.rate.to_string();
        if !healthy.contains_key(&key) {
            healthy.insert(key.clone(), run(None, case.rate).await);
        }
        let run = run(Some(case.illness), case.rate).await;
        let of = |run: &Run| [0.5, 0.9, 0.99].map(|share| at(&run.delays, share));
        let (well, ill) = (of(&healthy[&key]), of(&run));
        let ratio = |place: usize| ill[place] as f64 / well[place] as f64;
        rows.push(format!(
            "| {} | {} / {} / {} | {} / {} / {} | {:.2} / {:.2} / {:.2} | {} | {:.1} |",
            case.name,
            well[0],
            well[1],
            well[2],
            ill[0],
            ill[1],
            ill[2],
            ratio(0),
            ratio(1),
            ratio(2),
            run.others,
            run.taken,
        ));
    }
    println!(
        "| first attempt at healthy endpoints, p50 / p90 / p99 | all healthy, ms | so, ms | ratio \
         | attempts at the others | functions taken, of {CONCURRENCY} |\n\
         |---|---:|---:|---:|---:|---:|"
    );
    for row in rows {
        println!("{row}");
    }
}

async fn run(illness: Option<Illness>, rate: f64) -> Run {
    eprintln!(
        "{ENDPOINTS} endpoints for {TIME:?}, {ILL} of them with {rate} events/s each: {illness:?}"
    );
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    let mut turns: HashMap<u32, u32> = HashMap::new();
    receiver.answer(move |request| {
        let endpoint = number(&request.path);
        if endpoint >= ILL {
            return Reply::status(200);
        }
        let turn = turns.entry(endpoint).or_default();
        *turn += 1;
        match illness {
            Some(Illness::Hangs) => Reply::Hang,
            Some(Illness::Slow) => Reply::Late(SLOW, 200),
            Some(Illness::ByTurns) if turn.is_multiple_of(2) => Reply::Late(SLOW, 200),
            Some(Illness::ByTurns) | None => Reply::status(200),
        }
    });
    for number in 0..ENDPOINTS {
        let url = format!("{}/{number}", receiver.url().trim_end_matches('/'));
        let id = format!("ep_{number}");
        world.endpoint(&id, &url, &json!({"timeout": 20})).await;
        // As the operator's tool creates it.
        world.put_circuit(&id, &json!({"slow_until": 0})).await;
    }
    let event = recorded(&world).await;
    let mut functions = Vec::new();
    for _ in 0..CONCURRENCY {
        functions.push(world.function_behind(world.aws.url()).await);
    }
    let (is_over, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    let work = functions
        .iter_mut()
        .map(|function| work(&world, function, &is_over, &taken));
    let began = Instant::now();
    let offer = async {
        let offered = offer(&world, &event, rate).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        while first_attempts(&receiver).len() < offered && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        is_over.store(true, Ordering::Relaxed);
        offered
    };
    let (offered, _) = join(offer, join_all(work)).await;
    let taken = taken.into_inner() as f64 / began.elapsed().as_millis() as f64;
    let mut delays: Vec<_> = first_attempts(&receiver).into_values().collect();
    assert_eq!(delays.len(), offered, "deliveries are missing");
    delays.sort_unstable();
    let requests = receiver.requests().into_iter();
    let others = requests
        .filter(|request| number(&request.path) < ILL)
        .count();
    Run {
        delays,
        others,
        taken,
    }
}

/// Puts one event into the ledger for all deliveries. Its key is the hash of its body.
async fn recorded(world: &DeliveryHarness) -> EventMeta {
    let body = testkit::webhook::creative_force("isolation", "");
    let digest = sha256(body.as_bytes());
    let mut event = testkit::delivery::event(0);
    event.key = format!("studio#sha256:{}", hex::encode(digest));
    let mut entry = ledger_item(&event);
    entry["accepted_at"] = json!({"N": "0"});
    entry["body"] = json!({"B": STANDARD.encode(body)});
    entry["body_sha256"] = json!({"B": STANDARD.encode(digest)});
    world.aws.put_item(&entry).await;
    event
}

/// The time from the beginning at which each endpoint gets an event: each at a steady pace, no two at the
/// same time.
fn schedule(rate: f64) -> Vec<(Duration, u32)> {
    let mut all = Vec::new();
    for endpoint in 0..ENDPOINTS {
        let interval = if endpoint < ILL {
            Duration::from_secs_f64(1.0 / rate)
        } else {
            INTERVAL
        };
        let mut at = interval * endpoint / ENDPOINTS;
        while at < TIME {
            all.push((at, endpoint));
            at += interval;
        }
    }
    all.sort_unstable();
    all
}

/// Puts events onto the queue, each at its time. Returns the number of those for healthy endpoints.
async fn offer(world: &DeliveryHarness, event: &EventMeta, rate: f64) -> usize {
    let began = tokio::time::Instant::now();
    let schedule = schedule(rate);
    let mut last = HashMap::new();
    let mut due = schedule.iter().peekable();
    while due.peek().is_some() {
        let mut sends = Vec::new();
        while let Some((_, endpoint)) = due.next_if(|(at, _)| *at <= began.elapsed()) {
            // The same event with another time is another delivery.
            let accepted_at = last.entry(*endpoint).or_insert(0);
            *accepted_at = i64::try_from(now()).unwrap().max(*accepted_at + 1);
            let mut event = event.clone();
            event.accepted_at = *accepted_at;
            let endpoint = format!("ep_{endpoint}");
            let order = json!({"kind": "delivery/1", "endpoint": endpoint, "event": event});
            sends.push(async move { world.send(&order).await });
        }
        join_all(sends).await;
        if let Some((at, _)) = due.peek() {
            tokio::time::sleep_until(began + *at).await;
        }
    }
    schedule
        .iter()
        .filter(|(_, endpoint)| *endpoint >= ILL)
        .count()
}

/// Passes messages to a function until the run is over, and counts the milliseconds of its long invocations.
async fn work(
    world: &DeliveryHarness,
    function: &mut Function,
    is_over: &AtomicBool,
    taken: &AtomicU64,
) {
    while !is_over.load(Ordering::Relaxed) {
        let batch = world.receive_some(1).await;
        if batch.is_empty() {
            continue;
        }
        let began = Instant::now();
        let note = || {
            let took = began.elapsed();
            let took = if took > LONG { took } else { Duration::ZERO };
            taken.fetch_add(took.as_millis() as u64, Ordering::Relaxed);
        };
        let mut answer = function.begin(&json!({"Records": batch}));
        let answer = loop {
            match tokio::time::timeout(Duration::from_secs(1), &mut answer).await {
                Ok(answer) => break answer.unwrap(),
                // The run no longer needs the result of the last invocation.
                Err(_) if is_over.load(Ordering::Relaxed) => return note(),
                Err(_) => {}
            }
        };
        note();
        let Answer::Success(answer) = answer else {
            panic!("an invocation failed");
        };
        world.delete(batch, &answer).await;
    }
}

/// The time until the first attempt of each delivery to a healthy endpoint, by its id.
fn first_attempts(receiver: &Receiver) -> HashMap<String, u64> {
    let mut delays = HashMap::new();
    for request in receiver.requests() {
        if number(&request.path) < ILL {
            continue;
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let accepted: jiff::Timestamp = body["recordedtime"].as_str().unwrap().parse().unwrap();
        let came = request.at.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let delay = came.saturating_sub(accepted.as_millisecond().unsigned_abs());
        delays.entry(request.id()).or_insert(delay);
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

/// The endpoint of a path.
fn number(path: &str) -> u32 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}
