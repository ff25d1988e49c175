//! What the ledger has: recorded webhooks, by the ids that operators know them by, with their bodies.

use crate::Result;
use crate::document::Document;
use crate::stack::Stack;
use jiff::SignedDuration;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use webhook_gateway::aws::sqs::Message;
use webhook_gateway::store::ledger::{ItemSummary, Ledger, LedgerItem, NewItem, StoredBody};
use webhook_gateway::store::payloads::Payloads;

/// The ledger, and the bucket of what is too large for it.
pub(crate) struct LedgerReader {
    pub(crate) ledger: Ledger,
    pub(crate) payloads: Payloads,
    /// How long the ledger keeps what this tool records.
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

    /// Records a webhook that was rejected; the id of its event.
    pub(crate) async fn accept(&self, entry: &NewItem, body: Vec<u8>) -> Result<String> {
        let body = self.payloads.store_if_large(body, &entry.digest).await;
        let body = body?;
        let event = self.ledger.accept(entry, &body, self.retention).await;
        Ok(event?)
    }

    /// A message as it fits onto a queue.
    pub(crate) async fn fitting(
        &self,
        message: &Arc<Message>,
        queue: &str,
    ) -> Result<Arc<Message>> {
        let fitting = self.payloads.offload_if_large(message, queue).await;
        Ok(fitting?)
    }

    /// What is recorded under these keys.
    pub(crate) async fn look(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, LedgerItem>> {
        Ok(self.ledger.get_many(keys).await?)
    }

    /// What became of what is recorded under these keys, without its bodies.
    pub(crate) async fn briefs(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, ItemSummary>> {
        Ok(self.ledger.summaries(keys).await?)
    }

    /// The webhook that an id means: that of its event, or its key in the ledger. Without a source, all that
    /// are configured are tried.
    pub(crate) async fn find(
        &self,
        id: &str,
        source: Option<&str>,
        stack: &Stack,
    ) -> Result<LedgerItem> {
        Ok(self.find_with_return(id, source, stack).await?.0)
    }

    /// The same, and when its body came again, if it did since: then its headers and its secret are those of
    /// that time.
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
        let found = self.look(&keys(id, &sources)).await?;
        one(found, id, source)
    }
}

/// The one that is meant of what was found under the keys of an id.
fn one(
    found: HashMap<String, LedgerItem>,
    id: &str,
    source: Option<&str>,
) -> Result<(LedgerItem, Option<i64>)> {
    let mut found: Vec<_> = found
        .into_values()
        .filter_map(|kept| meant(kept, id))
        .collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(format!(
            "there is no event {id}{}: it was never accepted, or the ledger has forgotten it; see \
             `webhookctl event list`, and name a source that is no longer configured by --source",
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
                format!("several sources have an event {id}: name one by --source ({names})")
                    .into(),
            )
        }
    }
}

/// The keys that an id may have.
fn keys(id: &str, sources: &[String]) -> BTreeSet<String> {
    let bare = content_key(id).map_or(id, |(key, _)| key);
    let of_sources = sources.iter().map(|source| format!("{source}#{bare}"));
    let own = id.contains('#').then(|| id.to_owned());
    of_sources.chain(own).collect()
}

/// The key and the time in an id that was made of a hash: `sha256:<64 digits>:<ms>`.
fn content_key(id: &str) -> Option<(&str, i64)> {
    let (key, at) = id.rsplit_once(':')?;
    let digits = key.strip_prefix("sha256:")?;
    let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    Some((key, at.parse().ok().filter(|_| is_hash)?))
}

/// What is recorded, if it is what an id means. The same body may have come again since, under the same key:
/// then it is the earlier one that is meant, and it is said when that was.
fn meant(mut kept: LedgerItem, id: &str) -> Option<(LedgerItem, Option<i64>)> {
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
        let (before, again_at) = meant(now.clone(), &format!("{hash}:1780000000000")).unwrap();
        assert_eq!(again_at, Some(1_790_000_000_000));
        assert_eq!(before.event.accepted_at, 1_780_000_000_000);
        assert_eq!(before.event.id, format!("{hash}:1780000000000"));
        assert_eq!(meant(now.clone(), &now.event.id), Some((now.clone(), None)));
        assert_eq!(meant(now, &format!("{hash}:1790000000001")), None);
        assert_eq!(meant(item("studio#1", "1"), "2"), None);
    }

    #[test]
    fn what_several_sources_have_is_not_guessed() {
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
