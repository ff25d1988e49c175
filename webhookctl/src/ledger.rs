//! The ledger as the operator reads it: webhooks with their bodies, found by the ids that operators know.

use crate::Result;
use crate::commands::event::{Filter, Index};
use crate::document::Document;
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use webhook_gateway::aws::sqs::Message;
use webhook_gateway::providers::recipe::Dedupe;
use webhook_gateway::store::ledger::{ItemSummary, Ledger, LedgerItem, NewItem, StoredBody};
use webhook_gateway::store::payloads::Payloads;
use webhook_gateway::store::sources::Source;

/// The ledger, and the bucket of the bodies that are too large for it.
pub(crate) struct LedgerReader {
    pub(crate) ledger: Ledger,
    pub(crate) payloads: Payloads,
    /// How long the ledger keeps the webhooks that this tool records.
    pub(crate) retention: SignedDuration,
}

impl LedgerReader {
    /// The exact bytes of a body.
    pub(crate) async fn bytes(&self, body: StoredBody) -> Result<Vec<u8>> {
        match body {
            StoredBody::Inline(bytes) => Ok(bytes),
            StoredBody::InBucket(key) => Ok(self.payloads.get(&key).await?),
        }
    }

    /// Records a webhook that was rejected. Returns the id of its event.
    pub(crate) async fn accept(&self, entry: &NewItem, body: Vec<u8>) -> Result<String> {
        let body = self.payloads.store_if_large(body, &entry.digest).await;
        let body = body?;
        let event = self.ledger.accept(entry, &body, self.retention).await;
        Ok(event?)
    }

    /// A message that fits onto a queue: a large body is in the bucket.
    pub(crate) async fn fitting(
        &self,
        message: &Arc<Message>,
        queue: &str,
    ) -> Result<Arc<Message>> {
        let fitting = self.payloads.offload_if_large(message, queue).await;
        Ok(fitting?)
    }

