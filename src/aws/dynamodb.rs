//! What all tables have in common: attributes and keys, writes with a condition, and batches, of which
//! DynamoDB leaves a part undone when it is busy or when its answer is full.

use crate::aws::error::AwsError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    WriteRequest,
};
use jiff::Timestamp;
use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

/// The most items that one batch reads:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>.
pub(crate) const MAX_READS: usize = 100;

/// The most items that one batch writes.
const MAX_WRITES: usize = 25;

/// The most items that one transaction writes.
pub(crate) const MAX_TRANSACTION: usize = 100;

/// How often in a row a batch may come back without any progress.
pub const TRIES: u32 = 5;

/// The pause before the rest of a batch is asked for; it doubles with each answer without progress.
pub const PAUSE: Duration = Duration::from_millis(50);

/// The bytes of a [write
/// unit](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
pub(crate) const WRITE_UNIT: usize = 1024;

/// An item of a table, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// A text.
pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number.
pub fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Bytes.
pub fn binary(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// The key of an item, or an item of texts.
pub fn key<const N: usize>(attributes: [(&str, &str); N]) -> Item {
    let attributes = attributes.into_iter();
    attributes
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

/// The text that an attribute is.
pub fn text_of<'i>(item: &'i Item, name: &str) -> Option<&'i str> {
    Some(item.get(name)?.as_s().ok()?)
}

/// The number that an attribute is.
pub fn number_of<N: FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The time that an attribute is, in milliseconds.
pub fn time_of(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(number_of(item, name)?).ok()
}

/// The bytes that an attribute is.
pub fn binary_of<'i>(item: &'i Item, name: &str) -> Option<&'i [u8]> {
    Some(item.get(name)?.as_b().ok()?.as_ref())
}

/// The [size of an
/// item](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html) in
/// bytes, at most.
pub(crate) fn item_size(item: &Item) -> usize {
    let members = item
        .iter()
        .map(|(name, value)| name.len() + value_size(value));
    members.sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len() + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) => 1,
        AttributeValue::M(members) => 3 + members.len() + item_size(members),
        // No other is kept in an item whose size matters.
        _ => WRITE_UNIT,
    }
}

/// What became of a write with a condition.
#[derive(Debug)]
pub enum Put {
    /// The condition was met.
    Written,
    /// It was not met, by this item.
    Unmet(Option<Item>),
}

/// Writes an item under a condition.
pub async fn put_if(put: PutItemFluentBuilder) -> Result<Put, AwsError> {
    let all = ReturnValuesOnConditionCheckFailure::AllOld;
    let item = |error| match error {
        PutItemError::ConditionalCheckFailedException(unmet) => unmet.item,
        _ => None,
    };
    match put
        .return_values_on_condition_check_failure(all)
        .send()
        .await
    {
        Ok(_) => Ok(Put::Written),
        Err(SdkError::ServiceError(error))
            if error.err().is_conditional_check_failed_exception() =>
        {
            Ok(Put::Unmet(item(error.into_err())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes an item under a condition: what the update returns of it, or `None` if the condition was not met.
pub async fn update_if(update: UpdateItemFluentBuilder) -> Result<Option<Item>, AwsError> {
    match update.send().await {
        Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(error.into()),
        },
    }
}

/// All items that a query finds.
pub async fn query_all(query: QueryFluentBuilder) -> Result<Vec<Item>, AwsError> {
    let items = query.into_paginator().items().send();
    Ok(items.collect::<Result<_, _>>().await?)
}

/// The items under these keys, as they are at this moment: only these attributes of them, or all if none is
/// named.
pub async fn read_batch(
    client: &Client,
    table: &str,
    keys: &[Item],
    attributes: &[&str],
) -> Result<Vec<Item>, AwsError> {
    let mut items = Vec::new();
    for keys in keys.chunks(MAX_READS) {
        let keys = projected(attributes).set_keys(Some(keys.to_vec()));
        let mut wanted = HashMap::from([(table.to_owned(), keys.consistent_read(true).build()?)]);
        let mut patience = Patience::default();
        while !wanted.is_empty() {
            let request = client.batch_get_item().set_request_items(Some(wanted));
            let answer = request.send().await?;
            let before = items.len();
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if !wanted.is_empty() {
                // An answer ends at 16 MB: a batch of large items comes in parts, without a fault.
                patience.pause(items.len() > before).await?;
            }
        }
    }
    Ok(items)
}

fn projected(attributes: &[&str]) -> aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder {
    let aliases: Vec<_> = attributes.iter().map(|name| format!("#{name}")).collect();
    let names = aliases.iter().zip(attributes);
    let keys = names.fold(KeysAndAttributes::builder(), |keys, (alias, name)| {
        keys.expression_attribute_names(alias, *name)
    });
    keys.set_projection_expression((!aliases.is_empty()).then(|| aliases.join(", ")))
}

/// Writes and deletes items. After an error, any part of it may have been done.
pub async fn write_batch(
    client: &Client,
    table: &str,
    requests: Vec<WriteRequest>,
) -> Result<(), AwsError> {
    for requests in requests.chunks(MAX_WRITES) {
        let mut left = requests.len();
        let mut wanted = HashMap::from([(table.to_owned(), requests.to_vec())]);
        let mut patience = Patience::default();
        while !wanted.is_empty() {
            let request = client.batch_write_item().set_request_items(Some(wanted));
            let answer = request.send().await?;
            wanted = answer.unprocessed_items.unwrap_or_default();
            if !wanted.is_empty() {
                let still_left = wanted.values().map(Vec::len).sum();
                patience.pause(still_left < left).await?;
                left = still_left;
            }
        }
    }
    Ok(())
}

/// Inserts at most `MAX_TRANSACTION` items that have an `id`, all of them or none; false if the key of one
/// is taken.
///
/// `BatchWriteItem` would replace the items that are there: only a transaction has this condition. It [costs
/// two write units](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html)
/// for each kilobyte.
pub async fn insert_all(client: &Client, table: &str, items: Vec<Item>) -> Result<bool, AwsError> {
    let mut transaction = client.transact_write_items();
    for item in items {
        let put = aws_sdk_dynamodb::types::Put::builder().table_name(table);
        let put = put
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)");
        let write = TransactWriteItem::builder().put(put.build()?);
        transaction = transaction.transact_items(write.build());
    }
    match transaction.send().await {
        Ok(_) => Ok(true),
        Err(error) if is_unmet(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a transaction was not made because of a condition.
pub fn is_unmet(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) =
        error.as_service_error()
    else {
        return false;
    };
    let reasons = canceled.cancellation_reasons();
    reasons
        .iter()
        .any(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

/// DynamoDB left a part of a batch undone each time.
#[derive(Debug, thiserror::Error)]
#[error("the table is throttled")]
struct Throttled;

/// How often in a row a batch came back without any progress.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    /// Waits before the rest of a batch is asked for, unless that was without progress too often.
    async fn pause(&mut self, is_progress: bool) -> Result<(), AwsError> {
        self.0 = if is_progress { 0 } else { self.0 + 1 };
        if self.0 == TRIES {
            return Err(AwsError::other(Throttled));
        }
        tokio::time::sleep(PAUSE * 2_u32.pow(self.0.saturating_sub(1))).await;
        Ok(())
    }
}
