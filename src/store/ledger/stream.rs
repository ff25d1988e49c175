//! What the stream of the ledger says was recorded. Its records are read in place, without a copy of what is
//! not used.

use super::item::REPUBLISHED_AT;
use super::{StoredBody, UnreadableItem};
use crate::crypto::secret::Matched;
use crate::event::{EventMeta, QUARANTINED, UNKNOWN_CONTENT_TYPE};
use crate::providers::{Provider, is_name};
use crate::store::sources::is_source_name;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// A change of the ledger, as its stream has it.
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

/// An attribute in [DynamoDB
/// JSON](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html), of the
/// types that the ledger has.
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

/// A webhook that was recorded.
#[derive(Debug, PartialEq, Eq)]
pub struct StreamItem {
    /// The event. If the webhook is not understood, its type is [`QUARANTINED`].
    pub event: EventMeta,
    /// Whose webhook it is.
    pub provider: Provider,
    /// Why it is not understood, if it is not.
    pub reason: Option<String>,
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The content type it came with.
    pub content_type: String,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
}

impl Change<'_> {
    /// The webhook that this change recorded; `None` for a deletion, and for any other change of an item.
    ///
    /// A put over an item past its window is a modification, and records a webhook like an insertion. So does
    /// the operator who has a webhook published again.
    pub fn recorded(&self) -> Option<Result<StreamItem, UnreadableItem>> {
        let recorded_at = |image: &Image<'_>| {
            ["accepted_at", REPUBLISHED_AT].map(|name| {
                let attribute = image.get(name)?;
                attribute.number.as_deref().map(str::to_owned)
            })
        };
        let new = self.images.new.as_ref()?;
        let before = self.images.old.as_ref().map(recorded_at);
        (before != Some(recorded_at(new))).then(|| StreamItem::read(new))
    }
}

impl StreamItem {
    fn read(image: &Image<'_>) -> Result<Self, UnreadableItem> {
        let optional = |name: &str| {
            image
                .get(name)
                .and_then(|attribute| attribute.text.as_deref())
        };
        // An empty text names nothing: no event, no source, no object.
        let text = |name: &'static str| {
            let text = optional(name).filter(|text| !text.is_empty());
            text.ok_or(UnreadableItem(name))
        };
        let named = |name: &'static str, is_valid: fn(&str) -> bool| match is_valid(text(name)?) {
            true => Ok(text(name)?.to_owned()),
            false => Err(UnreadableItem(name)),
        };
        let binary = |name: &'static str| {
            let digits = image.get(name)?.binary.as_deref()?;
            let bytes = STANDARD.decode(digits).map_err(|_| UnreadableItem(name));
            Some(bytes.map(Cow::Owned))
        };
        let body = StoredBody::read(binary, || text("body_s3").map(str::to_owned))?;
        let (key, id) = (text("pk")?.to_owned(), named("id", is_name)?);
        let source = named("gatewaysource", is_source_name)?;
        let provider: Result<Provider, _> = text("provider")?.parse();
        let provider = provider.map_err(|_| UnreadableItem("provider"))?;
        let headers = image
            .get("headers")
            .and_then(|headers| headers.map.as_ref());
        let content_type = headers.and_then(|headers| headers.get("content-type")?.text.as_deref());
        Ok(Self {
            event: EventMeta {
                key,
                id,
                event_type: text("type").unwrap_or(QUARANTINED).to_owned(),
                source,
                provider: provider.name().to_owned(),
                accepted_at: accepted_at(image).ok_or(UnreadableItem("accepted_at"))?,
                conflict: image
                    .get("conflict")
                    .is_some_and(|attribute| attribute.boolean),
                replayed: false,
            },
            provider,
            reason: optional("reason").map(str::to_owned),
            body,
            content_type: content_type.unwrap_or(UNKNOWN_CONTENT_TYPE).to_owned(),
            matched: optional("secret").and_then(|secret| secret.parse().ok()),
        })
    }
}

/// When an item was accepted, in milliseconds. A time without a year of four digits is none to readers of the
/// event.
fn accepted_at(image: &Image<'_>) -> Option<i64> {
    let number = image.get("accepted_at")?.number.as_deref()?;
    let number = number.parse().ok().filter(|number| *number >= 0)?;
    Timestamp::from_millisecond(number).ok().map(|_| number)
}