    /// The items of these keys.
    pub(crate) async fn items(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, LedgerItem>> {
        Ok(self.ledger.get_many(keys).await?)
    }

    /// The items of these keys, without their bodies.
    pub(crate) async fn summaries(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, ItemSummary>> {
        Ok(self.ledger.summaries(keys).await?)
    }

    /// The webhook whose event has an id, or whose key in the ledger it is. Without a source, all
    /// configured sources are tried.
    pub(crate) async fn find(
        &self,
        id: &str,
        source: Option<&str>,
        stack: &Stack,
    ) -> Result<LedgerItem> {
        Ok(self.find_with_return(id, source, stack).await?.0)
    }

    /// The same, with the time at which the same body came again, if it did. The headers and the secret are
    /// then those of the second time.
    pub(crate) async fn find_with_return(
        &self,
        id: &str,
        source: Option<&str>,
        stack: &Stack,
    ) -> Result<(LedgerItem, Option<i64>)> {
        let sources = match source {
            Some(source) => vec![source.to_owned()],
            None => Document::of(stack).await?.sources.keys().cloned().collect(),
        };
        let mut found = self.items(&keys(id, &sources)).await?;
        found.retain(|_, kept| matching(kept.clone(), id).is_some());
        if !found.is_empty() {
            return one(found, id, source);
        }
        let document = Document::of(stack).await.ok();
        let entries = document.map(|document| document.sources);
        if sources.iter().any(|name| is_apart(entries.as_ref(), name)) {
            found = self
                .items(&self.published_keys(id, source, stack).await?)
                .await?;
        }
        one(found, id, source)
    }

    /// The keys of the newest events with an id, by the journal of what was published.
    async fn published_keys(
        &self,
        id: &str,
        source: Option<&str>,
        stack: &Stack,
    ) -> Result<BTreeSet<String>> {
        let filter = Filter {
            source: source.map(str::to_owned),
            since: Timestamp::now() - self.retention,
            ..Filter::default()
        };
        let mut index = Index::of(stack, filter)?;
        while let Some(page) = index.next().await? {
            let events = page.into_iter().map(|indexed| indexed.published.event);
            let keys = events.filter(|event| event.id == id).map(|event| event.key);
            let keys: BTreeSet<_> = keys.collect();
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
        Ok(BTreeSet::new())
    }
}

/// Whether the events of a source have ids that are not their keys in the ledger: copies are known by their
/// bodies, as the signature does not cover the ids. It may be so for a source that is not known.
fn is_apart(entries: Option<&Map<String, Value>>, name: &str) -> bool {
    let entry = entries.and_then(|entries| entries.get(name));
    let source = entry.and_then(|entry| Source::parse(name, entry).ok());
    source.is_none_or(|source| source.recipe.has_ids() && source.recipe.dedupe() == Dedupe::Body)
}

/// The one item that matches an id.
fn one(
    found: HashMap<String, LedgerItem>,
    id: &str,
    source: Option<&str>,
) -> Result<(LedgerItem, Option<i64>)> {
    let mut found: Vec<_> = found
        .into_values()
        .filter_map(|kept| matching(kept, id))
        .collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(format!(
            "there is no event {id}{}: it was never accepted, or the ledger no longer has it. See \
                `webhookctl event list`; name a source that is no longer configured with --source",
            source
                .map(|source| format!(" of the source {source}"))
                .unwrap_or_default()
        )
        .into()),
        _ => {
            let mut names: Vec<_> = found.iter().map(|(name, _)| &*name.event.source).collect();
            names.sort_unstable();
            let names = names.join(", ");
            Err(
                format!("several sources have an event {id}: name one with --source ({names})")
                    .into(),
            )
        }
    }
}

/// The keys in the ledger that an id may have.
fn keys(id: &str, sources: &[String]) -> BTreeSet<String> {
    let bare = content_key(id).map_or(id, |(key, _)| key);
    let of_sources = sources.iter().map(|source| format!("{source}#{bare}"));
    let own = id.contains('#').then(|| id.to_owned());
    of_sources.chain(own).collect()
}

/// The key and the time in an id that contains a hash: `sha256:<64 digits>:<ms>`.
fn content_key(id: &str) -> Option<(&str, i64)> {
    let (key, at) = id.rsplit_once(':')?;
    let digits = key.strip_prefix("sha256:")?;
    let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    Some((key, at.parse().ok().filter(|_| is_hash)?))
}

/// The item, if it matches an id. If the same body came again under the same key, the id is that of the
/// earlier webhook, and the time of the later one is returned with it.
fn matching(mut kept: LedgerItem, id: &str) -> Option<(LedgerItem, Option<i64>)> {
    if kept.event.id == id || kept.event.key == id {
        return Some((kept, None));
    }
    let (_, at) = content_key(id)?;
    let is_before = kept.event.key.contains("#sha256:") && at < kept.event.accepted_at;
    is_before.then(|| {
        let again_at = kept.event.accepted_at;
        id.clone_into(&mut kept.event.id);
        kept.event.accepted_at = at;
        (kept, Some(again_at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;
    use serde_json::json;

    #[test]
    fn an_id_is_looked_for_in_every_source_and_as_a_key() {
        let sources = ["hr".to_owned(), "studio".to_owned()];
        let of = |id: &str| Vec::from_iter(keys(id, &sources));
        assert_eq!(of("evt-1"), ["hr#evt-1", "studio#evt-1"]);
        assert_eq!(
            of("gone#evt-1"),
            ["gone#evt-1", "hr#gone#evt-1", "studio#gone#evt-1"]
        );
        let hash = format!("sha256:{}", "ab".repeat(32));
        let expected = [format!("hr#{hash}"), format!("studio#{hash}")];
        assert_eq!(of(&format!("{hash}:1790000000000")), expected);
        assert_eq!(of(&hash), expected);
    }

    #[test]
    fn a_body_that_came_again_is_meant_as_it_was_then() {
        let hash = format!("sha256:{}", "ab".repeat(32));
        let now = item(&format!("studio#{hash}"), &format!("{hash}:1790000000000"));
        let (before, again_at) = matching(now.clone(), &format!("{hash}:1780000000000")).unwrap();
        assert_eq!(again_at, Some(1_790_000_000_000));
        assert_eq!(before.event.accepted_at, 1_780_000_000_000);
        assert_eq!(before.event.id, format!("{hash}:1780000000000"));
        assert_eq!(
            matching(now.clone(), &now.event.id),
            Some((now.clone(), None))
        );
        assert_eq!(matching(now, &format!("{hash}:1790000000001")), None);
        assert_eq!(matching(item("studio#1", "1"), "2"), None);
    }

    #[test]
    fn only_ids_that_no_signature_covers_are_looked_for_in_the_journal() {
        let entries = json!({
            "code": {"provider": "github", "secrets": ["s"]},
            "pay": {"provider": "stripe", "secrets": ["s"]},
            "hr": {"provider": "people-force", "secrets": ["s"]},
        });
        let entries = entries.as_object();
        for (name, expected) in [
            ("code", true),
            ("pay", false),
            ("hr", false),
            ("gone", true),
        ] {
            assert_eq!(is_apart(entries, name), expected, "{name}");
        }
    }

    #[test]
    fn an_id_that_several_sources_have_is_not_guessed() {
        let of = |sources: &[&str]| {
            let found = sources.iter().map(|source| {
                let key = format!("{source}#1");
                let mut kept = item(&key, "1");
                kept.event.source = (*source).to_owned();
                (key, kept)
            });
            one(found.collect(), "1", None).map(|(kept, _)| kept.event.source)
        };
        assert_eq!(of(&["hr"]).unwrap(), "hr");
        let several = of(&["studio", "hr"]).unwrap_err().to_string();
        assert!(several.contains("--source (hr, studio)"), "{several}");
        let none = of(&[]).unwrap_err().to_string();
        assert!(none.contains("event list"), "{none}");
    }
}
