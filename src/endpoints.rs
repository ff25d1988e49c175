//! Endpoints: where events are delivered to, and how. Kept in the endpoints table, written by the operator's tool,
//! read by the fan-out, which caches them, and by `delivery`, which does not: a paused endpoint gets nothing more.
//!
//! How an endpoint is doing stands beside it and is left to `delivery::circuit`.

use crate::causes::Causes;
use crate::delivery::circuit::{Circuit, News};
use crate::event::EventRef;
use crate::subscriptions::is_match;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The `kind` of an endpoint among the items of the endpoints table.
const KIND: &str = "endpoint";

/// A change is in force for new events within half a minute; in between, a batch costs no read.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The time-out of an endpoint that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest time-out: Standard Webhooks asks for 15 to 30 s, and the function's own has to be above it.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The waits between attempts, in seconds: 12 attempts over about 2.8 days.
pub const DEFAULT_RETRY: [u64; 11] = [
    5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000, 36_000, 36_000, 36_000,
];

/// Where events are delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Made when it is created: `ep_` and hexadecimal digits.
    pub id: String,
    /// Counts the changes; whoever writes names the one that was read.
    pub version: u64,
    /// What the operator calls it.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// What the operator says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Event types, with `*` for any characters.
    pub events: Vec<String>,
    /// Names of sources; all if there are none.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Headers to send besides our own.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// How long an attempt may take, in seconds.
    pub timeout: u64,
    /// The waits between attempts, in seconds.
    pub retry: Vec<u64>,
    /// How many deliveries a second at most; as many as come if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// What the body of a request is.
    pub format: Format,
    /// How a request is signed.
    pub signature: Scheme,
    /// The header of the signature, for [`Scheme::HmacSha256Hex`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_header: Option<String>,
    /// What stands before the digits there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_prefix: Option<String>,
    /// The newest first.
    pub secrets: Vec<SealedSecret>,
    /// Whether it gets its deliveries.
    pub state: State,
    /// Why it is in that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was created, in milliseconds.
    pub created_at: i64,
    /// When it was last changed, in milliseconds.
    pub updated_at: i64,
    /// When it was last changed which events it gets, in milliseconds; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_at: Option<i64>,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The event, in structured JSON.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// The vendor's own bytes and content type.
    Raw,
}

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// As [Standard Webhooks](https://www.standardwebhooks.com) says.
    StandardWebhooks,
    /// HMAC-SHA256 over the body in hexadecimal digits, as the four vendors do.
    HmacSha256Hex,
}

/// Whether an endpoint gets its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does.
    Active,
    /// Not until the operator resumes it; what comes is held.
    Paused,
    /// It refused for good, or failed for too long; what comes is held until the operator enables it.
    Disabled,
}

/// A signing secret as it is stored: encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// What KMS made of it, in Base64.
    pub ciphertext: String,
    /// When it stops signing, in seconds; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// An endpoint and how it is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What the operator says of it.
    pub endpoint: Endpoint,
    /// What the gateway has seen of it.
    pub circuit: Circuit,
}

