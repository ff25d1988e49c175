//! What the tests run against: the real binary behind a Runtime API, and the AWS that it talks to.

pub(crate) mod aws;
pub(crate) mod cloudevents;
pub(crate) mod delivery;
pub(crate) mod function;
pub(crate) mod items;
pub(crate) mod operator;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod studio;
pub(crate) mod tap;
#[path = "../../bench/units.rs"]
#[allow(dead_code, reason = "the tests use a part of it, the benchmarks all")]
pub(crate) mod units;
pub(crate) mod webhook;

use base64::{Engine, engine::general_purpose::STANDARD};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long anything of this machine may take to come up.
pub(crate) const START: Duration = Duration::from_secs(60);

/// The ports that tests use: below those that the kernel gives to connections and to whoever asks for any port.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A port of loopback that nothing listens on, and that no other test of this process is given.
///
/// A server takes seconds to start on a busy machine. A port that the kernel chose is free again until then, the
/// kernel gives it to somebody else, and two tests talk to one server.
pub(crate) fn free_port() -> u16 {
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

/// A Python tool of the checkout's virtual environment.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(".venv/bin")
        .join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make venv`",
        path.display()
    );
    path
}

/// Waits until a condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + START;
    while !condition().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what} did not happen in {START:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All forms in which a text may stand in a log: as it is, in Base64 from each of three positions, in case it is in the
/// midst of more, and as a list of bytes.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    for before in 0..3 {
        let encoded = STANDARD.encode(format!("{}{text}", &"   "[..before]));
        spellings.push(encoded[4..encoded.len() - 4].to_owned());
    }
    let bytes: Vec<_> = text.bytes().map(|it| it.to_string()).collect();
    spellings.push(bytes.join(", "));
    spellings
}
