//! The cost of the ingress function: its cold start, its CPU time per webhook and its memory, as the kernel
//! counts them. The comparison is a function that does nothing: the floor of the same runtime on the same
//! machine.
//!
//!     cargo bench --bench function

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "a benchmark that cannot go on fails, and it does not use all that the tests share"
)]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::aws::Aws;
use testkit::cpu::cpu;
use testkit::function::{Answer, Function};
use testkit::webhook;

const COLD_STARTS: usize = 15;
const WEBHOOKS: usize = 1000;

struct Cost {
    first_response: Duration,
    cpu: Duration,
    peak_megabytes: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // `cargo test` runs benchmarks too, to check that they build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let aws = Aws::start().await;
    let environment = aws.environment(aws.url());
    let floor = &testkit::binary("delivery");
    let nothing: Vec<Value> = vec![json!({"Records": []}); WEBHOOKS];
    let webhooks: Vec<Value> = (0..WEBHOOKS)
        .map(|number| webhook::creative_force(&format!("p-{number}"), &"n".repeat(800)))
        .map(|body| webhook::signed("studio", &body))
        .collect();
    let ingress = measure(&testkit::binary("ingress"), &environment, &webhooks).await;
    let floor = measure(floor, &environment, &nothing).await;
    println!("{:<28}{:>12}{:>12}{:>8}", "", "ingress", "floor", "ratio");
    let row = |what: &str, ingress: f64, floor: f64| {
        println!(
            "{what:<28}{ingress:>12.2}{floor:>12.2}{:>8.1}",
            ingress / floor
        );
    };
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    row(
        "first response, cold, ms",
        milliseconds(ingress.first_response),
        milliseconds(floor.first_response),
    );
    row(
        "CPU per webhook, ms",
        milliseconds(ingress.cpu),
        milliseconds(floor.cpu),
    );
    row(
        "peak memory, MB",
        ingress.peak_megabytes,
        floor.peak_megabytes,
    );
}

async fn measure(binary: &str, environment: &[(&'static str, String)], events: &[Value]) -> Cost {
    eprintln!("measuring {binary}");
    let mut first_responses = Vec::new();
    for event in events.iter().take(COLD_STARTS) {
        let started = Instant::now();
        let mut function = Function::start(binary, environment).await;
        assert!(matches!(function.invoke(event).await, Answer::Success(_)));
        first_responses.push(started.elapsed());
    }
    first_responses.sort();
    let mut function = Function::start(binary, environment).await;
    assert!(matches!(
        function.invoke(&events[0]).await,
        Answer::Success(_)
    ));
    let before = cpu(&function);
    for event in &events[1..] {
        assert!(matches!(function.invoke(event).await, Answer::Success(_)));
    }
    let cpu = (cpu(&function) - before) / u32::try_from(events.len() - 1).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    Cost {
        first_response: first_responses[COLD_STARTS / 2],
        cpu,
        peak_megabytes: peak / 1024.0,
    }
}
