//! The endpoints in their table. The fan-out reads them through a cache. A version keeps two operators from
//! overwriting each other.

use super::{Endpoint, EndpointStatus, MAX_AGE};
use crate::aws::dynamodb::{
    self, Item, Put, is_unmet, number, put_if, query_all, read_batch, text,
};
use crate::aws::error::AwsError;
use crate::store::cached::{Cached, Current};
use crate::store::endpoints::circuit::{Circuit, Transition};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ReturnValue, TransactWriteItem, Update};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// The `kind` of an endpoint among the items of the endpoints table.
const KIND: &str = "endpoint";

/// Why an endpoint was not written.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Somebody else changed it since it was read, or removed it.
    #[error("the endpoint {0} was changed in the meantime; look at it and try again")]
    Changed(String),
    /// DynamoDB did not take it.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

fn unreadable(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the endpoints cannot be read")
}

fn unwritten(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the endpoint was not written")
}

fn not_removed(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the endpoint was not removed")
}

/// The endpoints in their table, and what was last read of them.
#[derive(Debug)]
pub struct Endpoints {
    client: Client,
    table: String,
    cached: Cached<Current<Endpoint>>,
}

impl Endpoints {
    /// The endpoints in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
            cached: Cached::new(MAX_AGE),
        }
    }

    /// The endpoints as they were at most half a minute ago, for the fan-out.
    ///
    /// There is no going on without them: an event would miss the endpoints that want it.
    pub async fn current(&self, now: Instant) -> Result<Current<Endpoint>, AwsError> {
        let current = async {
            let items = self.items().await?;
            let all = items.len();
            let endpoints: Arc<[_]> = items.into_iter().filter_map(read).collect();
            let unreadable = all - endpoints.len();
            Ok((endpoints, unreadable))
        };
        self.cached.get(now, current).await
    }

    /// All endpoints, by id; one that is not as the tool writes them is left out, and logged.
    pub async fn list(&self) -> Result<Vec<Endpoint>, AwsError> {
        let items = self.items().await?;
        Ok(items.into_iter().filter_map(read).collect())
    }

    async fn items(&self) -> Result<Vec<Item>, AwsError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .consistent_read(true);
        query_all(query).await.map_err(unreadable)
    }

    /// These endpoints as they are at this moment, by id, with how they are doing.
    pub async fn statuses(
        &self,
        ids: &BTreeSet<&str>,
    ) -> Result<HashMap<String, EndpointStatus>, AwsError> {
        let keys = ids
            .iter()
            .flat_map(|id| [key(KIND, id), key(Circuit::KIND, id)]);
        let keys: Vec<_> = keys.collect();
        let items = read_batch(&self.client, &self.table, &keys, &[]).await;
        let mut endpoints = Vec::new();
        let mut circuits = HashMap::new();
        for item in items.map_err(unreadable)? {
            if item.get("kind") == Some(&text(KIND)) {
                endpoints.extend(read(item));
            } else if let Some((id, circuit)) = Circuit::read(item) {
                circuits.insert(id, circuit);
            }
        }
        let stand = |endpoint: Endpoint| {
            let circuit = circuits.remove(&endpoint.id).unwrap_or_default();
            (endpoint.id.clone(), EndpointStatus { endpoint, circuit })
        };
        Ok(endpoints.into_iter().map(stand).collect())
    }

    /// Writes an endpoint in the place of its earlier version, and counts its version on.
    ///
    /// A new one has the version 0. An endpoint that somebody else changed since it was read is not
    /// overwritten.
    pub async fn put(&self, endpoint: &mut Endpoint) -> Result<(), EndpointError> {
        let before = endpoint.version;
        endpoint.version += 1;
        let item = serde_dynamo::to_item(&*endpoint).map_err(AwsError::other);
        let mut item: Item = item.map_err(unwritten)?;
        item.insert("kind".to_owned(), text(KIND));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()));
        let put = if before == 0 {
            put.condition_expression("attribute_not_exists(id)")
        } else {
            put.condition_expression("version = :before")
                .expression_attribute_values(":before", number(before.cast_signed()))
        };
        match put_if(put).await.map_err(unwritten)? {
            Put::Written => Ok(()),
            // A second try, after the answer to the first was lost.
            Put::Unmet(Some(stored)) if stored == item => Ok(()),
            Put::Unmet(_) => Err(EndpointError::Changed(endpoint.id.clone())),
        }
    }

    /// Disables an active endpoint, and notes that the operator is to be notified; false if it is not active
    /// any more.
    ///
    /// Both at once, so that neither is without the other if this is interrupted.
    pub async fn disable(
        &self,
        id: &str,
        reason: &str,
        disabled: Transition,
    ) -> Result<bool, AwsError> {
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
            .expression_attribute_values(":now", number(disabled.happened_at))
            .expression_attribute_values(":one", number(1));
        let circuit = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(Circuit::KIND, id)))
            .update_expression("SET notice = :notice")
            .expression_attribute_values(":notice", disabled.attribute());
        let mut transaction = self.client.transact_write_items();
        for update in [endpoint, circuit] {
            let item = TransactWriteItem::builder().update(update.build().map_err(unwritten)?);
            transaction = transaction.transact_items(item.build());
        }
        match transaction.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_unmet(&error) => Ok(false),
            Err(error) => Err(unwritten(error)),
        }
    }

    /// Removes an endpoint, readable or not, and what was seen of it; false if there is none.
    pub async fn remove(&self, id: &str) -> Result<bool, AwsError> {
        let removed = self.delete(KIND, id).await?;
        self.delete(Circuit::KIND, id).await?;
        Ok(removed)
    }

    async fn delete(&self, kind: &str, id: &str) -> Result<bool, AwsError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(key(kind, id)))
            .return_values(ReturnValue::AllOld);
        let answer = delete.send().await.map_err(not_removed)?;
        Ok(answer.attributes.is_some())
    }
}

