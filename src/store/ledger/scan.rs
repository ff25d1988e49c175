//! The whole ledger, page by page and without its bodies: the operator proves that no event was lost, and has
//! lost ones published again.

use super::item::REPUBLISHED_AT;
use super::{ItemSummary, Ledger, unreadable};
use crate::aws::dynamodb::{key, number, text, text_of, update_if};
use crate::aws::error::AwsError;
use jiff::Timestamp;
use std::ops::Range;

/// What a scan reads of an item: neither its body nor its headers.
const ATTRIBUTES: &str = "pk, id, gatewaysource, provider, accepted_at, #type, #state, reason, released_as, \
     #conflict, #republished";

/// A part of the ledger.
#[derive(Debug, Default)]
pub struct Page {
    /// What it has that is asked for, in no order.
    pub items: Vec<ItemSummary>,
    /// How many of its items are not as the ledger writes them.
    pub unreadable: usize,
    /// How many items were read for it.
    pub scanned: usize,
    /// The key that the next part begins after; none after the last.
    pub last: Option<String>,
}

impl Ledger {
    /// A part of the ledger: what was accepted within a time span and is not forgotten yet.
    ///
    /// All parts together read the whole table, bodies included, whatever is asked for: a read unit for each
    /// 8 KB.
    pub async fn scan(
        &self,
        accepted: Range<Timestamp>,
        now: Timestamp,
        after: Option<&str>,
    ) -> Result<Page, AwsError> {
        let scan = self.client.scan().table_name(&self.table);
        let answer = scan
            .projection_expression(ATTRIBUTES)
            .expression_attribute_names("#type", "type")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#conflict", "conflict")
            .expression_attribute_names("#republished", REPUBLISHED_AT)
            // What is past its time stays for up to two days, when the journal may have forgotten it.
            .filter_expression(
                "accepted_at >= :since AND accepted_at < :until AND expires_at > :now",
            )
            .expression_attribute_values(":since", number(accepted.start.as_millisecond()))
            .expression_attribute_values(":until", number(accepted.end.as_millisecond()))
            .expression_attribute_values(":now", number(now.as_second()))
            .set_exclusive_start_key(after.map(|pk| key([("pk", pk)])))
            .send()
            .await
            .map_err(unreadable)?;
        let scanned = usize::try_from(answer.scanned_count).unwrap_or_default();
        let last = answer.last_evaluated_key.as_ref();
        let last = last.and_then(|key| text_of(key, "pk")).map(str::to_owned);
        let mut page = Page {
            scanned,
            last,
            ..Page::default()
        };
        for item in answer.items.unwrap_or_default() {
            match ItemSummary::read(&item) {
                Ok(item) => page.items.push(item),
                Err(_) => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    /// Has the stream publish a webhook again, unless the item changed since it was read; whether it will.
    pub async fn republish(&self, line: &ItemSummary, now: Timestamp) -> Result<bool, AwsError> {
        let unchanged = match line.republished_at {
            Some(_) => "#republished = :before",
            None => "attribute_not_exists(#republished)",
        };
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(key([("pk", &*line.event.key)])))
            .update_expression("SET #republished = :now")
            .condition_expression(format!(
                "accepted_at = :accepted AND #state = :state AND {unchanged}"
            ))
            .expression_attribute_names("#republished", REPUBLISHED_AT)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":accepted", number(line.event.accepted_at))
            .expression_attribute_values(":state", text(&line.state));
        let update = match line.republished_at {
            Some(before) => update.expression_attribute_values(":before", number(before)),
            None => update,
        };
        let updated = update_if(update).await;
        let updated = updated.map_err(|error| error.context("the event is not published again"))?;
        Ok(updated.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dynamodb::Item;
    use crate::store::endpoints::test::event as sample;
    use crate::store::ledger::tests::ledger;
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::operation::scan::ScanOutput;
    use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
    use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
    use aws_smithy_mocks::mock;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn item(line: &ItemSummary) -> Item {
        let event = &line.event;
        let members = [
            ("pk", text(&event.key)),
            ("id", text(&event.id)),
            ("gatewaysource", text(&event.source)),
            ("provider", text(&event.provider)),
            ("type", text(&event.event_type)),
            ("state", text(&line.state)),
            ("accepted_at", number(event.accepted_at)),
        ];
        let before = line.republished_at.map(|at| (REPUBLISHED_AT, number(at)));
        let members = members.into_iter().chain(before);
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn line(republished_at: Option<i64>) -> ItemSummary {
        ItemSummary {
            event: sample(),
            state: "accepted".to_owned(),
            reason: None,
            released_as: None,
            republished_at,
        }
    }

    #[tokio::test]
    async fn a_part_has_what_is_asked_for_and_no_body_and_says_where_it_ends() {
        let rule = mock!(Client::scan)
            .match_requests(|request| {
                let values = request.expression_attribute_values().unwrap();
                let projection = request.projection_expression().unwrap();
                request.table_name() == Some("ledger")
                    && !projection.contains("body")
                    && values[":since"] == number(1_000)
                    && values[":until"] == number(2_000)
                    && values[":now"] == number(3)
                    && request.exclusive_start_key().unwrap()["pk"] == text("a")
            })
            .then_output(|| {
                let unreadable = key([("pk", "b")]);
                ScanOutput::builder()
                    .items(item(&line(Some(7))))
                    .items(unreadable)
                    .scanned_count(9)
                    .last_evaluated_key("pk", text("c"))
                    .build()
            });
        let ledger = ledger(&[&rule]);
        let page = ledger
            .scan(at(1_000)..at(2_000), at(3_999), Some("a"))
            .await;
        let page = page.unwrap();
        assert_eq!(page.items, [line(Some(7))]);
        assert_eq!((page.unreadable, page.scanned), (1, 9));
        assert_eq!(page.last.as_deref(), Some("c"));
    }

    #[tokio::test]
    async fn an_event_is_published_again_unless_somebody_was_faster() {
        let update = |before: Option<i64>| {
            mock!(Client::update_item).match_requests(move |request| {
                let values = request.expression_attribute_values().unwrap();
                let condition = request.condition_expression().unwrap();
                let unchanged = match before {
                    Some(_) => "#republished = :before",
                    None => "attribute_not_exists(#republished)",
                };
                request.key().unwrap()["pk"] == text("studio#1")
                    && condition.ends_with(unchanged)
                    && condition.starts_with("accepted_at = :accepted AND #state = :state")
                    && values.get(":before") == before.map(number).as_ref()
                    && values[":now"] == number(9)
            })
        };
        let taken = update(None).then_output(|| UpdateItemOutput::builder().build());
        let refused = update(Some(7)).then_error(|| {
            let refused = ConditionalCheckFailedException::builder().build();
            UpdateItemError::ConditionalCheckFailedException(refused)
        });
        let ledger = ledger(&[&taken, &refused]);
        assert!(ledger.republish(&line(None), at(9)).await.unwrap());
        assert!(!ledger.republish(&line(Some(7)), at(9)).await.unwrap());
    }
}
