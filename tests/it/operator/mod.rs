//! The operator's tool with the real functions: what it finds, and what it mends.

mod doctor;
mod endpoint;
mod event;
mod quarantine;
mod status;
