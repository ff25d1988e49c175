//! The bodies of recorded webhooks, read back by their keys: for those who deliver an event, or show it, after its
//! change went through the stream.

use super::{Ledger, StoredBody, UNKNOWN_CONTENT_TYPE, UnreadableItem, unreadable};
use crate::aws::dynamodb::{Item, key, read_batch};
use crate::aws::error::AwsError;
use crate::event::EventRef;
use std::collections::{BTreeSet, HashMap};

/// A recorded body, and the content type it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The exact bytes, or where they are.
    pub body: StoredBody,
    /// The content type it came with.
    pub content_type: String,
    /// When it was accepted, in milliseconds.
    accepted_at: Option<i64>,
    /// Its hash, in hexadecimal digits.
    digest: String,
}

impl Stored {
    /// Whether it is what an event was made of: the key may have come back since, with another body.
    ///
    /// Where the key is the hash of the body, whatever has it is the same.
    pub fn is_of(&self, event: &EventRef) -> bool {
        let is_content = event.key.ends_with(&format!("#sha256:{}", self.digest));
        self.accepted_at == Some(event.accepted_at) || is_content
    }
}

impl Ledger {
    /// The bodies under these keys, as they are at this moment; none for what the ledger does not have any more.
    ///
    /// An item that is not as the ledger writes them is left out as well, and logged: it fails none of the others.
    pub async fn bodies(&self, keys: &BTreeSet<&str>) -> Result<HashMap<String, Stored>, AwsError> {
        let mut bodies = HashMap::new();
        for item in self.items(keys, &[]).await? {
            match read(&item) {
                Ok((key, stored)) => {
                    bodies.insert(key, stored);
                }
                Err(error) => {
                    tracing::error!(key = ?item.get("pk"), %error, "the body is not readable");
                }
            }
        }
        Ok(bodies)
    }

    /// The items under these keys: only these attributes of them, or all if none is named.
    pub(super) async fn items(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, AwsError> {
        let keys = keys.into_iter().map(|pk| key([("pk", pk.as_ref())]));
        let keys: Vec<_> = keys.collect();
        let items = read_batch(&self.client, &self.table, &keys, attributes).await;
        items.map_err(unreadable)
    }
}

fn read(item: &Item) -> Result<(String, Stored), UnreadableItem> {
    let text = |name: &'static str| {
        let text = item.get(name).and_then(|value| value.as_s().ok());
        text.cloned().ok_or(UnreadableItem(name))
    };
    let binary = |name| {
        let value = item.get(name)?.as_b().ok()?;
        Some(Ok(value.as_ref().to_vec()))
    };
    let body = StoredBody::read(binary, || text("body_s3"))?;
    let headers = item.get("headers").and_then(|value| value.as_m().ok());
    let content_type = headers.and_then(|headers| headers.get("content-type")?.as_s().ok());
    let accepted_at = item.get("accepted_at").and_then(|value| value.as_n().ok());
    let digest = item.get("body_sha256").and_then(|value| value.as_b().ok());
    let stored = Stored {
        body,
        content_type: content_type
            .map_or(UNKNOWN_CONTENT_TYPE, String::as_str)
            .to_owned(),
        accepted_at: accepted_at.and_then(|number| number.parse().ok()),
        digest: digest.map(hex::encode).unwrap_or_default(),
    };
    Ok((text("pk")?, stored))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dynamodb::{MAX_READS, TRIES};
    use crate::event::Receipt;
    use crate::providers::Provider;
    use crate::store::ledger::Entry;
    use crate::store::ledger::tests::ledger;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
    use aws_sdk_dynamodb::types::KeysAndAttributes;
    use aws_smithy_mocks::{Rule, mock};
    use jiff::{SignedDuration, Timestamp};

    /// The item that the ledger writes of a webhook of the source `studio`.
    fn item(key: &str, body: &StoredBody, content_type: Option<&str>) -> Item {
        let entry = Entry {
            key: key.to_owned(),
            receipt: Receipt {
                id: key.to_owned(),
                source: "studio".to_owned(),
                provider: Provider::CreativeForce,
                accepted_at: Timestamp::UNIX_EPOCH,
                conflict: false,
                replayed: false,
            },
            event_type: None,
            reason: None,
            digest: [0; 32],
            matched: None,
            dedupe_window: SignedDuration::ZERO,
            came_at: Timestamp::UNIX_EPOCH,
            headers: content_type
                .map(|it| ("content-type".to_owned(), it.to_owned()))
                .into_iter()
                .collect(),
        };
        entry.item(body, SignedDuration::from_hours(1))
    }

    fn inline(key: &str) -> Item {
        item(key, &StoredBody::Inline(key.into()), None)
    }

    fn keys_of(keys: &KeysAndAttributes) -> Vec<String> {
        let keys = keys.keys().iter();
        keys.map(|key| key["pk"].as_s().unwrap().clone()).collect()
    }

