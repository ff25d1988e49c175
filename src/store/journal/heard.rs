//! When each source was last heard of, and each of its secrets last matched: one item for each source, written once a
//! minute at most by each copy of the function. How its silence is watched over is in the same item, and left to `watch`.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::{Item, number, number_of, text_of, time_of, update_if};
use crate::aws::error::AwsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often a source is noted as heard, at most.
const INTERVAL: Duration = Duration::from_secs(60);

/// The `kind` of a source among the items of the journal.
const KIND: &str = "source";

/// What the name of an attribute begins with that says when a secret last matched.
const MATCHED: &str = "matched_";

/// When a source was last heard of, and whether anybody watches over its silence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// When a webhook of it was last accepted.
    pub last_accepted_at: Option<Timestamp>,
    /// When each of its secrets last matched, by the secret's id.
    pub matched: HashMap<String, Timestamp>,
    /// The longest gap that it declares.
    pub silent_after: Option<SignedDuration>,
    /// When that was declared, or taken back.
    pub declared_at: Option<Timestamp>,
    /// The id of the message that watches over it.
    pub watch: Option<String>,
    /// When that message comes again.
    pub watch_due_at: Option<Timestamp>,
    /// Since when it is known to be silent.
    pub silent_since: Option<Timestamp>,
}

/// How often a source is noted as heard that declares its longest gap, at most: so much later than it was, it may be
/// taken to be silent.
pub fn noted_every(silent_after: SignedDuration) -> Duration {
    let part = silent_after.unsigned_abs() / 10;
    part.clamp(Duration::from_secs(1), INTERVAL)
}

impl Journal {
    /// Whether it was noted a moment ago that a source was heard, with a secret of this id.
    pub async fn is_noted(&self, source: &str, secret: Option<&str>, now: Instant) -> bool {
        let heard = (source.to_owned(), secret.map(str::to_owned));
        let until = self.noted.lock().await.get(&heard).copied();
        until.is_some_and(|until| now < until)
    }

    /// Notes that a webhook of a source was accepted, which a secret of this id signed, so that the source is not silent;
    /// what is known of it then. Nothing if a later webhook was noted before.
    pub async fn note_heard(
        &self,
        source: &str,
        secret: Option<&str>,
        accepted_at: Timestamp,
        now: Instant,
    ) -> Result<Option<Heard>, AwsError> {
        let mut set = "SET last_accepted_at = :at".to_owned();
        let mut update = self.source_update(source);
        if let Some(secret) = secret {
            set += ", #secret = :at";
            update = update.expression_attribute_names("#secret", format!("{MATCHED}{secret}"));
        }
        let update = update
            .update_expression(set + " REMOVE silent_since")
            // What is published once more was accepted long ago.
            .condition_expression(
                "attribute_not_exists(last_accepted_at) OR last_accepted_at <= :at",
            )
            .expression_attribute_values(":at", number(accepted_at.as_millisecond()));
        let heard = updated(update).await?;
        if let Some(heard) = &heard {
            let noted = (source.to_owned(), secret.map(str::to_owned));
            let until = now + heard.silent_after.map_or(INTERVAL, noted_every);
            self.noted.lock().await.insert(noted, until);
        }
        Ok(heard)
    }

    /// When each source was last heard of, by its name.
    pub async fn heard(&self) -> Result<HashMap<String, Heard>, AwsError> {
        let items = self.items_of(KIND).await?;
        Ok(items.iter().filter_map(named).collect())
    }

    /// When a source was last heard of.
    pub async fn heard_of(&self, source: &str) -> Result<Heard, AwsError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(key(KIND, source))).consistent_read(true);
        let answer = get.send().await.map_err(unreadable)?;
        Ok(answer.item.as_ref().map(read).unwrap_or_default())
    }

    /// The beginning of a change of a source.
    pub(super) fn source_update(&self, source: &str) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table);
        update.set_key(Some(key(KIND, source)))
    }
}

/// What is known of a source after a change; nothing if its condition did not hold.
pub(super) async fn updated(update: UpdateItemFluentBuilder) -> Result<Option<Heard>, AwsError> {
    let item = update_if(update.return_values(ReturnValue::AllNew)).await;
    Ok(item.map_err(unwritten)?.as_ref().map(read))
}

fn named(item: &Item) -> Option<(String, Heard)> {
    Some((text_of(item, "id")?.to_owned(), read(item)))
}

fn read(item: &Item) -> Heard {
    let matched = item.keys().filter_map(|name| {
        let secret = name.strip_prefix(MATCHED)?;
        Some((secret.to_owned(), time_of(item, name)?))
    });
    Heard {
        last_accepted_at: time_of(item, "last_accepted_at"),
        matched: matched.collect(),
        silent_after: number_of(item, "silent_after").map(SignedDuration::from_secs),
        declared_at: time_of(item, "declared_at"),
        watch: text_of(item, "watch").map(str::to_owned),
        watch_due_at: time_of(item, "watch_due_at"),
        silent_since: time_of(item, "silent_since"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_noted_often_enough_to_tell_that_it_is_silent() {
        for (gap, every) in [(1, 1), (30, 3), (600, 60), (7_200, 60), (2_592_000, 60)] {
            let noted = noted_every(SignedDuration::from_secs(gap));
            assert_eq!(noted, Duration::from_secs(every), "{gap}");
        }
    }
}
