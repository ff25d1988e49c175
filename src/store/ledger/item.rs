//! The item of the ledger: how a webhook is written, and how it is read back for those who deliver, show or
//! release it.

use super::fields::{self, FIELDS};
use super::{StoredBody, UnreadableItem};
use crate::aws::dynamodb::{Item, binary, binary_of, item_size, number, number_of, text, text_of};
use crate::crypto::mac::Digest256;
use crate::crypto::secret::Matched;
use crate::event::{EventMeta, QUARANTINED, Recording, UNKNOWN_CONTENT_TYPE};
use crate::providers::recorded::RecordedFields;
use crate::store::deflate::deflate;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The attribute that says when the operator had a webhook published again.
pub(super) const REPUBLISHED_AT: &str = "republished_at";

/// The attribute with the compressed body.
const BODY_DEFLATED: &str = "body_z";

/// A webhook that is to be recorded.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// The event. If the webhook is not understood, its type is [`QUARANTINED`].
    pub event: EventMeta,
    /// Why it is not understood.
    pub reason: Option<String>,
    /// The hash of its body.
    pub digest: Digest256,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
    /// How long the same key is a duplicate.
    pub dedupe_window: SignedDuration,
    /// When it came. Its window begins then, which is before its acceptance if it was rejected first.
    pub came_at: Timestamp,
    /// The request headers worth keeping.
    pub headers: Vec<(String, String)>,
    /// What else the event is made of.
    pub fields: RecordedFields,
}

/// A recorded webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerItem {
    /// The event. If the webhook is not understood, its type is [`QUARANTINED`].
    pub event: EventMeta,
    /// `accepted`, `quarantined`, or `released`.
    pub state: String,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// The request headers that are kept, by name.
    pub headers: BTreeMap<String, String>,
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The hash of the body.
    pub digest: Option<Digest256>,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
    /// What else the event is made of.
    pub fields: RecordedFields,
    /// When the ledger forgets it, in seconds.
    pub expires_at: i64,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
    /// When the operator had it published again, in milliseconds.
    pub republished_at: Option<i64>,
}

/// A recorded webhook without its body and its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSummary {
    /// The event. If the webhook is not understood, its type is [`QUARANTINED`].
    pub event: EventMeta,
    /// `accepted`, `quarantined`, or `released`.
    pub state: String,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
    /// When the operator had it published again, in milliseconds.
    pub republished_at: Option<i64>,
}

impl NewItem {
    pub(super) fn item(&self, body: &StoredBody, retention: SignedDuration) -> Item {
        let event = &self.event;
        let accepted_at = event.accepted_at.div_euclid(1000);
        // Not longer than the item itself is kept: its deletion ends the window anyway.
        let dedupe_until = self.came_at.as_second() + self.dedupe_window.min(retention).as_secs();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), text(value)));
        let mut item = Item::with_capacity(16);
        let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
        set("pk", text(&event.key));
        set("accepted_at", number(event.accepted_at));
        set("dedupe_until", number(dedupe_until));
        set("expires_at", number(accepted_at + retention.as_secs()));
        set("body_sha256", binary(self.digest));
        set("id", text(&event.id));
        set("gatewaysource", text(&event.source));
        set("provider", text(&event.provider));
        set("headers", AttributeValue::M(headers.collect()));
        match &self.reason {
            None => {
                set("state", text("accepted"));
                set("type", text(&event.event_type));
            }
            Some(reason) => {
                set("state", text("quarantined"));
                set("reason", text(reason));
            }
        }
        if let Some(matched) = &self.matched {
            set("secret", text(&matched.to_string()));
        }
        if let Some(fields) = fields::attribute(&self.fields, self.matched.is_some()) {
            set(FIELDS, fields);
        }
        if event.conflict {
            set("conflict", AttributeValue::Bool(true));
        }
        let rest = item_size(&item) + BODY_DEFLATED.len();
        let (name, stored) = match body {
            StoredBody::Inline(body) => match deflate(body, rest) {
                Some(deflated) => (BODY_DEFLATED, binary(deflated)),
                None => ("body", binary(&body[..])),
            },
            StoredBody::InBucket(key) => ("body_s3", text(key)),
        };
        item.insert(name.to_owned(), stored);
        item
    }
}

