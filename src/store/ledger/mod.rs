//! The ledger: one item per accepted webhook, in DynamoDB. It is the proof of acceptance, the guard against
//! duplicates and, by its stream, the outbox.

mod fields;
mod item;
mod new_item;
mod read;
mod recorded_body;
mod release;
mod scan;
mod stream;

pub use item::{ItemSummary, LedgerItem, NewItem};
pub use new_item::KEPT_HEADERS;
pub use recorded_body::RecordedBody;
pub use scan::Page;
pub use stream::{Change, StreamItem};

use crate::aws::dynamodb::{Item, Put, binary_of, number, put_if, text_of};
use crate::aws::error::AwsError;
use crate::crypto::mac::Digest256;
use crate::store::deflate::inflate;
use aws_sdk_dynamodb::Client;
use jiff::SignedDuration;
use std::borrow::Cow;

/// The table of recorded webhooks.
#[derive(Debug)]
pub struct Ledger {
    client: Client,
    table: String,
}

/// The raw body, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBody {
    /// In the item itself.
    Inline(Vec<u8>),
    /// In the payload bucket, under this key.
    InBucket(String),
}

impl StoredBody {
    /// The body in an item, by the bytes of an attribute and the text of the one that names an object.
    fn read<'i>(
        bytes: impl Fn(&'static str) -> Option<Result<Cow<'i, [u8]>, UnreadableItem>>,
        object: impl FnOnce() -> Result<String, UnreadableItem>,
    ) -> Result<Self, UnreadableItem> {
        match (bytes("body_z"), bytes("body")) {
            (Some(deflated), _) => {
                let body = inflate(&deflated?).ok_or(UnreadableItem("body_z"))?;
                Ok(Self::Inline(body))
            }
            (None, Some(body)) => Ok(Self::Inline(body?.into_owned())),
            (None, None) => Ok(Self::InBucket(object()?)),
        }
    }
}

/// What became of a new item. In each case the webhook is durable.
#[derive(Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is the first with its key.
    New,
    /// It was recorded before, as the event of this id.
    Duplicate {
        /// The id that the first one was given.
        id: String,
    },
    /// Another body has its key; both are kept, and this one has this id.
    Conflict {
        /// The provider's id with the beginning of the body's hash.
        id: String,
    },
}

/// The ledger did not record a webhook.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// DynamoDB did not take it.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Two further bodies share the beginning of their hash as well.
    #[error("the ledger has another body under {0} already")]
    Occupied(String),
}

fn unreadable(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the ledger cannot be read")
}

fn unwritten(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the ledger is not writable")
}

impl Ledger {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Records a webhook, to be kept for `retention`: dedupe and durable acceptance in one conditional write.
    ///
    /// An item whose write was applied, but whose answer was lost, comes back as `Duplicate` of itself.
    pub async fn record(
        &self,
        new: &NewItem,
        body: &StoredBody,
        retention: SignedDuration,
    ) -> Result<Recorded, LedgerError> {
        let Some(first) = self.put(new.item(body, retention), new).await? else {
            return Ok(Recorded::New);
        };
        if first.digest == Some(new.digest) {
            return Ok(Recorded::Duplicate { id: first.id });
        }
        let conflicting = new.as_conflict();
        let id = conflicting.event.id.clone();
        let item = conflicting.item(body, retention);
        match self.put(item, &conflicting).await? {
            None => Ok(Recorded::Conflict { id }),
            Some(same) if same.digest == Some(new.digest) => {
                Ok(Recorded::Duplicate { id: same.id })
            }
            Some(_) => Err(LedgerError::Occupied(id)),
        }
    }

    /// Writes an item, or gives what is known of the one that has its key.
    async fn put(&self, item: Item, new: &NewItem) -> Result<Option<Earlier>, LedgerError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            // TTL deletion lags by up to 48 h, and a content key comes back: an old item is no obstacle.
            .condition_expression("attribute_not_exists(pk) OR dedupe_until < :now")
            .expression_attribute_values(":now", number(new.came_at.as_second()));
        match put_if(put).await.map_err(unwritten)? {
            Put::Written => Ok(None),
            Put::Unmet(first) => Ok(Some(Earlier::read(first.as_ref()))),
        }
    }
}

/// The entry that has a key.
struct Earlier {
    id: String,
    digest: Option<Digest256>,
}

impl Earlier {
    fn read(item: Option<&Item>) -> Self {
        let id = item.and_then(|item| text_of(item, "id"));
        let digest = item.and_then(|item| binary_of(item, "body_sha256"));
        Self {
            id: id.unwrap_or_default().to_owned(),
            digest: digest.and_then(|digest| digest.try_into().ok()),
        }
    }
}

/// An item is not as this ledger writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger's item has no valid {0}")]
pub struct UnreadableItem(pub &'static str);

impl NewItem {
    /// The same webhook under a key and an id of its own. Without that, whoever takes equal ids for one
    /// event, as CloudEvents allows, would drop it.
    fn as_conflict(&self) -> Self {
        let suffix = format!("#{}", &hex::encode(self.digest)[..16]);
        let mut new = self.clone();
        new.event.key += &suffix;
        new.event.id += &suffix;
        new.event.conflict = true;
        new
    }
}

#[cfg(test)]
mod tests;
