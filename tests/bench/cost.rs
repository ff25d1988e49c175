//! The cost of a million events and a million deliveries on AWS, by service. The benchmark counts the calls
//! and units of the real functions, and multiplies them by the list prices.
//!
//!     cargo bench --bench cost
//!
//! It does not count storage, the receives of your own consumers, and costs that do not grow with the events.

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
use testkit::delivery::DeliveryHarness;
use testkit::function::{Answer, Function};
use testkit::meter::Meter;
use testkit::receiver::{Receiver, Reply};
use testkit::units::units;
use testkit::webhook;

/// List prices in US East (N. Virginia), in dollars, as published in November 2026, without free tiers.
mod price {
    pub(super) const API_REQUEST: f64 = 1.00e-6;
    pub(super) const LAMBDA_REQUEST: f64 = 0.20e-6;
    pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4; // arm64
    pub(super) const WRITE_UNIT: f64 = 0.625e-6;
    pub(super) const READ_UNIT: f64 = 0.125e-6;
    pub(super) const SQS_REQUEST: f64 = 0.40e-6;
    pub(super) const SQS_FAIR_REQUEST: f64 = 0.50e-6;
    pub(super) const SECRETS_CALL: f64 = 5.00e-6; // Secrets Manager
    pub(super) const LOG_GB: f64 = 0.50;
    pub(super) const TRANSFER_GB: f64 = 0.09;
}

/// The functions' memory in the template, in GB.
const MEMORY: f64 = 0.25;

/// The size of API Gateway's log line for a request, in bytes, in the format of the template.
const ACCESS_LOG: f64 = 480.0;

const EVENTS: u32 = 1000;
const SELDOM: u32 = 50;
const DELIVERIES: u32 = 200;
const ENDPOINT: &str = "ep_cost";

/// The use of a service per event, in the units of the table's rows.
type Bill = BTreeMap<&'static str, f64>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test` runs benchmarks too, to check that they build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut columns = Vec::new();
    for (name, bytes, arrival) in [
        ("1 KB, many at once", 1024, Arrival::Many),
        ("1 KB, one by one", 1024, Arrival::Single),
        ("1 KB, seldom", 1024, Arrival::Seldom),
        ("10 KB, many at once", 10_240, Arrival::Many),
        ("10 KB, one by one", 10_240, Arrival::Single),
        ("10 KB, seldom", 10_240, Arrival::Seldom),
    ] {
        eprintln!("measuring events of {name}");
        columns.push((name, accepted(bytes, arrival).await));
    }
    print("a million events accepted and published", &columns);
    let mut columns = Vec::new();
    for (name, bytes, batch) in [
        ("1 KB, ten at once", 1024, 10),
        ("1 KB, one by one", 1024, 1),
        ("10 KB, ten at once", 10_240, 10),
        ("10 KB, one by one", 10_240, 1),
    ] {
        eprintln!("measuring deliveries of {name}");
        columns.push((name, delivered(bytes, batch).await));
    }
    print("a million deliveries, endpoint of 50 ms", &columns);
}

/// The arrival of webhooks.
#[derive(Clone, Copy, PartialEq)]
enum Arrival {
    /// A hundred are published together.
    Many,
    /// Each is published alone.
    Single,
    /// The same, and the function's caches have expired: the sources after 50 s, the subscriptions and
    /// endpoints after 30 s. The benchmark starts a new process for it.
    Seldom,
}

/// The bill of events of this size.
async fn accepted(bytes: usize, arrival: Arrival) -> Bill {
    let mut aws = testkit::aws::Aws::start().await;
    let meter = Meter::start(aws.url()).await;
    let mut function = aws.ingress_behind(&meter.url).await;
    // The calls that the function makes now and then come first.
    door_1(&mut function, 0, bytes).await;
    aws.drain_stream(&mut function).await;
    meter.take();

    let (events, batch) = match arrival {
        Arrival::Many => (EVENTS, 100),
        Arrival::Single => (EVENTS, 1),
        Arrival::Seldom => (SELDOM, 1),
    };
    let mut bill = Bill::new();
    let mut own_log = 0;
    let mut batches = 0;
    let (mut seconds, mut cpu_seconds) = ([0.0; 2], [0.0; 2]);
    for first in (1..=events).step_by(batch) {
        if arrival == Arrival::Seldom {
            function = aws.ingress_behind(&meter.url).await;
        }
        let before = log_bytes(&function).await;
        let cpu_before = cpu(&function);
        for number in first..first + batch as u32 {
            seconds[0] += door_1(&mut function, number, bytes).await;
        }
        cpu_seconds[0] += (cpu(&function) - cpu_before).as_secs_f64();
        let (records, after) = aws.next_batch().await;
        let (started, cpu_before) = (Instant::now(), cpu(&function));
        assert!(matches!(
            function.invoke(&records).await,
            Answer::Success(_)
        ));
        seconds[1] += started.elapsed().as_secs_f64();
        cpu_seconds[1] += (cpu(&function) - cpu_before).as_secs_f64();
        aws.acknowledge(after);
        own_log += log_bytes(&function).await - before;
        batches += 1;
    }
    let events = f64::from(events);
    let batches = f64::from(batches);
    add(&mut bill, "API Gateway", 1.0 * price::API_REQUEST);
    add(
        &mut bill,
        "Lambda",
        lambda(events + batches, seconds[0] + seconds[1]) / events,
    );
    let log = own_log as f64 + events * ACCESS_LOG;
    add(
        &mut bill,
        "CloudWatch Logs",
        log / events / 1e9 * price::LOG_GB,
    );
    let per_batch = 1e3 / batches;
    for (row, figure) in [
        ("door 1, ms a webhook", seconds[0] * 1e3 / events),
        ("door 1, CPU ms a webhook", cpu_seconds[0] * 1e3 / events),
        ("door 2, ms a batch", seconds[1] * per_batch),
        ("door 2, CPU ms a batch", cpu_seconds[1] * per_batch),
    ] {
        bill.insert(row, figure);
    }
    tally(&mut bill, &meter.take(), events);
    if arrival == Arrival::Seldom {
        assert!(bill["secrets read"] >= 1.0, "the sources were known");
    }
    bill
}