fn read(item: Item) -> Option<Endpoint> {
    let id = item.get("id").cloned();
    match serde_dynamo::from_item(item) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            let advice = "remove it and create it again";
            tracing::error!(endpoint.id = ?id, %error, "the endpoint is not readable: {advice}");
            None
        }
    }
}

/// The key of an item of the endpoints table.
pub(crate) fn key(kind: &str, id: &str) -> Item {
    dynamodb::key([("kind", kind), ("id", id)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dynamodb::{PAUSE, TRIES};
    use crate::store::endpoints::test::endpoint;
    use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
    use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
    use aws_smithy_mocks::{Rule, mock};

    /// What is written of an endpoint under this condition, where what is there by then has another name, or
    /// is the same.
    fn refused(condition: &'static str, there: Option<&'static str>) -> Rule {
        let mut item: HashMap<_, _> = serde_dynamo::to_item(endpoint()).unwrap();
        item.insert("kind".to_owned(), text(KIND));
        mock!(aws_sdk_dynamodb::Client::put_item)
            .match_requests(move |request| {
                let before = request.expression_attribute_values();
                let before = before.and_then(|values| values.get(":before")?.as_n().ok());
                request.condition_expression() == Some(condition)
                    && before.is_none_or(|version| version == "6")
            })
            .then_error(move || {
                let mut item = item.clone();
                let version = if condition.contains("before") {
                    "7"
                } else {
                    "1"
                };
                item.insert("version".to_owned(), AttributeValue::N(version.to_owned()));
                if let Some(name) = there {
                    item.insert("name".to_owned(), text(name));
                }
                let refusal = ConditionalCheckFailedException::builder().set_item(Some(item));
                PutItemError::ConditionalCheckFailedException(refusal.build())
            })
    }

    fn endpoints(rule: &Rule) -> Endpoints {
        Endpoints::new(
            testkit::mock!(aws_sdk_dynamodb, [rule]),
            "endpoints".to_owned(),
        )
    }

    async fn put(version: u64, rule: &Rule) -> Result<(), EndpointError> {
        let mut endpoint = endpoint();
        endpoint.version = version;
        let put = endpoints(rule).put(&mut endpoint).await;
        assert_eq!(rule.num_calls(), 1);
        put
    }

    #[tokio::test]
    async fn what_somebody_else_wrote_is_not_overwritten_and_what_was_written_is_not_taken_for_that()
     {
        for (version, condition) in [(0, "attribute_not_exists(id)"), (6, "version = :before")] {
            let theirs = put(version, &refused(condition, Some("theirs"))).await;
            assert!(matches!(theirs, Err(EndpointError::Changed(id)) if id == "ep_1"));
            let ours = put(version, &refused(condition, None)).await;
            assert!(ours.is_ok(), "{ours:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_unread_is_asked_for_again_after_a_pause_that_grows() {
        let left = || {
            let keys = KeysAndAttributes::builder().set_keys(Some(vec![key(KIND, "ep_1")]));
            BatchGetItemOutput::builder()
                .unprocessed_keys("endpoints", keys.build().unwrap())
                .build()
        };
        let rule = mock!(Client::batch_get_item)
            .sequence()
            .output(left)
            .times(TRIES as usize)
            .build();
        let began = tokio::time::Instant::now();
        let read = endpoints(&rule).statuses(&BTreeSet::from(["ep_1"])).await;
        let error = read.unwrap_err().to_string();
        assert_eq!(
            error,
            "the endpoints cannot be read: the table is throttled"
        );
        assert_eq!(rule.num_calls(), TRIES as usize);
        assert!(began.elapsed() >= PAUSE * (1 + 2 + 4 + 8));
    }
}
