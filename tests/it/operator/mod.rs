//! The operator's tool with the real functions: what it finds, and what it repairs.

mod big_stack;
mod dead_letter;
mod doctor;
mod endpoint;
mod event;
mod explain;
mod listen;
mod output;
mod permissions;
mod quarantine;
mod reach;
mod replay;
mod replay_interrupted;
mod since;
mod source;
mod source_diagnose;
mod source_handshake;
mod status;
mod subscription;
mod support;
mod woodwing;
mod woodwing_answers;
