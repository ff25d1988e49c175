//! Secrets, digests and signatures. Pure: nothing here reads a clock, a file or the network.

pub mod mac;
pub mod public_key;
pub mod secret;
