//! Recorded webhooks read whole, by their keys: for the operator, who looks at them, releases them or replays them.

use super::{Ledger, StoredBody, UNKNOWN_CONTENT_TYPE, UnreadableItem};
use crate::aws::dynamodb::Item;
use crate::aws::error::AwsError;
use crate::crypto::secret::Matched;
use crate::event::{EventRef, QUARANTINED};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A recorded webhook, with all that the ledger has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The event; of what is not understood, the type is that of what is quarantined.
    pub event: EventRef,
    /// `accepted`, `quarantined`, or `released`.
    pub state: String,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// The request headers that are kept, by name.
    pub headers: BTreeMap<String, String>,
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// Which of the source's secrets it was signed with.
    pub matched: Option<Matched>,
    /// When it is forgotten, in seconds.
    pub expires_at: i64,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
    /// When the operator had it published again, in milliseconds.
    pub republished_at: Option<i64>,
}

/// What became of a recorded webhook, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// `accepted`, `quarantined`, or `released`.
    pub state: String,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
}

impl Kept {
    /// What became of it.
    pub fn brief(&self) -> Brief {
        Brief {
            state: self.state.clone(),
            reason: self.reason.clone(),
            released_as: self.released_as.clone(),
        }
    }

    /// The content type that it came with.
    pub fn content_type(&self) -> &str {
        let content_type = self.headers.get("content-type");
        content_type.map_or(UNKNOWN_CONTENT_TYPE, String::as_str)
    }

    /// Reads an item.
    pub(super) fn read(item: &Item) -> Result<Self, UnreadableItem> {
        let optional = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
        let required = |name: &'static str| optional(name).ok_or(UnreadableItem(name));
        let number = |name: &str| -> Option<i64> { item.get(name)?.as_n().ok()?.parse().ok() };
        let binary = |name| {
            let value = item.get(name)?.as_b().ok()?;
            Some(Ok(value.as_ref().to_vec()))
        };
        let headers = item.get("headers").and_then(|it| it.as_m().ok());
        let headers = headers.into_iter().flatten();
        let header = |(name, value): (&String, &AttributeValue)| {
            Some((name.clone(), value.as_s().ok()?.clone()))
        };
        Ok(Self {
            event: event(item)?,
            state: required("state")?,
            reason: optional("reason"),
            headers: headers.filter_map(header).collect(),
            body: StoredBody::read(binary, || required("body_s3"))?,
            matched: optional("secret").and_then(|secret| secret.parse().ok()),
            expires_at: number("expires_at").unwrap_or_default(),
            released_as: optional("released_as"),
            republished_at: number(super::REPUBLISHED_AT),
        })
    }
}

/// The event that an item is of.
pub(super) fn event(item: &Item) -> Result<EventRef, UnreadableItem> {
    let optional = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
    let required = |name: &'static str| optional(name).ok_or(UnreadableItem(name));
    let accepted_at = item.get("accepted_at").and_then(|it| it.as_n().ok());
    let accepted_at = accepted_at.and_then(|number| number.parse().ok());
    Ok(EventRef {
        key: required("pk")?,
        id: required("id")?,
        event_type: optional("type").unwrap_or_else(|| QUARANTINED.to_owned()),
        source: required("gatewaysource")?,
        provider: required("provider")?,
        accepted_at: accepted_at.ok_or(UnreadableItem("accepted_at"))?,
        conflict: item.get("conflict") == Some(&AttributeValue::Bool(true)),
        replayed: false,
    })
}

impl Ledger {
    /// What is recorded under these keys at this moment, by key; none for what the ledger does not have any more.
    pub async fn look(&self, keys: &BTreeSet<String>) -> Result<HashMap<String, Kept>, AwsError> {
        let mut kept = HashMap::new();
        for item in self.items(keys, &[]).await? {
            match Kept::read(&item) {
                Ok(it) => {
                    kept.insert(it.event.key.clone(), it);
                }
                Err(error) => tracing::error!(key = ?item.get("pk"), %error, "unreadable"),
            }
        }
        Ok(kept)
    }

    /// What became of what is recorded under these keys, by key. No body is read.
    pub async fn briefs(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, Brief>, AwsError> {
        let attributes = ["pk", "state", "reason", "released_as"];
        let items = self.items(keys, &attributes).await?;
        Ok(items.iter().filter_map(brief).collect())
    }
}

/// An item in brief, by its key.
fn brief(item: &Item) -> Option<(String, Brief)> {
    let text = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
    let brief = Brief {
        state: text("state")?,
        reason: text("reason"),
        released_as: text("released_as"),
    };
    Some((text("pk")?, brief))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Receipt;
    use crate::providers::Provider;
    use crate::store::ledger::Entry;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn an_item_is_read_as_it_was_recorded() {
        let matched = Matched {
            position: 1,
            id: "9f86d081".to_owned(),
        };
        let body = StoredBody::Inline(b"{\"a\":1}".repeat(100));
        let entry = Entry {
            key: "1".to_owned(),
            receipt: Receipt {
                id: "1".to_owned(),
                source: "studio".to_owned(),
                provider: Provider::CreativeForce,
                accepted_at: Timestamp::from_millisecond(1_790_000_000_123).unwrap(),
                conflict: true,
                replayed: false,
            },
            event_type: Some("a.b".to_owned()),
            reason: None,
            digest: [7; 32],
            matched: Some(matched.clone()),
            dedupe_window: SignedDuration::ZERO,
            came_at: Timestamp::UNIX_EPOCH,
            headers: vec![("content-type".to_owned(), "text/x".to_owned())],
        };
        let item = entry.item(&body, SignedDuration::from_hours(1));
        let kept = Kept::read(&item).unwrap();
        assert_eq!(kept.event, EventRef::new("studio#1", "a.b", &entry.receipt));
        assert_eq!(
            (kept.body.clone(), kept.matched.clone()),
            (body, Some(matched))
        );
        assert_eq!((kept.content_type(), &*kept.state), ("text/x", "accepted"));
        assert_eq!(kept.expires_at, 1_790_003_600);
        assert_eq!(brief(&item), Some(("studio#1".to_owned(), kept.brief())));
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
            assert_eq!(Kept::read(&without), Err(UnreadableItem(name)));
        }
    }
}
