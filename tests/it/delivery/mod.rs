//! The delivery function: from its queue to endpoints, and back.

mod attempts;
mod batches;
mod circuit;
mod crashes;
mod entries;
mod faults;
mod held;
mod load;
mod logs;
mod notices;
mod probes;
mod refusals;
mod requests;
mod slow;
mod traffic;
mod waits;
