//! When each source was last heard of, and each of its secrets last matched: one item for each source, written once a
//! minute at most by each copy of the function.

use super::{Journal, JournalError, number, text};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often a source is noted as heard, at most.
const INTERVAL: Duration = Duration::from_secs(60);

/// The `kind` of a source among the items of the journal.
const KIND: &str = "source";

/// What the name of an attribute begins with that says when a secret last matched.
const MATCHED: &str = "matched_";

/// When a source was last heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// When a webhook of it was last accepted.
    pub last_accepted_at: Option<Timestamp>,
    /// When each of its secrets last matched, by the secret's id.
    pub matched: HashMap<String, Timestamp>,
}

impl Journal {
    /// Notes that a webhook of a source was accepted, which a secret of this id signed; not if that was noted within the
    /// last minute.
    pub async fn note_heard(
        &self,
        source: &str,
        secret: Option<&str>,
        accepted_at: Timestamp,
        now: Instant,
    ) -> Result<(), JournalError> {
        let heard = (source.to_owned(), secret.map(str::to_owned));
        let mut noted = self.noted.lock().await;
        if noted
            .get(&heard)
            .is_some_and(|&at| now.saturating_duration_since(at) < INTERVAL)
        {
            return Ok(());
        }
        let at = number(accepted_at.as_millisecond());
        let mut set = "SET last_accepted_at = :at".to_owned();
        let mut update = self.client.update_item().table_name(&self.table);
        if let Some(secret) = secret {
            set += ", #secret = :at";
            update = update.expression_attribute_names("#secret", format!("{MATCHED}{secret}"));
        }
        let update = update
            .key("kind", text(KIND))
            .key("id", text(source))
            .update_expression(set)
            .expression_attribute_values(":at", at);
        update.send().await.map_err(Box::new)?;
        noted.insert(heard, now);
        Ok(())
    }

    /// When each source was last heard of, by its name.
    pub async fn heard(&self) -> Result<HashMap<String, Heard>, JournalError> {
        let query = self.client.query().table_name(&self.table);
        let pages = query
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<Result<Vec<_>, _>>().await;
        Ok(items.map_err(Box::new)?.iter().filter_map(read).collect())
    }
}

fn read(item: &HashMap<String, AttributeValue>) -> Option<(String, Heard)> {
    let time = |value: &AttributeValue| {
        let ms = value.as_n().ok()?.parse().ok()?;
        Timestamp::from_millisecond(ms).ok()
    };
    let matched = item.iter().filter_map(|(name, value)| {
        let secret = name.strip_prefix(MATCHED)?;
        Some((secret.to_owned(), time(value)?))
    });
    let heard = Heard {
        last_accepted_at: item.get("last_accepted_at").and_then(time),
        matched: matched.collect(),
    };
    Some((item.get("id")?.as_s().ok()?.clone(), heard))
}
