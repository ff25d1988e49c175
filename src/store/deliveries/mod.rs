//! The deliveries table: what became of each event at each endpoint, and, per endpoint, the queue of what is held for
//! it. What a record is to say is decided elsewhere; this file reads and writes.

mod held;
mod record;

pub use held::HeldEntry;
pub use record::{Attempt, Delivery, RETENTION, Sent, State, UNREAD};

use crate::aws::error::Causes;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest,
    ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How much of a response is kept, in bytes.
pub const MAX_RESPONSE: usize = 1024;

/// How often what a batch left undone is asked for again.
const TRIES: u32 = 5;

/// The pause before that; it doubles each time.
const PAUSE: Duration = Duration::from_millis(50);

/// The most items that one batch reads, and that one writes.
const MAX_READS: usize = 100;
const MAX_WRITES: usize = 25;

/// A change of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Says what became of a delivery.
    Delivery(Box<Delivery>),
    /// Puts a delivery into the queue of what is held.
    Hold(HeldEntry),
    /// Takes one out.
    Release {
        /// The id of the endpoint.
        endpoint: String,
        /// The id of the delivery.
        id: String,
    },
}

/// Why deliveries were not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The table was not readable.
    #[error("the deliveries cannot be read: {}", Causes(.0))]
    Read(#[from] Box<SdkError<BatchGetItemError>>),
    /// The table was not readable.
    #[error("the deliveries cannot be read: {}", Causes(.0))]
    Query(#[from] Box<SdkError<QueryError>>),
    /// The table was not writable.
    #[error("the deliveries were not written: {}", Causes(.0))]
    Write(#[from] Box<SdkError<BatchWriteItemError>>),
    /// The table was not writable.
    #[error("the delivery was not written: {}", Causes(.0))]
    Put(#[from] Box<SdkError<PutItemError>>),
    /// DynamoDB left a part of a batch undone each time.
    #[error("the deliveries table is throttled")]
    Throttled,
    /// A record has no form that the table takes.
    #[error("the delivery was not written: {0}")]
    Form(#[from] serde_dynamo::Error),
}

/// What became of a record that was to be written.
enum Put {
    Written,
    /// Not written, as another is there, or as the one that was seen is there no more.
    Stored(Option<Box<Delivery>>),
}

/// The table of deliveries.
#[derive(Debug)]
pub struct Deliveries {
    client: Client,
    table: String,
}

impl Deliveries {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The records of these deliveries, by id, as they are at this moment; none for what was not tried yet.
    pub async fn records(
        &self,
        deliveries: &BTreeSet<(&str, &str)>,
    ) -> Result<HashMap<String, Delivery>, HistoryError> {
        let mut records = HashMap::new();
        let keys: Vec<_> = deliveries
            .iter()
            .map(|(endpoint, id)| key(endpoint, id))
            .collect();
        for keys in keys.chunks(MAX_READS) {
            let read: Vec<Delivery> = readable(self.read(keys).await?);
            let read = read.into_iter().map(Delivery::read);
            records.extend(read.map(|record| (record.id.clone(), record)));
        }
        Ok(records)
    }

    async fn read(
        &self,
        keys: &[HashMap<String, AttributeValue>],
    ) -> Result<Vec<HashMap<String, AttributeValue>>, HistoryError> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.to_vec()))
            .consistent_read(true)
            .build();
        let keys = keys.map_err(|_| HistoryError::Throttled)?;
        let mut wanted = HashMap::from([(self.table.clone(), keys)]);
        let mut items = Vec::new();
        for tried in 0..TRIES {
            let request = self.client.batch_get_item().set_request_items(Some(wanted));
            let answer = request.send().await.map_err(Box::new)?;
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(items);
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
        }
        Err(HistoryError::Throttled)
    }

    /// Writes all of it. After an error, any part of it may have been written; to write it again does no harm.
    pub async fn write(&self, writes: &[Write]) -> Result<(), HistoryError> {
        for writes in writes.chunks(MAX_WRITES) {
            let requests = writes.iter().map(Write::request);
            let requests = requests.collect::<Result<Vec<_>, _>>()?;
            let mut wanted = HashMap::from([(self.table.clone(), requests)]);
            let mut tried = 0;
            while !wanted.is_empty() {
                if tried == TRIES {
                    return Err(HistoryError::Throttled);
                }
                if tried > 0 {
                    tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
                }
                let request = self
                    .client
                    .batch_write_item()
                    .set_request_items(Some(wanted));
                let answer = request.send().await.map_err(Box::new)?;
                wanted = answer.unprocessed_items.unwrap_or_default();
                tried += 1;
            }
        }
        Ok(())
    }

    /// Writes a record of a delivery that others may try at the same time: no attempt of theirs is lost. False if they
    /// delivered it since it was read, and this record does not say so: then it stays delivered.
    pub async fn record(&self, record: &Delivery) -> Result<bool, HistoryError> {
        let mut wanted = record.clone();
        let mut stands = true;
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
            }
            match self.put(&wanted).await? {
                Put::Written => return Ok(stands),
                Put::Stored(None) => wanted.seen = None,
                Put::Stored(Some(stored)) => (wanted, stands) = record.after(*stored),
            }
        }
        Err(HistoryError::Throttled)
    }

    /// Writes a record in the place of the one that was seen, unless another is there.
    async fn put(&self, record: &Delivery) -> Result<Put, HistoryError> {
        let item: HashMap<_, _> = serde_dynamo::to_item(record)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match record.seen {
            None => put.condition_expression("attribute_not_exists(id)"),
            Some(seen) => put
                .condition_expression("attempts = :attempts AND updated_at = :updated_at")
                .expression_attribute_values(":attempts", number(seen.attempts.into()))
                .expression_attribute_values(":updated_at", number(seen.updated_at)),
        };
        let Err(error) = put.send().await else {
            return Ok(Put::Written);
        };
        let stored = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refusal)) => refusal.item(),
            _ => return Err(Box::new(error).into()),
        };
        match stored {
            // A second try, after the answer to the first was lost.
            Some(stored) if *stored == item => Ok(Put::Written),
            Some(stored) => match readable(vec![stored.clone()]).pop() {
                Some(stored) => Ok(Put::Stored(Some(Box::new(stored)))),
                // It was taken for none when it was read, and is replaced.
                None => self.replace(item).await,
            },
            None => Ok(Put::Stored(None)),
        }
    }

    async fn replace(&self, item: HashMap<String, AttributeValue>) -> Result<Put, HistoryError> {
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(item)).send().await.map_err(Box::new)?;
        Ok(Put::Written)
    }

    /// The deliveries to an endpoint of events that were accepted since a time, the newest first, page by page;
    /// `after` is the id that the last page ended with.
    pub async fn page(
        &self,
        endpoint: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
    ) -> Result<(Vec<Delivery>, Option<String>), HistoryError> {
        let page = self.of(endpoint, since);
        let answer = page
            .set_exclusive_start_key(after.map(|id| key(endpoint, id)))
            .send()
            .await
            .map_err(Box::new)?;
        let last = answer.last_evaluated_key.as_ref();
        let last = last.and_then(|key| key.get("id")?.as_s().ok()).cloned();
        Ok((readable(answer.items.unwrap_or_default()), last))
    }

    /// The deliveries to an endpoint of the newest events, at most so many.
    pub async fn newest(&self, endpoint: &str, limit: i32) -> Result<Vec<Delivery>, HistoryError> {
        let answer = self.of(endpoint, None).limit(limit).send().await;
        let answer = answer.map_err(Box::new)?;
        Ok(readable(answer.items.unwrap_or_default()))
    }

    /// The query for the deliveries to an endpoint, the newest first.
    fn of(&self, endpoint: &str, since: Option<Timestamp>) -> QueryFluentBuilder {
        let since = since.map_or(0, Timestamp::as_millisecond).max(0);
        let query = self.client.query().table_name(&self.table);
        query
            .key_condition_expression("endpoint = :endpoint AND id >= :since")
            .expression_attribute_values(":endpoint", text(endpoint))
            .expression_attribute_values(":since", text(&format!("{endpoint}_{since:013}")))
            .scan_index_forward(false)
    }
}

