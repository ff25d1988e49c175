//! The environment of the tests: the deployed gateway, all messages on its queues, and the tests' own
//! endpoints.

pub(crate) mod endpoint;
pub(crate) mod gateway;
pub(crate) mod inbox;
pub(crate) mod queue;
pub(crate) mod source;

use std::time::Duration;
pub(crate) use testkit::within;

/// The time limit for everything on this machine. It includes the minute after which a changed source
/// applies.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a value.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    probe: impl FnMut() -> F,
) -> T {
    within(PATIENCE, what, probe).await
}

/// A unique text.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
