//! Which calls write the records of several deliveries.

use super::*;
use crate::store::endpoints::test::event;
use aws_sdk_dynamodb::operation::batch_execute_statement::{
    BatchExecuteStatementError, BatchExecuteStatementOutput,
};
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::{
    BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementResponse,
};
use aws_smithy_mocks::{Rule, mock};

/// A record of this delivery that was not read from the table.
fn first(id: &str) -> Delivery {
    let mut record = Delivery::new("ep_1", id.to_owned(), event());
    record.turn(State::Delivered, None, Timestamp::UNIX_EPOCH);
    record
}

/// The answer to a call of as many statements as there are codes: each fails with its code, if it has one.
fn answer(codes: &'static [Option<BatchStatementErrorCodeEnum>]) -> Rule {
    mock!(Client::batch_execute_statement)
        .match_requests(|request| {
            let mut statements = request.statements().iter();
            request.statements().len() == codes.len()
                && statements.all(|one| {
                    one.statement()
                        .starts_with("INSERT INTO \"deliveries\" VALUE {'")
                        && one.statement().matches('?').count() == one.parameters().len()
                })
        })
        .then_output(|| {
            let responses = codes.iter().map(|code| {
                let error = code
                    .clone()
                    .map(|code| BatchStatementError::builder().code(code).build());
                BatchStatementResponse::builder().set_error(error).build()
            });
            let answer = BatchExecuteStatementOutput::builder();
            answer.set_responses(Some(responses.collect())).build()
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
async fn a_record_that_is_not_inserted_is_written_by_itself() {
    use BatchStatementErrorCodeEnum::{DuplicateItem, ThrottlingError};
    let records = ["a", "b", "c"].map(first);
    write(&records, &[&answer(&[None, None, None])]).await;
    let inserted = answer(&[Some(DuplicateItem), None, Some(ThrottlingError)]);
    write(&records, &[&inserted, &put("a", NEW), &put("c", NEW)]).await;
}

#[tokio::test]
async fn if_the_call_fails_each_record_is_written_by_itself() {
    let failed = mock!(Client::batch_execute_statement).then_error(|| {
        let denied =
            aws_sdk_dynamodb::error::ErrorMetadata::builder().code("AccessDeniedException");
        BatchExecuteStatementError::generic(denied.build())
    });
    let calls = [&failed, &put("a", NEW), &put("b", NEW)];
    write(&["a", "b"].map(first), &calls).await;
}

#[tokio::test]
async fn only_first_records_are_inserted_and_one_alone_is_put() {
    let seen = first("a").read();
    let calls = [&put("a", SEEN), &put("b", NEW)];
    write(&[seen.clone(), first("b")], &calls).await;
    let calls = [&answer(&[None, None]), &put("a", SEEN)];
    write(&[first("b"), seen, first("c")], &calls).await;
}

#[tokio::test]
async fn a_call_inserts_as_many_as_aws_allows() {
    const MANY: [Option<BatchStatementErrorCodeEnum>; MAX_WRITES] = [const { None }; MAX_WRITES];
    let records: Vec<_> = (0..=MAX_WRITES).map(|id| first(&id.to_string())).collect();
    write(&records, &[&answer(&MANY), &answer(&[None])]).await;
}