impl LedgerItem {
    /// The same without the body and the headers.
    pub fn summary(&self) -> ItemSummary {
        ItemSummary {
            event: self.event.clone(),
            state: self.state.clone(),
            reason: self.reason.clone(),
            released_as: self.released_as.clone(),
            republished_at: self.republished_at,
        }
    }

    /// The webhook with its body, which may be elsewhere, as the event to make of it.
    pub fn recording<'a>(&'a self, event: &'a EventMeta, body: &'a [u8]) -> Recording<'a> {
        Recording {
            event,
            fields: &self.fields,
            content_type: self.content_type(),
            body,
        }
    }

    /// The content type that the webhook came with.
    pub fn content_type(&self) -> &str {
        let content_type = self.headers.get("content-type");
        content_type.map_or(UNKNOWN_CONTENT_TYPE, String::as_str)
    }

    /// Whether it is the webhook that an event was made of. Its key may have come back since then, with
    /// another body.
    ///
    /// Where the key is the hash of the body, every item under it has the same body.
    pub fn is_of(&self, event: &EventMeta) -> bool {
        is_of(Some(self.event.accepted_at), self.digest, event)
    }

    pub(super) fn read(item: &Item) -> Result<Self, UnreadableItem> {
        let ItemSummary {
            event,
            state,
            reason,
            released_as,
            republished_at,
        } = ItemSummary::read(item)?;
        let bytes = |name| Some(Ok(Cow::Borrowed(binary_of(item, name)?)));
        let key = || required(item, "body_s3");
        let headers = item.get("headers").and_then(|headers| headers.as_m().ok());
        let headers = headers.into_iter().flat_map(|headers| {
            let values = headers
                .keys()
                .map(|name| Some((name, text_of(headers, name)?)));
            values.flatten()
        });
        let matched: Option<Matched> =
            text_of(item, "secret").and_then(|secret| secret.parse().ok());
        Ok(Self {
            event,
            state,
            reason,
            fields: fields::read(item, matched.is_some())?,
            headers: headers
                .map(|(name, value)| (name.clone(), value.to_owned()))
                .collect(),
            body: StoredBody::read(bytes, key)?,
            digest: binary_of(item, "body_sha256").and_then(|digest| digest.try_into().ok()),
            matched,
            expires_at: number_of(item, "expires_at").unwrap_or_default(),
            released_as,
            republished_at,
        })
    }
}

impl ItemSummary {
    /// The attributes that it is read from.
    pub(super) const ATTRIBUTES: [&str; 10] = [
        "pk",
        "id",
        "type",
        "gatewaysource",
        "provider",
        "accepted_at",
        "conflict",
        "state",
        "reason",
        "released_as",
    ];

    pub(super) fn read(item: &Item) -> Result<Self, UnreadableItem> {
        let optional = |name| text_of(item, name).map(str::to_owned);
        let accepted_at = number_of(item, "accepted_at");
        Ok(Self {
            event: EventMeta {
                key: required(item, "pk")?,
                id: required(item, "id")?,
                event_type: optional("type").unwrap_or_else(|| QUARANTINED.to_owned()),
                source: required(item, "gatewaysource")?,
                provider: required(item, "provider")?,
                accepted_at: accepted_at.ok_or(UnreadableItem("accepted_at"))?,
                conflict: item.get("conflict") == Some(&AttributeValue::Bool(true)),
                replayed: false,
            },
            state: required(item, "state")?,
            reason: optional("reason"),
            released_as: optional("released_as"),
            republished_at: number_of(item, REPUBLISHED_AT),
        })
    }
}

