//! What was seen of each provider's payloads: a set of hashes for the types that its document does not name, and one for the
//! shape of each type. Sets only grow, and what is added to one twice is in it once, so that nobody has to be waited for.
//!
//! What is hashed is left to `provider::shape`.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::Item;
use crate::aws::error::AwsError;
use crate::providers::Provider;
use crate::providers::shape::Seen;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use std::collections::BTreeSet;

/// The attribute that is the set.
const SEEN: &str = "seen";

/// What was seen of something.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Of a provider: the types that it does not document.
    Types(Provider),
    /// Of its payloads of a type: their shape.
    Shape(Provider, &'a str),
}

impl Journal {
    /// What was seen.
    pub async fn seen(&self, of: Of<'_>) -> Result<Seen, AwsError> {
        let get = self.client.get_item().table_name(&self.table);
        let answer = get.set_key(Some(of.key())).send().await;
        let answer = answer.map_err(unreadable)?;
        Ok(read(answer.item))
    }

    /// Adds to what was seen; what that was before.
    pub async fn see(&self, of: Of<'_>, added: &BTreeSet<u64>) -> Result<Seen, AwsError> {
        let hashes = added.iter().map(|hash| Blob::new(hash.to_be_bytes()));
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(of.key()))
            .update_expression("ADD #seen :added")
            .expression_attribute_names("#seen", SEEN)
            .expression_attribute_values(":added", AttributeValue::Bs(hashes.collect()))
            .return_values(ReturnValue::UpdatedOld);
        let answer = update.send().await.map_err(unwritten)?;
        Ok(read(answer.attributes))
    }
}

impl Of<'_> {
    fn key(self) -> Item {
        let (kind, id) = match self {
            Self::Types(provider) => ("types".to_owned(), provider.name()),
            Self::Shape(provider, event_type) => (format!("shapes#{provider}"), event_type),
        };
        key(&kind, id)
    }
}

fn read(item: Option<Item>) -> Seen {
    let set = item.and_then(|mut item| item.remove(SEEN));
    let hashes = set.as_ref().and_then(|set| set.as_bs().ok());
    let hash = |blob: &Blob| blob.as_ref().try_into().ok().map(u64::from_be_bytes);
    hashes.into_iter().flatten().filter_map(hash).collect()
}
