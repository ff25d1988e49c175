//! The operator's tool with the real functions: what it finds, and what it mends.

mod endpoint;
mod event;
