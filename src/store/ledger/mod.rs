//! The ledger: one item per accepted webhook, in DynamoDB. It is the proof of acceptance, the guard against
//! duplicates and, by its stream, the outbox. What leaves it is left to `ingress::fanout`.

mod bodies;
mod entry;
mod look;
mod release;
mod scan;

pub use bodies::Stored;
pub use look::{Brief, Kept};
pub use scan::{Line, Page};

use crate::aws::dynamodb::{Item, Put, binary, number, put_if, text};
use crate::aws::error::AwsError;
use crate::crypto::secret::Matched;
use crate::crypto::signature::Digest256;
use crate::event::{Receipt, UNKNOWN_CONTENT_TYPE};
use crate::providers::is_name;
use crate::store::deflate::{deflate, inflate};
use crate::store::sources::is_source_name;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// When the operator had a webhook published again that never was.
const REPUBLISHED_AT: &str = "republished_at";

/// The table of recorded webhooks.
#[derive(Debug)]
pub struct Ledger {
    client: Client,
    table: String,
    retention: SignedDuration,
}

/// What is recorded of a webhook.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What identifies it within its source: the provider's id, or the hash of its body.
    pub key: String,
    /// What the event will say of the gateway.
    pub receipt: Receipt,
    /// The type of the event; `None` for what is not understood.
    pub event_type: Option<String>,
    /// Why it is not understood.
    pub reason: Option<String>,
    /// The hash of its body.
    pub digest: Digest256,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
    /// How long the same key is a duplicate.
    pub dedupe_window: SignedDuration,
    /// When it came, from which its window is counted: before its acceptance, if it was rejected first.
    pub came_at: Timestamp,
    /// The request headers worth keeping.
    pub headers: Vec<(String, String)>,
}

/// The raw body, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredBody {
    /// In the item itself.
    Inline(Vec<u8>),
    /// In the payload bucket, under this key.
    Claimed(String),
}

impl StoredBody {
    /// The body in an item, by the bytes of an attribute and the text of the one that names an object.
    fn read(
        binary: impl Fn(&'static str) -> Option<Result<Vec<u8>, UnreadableItem>>,
        claimed: impl FnOnce() -> Result<String, UnreadableItem>,
    ) -> Result<Self, UnreadableItem> {
        match (binary("body_z"), binary("body")) {
            (Some(deflated), _) => {
                let body = inflate(&deflated?).ok_or(UnreadableItem("body_z"))?;
                Ok(Self::Inline(body))
            }
            (None, Some(body)) => Ok(Self::Inline(body?)),
            (None, None) => Ok(Self::Claimed(claimed()?)),
        }
    }
}

/// What became of an entry. In each case the webhook is durable.
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

/// The ledger did not record an entry.
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
    /// The table of this name, whose items are kept for `retention`.
    pub fn new(client: Client, table: String, retention: SignedDuration) -> Self {
        Self {
            client,
            table,
            retention,
        }
    }

    /// Records a webhook: dedupe and durable acceptance in one conditional write.
    ///
    /// An entry whose write was applied, but whose answer was lost, comes back as `Duplicate` of itself.
    pub async fn record(&self, entry: &Entry, body: &StoredBody) -> Result<Recorded, LedgerError> {
        let Some(first) = self.put(entry, body).await? else {
            return Ok(Recorded::New);
        };
        if first.digest == Some(entry.digest) {
            return Ok(Recorded::Duplicate { id: first.id });
        }
        let conflicting = entry.beside_another();
        let id = conflicting.receipt.id.clone();
        match self.put(&conflicting, body).await? {
            None => Ok(Recorded::Conflict { id }),
            Some(same) if same.digest == Some(entry.digest) => {
                Ok(Recorded::Duplicate { id: same.id })
            }
            Some(_) => Err(LedgerError::Occupied(conflicting.key)),
        }
    }

    /// Writes the entry, or gives the one that has its key.
    async fn put(&self, entry: &Entry, body: &StoredBody) -> Result<Option<Earlier>, LedgerError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(entry.item(body, self.retention)))
            // TTL deletion lags by up to 48 h, and a content key comes back: an old item is no obstacle.
            .condition_expression("attribute_not_exists(pk) OR dedupe_until < :now")
            .expression_attribute_values(":now", number(entry.came_at.as_second()));
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
        let attribute = |name| item.and_then(|item| item.get(name));
        let id = attribute("id").and_then(|value| value.as_s().ok());
        let digest = attribute("body_sha256").and_then(|value| value.as_b().ok());
        Self {
            id: id.cloned().unwrap_or_default(),
            digest: digest.and_then(|digest| digest.as_ref().try_into().ok()),
        }
    }
}

impl Entry {
    /// The same webhook under a key and an id of its own: whoever takes equal ids for one event, as CloudEvents
    /// allows, would drop it otherwise.
    fn beside_another(&self) -> Self {
        let suffix = format!("#{}", &hex::encode(self.digest)[..16]);
        let mut entry = self.clone();
        entry.key += &suffix;
        entry.receipt.id += &suffix;
        entry.receipt.conflict = true;
        entry
    }

