//! The journal: what the gateway notes beside the ledger, in a table of its own, for the operator who asks later. Nothing
//! in it is needed to accept, publish or deliver an event, and none of these waits for it or fails with it.
//!
//! `published` is the index of events by time, `heard` tells when each source and each of its secrets was last heard of,
//! `watch` who watches over its silence, `shapes` what was seen of payloads, `rejected` keeps requests that were refused,
//! `removed` says which endpoints there were, and `checkpoint` how far a replay has come.

mod checkpoint;
mod heard;
mod published;
mod rejected;
mod removed;
mod shapes;
mod watch;

pub use checkpoint::Checkpoint;
pub use heard::{Heard, noted_every};
pub use published::{Batch, Published, days};
pub use rejected::{KeptRejected, NotKept, RING, Rejected, RejectedRequest, Ring};
pub use removed::Removed;
pub use shapes::Of;

use crate::aws::dynamodb::{self, Item, query_all, text};
use crate::aws::error::AwsError;
use aws_sdk_dynamodb::Client;
use jiff::SignedDuration;
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::Mutex;

/// The journal in its table, whose items are found by `kind` and `id`.
#[derive(Debug)]
pub struct Journal {
    client: Client,
    table: String,
    retention: SignedDuration,
    /// Until when each source, with each of its secrets, need not be noted as heard again.
    noted: Mutex<HashMap<(String, Option<String>), Instant>>,
    /// How many more refused requests may be kept.
    allowance: Mutex<rejected::Allowance>,
    /// Where they are kept one after the other.
    lane: rejected::Lane,
}

fn unreadable(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the journal cannot be read")
}

fn unwritten(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the journal was not written")
}

impl Journal {
    /// The journal in the table of this name, which keeps events as long as the ledger does.
    pub fn new(client: Client, table: String, retention: SignedDuration) -> Self {
        Self {
            client,
            table,
            retention,
            noted: Mutex::default(),
            allowance: Mutex::default(),
            lane: rejected::Lane::default(),
        }
    }

    /// All items of a kind, in the order of their ids.
    async fn items_of(&self, kind: &str) -> Result<Vec<Item>, AwsError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(kind));
        query_all(query).await.map_err(unreadable)
    }
}

fn key(kind: &str, id: &str) -> Item {
    dynamodb::key([("kind", kind), ("id", id)])
}
