//! The deployed gateway from outside: its HTTP route, its queues and logs, and the operator's tool. `make
//! e2e` runs these tests against the local AWS, which enforces IAM. They are one test binary, which is linked
//! once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod console;
mod endpoints;
mod http;
mod large;
mod listen;
mod logs;
mod operator;
mod payloads;
mod providers;
mod recovery;
mod silence;
mod subscriptions;
mod support;