    fn item(&self, body: &StoredBody, retention: SignedDuration) -> Item {
        let receipt = &self.receipt;
        let accepted_at = receipt.accepted_at;
        // Kept no longer than the item itself, or the window would end with its deletion anyway.
        let dedupe_until = self.came_at.as_second() + self.dedupe_window.min(retention).as_secs();
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)));
        let (body, stored) = match body {
            StoredBody::Inline(body) => match deflate(body) {
                Some(deflated) => ("body_z", binary(deflated)),
                None => ("body", binary(&body[..])),
            },
            StoredBody::Claimed(key) => ("body_s3", text(key)),
        };
        let state = if self.reason.is_some() {
            "quarantined"
        } else {
            "accepted"
        };
        let mut item = vec![
            ("pk", text(&format!("{}#{}", receipt.source, self.key))),
            ("accepted_at", number(accepted_at.as_millisecond())),
            ("dedupe_until", number(dedupe_until)),
            (
                "expires_at",
                number(accepted_at.as_second() + retention.as_secs()),
            ),
            (body, stored),
            ("body_sha256", binary(self.digest)),
            ("id", text(&receipt.id)),
            ("gatewaysource", text(&receipt.source)),
            ("provider", text(receipt.provider.name())),
            ("state", text(state)),
            ("headers", AttributeValue::M(headers.collect())),
        ];
        item.extend(
            self.event_type
                .as_ref()
                .map(|event_type| ("type", text(event_type))),
        );
        item.extend(self.reason.as_ref().map(|reason| ("reason", text(reason))));
        let matched = self.matched.as_ref();
        item.extend(matched.map(|matched| ("secret", text(&matched.to_string()))));
        item.extend(
            receipt
                .conflict
                .then_some(("conflict", AttributeValue::Bool(true))),
        );
        item.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// A change of the ledger, as its stream tells of it.
#[derive(Debug, Deserialize)]
pub struct Change<'a> {
    #[serde(borrow, rename = "dynamodb")]
    images: Images<'a>,
}

#[derive(Debug, Deserialize)]
struct Images<'a> {
    #[serde(borrow, default, rename = "NewImage")]
    new: Option<Image<'a>>,
    #[serde(borrow, default, rename = "OldImage")]
    old: Option<Image<'a>>,
}

type Image<'a> = HashMap<Cow<'a, str>, Attribute<'a>>;

/// An attribute in [DynamoDB JSON](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html),
/// of the types that the ledger has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute<'a> {
    #[serde(borrow, rename = "S")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "N")]
    number: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "B")]
    binary: Option<Cow<'a, str>>,
    #[serde(rename = "BOOL")]
    boolean: bool,
    #[serde(borrow, rename = "M")]
    map: Option<Image<'a>>,
}

/// A recorded webhook, read back.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key in the ledger.
    pub key: String,
    /// What the event will say of the gateway.
    pub receipt: Receipt,
    /// Why it is not understood, if it is not.
    pub reason: Option<String>,
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The content type it came with.
    pub content_type: String,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
}

/// An item is not as this ledger writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger's item has no valid {0}")]
pub struct UnreadableItem(pub &'static str);

impl Change<'_> {
    /// The webhook that this change recorded; `None` for a deletion, and for any other change of an item.
    ///
    /// A put over an item past its window is a modification, and records a webhook like an insertion; so does the
    /// operator who has one published again.
    pub fn recorded(&self) -> Option<Result<Record, UnreadableItem>> {
        let recorded_at = |image: &Image<'_>| {
            ["accepted_at", REPUBLISHED_AT].map(|name| {
                let attribute = image.get(name)?;
                attribute.number.as_deref().map(str::to_owned)
            })
        };
        let new = self.images.new.as_ref()?;
        let before = self.images.old.as_ref().map(recorded_at);
        (before != Some(recorded_at(new))).then(|| read(new))
    }
}

fn read(image: &Image<'_>) -> Result<Record, UnreadableItem> {
    let text = |name: &'static str| {
        let text = image
            .get(name)
            .and_then(|attribute| attribute.text.as_deref());
        // An empty one names nothing: no event, no source, no object.
        text.filter(|it| !it.is_empty()).ok_or(UnreadableItem(name))
    };
    let accepted_at = image
        .get("accepted_at")
        .and_then(|attribute| attribute.number.as_deref());
    let accepted_at = accepted_at.and_then(|number| number.parse().ok());
    // What has no year of four digits is no time to who reads the event.
    let accepted_at = accepted_at.filter(|number| *number >= 0);
    let accepted_at = accepted_at.and_then(|number| Timestamp::from_millisecond(number).ok());
    let named = |name, is_one: fn(&str) -> bool| {
        move |text: &str| match is_one(text) {
            true => Ok(text.to_owned()),
            false => Err(UnreadableItem(name)),
        }
    };
    let binary = |name: &'static str| {
        let attribute = image.get(name)?.binary.as_deref()?;
        Some(STANDARD.decode(attribute).map_err(|_| UnreadableItem(name)))
    };
    let body = StoredBody::read(binary, || text("body_s3").map(str::to_owned))?;
    let headers = image
        .get("headers")
        .and_then(|attribute| attribute.map.as_ref());
    let content_type = headers.and_then(|headers| headers.get("content-type")?.text.as_deref());
    Ok(Record {
        key: text("pk")?.to_owned(),
        receipt: Receipt {
            id: text("id").and_then(named("id", is_name))?,
            source: text("gatewaysource").and_then(named("gatewaysource", is_source_name))?,
            provider: text("provider")?
                .parse()
                .map_err(|_| UnreadableItem("provider"))?,
            accepted_at: accepted_at.ok_or(UnreadableItem("accepted_at"))?,
            conflict: image
                .get("conflict")
                .is_some_and(|attribute| attribute.boolean),
            replayed: false,
        },
        reason: image
            .get("reason")
            .and_then(|attribute| attribute.text.as_deref())
            .map(str::to_owned),
        body,
        content_type: content_type.unwrap_or(UNKNOWN_CONTENT_TYPE).to_owned(),
        matched: text("secret").ok().and_then(|secret| secret.parse().ok()),
    })
}

#[cfg(test)]
mod tests;