/// Why endpoints were not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The table was not readable.
    #[error("the endpoints cannot be read: {}", Causes(.0))]
    Query(#[from] Box<SdkError<QueryError>>),
    /// The table was not readable.
    #[error("the endpoints cannot be read: {}", Causes(.0))]
    Read(#[from] Box<SdkError<BatchGetItemError>>),
    /// DynamoDB left some of them unread.
    #[error("the endpoints cannot be read: the table is throttled")]
    Throttled,
    /// Somebody else changed it since it was read, or removed it.
    #[error("the endpoint {0} was changed by somebody else; look at it and try again")]
    Changed(String),
    /// It was not written.
    #[error("the endpoint was not written: {}", Causes(.0))]
    Put(#[from] Box<SdkError<PutItemError>>),
    /// It was not written.
    #[error("the endpoint was not written: {}", Causes(.0))]
    Transact(#[from] Box<SdkError<TransactWriteItemsError>>),
    /// It was not written.
    #[error("the endpoint was not written: {0}")]
    Incomplete(#[from] BuildError),
    /// It was not removed.
    #[error("the endpoint was not removed: {}", Causes(.0))]
    Delete(#[from] Box<SdkError<DeleteItemError>>),
    /// It has no form that the table takes.
    #[error("the endpoint was not written: {0}")]
    Form(#[from] serde_dynamo::Error),
}

impl Endpoint {
    /// Whether an event is to go to it.
    pub fn matches(&self, event_type: &str, source: &str) -> bool {
        let of_source = self.sources.is_empty() || self.sources.iter().any(|it| it == source);
        of_source
            && self
                .events
                .iter()
                .any(|pattern| is_match(pattern, event_type))
    }

    /// Since when, in milliseconds, every event that matches is published for it: a change takes a while to be in
    /// force, and which events it got before the last one is not known any more.
    pub fn wants_since(&self) -> i64 {
        let changed_at = self.selected_at.unwrap_or(self.created_at);
        changed_at.saturating_add_unsigned(MAX_AGE.as_millis() as u64)
    }

    /// How long an attempt may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout).min(MAX_TIMEOUT)
    }
}

/// What identifies one event's delivery to one endpoint, over all its attempts: sorts by when the event was
/// accepted, and is the same however often the event is fanned out.
pub fn delivery_id(endpoint: &str, event: &EventRef) -> String {
    let digest = crate::signature::sha256(event.key.as_bytes());
    format!(
        "{endpoint}_{:013}_{}",
        event.accepted_at,
        &hex::encode(digest)[..16]
    )
}

/// The endpoint that a delivery is to.
pub fn endpoint_of(delivery_id: &str) -> Option<&str> {
    let (rest, _digest) = delivery_id.rsplit_once('_')?;
    let (endpoint, _accepted_at) = rest.rsplit_once('_')?;
    Some(endpoint)
}

/// The endpoints in their table, and what was last read of them.
#[derive(Debug)]
pub struct Endpoints {
    client: Client,
    table: String,
    cache: Mutex<Option<(Instant, Arc<[Endpoint]>)>>,
}

impl Endpoints {
    /// The endpoints in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
            cache: Mutex::default(),
        }
    }

    /// The endpoints as they were at most half a minute ago, for the fan-out.
    ///
    /// There is no going on without them: an event would miss the endpoints that want it.
    pub async fn current(&self, now: Instant) -> Result<Arc<[Endpoint]>, EndpointError> {
        let mut cache = self.cache.lock().await;
        if let Some((read_at, endpoints)) = &*cache
            && now.saturating_duration_since(*read_at) < MAX_AGE
        {
            return Ok(Arc::clone(endpoints));
        }
        let endpoints: Arc<[Endpoint]> = self.list().await?.into();
        *cache = Some((now, Arc::clone(&endpoints)));
        Ok(endpoints)
    }

    /// All endpoints, by id; one that is not as the tool writes them is left out, and logged.
    pub async fn list(&self) -> Result<Vec<Endpoint>, EndpointError> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let items = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(Box::new)?;
        Ok(items.into_iter().filter_map(read).collect())
    }

    /// These endpoints as they are at this moment, by id, with how they are doing.
    pub async fn standings(
        &self,
        ids: &BTreeSet<&str>,
    ) -> Result<HashMap<String, Standing>, EndpointError> {
        if ids.is_empty() {
            // DynamoDB refuses to read nothing.
            return Ok(HashMap::new());
        }
        let keys = ids
            .iter()
            .flat_map(|id| [key(KIND, id), key(Circuit::KIND, id)]);
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .build();
        let mut wanted = HashMap::from([(
            self.table.clone(),
            keys.map_err(|_| EndpointError::Throttled)?,
        )]);
        let mut endpoints = Vec::new();
        let mut circuits = HashMap::new();
        for _ in 0..TRIES {
            let request = self.client.batch_get_item().set_request_items(Some(wanted));
            let answer = request.send().await.map_err(Box::new)?;
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                if item.get("kind") == Some(&text(KIND)) {
                    endpoints.extend(read(item));
                } else if let Some((id, circuit)) = Circuit::read(item) {
                    circuits.insert(id, circuit);
                }
            }
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                let stand = |endpoint: Endpoint| {
                    let circuit = circuits.remove(&endpoint.id).unwrap_or_default();
                    (endpoint.id.clone(), Standing { endpoint, circuit })
                };
                return Ok(endpoints.into_iter().map(stand).collect());
            }
        }
        Err(EndpointError::Throttled)
    }

    /// Writes an endpoint in the place of its earlier version, and counts its version on.
    ///
    /// A new one has the version 0. An endpoint that somebody else changed since it was read is not overwritten.
    pub async fn put(&self, endpoint: &mut Endpoint) -> Result<(), EndpointError> {
        let before = endpoint.version;
        endpoint.version += 1;
        let mut item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&*endpoint)?;
        item.insert("kind".to_owned(), text(KIND));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = if before == 0 {
            put.condition_expression("attribute_not_exists(id)")
        } else {
            put.condition_expression("version = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string()))
        };
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // A second try, after the answer to the first was lost.
                Some(PutItemError::ConditionalCheckFailedException(refusal))
                    if refusal.item() == Some(&item) =>
                {
                    Ok(())
                }
                Some(PutItemError::ConditionalCheckFailedException(_)) => {
                    Err(EndpointError::Changed(endpoint.id.clone()))
                }
                _ => Err(Box::new(error).into()),
            },
        }
    }

    /// Disables an active endpoint, and notes that the operator is to be told; false if it is not active any more.
    ///
    /// Both at once, so that neither is without the other if this is interrupted.
    pub async fn disable(
        &self,
        id: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, EndpointError> {
        let endpoint = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(KIND, id)))
            .update_expression(
                "SET #state = :disabled, reason = :reason, updated_at = :now ADD version :one",
            )
            .condition_expression("#state = :active")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":disabled", text("disabled"))
            .expression_attribute_values(":active", text("active"))
            .expression_attribute_values(":reason", text(reason))
            .expression_attribute_values(
                ":now",
                AttributeValue::N(now.as_millisecond().to_string()),
            )
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        let circuit = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(Circuit::KIND, id)))
            .update_expression("SET notice = :news")
            .expression_attribute_values(":news", text(News::Disabled.name()));
        let mut transaction = self.client.transact_write_items();
        for update in [endpoint, circuit] {
            let item = TransactWriteItem::builder().update(update.build()?);
            transaction = transaction.transact_items(item.build());
        }
        match transaction.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(Box::new(error).into()),
        }
    }

    /// Removes an endpoint, readable or not, and what was seen of it; false if there is none.
    pub async fn remove(&self, id: &str) -> Result<bool, EndpointError> {
        let removed = self.delete(KIND, id).await?;
        self.delete(Circuit::KIND, id).await?;
        Ok(removed)
    }

    async fn delete(&self, kind: &str, id: &str) -> Result<bool, EndpointError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(key(kind, id)))
            .return_values(ReturnValue::AllOld);
        let answer = delete.send().await.map_err(Box::new)?;
        Ok(answer.attributes.is_some())
    }
}

/// Whether a transaction was not made because of a condition.
fn is_refused(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
        error.as_service_error()
    else {
        return false;
    };
    let reasons = canceled.cancellation_reasons();
    reasons
        .iter()
        .any(|it| it.code() == Some("ConditionalCheckFailed"))
}

/// How often what a batch left unread is asked for again.
const TRIES: u32 = 4;

fn read(item: HashMap<String, AttributeValue>) -> Option<Endpoint> {
    let id = item.get("id").cloned();
    match serde_dynamo::from_item(item) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            tracing::error!(endpoint.id = ?id, %error, "the endpoint is not readable: remove it and create it again");
            None
        }
    }
}

/// The key of an item of the endpoints table.
pub(crate) fn key(kind: &str, id: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("kind".to_owned(), text(kind)), ("id".to_owned(), text(id))])
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[cfg(test)]
pub(crate) mod test;
