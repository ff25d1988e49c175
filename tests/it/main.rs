//! The real binaries against an AWS of their own. The tests are one binary, which is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod aws_rules;
mod consumers;
mod corpus;
mod delivery;
mod drift;
mod fanout;
mod faults;
mod handshakes;
mod hostile;
mod http;
mod journal;
mod logs;
mod operator;
mod presets;
mod rejected;
mod requests;
mod silence;
mod sources;
mod structure;
mod template;
mod vectors;
