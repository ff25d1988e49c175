//! What a delivery costs: how many go side by side in one invocation, how many a second one function delivers to an
//! endpoint that takes 50 ms, how many calls of AWS each takes, and how much CPU time.
//!
//!     cargo bench --bench delivery

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "a benchmark that cannot go on fails, and it does not use all that the tests share"
)]

#[path = "../it/support/mod.rs"]
mod support;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::delivery::{World, event};
use support::function::{Answer, Function};
use support::receiver::{Receiver, Reply};

const ENDPOINT: &str = "ep_bench";
const LATENCY: Duration = Duration::from_millis(50);
const INVOCATIONS: u32 = 60;

/// The kernel counts CPU time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// Passes calls of AWS on, and counts them.
struct Counter {
    upstream: String,
    http: reqwest::Client,
    calls: Mutex<BTreeMap<String, u32>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::Late(LATENCY, 200));
    world.endpoint(ENDPOINT, &receiver.url(), &json!({})).await;
    let counter = Arc::new(Counter {
        upstream: world.aws.url().to_owned(),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        calls: Mutex::default(),
    });
    let url = serve(Arc::clone(&counter)).await;
    let mut function = world.function_behind(&url).await;
    println!("| deliveries in an invocation | 1 | 10 |\n|---|---:|---:|");
    let mut columns = Vec::new();
    for size in [1, 10] {
        columns.push(measure(&world, &receiver, &counter, &mut function, size).await);
    }
    for (row, one) in &columns[0] {
        println!("| {row} | {one:.2} | {:.2} |", columns[1][row]);
    }
}

async fn measure(
    world: &World,
    receiver: &Receiver,
    counter: &Counter,
    function: &mut Function,
    size: u32,
) -> BTreeMap<&'static str, f64> {
    eprintln!("measuring {INVOCATIONS} invocations of {size}");
    let first = size * 10_000;
    let batches: Vec<Vec<u32>> = (0..=INVOCATIONS)
        .map(|it| (first + it * size..first + (it + 1) * size).collect())
        .collect();
    for number in batches.iter().flatten() {
        world.accept(*number).await;
    }
    // The first one connects, and opens the secret.
    invoke(function, &batches[0]).await;
    receiver.take();
    counter.calls.lock().unwrap().clear();
    let (started, cpu_before) = (Instant::now(), cpu(function));
    for batch in &batches[1..] {
        invoke(function, batch).await;
    }
    let (took, cpu) = (started.elapsed(), cpu(function) - cpu_before);
    let deliveries = f64::from(INVOCATIONS * size);
    assert_eq!(receiver.requests().len(), (INVOCATIONS * size) as usize);
    let calls: u32 = counter.calls.lock().unwrap().values().sum();
    BTreeMap::from([
        (
            "1. side by side, at most",
            f64::from(side_by_side(receiver)),
        ),
        (
            "2. deliveries a second, endpoint of 50 ms",
            deliveries / took.as_secs_f64(),
        ),
        (
            "3. share of what 50 ms allow",
            deliveries / took.as_secs_f64() / (f64::from(size) / LATENCY.as_secs_f64()),
        ),
        (
            "4. calls of AWS per delivery",
            f64::from(calls) / deliveries,
        ),
        (
            "5. CPU ms per delivery",
            cpu.as_secs_f64() * 1000.0 / deliveries,
        ),
    ])
}

async fn invoke(function: &mut Function, numbers: &[u32]) {
    let records: Vec<Value> = numbers.iter().map(|number| record(*number)).collect();
    match function.invoke(&json!({"Records": records})).await {
        Answer::Success(answer) => assert_eq!(answer["batchItemFailures"], json!([])),
        answer => panic!("{answer:?}"),
    }
}

fn record(number: u32) -> Value {
    let body = json!({"kind": "delivery/1", "endpoint": ENDPOINT, "event": event(number)});
    json!({
        "messageId": number.to_string(), "receiptHandle": number.to_string(), "body": body.to_string(),
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "eventSource": "aws:sqs",
    })
}

/// The most requests that were under way at once: each takes the endpoint's time from when it came.
fn side_by_side(receiver: &Receiver) -> u32 {
    let came: Vec<_> = receiver.requests().iter().map(|it| it.at).collect();
    let overlap = |at: &_| {
        came.iter()
            .filter(|it| **it <= *at && *at < **it + LATENCY)
            .count()
    };
    u32::try_from(came.iter().map(overlap).max().unwrap_or_default()).unwrap()
}

async fn serve(counter: Arc<Counter>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(pass).with_state(counter);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

async fn pass(State(counter): State<Arc<Counter>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let operation = parts
        .headers
        .get("x-amz-target")
        .and_then(|it| it.to_str().ok());
    let operation = operation.unwrap_or(parts.method.as_str()).to_owned();
    *counter.calls.lock().unwrap().entry(operation).or_default() += 1;
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{}{}", counter.upstream, parts.uri);
    let call = counter
        .http
        .request(parts.method, url)
        .headers(parts.headers);
    let answer = call.body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    response
        .body(Body::from(answer.bytes().await.unwrap()))
        .unwrap()
}

/// The time that the process has had so far, in user and in system mode: see proc(5).
fn cpu(function: &Function) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", function.id())).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}
