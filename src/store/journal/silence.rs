//! The silence of a source: its threshold, the lease of its silence check, and whether it is silent. The item
//! is the one of the source's activity.

use super::Journal;
use super::activity::{SourceActivity, updated};
use crate::aws::dynamodb::{number, text};
use crate::aws::error::AwsError;
use crate::lease::{Attributes, Claim, Lease};
use jiff::{SignedDuration, Timestamp};

/// The lease of a silence check.
const CHECK: Attributes = Attributes {
    owner: "watch",
    due_at: "watch_due_at",
};

impl SourceActivity {
    /// The lease of its silence check.
    pub fn lease(&self) -> Lease<'_> {
        Lease {
            owner: self.watch.as_deref(),
            due_at: self.watch_due_at,
        }
    }
}

impl Journal {
    /// Writes the silence threshold that a source declares; what is known of the source then.
    pub async fn set_threshold(
        &self,
        source: &str,
        silent_after: SignedDuration,
        now: Timestamp,
    ) -> Result<SourceActivity, AwsError> {
        let update = self
            .source_update(source)
            .update_expression("SET silent_after = :after, declared_at = :now REMOVE silent_since")
            .expression_attribute_values(":after", number(silent_after.as_secs()))
            .expression_attribute_values(":now", number(now.as_millisecond()));
        Ok(updated(update).await?.unwrap_or_default())
    }

    /// Clears the silence threshold of a source, and with it the lease of its silence check.
    pub async fn clear_threshold(&self, source: &str, now: Timestamp) -> Result<(), AwsError> {
        let update = self
            .source_update(source)
            .update_expression(format!(
                "SET declared_at = :now REMOVE silent_after, silent_since, {}",
                CHECK.remove()
            ))
            .condition_expression("attribute_exists(silent_after)")
            .expression_attribute_values(":now", number(now.as_millisecond()));
        updated(update).await?;
        Ok(())
    }

    /// Acquires the lease for a silence check whose message is due then; false if the source has no threshold
    /// any more, or the lease is not open to the check.
    pub async fn acquire_lease(
        &self,
        source: &str,
        check: &Claim,
        due_at: Timestamp,
    ) -> Result<bool, AwsError> {
        let update = self
            .source_update(source)
            .update_expression(format!("SET {} REMOVE silent_since", CHECK.set()))
            .condition_expression(format!(
                "attribute_exists(silent_after) AND {}",
                CHECK.is_open()
            ))
            .expression_attribute_values(":owner", text(&check.id))
            .expression_attribute_values(":superseded", text(check.superseded()))
            .expression_attribute_values(":due", number(due_at.as_millisecond()));
        Ok(updated(update).await?.is_some())
    }

    /// Writes that a source is silent, and releases the lease of the check that found it so. False if a
    /// webhook of the source was accepted since the check read it, or if the lease is not open to the check.
    pub async fn mark_silent(
        &self,
        source: &str,
        check: &Claim,
        seen: &SourceActivity,
        now: Timestamp,
    ) -> Result<bool, AwsError> {
        let unheard = match seen.last_accepted_at {
            Some(_) => "last_accepted_at = :seen",
            None => "attribute_not_exists(last_accepted_at)",
        };
        let mut update = self
            .source_update(source)
            .update_expression(format!("SET silent_since = :now REMOVE {}", CHECK.remove()))
            .condition_expression(format!("{unheard} AND {}", CHECK.is_open()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":owner", text(&check.id))
            .expression_attribute_values(":superseded", text(check.superseded()));
        if let Some(at) = seen.last_accepted_at {
            update = update.expression_attribute_values(":seen", number(at.as_millisecond()));
        }
        Ok(updated(update).await?.is_some())
    }
}
