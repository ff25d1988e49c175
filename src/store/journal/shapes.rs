//! What each provider's payloads had so far: a set of hashes for the types that its document does not name,
//! and one for the shape of each type. Sets only grow, and a hash that is added twice is in the set once.
//! Therefore nothing is locked.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::Item;
use crate::aws::error::AwsError;
use crate::providers::shape::KnownHashes;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use std::collections::BTreeSet;

/// The attribute that is the set.
const SEEN: &str = "seen";

/// The hashes of one set.
#[derive(Debug, Clone, Copy)]
pub enum ShapeKey<'a> {
    /// Of a provider: the types that it does not document.
    Types(&'a str),
    /// Of its payloads of a type: their shape.
    Shape(&'a str, &'a str),
}

impl Journal {
    /// The hashes that are known.
    pub async fn known_hashes(&self, shape: ShapeKey<'_>) -> Result<KnownHashes, AwsError> {
        let get = self.client.get_item().table_name(&self.table);
        let answer = get.set_key(Some(shape.key())).send().await;
        let answer = answer.map_err(unreadable)?;
        Ok(read(answer.item))
    }

    /// Adds hashes to those that are known; those that were known before.
    pub async fn add_known(
        &self,
        shape: ShapeKey<'_>,
        added: &BTreeSet<u64>,
    ) -> Result<KnownHashes, AwsError> {
        let hashes = added.iter().map(|hash| Blob::new(hash.to_be_bytes()));
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(shape.key()))
            .update_expression("ADD #seen :added")
            .expression_attribute_names("#seen", SEEN)
            .expression_attribute_values(":added", AttributeValue::Bs(hashes.collect()))
            .return_values(ReturnValue::UpdatedOld);
        let answer = update.send().await.map_err(unwritten)?;
        Ok(read(answer.attributes))
    }
}

impl ShapeKey<'_> {
    fn key(self) -> Item {
        let (kind, id) = match self {
            Self::Types(provider) => ("types".to_owned(), provider),
            Self::Shape(provider, event_type) => (format!("shapes#{provider}"), event_type),
        };
        key(&kind, id)
    }
}

fn read(item: Option<Item>) -> KnownHashes {
    let set = item.and_then(|mut item| item.remove(SEEN));
    let hashes = set.as_ref().and_then(|set| set.as_bs().ok());
    let hash = |blob: &Blob| blob.as_ref().try_into().ok().map(u64::from_be_bytes);
    hashes.into_iter().flatten().filter_map(hash).collect()
}
