//! Recorded webhooks read back by their keys: to show, release or replay them.

use super::{ItemSummary, Ledger, LedgerItem, UnreadableItem, unreadable};
use crate::aws::dynamodb::{Item, key, read_batch};
use crate::aws::error::AwsError;
use std::collections::HashMap;

impl Ledger {
    /// The items under these keys, by key, as they are at this moment; none for keys that the ledger does not
    /// have any more.
    ///
    /// An item that is not as the ledger writes them is left out as well, and logged: it fails none of the
    /// others.
    pub async fn get_many(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<HashMap<String, LedgerItem>, AwsError> {
        let items = self.items(keys, &[]).await?;
        let items = items
            .iter()
            .filter_map(|item| logged(item, LedgerItem::read(item)));
        Ok(items.map(|item| (item.event.key.clone(), item)).collect())
    }

    /// The same without bodies and headers.
    pub async fn summaries(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<HashMap<String, ItemSummary>, AwsError> {
        let items = self.items(keys, &ItemSummary::ATTRIBUTES).await?;
        let items = items
            .iter()
            .filter_map(|item| logged(item, ItemSummary::read(item)));
        Ok(items.map(|item| (item.event.key.clone(), item)).collect())
    }

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

pub(super) fn logged<T>(item: &Item, read: Result<T, UnreadableItem>) -> Option<T> {
    let log =
        |error: &_| tracing::error!(key = ?item.get("pk"), %error, "the item is not readable");
    read.inspect_err(log).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dynamodb::{MAX_READS, TRIES};
    use crate::store::ledger::tests::{ledger, new_item};
    use crate::store::ledger::{NewItem, StoredBody};
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
    use aws_sdk_dynamodb::types::KeysAndAttributes;
    use aws_smithy_mocks::{Rule, mock};
    use jiff::SignedDuration;

    /// The item that the ledger writes of a webhook of the source `studio`.
    fn item(key: &str, body: &StoredBody, content_type: Option<&str>) -> Item {
        let headers = content_type.map(|text| ("content-type".to_owned(), text.to_owned()));
        let mut new = NewItem {
            headers: headers.into_iter().collect(),
            ..new_item()
        };
        new.event.key = format!("studio#{key}");
        new.item(body, SignedDuration::from_hours(1))
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

    async fn get(
        rules: &[&Rule],
        keys: &[String],
    ) -> Result<HashMap<String, LedgerItem>, AwsError> {
        let items = ledger(rules).get_many(keys).await;
        for rule in rules {
            assert_eq!(rule.num_calls(), 1);
        }
        items
    }

    #[tokio::test]
    async fn what_the_ledger_wrote_is_read_back() {
        let claimed = StoredBody::InBucket("bodies/1".to_owned());
        let keys = texts(&["studio#claimed", "studio#gone", "studio#inline"]);
        let items = vec![
            inline("inline"),
            item("claimed", &claimed, Some("text/plain")),
        ];
        let read = get(&[&batch(&keys, items, &[])], &keys).await.unwrap();
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
            assert_eq!((&stored.body, stored.content_type()), (&body, content_type));
        }
    }

    #[tokio::test]
    async fn one_unreadable_item_costs_only_itself() {
        let mut bodiless = inline("a");
        bodiless.remove("body");
        let keys = texts(&["studio#a", "studio#b"]);
        let rule = batch(&keys, vec![bodiless, inline("b")], &[]);
        let read = get(&[&rule], &keys).await.unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["studio#b"]);
    }

    #[tokio::test]
    async fn no_keys_are_no_call_and_more_than_a_hundred_are_two() {
        assert!(get(&[], &[]).await.unwrap().is_empty());
        let keys: Vec<String> = (0..=MAX_READS)
            .map(|number| format!("studio#{number:03}"))
            .collect();
        let first = batch(&keys[..MAX_READS], vec![inline("000")], &[]);
        let second = batch(&keys[MAX_READS..], vec![inline("100")], &[]);
        let read = get(&[&first, &second], &keys).await.unwrap();
        assert_eq!(read.len(), 2);
    }

    #[tokio::test]
    async fn what_is_left_unread_is_asked_for_again_as_long_as_there_is_any_progress() {
        let keys: Vec<String> = (0..6).map(|number| format!("studio#{number}")).collect();
        let part = |number: usize| {
            let item = inline(&number.to_string());
            batch(&keys[number..], vec![item], &keys[number + 1..])
        };
        let parts: Vec<Rule> = (0..6).map(part).collect();
        let rules: Vec<&Rule> = parts.iter().collect();
        assert_eq!(get(&rules, &keys).await.unwrap().len(), 6);
    }

    #[tokio::test]
    async fn what_is_left_unread_each_time_is_an_error() {
        let keys = texts(&["studio#a"]);
        let left: Vec<Rule> = (0..TRIES)
            .map(|_| batch(&keys, Vec::new(), &keys))
            .collect();
        let rules: Vec<&Rule> = left.iter().collect();
        let error = get(&rules, &keys).await.unwrap_err();
        assert!(
            error.to_string().ends_with("the table is throttled"),
            "{error}"
        );
    }
}
