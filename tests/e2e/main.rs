//! The deployed gateway from outside: its HTTP route, its queues and logs, and the operator's tool. Run by `make e2e`
//! against the local AWS, which enforces IAM. One test binary, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod endpoints;
mod http;
mod large;
mod logs;
mod mending;
mod operator;
mod payloads;
mod silence;
mod subscriptions;
mod support;
