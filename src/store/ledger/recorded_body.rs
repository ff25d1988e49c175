//! What a delivery needs of a recorded webhook: its bytes, its content type and what else its event is made
//! of. An item without any of its other attributes is delivered all the same.

use super::fields;
use super::item::{is_of, required};
use super::{Ledger, StoredBody, UnreadableItem};
use crate::aws::dynamodb::{Item, binary_of, number_of, text_of};
use crate::aws::error::AwsError;
use crate::crypto::mac::Digest256;
use crate::crypto::secret::Matched;
use crate::event::{EventMeta, UNKNOWN_CONTENT_TYPE};
use crate::providers::recorded::RecordedFields;
use std::borrow::Cow;
use std::collections::HashMap;

/// The body of a recorded webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBody {
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The content type that the webhook came with.
    pub content_type: String,
    /// What else the event is made of.
    pub fields: RecordedFields,
    accepted_at: Option<i64>,
    digest: Option<Digest256>,
}

impl RecordedBody {
    /// Whether it is the body of the webhook that an event was made of: see
    /// [`LedgerItem::is_of`](super::LedgerItem::is_of).
    pub fn is_of(&self, event: &EventMeta) -> bool {
        is_of(self.accepted_at, self.digest, event)
    }

    /// A body, and its key.
    fn read(item: &Item) -> Result<(String, Self), UnreadableItem> {
        let bytes = |name| Some(Ok(Cow::Borrowed(binary_of(item, name)?)));
        let object = || required(item, "body_s3");
        let headers = item.get("headers").and_then(|headers| headers.as_m().ok());
        let content_type = headers.and_then(|headers| text_of(headers, "content-type"));
        let secret = text_of(item, "secret").and_then(|secret| secret.parse::<Matched>().ok());
        let body = Self {
            fields: fields::read(item, secret.is_some())?,
            body: StoredBody::read(bytes, object)?,
            content_type: content_type.unwrap_or(UNKNOWN_CONTENT_TYPE).to_owned(),
            accepted_at: number_of(item, "accepted_at"),
            digest: binary_of(item, "body_sha256").and_then(|digest| digest.try_into().ok()),
        };
        Ok((required(item, "pk")?, body))
    }
}

impl Ledger {
    /// The bodies under these keys, by key; as [`get_many`](Self::get_many) otherwise.
    pub async fn bodies(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<HashMap<String, RecordedBody>, AwsError> {
        let items = self.items(keys, &[]).await?;
        let bodies = items
            .iter()
            .filter_map(|item| super::read::logged(item, RecordedBody::read(item)));
        Ok(bodies.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dynamodb::{binary, key, number, text};
    use crate::crypto::mac::sha256;
    use crate::store::endpoints::test::event;
    use aws_sdk_dynamodb::types::AttributeValue;

    /// An item with these attributes, and with no others than its key.
    fn item(attributes: Vec<(&str, AttributeValue)>) -> Item {
        let mut item = key([("pk", "studio#1")]);
        let attributes = attributes.into_iter();
        item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        item
    }

    #[test]
    fn a_body_is_read_from_an_item_that_has_nothing_else() {
        let headers = AttributeValue::M(key([("content-type", "text/x")]));
        let inline = ("body", binary("{}"));
        let in_bucket = StoredBody::InBucket("bodies/1".to_owned());
        for (attributes, body, content_type) in [
            (
                vec![inline.clone(), ("headers", headers)],
                StoredBody::Inline(b"{}".to_vec()),
                "text/x",
            ),
            (
                vec![("body_s3", text("bodies/1"))],
                in_bucket,
                UNKNOWN_CONTENT_TYPE,
            ),
        ] {
            let (key, read) = RecordedBody::read(&item(attributes)).unwrap();
            assert_eq!(key, "studio#1");
            assert_eq!((&read.body, &*read.content_type), (&body, content_type));
        }
        assert!(RecordedBody::read(&item(Vec::new())).is_err());
    }

    #[test]
    fn a_body_is_that_of_an_event_by_its_time_or_by_the_hash_in_its_key() {
        let digest = sha256(b"{}");
        let by_time = event();
        let by_hash = EventMeta {
            key: format!("studio#sha256:{}", hex::encode(digest)),
            accepted_at: 1,
            ..event()
        };
        let accepted_at = ("accepted_at", number(by_time.accepted_at));
        let hash = ("body_sha256", binary(digest));
        for (attribute, is_by_time, is_by_hash) in [
            (Some(accepted_at), true, false),
            (Some(hash), false, true),
            (None, false, false),
        ] {
            let body = ("body", binary("{}"));
            let attributes = [Some(body), attribute].into_iter().flatten().collect();
            let (_, read) = RecordedBody::read(&item(attributes)).unwrap();
            assert_eq!(
                (read.is_of(&by_time), read.is_of(&by_hash)),
                (is_by_time, is_by_hash)
            );
        }
    }
}