impl Write {
    fn request(&self) -> Result<WriteRequest, HistoryError> {
        let put = |item| PutRequest::builder().set_item(Some(item)).build().ok();
        let delete = |key| DeleteRequest::builder().set_key(Some(key)).build().ok();
        let request = WriteRequest::builder();
        Ok(match self {
            Self::Delivery(record) => request.set_put_request(put(serde_dynamo::to_item(record)?)),
            Self::Hold(entry) => request.set_put_request(put(serde_dynamo::to_item(entry)?)),
            Self::Release { endpoint, id } => {
                request.set_delete_request(delete(key(&held::queue(endpoint), id)))
            }
        }
        .build())
    }
}

/// The items that are of our form; another is logged, and is as if it were not there: it must not stop the rest.
fn readable<T: DeserializeOwned>(items: Vec<HashMap<String, AttributeValue>>) -> Vec<T> {
    let read = |item: HashMap<String, AttributeValue>| {
        let id = item.get("id").cloned();
        let read = serde_dynamo::from_item(item);
        read.inspect_err(
            |error| tracing::error!(delivery.id = ?id, %error, "delivery is not readable"),
        )
        .ok()
    };
    items.into_iter().filter_map(read).collect()
}

fn key(endpoint: &str, id: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("endpoint".to_owned(), text(endpoint)),
        ("id".to_owned(), text(id)),
    ])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
