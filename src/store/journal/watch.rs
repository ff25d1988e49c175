//! The watch over the silence of a source: what it declares, which message has the charge, and whether it is silent. When
//! it is, and what is done then, is left to the `watch` of the library and of `delivery`.

use super::Journal;
use super::activity::{SourceActivity, updated};
use crate::aws::dynamodb::{number, text};
use crate::aws::error::AwsError;
use jiff::{SignedDuration, Timestamp};

impl Journal {
    /// Writes down the longest gap that a source declares; what is known of it then.
    pub async fn declare_gap(
        &self,
        source: &str,
        silent_after: SignedDuration,
        now: Timestamp,
    ) -> Result<SourceActivity, AwsError> {
        let update = self
            .source_update(source)
            .update_expression("SET silent_after = :gap, declared_at = :now REMOVE silent_since")
            .expression_attribute_values(":gap", number(silent_after.as_secs()))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        Ok(updated(update).await?.unwrap_or_default())
    }

    /// Writes down that a source declares no gap any more, and takes the charge from who watches over it.
    pub async fn forget_gap(&self, source: &str, now: Timestamp) -> Result<(), AwsError> {
        let update = self
            .source_update(source)
            .update_expression(
                "SET declared_at = :now REMOVE silent_after, watch, watch_due_at, silent_since",
            )
            .condition_expression("attribute_exists(silent_after)")
            .expression_attribute_values(":now", number(now.as_millisecond()));
        updated(update).await?;
        Ok(())
    }

    /// Gives a message the charge of a source until it comes again, if no other has it, or one that it replaces; whether
    /// it has it.
    pub async fn charge_watch(
        &self,
        source: &str,
        watch: &str,
        replaces: Option<&str>,
        due_at: Timestamp,
    ) -> Result<bool, AwsError> {
        let update = self
            .source_update(source)
            .update_expression("SET watch = :watch, watch_due_at = :due REMOVE silent_since")
            .condition_expression(format!("attribute_exists(silent_after) AND {IN_CHARGE}"))
            .expression_attribute_values(":due", number(due_at.as_millisecond()))
            .expression_attribute_values(":watch", text(watch))
            .expression_attribute_values(":replaced", text(replaces.unwrap_or(watch)));
        Ok(updated(update).await?.is_some())
    }

    /// Notes that a source is silent, and takes the charge from the message that found it so; false if anything was heard
    /// of the source since it was seen this way, or another has the charge.
    pub async fn fall_silent(
        &self,
        source: &str,
        watch: &str,
        replaces: Option<&str>,
        seen: &SourceActivity,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let unheard = match seen.last_accepted_at {
            Some(_) => "last_accepted_at = :seen",
            None => "attribute_not_exists(last_accepted_at)",
        };
        let mut update = self
            .source_update(source)
            .update_expression("SET silent_since = :now REMOVE watch, watch_due_at")
            .condition_expression(format!("{unheard} AND {IN_CHARGE}"))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":watch", text(watch))
            .expression_attribute_values(":replaced", text(replaces.unwrap_or(watch)));
        if let Some(at) = seen.last_accepted_at {
            update = update.expression_attribute_values(":seen", number(at.as_millisecond()));
        }
        Ok(updated(update).await?.is_some())
    }
}

/// Whether nobody has the charge, or the message, or the one that it replaces.
const IN_CHARGE: &str = "(attribute_not_exists(watch) OR watch = :watch OR watch = :replaced)";
