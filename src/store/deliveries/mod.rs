//! The deliveries table: what became of each event at each endpoint, and the queue of held deliveries of each
//! endpoint.

mod held;
mod record;
#[cfg(test)]
mod tests;

pub use held::HeldEntry;
pub use record::{Attempt, Delivery, RETENTION, Sent, State, UNREAD};

use crate::aws::dynamodb::{
    self, Item, MAX_TRANSACTION, PAUSE, Put, TRIES, insert_all, number, put_if, read_batch, text,
    text_of, write_batch,
};
use crate::aws::error::AwsError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};

/// How much of a response is kept, in bytes.
pub const MAX_RESPONSE: usize = 1024;

/// A change of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Says what became of a delivery.
    Delivery(Box<Delivery>),
    /// Puts a delivery into the queue of held deliveries.
    Hold(HeldEntry),
    /// Takes one out.
    Release {
        /// The id of the endpoint.
        endpoint: String,
        /// The id of the delivery.
        id: String,
    },
}

fn unreadable(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the deliveries cannot be read")
}

fn unwritten(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the deliveries were not written")
}

/// Others wrote a record each time before this was written.
#[derive(Debug, thiserror::Error)]
#[error("others write the same record all the time")]
struct Contended;

/// What became of a record that was to be written.
enum Written {
    Done,
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
    ) -> Result<HashMap<String, Delivery>, AwsError> {
        let keys = deliveries.iter().map(|(endpoint, id)| key(endpoint, id));
        let keys: Vec<_> = keys.collect();
        let items = read_batch(&self.client, &self.table, &keys, &[]).await;
        let records = readable(items.map_err(unreadable)?).into_iter();
        let records = records.map(Delivery::read);
        Ok(records.map(|record| (record.id.clone(), record)).collect())
    }

    /// Writes all of it. After an error, any part of it may have been written; to write it again does no
    /// harm.
    pub async fn write(&self, writes: &[Write]) -> Result<(), AwsError> {
        let requests = writes.iter().map(Write::request);
        let requests = requests.collect::<Result<_, _>>().map_err(unwritten)?;
        let written = write_batch(&self.client, &self.table, requests).await;
        written.map_err(unwritten)
    }

    /// Writes each record as [`record`](Self::record) does; the results are in the order of the records.
    ///
    /// The first records of several deliveries share a transaction. If it is not made, each record is written
    /// by itself. Therefore a record that is throttled, or that another invocation wrote too, does not bring
    /// back the rest.
    pub async fn record_all(&self, records: &[&Delivery]) -> Vec<Result<bool, AwsError>> {
        let first = records.iter().filter(|record| record.seen.is_none());
        let first: Vec<&Delivery> = first.copied().collect();
        let mut is_inserted = false;
        if (2..=MAX_TRANSACTION).contains(&first.len()) {
            is_inserted = self.insert(&first).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "records are written one by one");
                false
            });
        }
        let writes = records.iter().map(async |record| {
            if is_inserted && record.seen.is_none() {
                return Ok(true);
            }
            self.record(record).await
        });
        join_all(writes).await
    }

    /// Inserts the first records of deliveries, all of them or none.
    async fn insert(&self, records: &[&Delivery]) -> Result<bool, AwsError> {
        let items = records.iter().map(item).collect::<Result<_, _>>()?;
        insert_all(&self.client, &self.table, items).await
    }

    /// Writes a record of a delivery that others may try at the same time: no attempt of theirs is lost.
    /// False if they delivered it since it was read, and this record does not say so: then it stays
    /// delivered.
    pub async fn record(&self, record: &Delivery) -> Result<bool, AwsError> {
        let mut wanted = record.clone();
        let mut stands = true;
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
            }
            match self.put(&wanted).await? {
                Written::Done => return Ok(stands),
                Written::Stored(None) => wanted.seen = None,
                Written::Stored(Some(stored)) => (wanted, stands) = record.after(*stored),
            }
        }
        Err(unwritten(AwsError::other(Contended)))
    }

    /// Writes a record in the place of the one that was seen, unless another is there.
    async fn put(&self, record: &Delivery) -> Result<Written, AwsError> {
        let item = item(record).map_err(unwritten)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()));
        let put = match record.seen {
            None => put.condition_expression("attribute_not_exists(id)"),
            Some(seen) => put
                .condition_expression("attempts = :attempts AND updated_at = :updated_at")
                .expression_attribute_values(":attempts", number(seen.attempts.into()))
                .expression_attribute_values(":updated_at", number(seen.updated_at)),
        };
        match put_if(put).await.map_err(unwritten)? {
            Put::Written => Ok(Written::Done),
            // A second try, after the answer to the first was lost.
            Put::Unmet(Some(stored)) if stored == item => Ok(Written::Done),
            Put::Unmet(Some(stored)) => match readable(vec![stored]).pop() {
                Some(stored) => Ok(Written::Stored(Some(Box::new(stored)))),
                // It was taken for none when it was read, and is replaced.
                None => self.replace(item).await,
            },
            Put::Unmet(None) => Ok(Written::Stored(None)),
        }
    }

    async fn replace(&self, item: Item) -> Result<Written, AwsError> {
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(item)).send().await.map_err(unwritten)?;
        Ok(Written::Done)
    }

    /// The deliveries to an endpoint of events that were accepted since a time, the newest first, page by
    /// page; `after` is the id that the last page ended with.
    pub async fn page(
        &self,
        endpoint: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
    ) -> Result<(Vec<Delivery>, Option<String>), AwsError> {
        let page = self.of(endpoint, since);
        let answer = page
            .set_exclusive_start_key(after.map(|id| key(endpoint, id)))
            .send()
            .await
            .map_err(unreadable)?;
        let last = answer.last_evaluated_key.as_ref();
        let last = last.and_then(|key| text_of(key, "id")).map(str::to_owned);
        Ok((readable(answer.items.unwrap_or_default()), last))
    }

    /// The deliveries to an endpoint of the newest events, at most so many.
    pub async fn newest(&self, endpoint: &str, limit: i32) -> Result<Vec<Delivery>, AwsError> {
        let answer = self.of(endpoint, None).limit(limit).send().await;
        let answer = answer.map_err(unreadable)?;
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
    fn request(&self) -> Result<WriteRequest, AwsError> {
        let put = |item| PutRequest::builder().set_item(Some(item)).build().ok();
        let delete = |key| DeleteRequest::builder().set_key(Some(key)).build().ok();
        let request = WriteRequest::builder();
        Ok(match self {
            Self::Delivery(record) => request.set_put_request(put(item(record)?)),
            Self::Hold(entry) => request.set_put_request(put(item(entry)?)),
            Self::Release { endpoint, id } => {
                request.set_delete_request(delete(key(&held::queue(endpoint), id)))
            }
        }
        .build())
    }
}

/// The items that can be read. Any other is logged and left out: it must not stop the rest.
fn readable<T: DeserializeOwned>(items: Vec<Item>) -> Vec<T> {
    let read = |item: Item| {
        let id = item.get("id").cloned();
        let read = serde_dynamo::from_item(item);
        read.inspect_err(
            |error| tracing::error!(delivery.id = ?id, %error, "delivery is not readable"),
        )
        .ok()
    };
    items.into_iter().filter_map(read).collect()
}

fn item(of: &impl Serialize) -> Result<Item, AwsError> {
    serde_dynamo::to_item(of).map_err(AwsError::other)
}

fn key(endpoint: &str, id: &str) -> Item {
    dynamodb::key([("endpoint", endpoint), ("id", id)])
}