/// Sends a webhook. Returns the seconds that this took.
async fn door_1(function: &mut Function, number: u32, bytes: usize) -> f64 {
    let id = format!("3f2a9c1e-7b4d-4e8a-9f0c-{number:012x}");
    let body = payload(&id, bytes);
    let event = webhook::signed("studio", &body);
    let started = Instant::now();
    match function.invoke(&event).await {
        Answer::Success(answer) => assert_eq!(answer["statusCode"], 200),
        answer => panic!("{answer:?}"),
    }
    started.elapsed().as_secs_f64()
}

/// The bill of deliveries of events of this size, in batches of this many.
async fn delivered(bytes: usize, batch: u32) -> Bill {
    let world = DeliveryHarness::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reply::Late(Duration::from_millis(50), 200));
    world.endpoint(ENDPOINT, &receiver.url(), &json!({})).await;
    let meter = Meter::start(world.aws.url()).await;
    let mut ingress = world.aws.ingress().await;
    let mut function = world.function_behind(&meter.url).await;
    for number in 0..=DELIVERIES {
        door_1(&mut ingress, number, bytes).await;
    }
    let events: Vec<Value> = world.aws.recorded().await.iter().map(order).collect();
    // The first delivery decrypts the secret.
    invoke(&mut function, &events[..1]).await;
    meter.take();
    receiver.take();

    let before = log_bytes(&function).await;
    let (mut seconds, cpu_before) = (0.0, cpu(&function));
    for records in events[1..].chunks(batch as usize) {
        seconds += invoke(&mut function, records).await;
    }
    let cpu_seconds = (cpu(&function) - cpu_before).as_secs_f64();
    let deliveries = f64::from(DELIVERIES);
    let invocations = deliveries / f64::from(batch);
    let sent: usize = receiver
        .requests()
        .iter()
        .map(|request| request.body.len() + 700)
        .sum();
    let mut bill = Bill::new();
    add(
        &mut bill,
        "Lambda",
        lambda(invocations, seconds) / deliveries,
    );
    let log = (log_bytes(&function).await - before) as f64;
    add(
        &mut bill,
        "CloudWatch Logs",
        log / deliveries / 1e9 * price::LOG_GB,
    );
    add(
        &mut bill,
        "transfer out",
        sent as f64 / deliveries / 1e9 * price::TRANSFER_GB,
    );
    // Lambda receives and deletes the batch, and the fan-out sends it: ten messages at once.
    let fair = 2.0 * invocations / deliveries + 0.1_f64.max(1.0 / f64::from(batch));
    *bill.entry("SQS requests").or_default() += fair;
    add(&mut bill, "SQS", fair * price::SQS_FAIR_REQUEST);
    bill.insert("delivery, ms a batch", seconds * 1e3 / invocations);
    bill.insert("delivery, CPU ms a batch", cpu_seconds * 1e3 / invocations);
    tally(&mut bill, &meter.take(), deliveries);
    bill
}

fn order(entry: &Value) -> Value {
    let text = |name: &str| entry[name]["S"].as_str().unwrap();
    let accepted_at: i64 = entry["accepted_at"]["N"].as_str().unwrap().parse().unwrap();
    let event = json!({
        "key": text("pk"), "id": text("id"), "type": text("type"), "source": text("gatewaysource"),
        "provider": text("provider"), "accepted_at": accepted_at,
    });
    let body = json!({"kind": "delivery/1", "endpoint": ENDPOINT, "event": event});
    json!({
        "messageId": text("id"), "receiptHandle": text("id"), "body": body.to_string(),
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "eventSource": "aws:sqs",
    })
}

