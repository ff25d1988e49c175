//! Quarantined webhooks, released by the operator: once, however often that is asked for.

use super::fields::{self, FIELDS};
use super::{Ledger, LedgerError, LedgerItem, NewItem, Recorded, StoredBody, unwritten};
use crate::aws::dynamodb::{number, text, update_if};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::SignedDuration;

impl Ledger {
    /// Releases a quarantined webhook as the item that it would be today: the id of the event, or `None` if
    /// somebody else was faster.
    ///
    /// If its key stays the same, its item changes, and the stream publishes it. If it has an id of its own
    /// now, it is recorded under that, as if it came now: a second release is a duplicate of itself.
    pub async fn release(
        &self,
        kept: &LedgerItem,
        new: &NewItem,
        retention: SignedDuration,
    ) -> Result<Option<String>, LedgerError> {
        if new.event.key == kept.event.key {
            let id = new.event.id.clone();
            let changed = self.release_in_place(kept, new).await?;
            return Ok(changed.then_some(id));
        }
        let recorded = self.record(new, &kept.body, retention).await?;
        let id = match recorded {
            Recorded::New => new.event.id.clone(),
            Recorded::Duplicate { id } | Recorded::Conflict { id } => id,
        };
        let update = self
            .update_quarantined(kept)
            .update_expression("SET #state = :released, released_as = :id")
            .expression_attribute_values(":released", text("released"))
            .expression_attribute_values(":id", text(&id));
        Ok(applied(update).await?.then_some(id))
    }

    async fn release_in_place(
        &self,
        kept: &LedgerItem,
        new: &NewItem,
    ) -> Result<bool, LedgerError> {
        let fields = fields::attribute(&new.fields, kept.matched.is_some());
        let set = "SET #state = :accepted, id = :id, #type = :type, #provider = :provider, \
                   accepted_at = :now";
        let fields_too = match fields {
            Some(_) => ", #fields = :fields REMOVE reason",
            None => " REMOVE reason, #fields",
        };
        let update = self
            .update_quarantined(kept)
            .update_expression(format!("{set}{fields_too}"))
            .expression_attribute_names("#type", "type")
            .expression_attribute_names("#provider", "provider")
            .expression_attribute_names("#fields", FIELDS)
            .expression_attribute_values(":accepted", text("accepted"))
            .expression_attribute_values(":id", text(&new.event.id))
            .expression_attribute_values(":type", text(&new.event.event_type))
            .expression_attribute_values(":provider", text(&new.event.provider))
            .expression_attribute_values(":now", number(new.event.accepted_at));
        let update = match fields {
            Some(fields) => update.expression_attribute_values(":fields", fields),
            None => update,
        };
        applied(update).await
    }

    fn update_quarantined(&self, kept: &LedgerItem) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&kept.event.key))
            .condition_expression("#state = :quarantined AND accepted_at = :seen")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":quarantined", text("quarantined"))
            .expression_attribute_values(":seen", number(kept.event.accepted_at))
    }

    /// Accepts a request that was rejected, now that it is authentic; the id of its event.
    pub async fn accept(
        &self,
        new: &NewItem,
        body: &StoredBody,
        retention: SignedDuration,
    ) -> Result<String, LedgerError> {
        Ok(match self.record(new, body, retention).await? {
            Recorded::New => new.event.id.clone(),
            Recorded::Duplicate { id } | Recorded::Conflict { id } => id,
        })
    }
}

/// Whether a conditional update was made.
async fn applied(update: UpdateItemFluentBuilder) -> Result<bool, LedgerError> {
    let updated = update_if(update).await.map_err(unwritten)?;
    Ok(updated.is_some())
}