/// Whether what was accepted at this time, with a body of this hash, is the webhook of an event.
pub(super) fn is_of(
    accepted_at: Option<i64>,
    digest: Option<Digest256>,
    event: &EventMeta,
) -> bool {
    let is_hash = |digest| {
        event
            .key
            .ends_with(&format!("#sha256:{}", hex::encode(digest)))
    };
    accepted_at == Some(event.accepted_at) || digest.is_some_and(is_hash)
}

pub(super) fn required(item: &Item, name: &'static str) -> Result<String, UnreadableItem> {
    let text = text_of(item, name).ok_or(UnreadableItem(name))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::event;

    fn new_item(key: &str) -> NewItem {
        NewItem {
            event: EventMeta {
                key: key.to_owned(),
                accepted_at: 1_790_000_000_123,
                conflict: true,
                ..event()
            },
            reason: None,
            digest: [7; 32],
            matched: None,
            dedupe_window: SignedDuration::ZERO,
            came_at: Timestamp::UNIX_EPOCH,
            headers: Vec::new(),
            fields: RecordedFields::default(),
        }
    }

    #[test]
    fn an_item_is_read_as_it_was_recorded() {
        let matched = Matched {
            position: 1,
            id: "9f86d081".to_owned(),
        };
        let new = NewItem {
            matched: Some(matched),
            headers: vec![("content-type".to_owned(), "text/x".to_owned())],
            ..new_item("studio#1")
        };
        let hour = SignedDuration::from_hours(1);
        for body in [
            StoredBody::Inline(b"{\"a\":1}".repeat(100)),
            StoredBody::Inline(b"{}".to_vec()),
            StoredBody::InBucket("bodies/1".to_owned()),
        ] {
            let item = new.item(&body, hour);
            let read = LedgerItem::read(&item).unwrap();
            assert_eq!(read.event, new.event);
            assert_eq!((&read.body, &read.matched), (&body, &new.matched));
            assert_eq!(read.digest, Some([7; 32]));
            assert_eq!((read.content_type(), &*read.state), ("text/x", "accepted"));
            assert_eq!(read.expires_at, 1_790_003_600);
        }
        let item = new.item(&StoredBody::Inline(b"{}".to_vec()), hour);
        assert_eq!(ItemSummary::read(&item).unwrap().event, new.event);
        for name in [
            "pk",
            "id",
            "gatewaysource",
            "provider",
            "accepted_at",
            "state",
        ] {
            let mut without = item.clone();
            without.remove(name);
            assert_eq!(LedgerItem::read(&without), Err(UnreadableItem(name)));
        }
    }

    #[test]
    fn a_quarantined_item_has_a_reason_and_the_type_of_what_is_quarantined() {
        let new = NewItem {
            reason: Some("not JSON".to_owned()),
            ..new_item("studio#1")
        };
        let item = new.item(&StoredBody::Inline(Vec::new()), SignedDuration::ZERO);
        let read = LedgerItem::read(&item).unwrap();
        assert_eq!(read.event.event_type, QUARANTINED);
        assert_eq!(read.content_type(), UNKNOWN_CONTENT_TYPE);
        assert_eq!((&*read.state, read.reason), ("quarantined", new.reason));
    }

    #[test]
    fn a_key_that_came_back_with_another_body_is_another_event() {
        let item = new_item("studio#a").item(&StoredBody::Inline(Vec::new()), SignedDuration::ZERO);
        let read = LedgerItem::read(&item).unwrap();
        let at = read.event.accepted_at;
        let event = |key: &str, accepted_at| EventMeta {
            key: key.to_owned(),
            accepted_at,
            ..event()
        };
        assert!(read.is_of(&event("studio#a", at)));
        assert!(!read.is_of(&event("studio#a", at - 1)));
        let content = format!("studio#sha256:{}", hex::encode([7; 32]));
        assert!(read.is_of(&event(&content, at - 1)));
        let other = format!("studio#sha256:{}", hex::encode([1; 32]));
        assert!(!read.is_of(&event(&other, at - 1)));
    }
}
