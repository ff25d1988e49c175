//! The journal: what the gateway notes for the operator, in a table of its own. No webhook needs it to be
//! accepted, published or delivered, waits for it, or fails with it.
//!
//! `published` is the index of events by time, `activity` says when each source and each of its secrets was
//! last active, `silence` which message checks a source for silence, `shapes` which shapes payloads had,
//! `removed` which endpoints were removed, and `checkpoint` how far a replay has come. `rejected` keeps
//! rejected requests.

mod activity;
mod checkpoint;
mod published;
mod rejected;
mod removed;
mod shapes;
mod silence;

pub use activity::{SourceActivity, record_interval};
pub use checkpoint::Checkpoint;
pub use published::{Batch, Published, days};
pub use rejected::{KeptRejected, NotKept, RING, Rejected, RejectedRequest, Ring};
pub use removed::Removed;
pub use shapes::ShapeKey;

use crate::aws::dynamodb::{self, Item, query_all, text};
use crate::aws::error::AwsError;
use aws_sdk_dynamodb::Client;
use std::collections::HashMap;
use std::time::Instant;
use tokio::sync::Mutex;

/// The journal in its table, whose items are found by `kind` and `id`.
#[derive(Debug)]
pub struct Journal {
    client: Client,
    table: String,
    /// Until when the activity of each source, with each of its secrets, need not be recorded again.
    noted: Mutex<HashMap<(String, Option<String>), Instant>>,
    /// How many more rejected requests may be kept.
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
    /// The journal in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
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
