//! The common parts of the tests and the benchmarks: the real binaries behind a Runtime API, their AWS, the
//! senders of webhooks, and the receivers of deliveries.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]

pub mod aws;
pub mod cases;
pub mod cloudevents;
pub mod cpu;
pub mod delivery;
pub mod function;
pub mod items;
pub mod meter;
pub mod mock;
pub mod operator;
pub mod proxy;
pub mod receiver;
pub mod studio;
pub mod tap;
pub mod template;
pub mod units;
pub mod webhook;

use base64::{Engine, engine::general_purpose::STANDARD};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The time limit for an expected event. Only a failing test waits for all of it, however busy the machine
/// is.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The ports of the tests: below those that the kernel gives to connections and to requests for any port.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A free port of loopback that no other test of this process gets.
///
/// A server takes seconds to start on a busy machine. Until then, a port that the kernel chose is free again:
/// the kernel could give it to another process, and two tests would talk to one server.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let offset = std::process::id().wrapping_mul(1009);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset);
        let port = PORTS.start + u16::try_from(next % PORTS.len() as u32).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The folder of the checkout.
pub fn root() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.ancestors().nth(2).unwrap().to_owned()
}

/// A binary of the workspace, beside the folder of the running test. Cargo builds the functions for the tests
/// of their package. `cargo build --workspace --bins` builds `webhookctl`; `make test` runs it first.
pub fn binary(name: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins`",
        path.display()
    );
    path.into_os_string().into_string().unwrap()
}

/// A Python tool of the checkout's virtual environment.
pub fn tool(name: &str) -> PathBuf {
    let path = root().join(".venv/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make venv`",
        path.display()
    );
    path
}

/// Bytes in Base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a text in Base64.
pub fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

/// Waits until a condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let probe = || {
        let holds = condition();
        async { holds.await.then_some(()) }
    };
    within(PATIENCE, what, probe).await;
}

/// Waits at most this long for a value. It looks at once, and then at growing intervals.
pub async fn within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let deadline = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        let is_over = tokio::time::Instant::now() >= deadline;
        assert!(!is_over, "{what} did not happen in {patience:?}");
        tokio::time::sleep(pause).await;
        pause = Duration::from_millis(400).min(pause * 2);
    }
}

/// The forms in which a text can be in a log: as it is, in Base64 from each of three positions, as a part of
/// a longer text, and as a list of bytes.
pub fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    for before in 0..3 {
        let encoded = STANDARD.encode(format!("{}{text}", &"   "[..before]));
        spellings.push(encoded[4..encoded.len() - 4].to_owned());
    }
    let bytes: Vec<_> = text.bytes().map(|byte| byte.to_string()).collect();
    spellings.push(bytes.join(", "));
    spellings
}
