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

use crate::aws::error::Causes;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
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

/// The journal was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The table was not readable.
    #[error("the journal cannot be read: {}", Causes(.0))]
    Query(#[from] Box<SdkError<QueryError>>),
    /// The table was not readable.
    #[error("the journal cannot be read: {}", Causes(.0))]
    Get(#[from] Box<SdkError<GetItemError>>),
    /// The table was not writable.
    #[error("the journal was not written: {}", Causes(.0))]
    Delete(#[from] Box<SdkError<DeleteItemError>>),
    /// The table was not writable.
    #[error("the journal was not written: {}", Causes(.0))]
    Put(#[from] Box<SdkError<PutItemError>>),
    /// The table was not writable.
    #[error("the journal was not written: {}", Causes(.0))]
    Update(#[from] Box<SdkError<UpdateItemError>>),
    /// What is to be noted could not be encoded.
    #[error("the journal was not written: {0}")]
    Encode(#[from] serde_json::Error),
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
    async fn items_of(&self, kind: &str) -> Result<Vec<Item>, JournalError> {
        let query = self.client.query().table_name(&self.table);
        let pages = query
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(kind))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<Result<Vec<_>, _>>().await;
        Ok(items.map_err(Box::new)?)
    }
}

/// An item of the table, or its key.
type Item = HashMap<String, AttributeValue>;

fn key(kind: &str, id: &str) -> Item {
    HashMap::from([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