    /// A strongly consistent read of just these keys; some are answered, and some left unprocessed.
    fn batch(asked: &[String], items: Vec<Item>, left: &[String]) -> Rule {
        let asked = asked.to_vec();
        let key = |pk: &String| key([("pk", &**pk)]);
        let left: Vec<Item> = left.iter().map(key).collect();
        mock!(Client::batch_get_item)
            .match_requests(move |request| {
                let keys = &request.request_items().unwrap()["ledger"];
                keys.consistent_read() == Some(true) && keys_of(keys) == asked
            })
            .then_output(move || {
                let answer = BatchGetItemOutput::builder().responses("ledger", items.clone());
                let rest = KeysAndAttributes::builder().consistent_read(true);
                let rest = rest.set_keys(Some(left.clone())).build().unwrap();
                match left.is_empty() {
                    true => answer.build(),
                    false => answer.unprocessed_keys("ledger", rest).build(),
                }
            })
    }

    fn texts(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|&key| key.to_owned()).collect()
    }

    async fn bodies(rules: &[&Rule], keys: &[String]) -> Result<HashMap<String, Stored>, AwsError> {
        let keys = keys.iter().map(String::as_str).collect();
        let bodies = ledger(rules).bodies(&keys).await;
        for rule in rules {
            assert_eq!(rule.num_calls(), 1);
        }
        bodies
    }

    #[tokio::test]
    async fn what_the_ledger_wrote_is_read_back() {
        let claimed = StoredBody::Claimed("bodies/1".to_owned());
        let keys = texts(&["studio#claimed", "studio#gone", "studio#inline"]);
        let items = vec![
            inline("inline"),
            item("claimed", &claimed, Some("text/plain")),
        ];
        let read = bodies(&[&batch(&keys, items, &[])], &keys).await.unwrap();
        let expected = [
            ("studio#claimed", claimed, "text/plain"),
            (
                "studio#inline",
                StoredBody::Inline(b"inline".to_vec()),
                "application/octet-stream",
            ),
        ];
        assert_eq!(read.len(), expected.len());
        for (key, body, content_type) in expected {
            let stored = &read[key];
            assert_eq!((&stored.body, &*stored.content_type), (&body, content_type));
        }
    }

    #[test]
    fn a_key_that_came_back_with_another_body_is_another_event() {
        let (_, stored) = read(&inline("a")).unwrap();
        let event = |key: &str, accepted_at| EventRef {
            key: key.to_owned(),
            accepted_at,
            ..crate::store::endpoints::test::event()
        };
        let accepted_at = stored.accepted_at.unwrap();
        assert!(stored.is_of(&event("studio#a", accepted_at)));
        assert!(!stored.is_of(&event("studio#a", accepted_at - 1)));
        let content = format!("studio#sha256:{}", hex::encode([0; 32]));
        assert!(stored.is_of(&event(&content, accepted_at - 1)));
        let other = format!("studio#sha256:{}", hex::encode([1; 32]));
        assert!(!stored.is_of(&event(&other, accepted_at - 1)));
    }

    #[tokio::test]
    async fn one_unreadable_item_costs_only_itself() {
        let mut bodiless = inline("a");
        bodiless.remove("body");
        let keys = texts(&["studio#a", "studio#b"]);
        let rule = batch(&keys, vec![bodiless, inline("b")], &[]);
        let read = bodies(&[&rule], &keys).await.unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["studio#b"]);
    }

    #[tokio::test]
    async fn no_keys_are_no_call_and_more_than_a_hundred_are_two() {
        assert!(bodies(&[], &[]).await.unwrap().is_empty());
        let keys: Vec<String> = (0..=MAX_READS)
            .map(|it| format!("studio#{it:03}"))
            .collect();
        let first = batch(&keys[..MAX_READS], vec![inline("000")], &[]);
        let second = batch(&keys[MAX_READS..], vec![inline("100")], &[]);
        let read = bodies(&[&first, &second], &keys).await.unwrap();
        assert_eq!(read.len(), 2);
    }

    #[tokio::test]
    async fn what_is_left_unread_is_asked_for_again_as_long_as_there_is_any_progress() {
        let keys: Vec<String> = (0..6).map(|it| format!("studio#{it}")).collect();
        let part = |it: usize| {
            let item = inline(&it.to_string());
            batch(&keys[it..], vec![item], &keys[it + 1..])
        };
        let parts: Vec<Rule> = (0..6).map(part).collect();
        let rules: Vec<&Rule> = parts.iter().collect();
        assert_eq!(bodies(&rules, &keys).await.unwrap().len(), 6);
    }

    #[tokio::test]
    async fn what_is_left_unread_each_time_is_an_error() {
        let keys = texts(&["studio#a"]);
        let left: Vec<Rule> = (0..TRIES)
            .map(|_| batch(&keys, Vec::new(), &keys))
            .collect();
        let rules: Vec<&Rule> = left.iter().collect();
        let error = bodies(&rules, &keys).await.unwrap_err();
        assert!(
            error.to_string().ends_with("the table is throttled"),
            "{error}"
        );
    }
}
