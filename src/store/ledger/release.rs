//! What is quarantined, released by the operator: once, however often it is asked for.

use super::{Entry, Kept, Ledger, LedgerError, Recorded, StoredBody, unwritten};
use crate::aws::dynamodb::{number, text, update_if};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

impl Ledger {
    /// Releases what is quarantined as the entry that it is today: the id of the event, or `None` if somebody else was
    /// faster.
    ///
    /// Where its key stays the same, its item changes, and the stream publishes it. Where it has a key of its own now,
    /// it is recorded under that, as if it came now: a second time it is a duplicate of itself.
    pub async fn release(&self, kept: &Kept, entry: &Entry) -> Result<Option<String>, LedgerError> {
        let key = format!("{}#{}", entry.receipt.source, entry.key);
        if key == kept.event.key {
            let id = entry.receipt.id.clone();
            let changed = self.release_in_place(kept, entry).await?;
            return Ok(changed.then_some(id));
        }
        let recorded = self.record(entry, &kept.body).await?;
        let id = match recorded {
            Recorded::New => entry.receipt.id.clone(),
            Recorded::Duplicate { id } | Recorded::Conflict { id } => id,
        };
        let update = self
            .update_quarantined(kept)
            .update_expression("SET #state = :released, released_as = :id")
            .expression_attribute_values(":released", text("released"))
            .expression_attribute_values(":id", text(&id));
        Ok(applied(update).await?.then_some(id))
    }

    async fn release_in_place(&self, kept: &Kept, entry: &Entry) -> Result<bool, LedgerError> {
        let accepted_at = entry.receipt.accepted_at.as_millisecond();
        let event_type = entry.event_type.as_deref().unwrap_or_default();
        let update = self
            .update_quarantined(kept)
            .update_expression(
                "SET #state = :accepted, id = :id, #type = :type, accepted_at = :now REMOVE reason",
            )
            .expression_attribute_names("#type", "type")
            .expression_attribute_values(":accepted", text("accepted"))
            .expression_attribute_values(":id", text(&entry.receipt.id))
            .expression_attribute_values(":type", text(event_type))
            .expression_attribute_values(":now", number(accepted_at));
        applied(update).await
    }

    fn update_quarantined(&self, kept: &Kept) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&kept.event.key))
            .condition_expression("#state = :quarantined AND accepted_at = :seen")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":quarantined", text("quarantined"))
            .expression_attribute_values(":seen", number(kept.event.accepted_at))
    }

    /// Accepts a request that was refused, now that it is authentic; the id of its event.
    pub async fn accept(&self, entry: &Entry, body: &StoredBody) -> Result<String, LedgerError> {
        Ok(match self.record(entry, body).await? {
            Recorded::New => entry.receipt.id.clone(),
            Recorded::Duplicate { id } | Recorded::Conflict { id } => id,
        })
    }
}

/// Whether a conditional update was made.
async fn applied(update: UpdateItemFluentBuilder) -> Result<bool, LedgerError> {
    let updated = update_if(update).await.map_err(unwritten)?;
    Ok(updated.is_some())
}
