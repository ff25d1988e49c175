//! Endpoints that were removed. Their deliveries are kept for a while, and could not be found without their
//! ids.

use super::{Journal, unwritten};
use crate::aws::dynamodb::{Item, number, text, text_of, time_of};
use crate::aws::error::AwsError;
use crate::store::deliveries::RETENTION;
use jiff::Timestamp;

/// The `kind` of a removed endpoint among the items of the journal.
const KIND: &str = "removed";

/// An endpoint that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub endpoint: String,
    /// What the operator called it, if that was known.
    pub name: Option<String>,
    /// When it was removed.
    pub at: Timestamp,
}

impl Journal {
    /// Notes that an endpoint was removed.
    pub async fn note_removed(&self, removed: &Removed) -> Result<(), AwsError> {
        let expires_at = removed.at.as_second() + RETENTION.as_secs();
        let mut put = self.client.put_item().table_name(&self.table);
        if let Some(name) = &removed.name {
            put = put.item("name", text(name));
        }
        let put = put
            .item("kind", text(KIND))
            .item("id", text(&removed.endpoint))
            .item("at", number(removed.at.as_millisecond()))
            .item("expires_at", number(expires_at));
        put.send().await.map_err(unwritten)?;
        Ok(())
    }

    /// The endpoints that were removed, as long as their deliveries are kept.
    pub async fn removed(&self) -> Result<Vec<Removed>, AwsError> {
        let items = self.items_of(KIND).await?;
        Ok(items.iter().filter_map(read).collect())
    }
}

fn read(item: &Item) -> Option<Removed> {
    Some(Removed {
        endpoint: text_of(item, "id")?.to_owned(),
        name: text_of(item, "name").map(str::to_owned),
        at: time_of(item, "at")?,
    })
}
