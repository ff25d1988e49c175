//! The queues of held deliveries: one for each endpoint, as a partition of the deliveries table, the oldest
//! event first.

use super::{Deliveries, Delivery, readable, unreadable};
use crate::aws::dynamodb::text;
use crate::aws::error::AwsError;
use crate::event::EventMeta;
use aws_sdk_dynamodb::types::Select;
use serde::{Deserialize, Serialize};

/// A delivery in the queue of an endpoint's held deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldEntry {
    /// The queue: see [`queue`].
    endpoint: String,
    /// The id of the delivery: the oldest event comes first.
    pub id: String,
    /// The event.
    pub event: EventMeta,
}

impl HeldEntry {
    /// The entry of a delivery.
    pub fn of(record: &Delivery) -> Self {
        Self {
            endpoint: queue(&record.endpoint),
            id: record.id.clone(),
            event: record.event.clone(),
        }
    }
}

/// The partition of the deliveries that are held for an endpoint.
pub(super) fn queue(endpoint: &str) -> String {
    format!("held#{endpoint}")
}

impl Deliveries {
    /// The deliveries that are held for an endpoint, the oldest first, at most so many.
    pub async fn held(&self, endpoint: &str, limit: i32) -> Result<Vec<HeldEntry>, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("endpoint = :endpoint")
            .expression_attribute_values(":endpoint", text(&queue(endpoint)))
            // Whoever holds a delivery relies on being seen here.
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(unreadable)?;
        Ok(readable(answer.items.unwrap_or_default()))
    }

    /// How many deliveries are held for an endpoint, counted up to a limit or a little beyond it.
    ///
    /// A read unit counts some twenty of them.
    pub async fn count_held(&self, endpoint: &str, limit: usize) -> Result<usize, AwsError> {
        let query = self.client.query().table_name(&self.table);
        let mut pages = query
            .key_condition_expression("endpoint = :endpoint")
            .expression_attribute_values(":endpoint", text(&queue(endpoint)))
            .select(Select::Count)
            .into_paginator()
            .send();
        let mut counted = 0;
        while counted <= limit
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(unreadable)?;
            counted += usize::try_from(page.count()).unwrap_or_default();
        }
        Ok(counted)
    }
}
