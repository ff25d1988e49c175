//! The delivery function: from its queue to endpoints, and back.

mod attempts;
mod batches;
mod circuit;
mod held;
mod probes;
mod refusals;
mod requests;
