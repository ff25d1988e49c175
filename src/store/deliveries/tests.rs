//! Which calls write the records of several deliveries.

use super::*;
use crate::store::endpoints::test::event;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsError, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::types::CancellationReason;
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use aws_smithy_mocks::{Rule, mock};

/// A record of this delivery that was not read from the table.
fn first(id: &str) -> Delivery {
    let mut record = Delivery::new("ep_1", id.to_owned(), event());
    record.turn(State::Delivered, None, Timestamp::UNIX_EPOCH);
    record
}

/// Matches a transaction that inserts these records.
macro_rules! transactions {
    ($ids:expr) => {
        mock!(Client::transact_write_items).match_requests(|request| {
            let writes = request.transact_items().iter();
            let puts = writes.map(|write| write.put().unwrap());
            let is_insert = |condition: Option<&str>| condition == Some(NEW);
            puts.clone()
                .all(|put| is_insert(put.condition_expression()))
                && puts
                    .map(|put| text_of(put.item(), "id").unwrap())
                    .eq($ids.iter().copied())
        })
    };
}

/// A transaction that inserts these records.
fn transaction(ids: &'static [&str]) -> Rule {
    transactions!(ids).then_output(|| TransactWriteItemsOutput::builder().build())
}

/// The same, which DynamoDB cancels: each write for its reason.
fn canceled(ids: &'static [&str], reasons: &'static [&str]) -> Rule {
    transactions!(ids).then_error(|| {
        let reasons = reasons
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build());
        let canceled = TransactionCanceledException::builder();
        let canceled = canceled.set_cancellation_reasons(Some(reasons.collect()));
        TransactWriteItemsError::TransactionCanceledException(canceled.build())
    })
}

/// The write of one record by itself.
fn put(id: &'static str, condition: &'static str) -> Rule {
    mock!(Client::put_item)
        .match_requests(move |request| {
            let written = request.item().and_then(|item| text_of(item, "id"));
            written == Some(id) && request.condition_expression() == Some(condition)
        })
        .then_output(|| PutItemOutput::builder().build())
}

const NEW: &str = "attribute_not_exists(id)";
const SEEN: &str = "attempts = :attempts AND updated_at = :updated_at";

/// Writes records, by these calls and no others.
async fn write(records: &[Delivery], calls: &[&Rule]) {
    let client = testkit::mock!(aws_sdk_dynamodb, calls);
    let deliveries = Deliveries::new(client, "deliveries".to_owned());
    let records: Vec<_> = records.iter().collect();
    for written in deliveries.record_all(&records).await {
        assert!(written.unwrap());
    }
    for call in calls {
        assert_eq!(call.num_calls(), 1);
    }
}

#[tokio::test]
async fn if_a_transaction_is_not_made_each_record_is_written_by_itself() {
    let records = ["a", "b"].map(first);
    write(&records, &[&transaction(&["a", "b"])]).await;
    for reasons in [
        ["ConditionalCheckFailed", "None"],
        ["None", "TransactionConflict"],
        ["None", "ThrottlingError"],
    ] {
        let reasons: &'static [&str] = Vec::leak(reasons.to_vec());
        let failed = canceled(&["a", "b"], reasons);
        write(&records, &[&failed, &put("a", NEW), &put("b", NEW)]).await;
    }
    let denied = transactions!(["a", "b"]).then_error(|| {
        let denied =
            aws_sdk_dynamodb::error::ErrorMetadata::builder().code("AccessDeniedException");
        TransactWriteItemsError::generic(denied.build())
    });
    write(&records, &[&denied, &put("a", NEW), &put("b", NEW)]).await;
}

#[tokio::test]
async fn only_first_records_are_inserted_and_one_alone_is_put() {
    let seen = first("a").read();
    let calls = [&put("a", SEEN), &put("b", NEW)];
    write(&[seen.clone(), first("b")], &calls).await;
    let calls = [&transaction(&["b", "c"]), &put("a", SEEN)];
    write(&[first("b"), seen, first("c")], &calls).await;
}
