//! The operator's tool with the real functions: what it finds, and what it mends.

mod dead_letter;
mod doctor;
mod endpoint;
mod event;
mod explain;
mod quarantine;
mod replay;
mod replay_interrupted;
mod status;
mod woodwing;