async fn invoke(function: &mut Function, records: &[Value]) -> f64 {
    let started = Instant::now();
    match function.invoke(&json!({"Records": records})).await {
        Answer::Success(answer) => assert_eq!(answer["batchItemFailures"], json!([])),
        answer => panic!("{answer:?}"),
    }
    started.elapsed().as_secs_f64()
}

async fn log_bytes(function: &Function) -> usize {
    // CloudWatch counts 26 bytes for each line.
    let lines = function.output().await;
    lines.iter().map(|line| line.len() + 26).sum()
}

fn lambda(invocations: f64, seconds: f64) -> f64 {
    invocations * price::LAMBDA_REQUEST + seconds * MEMORY * price::LAMBDA_GB_SECOND
}

fn add(bill: &mut Bill, service: &'static str, dollars: f64) {
    *bill.entry(service).or_default() += dollars * 1e6;
}

/// Adds the calls to AWS.
fn tally(bill: &mut Bill, calls: &[testkit::meter::Call], events: f64) {
    for call in calls {
        let units = units(&call.operation, &call.request, &call.answer);
        for (row, count) in [
            ("calls of AWS", 1.0),
            ("write units", units.writes),
            ("read units", units.reads),
            ("SQS requests", units.sqs),
            ("secrets read", units.secrets),
        ] {
            *bill.entry(row).or_default() += count / events;
        }
        let dynamodb = units.writes * price::WRITE_UNIT + units.reads * price::READ_UNIT;
        add(bill, "DynamoDB", dynamodb / events);
        add(bill, "SQS", units.sqs * price::SQS_REQUEST / events);
        let secrets = units.secrets * price::SECRETS_CALL;
        add(bill, "Secrets Manager", secrets / events);
    }
}

fn print(what: &str, columns: &[(&str, Bill)]) {
    let row = |name: &str, cells: Vec<String>| println!("| {name} | {} |", cells.join(" | "));
    let names = columns.iter().map(|(name, _)| (*name).to_owned());
    row(what, names.collect());
    println!("|---|{}", "---:|".repeat(columns.len()));
    let figure = |name: &str, dollars: bool| {
        let cells = columns.iter().map(|(_, bill)| {
            let figure = bill.get(name).copied().unwrap_or_default();
            format!("{}{figure:.2}", if dollars { "$" } else { "" })
        });
        cells.collect::<Vec<_>>()
    };
    for name in [
        "calls of AWS",
        "write units",
        "read units",
        "SQS requests",
        "secrets read",
    ] {
        row(&format!("{name}, each"), figure(name, false));
    }
    let times = [
        "door 1, ms a webhook",
        "door 1, CPU ms a webhook",
        "door 2, ms a batch",
        "door 2, CPU ms a batch",
        "delivery, ms a batch",
        "delivery, CPU ms a batch",
    ];
    let is_there = |name: &&str| columns[0].1.contains_key(name);
    for name in times.iter().filter(|time| is_there(time)) {
        row(name, figure(name, false));
    }
    let services = [
        "API Gateway",
        "Lambda",
        "DynamoDB",
        "SQS",
        "Secrets Manager",
        "CloudWatch Logs",
        "transfer out",
    ];
    let used = services
        .into_iter()
        .filter(|name| columns[0].1.contains_key(name));
    used.for_each(|name| row(name, figure(name, true)));
    let sum = |(_, bill): &(&str, Bill)| {
        let sum: f64 = services.iter().filter_map(|name| bill.get(name)).sum();
        format!("**${sum:.2}**")
    };
    row("**in sum**", columns.iter().map(sum).collect());
    println!();
}

/// A payload of about this size, with the words and numbers of real providers.
fn payload(id: &str, bytes: usize) -> String {
    const WORDS: [&str; 24] = [
        "product", "sample", "studio", "client", "shirt", "linen", "jacket", "blue", "stone",
        "navy", "front", "back", "detail", "retouch", "approved", "rejected", "pending",
        "external", "review", "size", "style", "season", "autumn", "winter",
    ];
    let mut random = id
        .bytes()
        .fold(7_u64, |all, byte| all.wrapping_mul(31) + u64::from(byte));
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let mut fields = String::new();
    let mut number = 0;
    while fields.len() + 260 < bytes {
        let word = |index: usize| WORDS[index % WORDS.len()];
        let (a, b, c) = (next(), next(), next());
        fields += &format!(
            ",\"field{number}\":{{\"Id\":{a},\"Name\":\"{} {}\",\
             \"Url\":\"https://cdn.example.com/{b:x}/{}.jpg\"}}",
            word(b),
            word(c),
            word(a ^ c),
        );
        number += 1;
    }
    format!(
        r#"{{"PayloadId":"{id}","EventGroupName":"product","Action":"ProductReset","EventDatetimeUtc":1595204418000,"ProductId":"7a782d57-b0bf-4743-8f02-2b1a1e229869"{fields}}}"#
    )
}
