//! The cost of a delivery: the requests that one invocation makes at once, the deliveries per second of one
//! function to an endpoint of 50 ms, and the AWS calls and the CPU time per delivery.
//!
//!     cargo bench --bench delivery

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "a benchmark that cannot go on fails, and it does not use all that the tests share"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::cpu::cpu;
use testkit::delivery::{DeliveryHarness, event};
use testkit::function::{Answer, Function};
use testkit::meter::Meter;
use testkit::receiver::{Receiver, Reply};

const ENDPOINT: &str = "ep_bench";
const LATENCY: Duration = Duration::from_millis(50);
const INVOCATIONS: u32 = 60;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::Late(LATENCY, 200));
    world.endpoint(ENDPOINT, &receiver.url(), &json!({})).await;
    let meter = Meter::start(world.aws.url()).await;
    let mut function = world.function_behind(&meter.url).await;
    println!("| deliveries in an invocation | 1 | 10 |\n|---|---:|---:|");
    let mut columns = Vec::new();
    for size in [1, 10] {
        columns.push(measure(&world, &receiver, &meter, &mut function, size).await);
    }
    for (row, one) in &columns[0] {
        println!("| {row} | {one:.2} | {:.2} |", columns[1][row]);
    }
}

async fn measure(
    world: &DeliveryHarness,
    receiver: &Receiver,
    meter: &Meter,
    function: &mut Function,
    size: u32,
) -> BTreeMap<&'static str, f64> {
    eprintln!("measuring {INVOCATIONS} invocations of {size}");
    let first = size * 10_000;
    let batches: Vec<Vec<u32>> = (0..=INVOCATIONS)
        .map(|number| (first + number * size..first + (number + 1) * size).collect())
        .collect();
    for number in batches.iter().flatten() {
        world.accept(*number).await;
    }
    // The first delivery connects and decrypts the secret.
    invoke(function, &batches[0]).await;
    receiver.take();
    meter.take();
    let (started, cpu_before) = (Instant::now(), cpu(function));
    for batch in &batches[1..] {
        invoke(function, batch).await;
    }
    let (took, cpu) = (started.elapsed(), cpu(function) - cpu_before);
    let deliveries = f64::from(INVOCATIONS * size);
    assert_eq!(receiver.requests().len(), (INVOCATIONS * size) as usize);
    let calls = meter.take().len();
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
        ("4. calls of AWS per delivery", calls as f64 / deliveries),
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

/// The most requests that were under way at once. Each takes the endpoint's time from its arrival.
fn side_by_side(receiver: &Receiver) -> u32 {
    let came: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    let overlap = |at: &_| {
        came.iter()
            .filter(|began| **began <= *at && *at < **began + LATENCY)
            .count()
    };
    u32::try_from(came.iter().map(overlap).max().unwrap_or_default()).unwrap()
}
