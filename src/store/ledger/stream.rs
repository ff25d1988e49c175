//! What the stream of the ledger says was recorded. Its records are read in place, without a copy of what is
//! not used.

use super::{StoredBody, UnreadableItem, fields};
use crate::crypto::secret::Matched;
use crate::event::{EventMeta, QUARANTINED, UNKNOWN_CONTENT_TYPE};
use crate::providers::recorded::RecordedFields;
use crate::providers::{code_of, is_name};
use crate::raw::Text;
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
    old: Option<Recording<'a>>,
}

/// The attributes of an item that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Image<'a> {
    #[serde(borrow)]
    pk: Attribute<'a>,
    #[serde(borrow)]
    id: Attribute<'a>,
    #[serde(borrow, rename = "type")]
    event_type: Attribute<'a>,
    #[serde(borrow)]
    gatewaysource: Attribute<'a>,
    #[serde(borrow)]
    provider: Attribute<'a>,
    #[serde(borrow)]
    reason: Attribute<'a>,
    #[serde(borrow)]
    secret: Attribute<'a>,
    #[serde(borrow)]
    conflict: Attribute<'a>,
    #[serde(borrow)]
    headers: Headers<'a>,
    #[serde(borrow)]
    fields: Fields<'a>,
    #[serde(borrow)]
    body: Attribute<'a>,
    #[serde(borrow)]
    body_z: Attribute<'a>,
    #[serde(borrow)]
    body_s3: Attribute<'a>,
    #[serde(borrow)]
    accepted_at: Attribute<'a>,
    #[serde(borrow)]
    republished_at: Attribute<'a>,
}

/// The attributes that change whenever a webhook is to be published.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Recording<'a> {
    #[serde(borrow)]
    accepted_at: Attribute<'a>,
    #[serde(borrow)]
    republished_at: Attribute<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Headers<'a> {
    #[serde(borrow, rename = "M")]
    map: KeptHeaders<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeptHeaders<'a> {
    #[serde(borrow, rename = "content-type")]
    content_type: Attribute<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow, rename = "M")]
    map: FieldMembers<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldMembers<'a> {
    #[serde(borrow)]
    authenticity: Attribute<'a>,
    #[serde(borrow)]
    body: Attribute<'a>,
    #[serde(borrow)]
    subject: Attribute<'a>,
    #[serde(borrow)]
    time: Attribute<'a>,
    #[serde(borrow)]
    actor: Attribute<'a>,
    #[serde(borrow)]
    extensions: Extensions<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extensions<'a> {
    #[serde(borrow, rename = "M")]
    map: HashMap<String, Attribute<'a>>,
}

/// An attribute in [DynamoDB
/// JSON](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html), of the
/// types that the ledger has.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Attribute<'a> {
    #[serde(borrow, rename = "S")]
    text: Option<Text<'a>>,
    #[serde(borrow, rename = "N")]
    number: Option<Text<'a>>,
    #[serde(borrow, rename = "B")]
    binary: Option<Text<'a>>,
    #[serde(rename = "BOOL")]
    boolean: bool,
}

/// A webhook that was recorded.
#[derive(Debug, PartialEq, Eq)]
pub struct StreamItem {
    /// The event. If the webhook is not understood, its type is [`QUARANTINED`].
    pub event: EventMeta,
    /// Why it is not understood, if it is not.
    pub reason: Option<String>,
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The content type it came with.
    pub content_type: String,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
    /// What else the event is made of.
    pub fields: RecordedFields,
}

impl Change<'_> {
    /// The webhook that this change recorded; `None` for a deletion, and for any other change of an item.
    ///
    /// A put over an item past its window is a modification, and records a webhook like an insertion. So does
    /// the operator who has a webhook published again.
    pub fn recorded(&self) -> Option<Result<StreamItem, UnreadableItem>> {
        let new = self.images.new.as_ref()?;
        let is_recorded = self.images.old.as_ref().is_none_or(|old| {
            (&old.accepted_at, &old.republished_at) != (&new.accepted_at, &new.republished_at)
        });
        is_recorded.then(|| StreamItem::read(new))
    }
}

impl Attribute<'_> {
    fn text(&self) -> Option<&str> {
        self.text.as_ref().map(|Text(text)| &**text)
    }
}

impl FieldMembers<'_> {
    fn read(&self, is_matched: bool) -> Result<RecordedFields, UnreadableItem> {
        let text = |name| {
            let attribute = match name {
                "authenticity" => &self.authenticity,
                "body" => &self.body,
                "subject" => &self.subject,
                "time" => &self.time,
                "actor" => &self.actor,
                _ => return None,
            };
            attribute.text().map(str::to_owned)
        };
        let extensions = self.extensions.map.iter();
        let extensions =
            extensions.filter_map(|(name, value)| Some((name.clone(), value.text()?.to_owned())));
        fields::read_from(text, extensions.collect(), is_matched)
    }
}

impl StreamItem {
    fn read(image: &Image<'_>) -> Result<Self, UnreadableItem> {
        let body = StoredBody::read(
            |name| {
                let attribute = if name == "body" {
                    &image.body
                } else {
                    &image.body_z
                };
                let Text(digits) = attribute.binary.as_ref()?;
                let bytes = STANDARD.decode(&**digits).map_err(|_| UnreadableItem(name));
                Some(bytes.map(Cow::Owned))
            },
            || required("body_s3", &image.body_s3).map(str::to_owned),
        )?;
        let key = required("pk", &image.pk)?.to_owned();
        let id = named("id", &image.id, is_name)?.to_owned();
        let source = named("gatewaysource", &image.gatewaysource, is_source_name)?.to_owned();
        let provider = required("provider", &image.provider)?;
        code_of(provider).map_err(|_| UnreadableItem("provider"))?;
        let matched: Option<Matched> = image.secret.text().and_then(|secret| secret.parse().ok());
        let event_type = image.event_type.text().filter(|text| !text.is_empty());
        let content_type = image.headers.map.content_type.text();
        Ok(Self {
            event: EventMeta {
                key,
                id,
                event_type: event_type.unwrap_or(QUARANTINED).to_owned(),
                source,
                provider: provider.to_owned(),
                accepted_at: accepted_at(image).ok_or(UnreadableItem("accepted_at"))?,
                conflict: image.conflict.boolean,
                replayed: false,
            },
            fields: image.fields.map.read(matched.is_some())?,
            reason: image.reason.text().map(str::to_owned),
            body,
            content_type: content_type.unwrap_or(UNKNOWN_CONTENT_TYPE).to_owned(),
            matched,
        })
    }
}

/// A text that names something. An empty one names no event, no source and no object.
fn required<'i>(
    name: &'static str,
    attribute: &'i Attribute<'_>,
) -> Result<&'i str, UnreadableItem> {
    let text = attribute.text().filter(|text| !text.is_empty());
    text.ok_or(UnreadableItem(name))
}

fn named<'i>(
    name: &'static str,
    attribute: &'i Attribute<'_>,
    is_valid: fn(&str) -> bool,
) -> Result<&'i str, UnreadableItem> {
    let text = required(name, attribute)?;
    is_valid(text).then_some(text).ok_or(UnreadableItem(name))
}

/// When an item was accepted, in milliseconds. A time without a year of four digits is none to readers of the
/// event.
fn accepted_at(image: &Image<'_>) -> Option<i64> {
    let Text(number) = image.accepted_at.number.as_ref()?;
    let number = number.parse().ok().filter(|number| *number >= 0)?;
    Timestamp::from_millisecond(number).ok().map(|_| number)
}
