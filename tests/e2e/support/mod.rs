//! What the tests run against: the deployed gateway, all that arrives on its queues, and endpoints of the tests' own.

pub(crate) mod endpoint;
pub(crate) mod gateway;
pub(crate) mod inbox;
pub(crate) mod queue;
pub(crate) mod source;

use std::time::Duration;
pub(crate) use testkit::within;

/// How long anything of this machine may take. It is also the minute after which a changed source is in force.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until there is a value.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    probe: impl FnMut() -> F,
) -> T {
    within(PATIENCE, what, probe).await
}

/// A text that stands nowhere else.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
