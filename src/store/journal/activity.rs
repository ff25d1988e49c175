//! When each source was last active, and when each of its secrets last matched: one item for each source.
//! Each copy of the function writes it once a minute at most. The state of the silence check is in the same
//! item.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::{Item, number, number_of, text_of, time_of, update_if};
use crate::aws::error::AwsError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The minimum interval between two writes of a source's activity.
const INTERVAL: Duration = Duration::from_secs(60);

/// The `kind` of a source among the items of the journal.
const KIND: &str = "source";

/// What the name of an attribute begins with that says when a secret last matched.
const MATCHED: &str = "matched_";

/// When a source was last active, and the state of its silence check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceActivity {
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

/// The minimum interval between two writes of the activity of a source that has a silence threshold. A source
/// can therefore be reported silent up to this much late.
pub fn record_interval(silent_after: SignedDuration) -> Duration {
    let part = silent_after.unsigned_abs() / 10;
    part.clamp(Duration::from_secs(1), INTERVAL)
}

impl Journal {
    /// Whether the activity of a source, with a secret of this id, was written a moment ago.
    pub async fn is_recently_recorded(
        &self,
        source: &str,
        secret: Option<&str>,
        now: Instant,
    ) -> bool {
        let recorded = (source.to_owned(), secret.map(str::to_owned));
        let until = self.noted.lock().await.get(&recorded).copied();
        until.is_some_and(|until| now < until)
    }

    /// Records that a webhook of a source was accepted, which a secret of this id signed: the source is not
    /// silent any more. Gives its activity after that, or nothing if a later webhook was recorded before.
    pub async fn record_activity(
        &self,
        source: &str,
        secret: Option<&str>,
        accepted_at: Timestamp,
        now: Instant,
    ) -> Result<Option<SourceActivity>, AwsError> {
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
        let activity = updated(update).await?;
        if let Some(activity) = &activity {
            let noted = (source.to_owned(), secret.map(str::to_owned));
            let until = now + activity.silent_after.map_or(INTERVAL, record_interval);
            self.noted.lock().await.insert(noted, until);
        }
        Ok(activity)
    }

    /// The activity of each source, by its name.
    pub async fn activity(&self) -> Result<HashMap<String, SourceActivity>, AwsError> {
        let items = self.items_of(KIND).await?;
        Ok(items.iter().filter_map(named).collect())
    }

    /// The activity of a source.
    pub async fn activity_of(&self, source: &str) -> Result<SourceActivity, AwsError> {
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

/// The activity of a source after a change; nothing if the condition of the change was not met.
pub(super) async fn updated(
    update: UpdateItemFluentBuilder,
) -> Result<Option<SourceActivity>, AwsError> {
    let item = update_if(update.return_values(ReturnValue::AllNew)).await;
    Ok(item.map_err(unwritten)?.as_ref().map(read))
}

fn named(item: &Item) -> Option<(String, SourceActivity)> {
    Some((text_of(item, "id")?.to_owned(), read(item)))
}

fn read(item: &Item) -> SourceActivity {
    let matched = item.keys().filter_map(|name| {
        let secret = name.strip_prefix(MATCHED)?;
        Some((secret.to_owned(), time_of(item, name)?))
    });
    SourceActivity {
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
    fn a_source_is_recently_recorded_often_enough_to_tell_that_it_is_silent() {
        for (gap, every) in [(1, 1), (30, 3), (600, 60), (7_200, 60), (2_592_000, 60)] {
            let noted = record_interval(SignedDuration::from_secs(gap));
            assert_eq!(noted, Duration::from_secs(every), "{gap}");
        }
    }
}
