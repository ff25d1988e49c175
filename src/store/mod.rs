//! What the gateway remembers: one file or folder for each table, kind of item, bucket or secret. Nothing
//! here knows a function.

pub mod cached;
mod deflate;
pub mod deliveries;
pub mod endpoints;
pub mod journal;
pub mod ledger;
pub mod payloads;
pub mod sources;
pub mod subscriptions;
