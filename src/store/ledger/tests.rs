use super::*;
use crate::aws::dynamodb::{binary, text};
use crate::providers::recorded::RecordedFields;
use crate::store::endpoints::test::event;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_smithy_mocks::{Rule, mock};
use jiff::Timestamp;

/// A ledger whose table answers so, one after the other.
pub(super) fn ledger(rules: &[&Rule]) -> Ledger {
    let client = testkit::mock!(aws_sdk_dynamodb, rules);
    Ledger::new(client, "ledger".to_owned())
}

/// A webhook of the source `studio`.
pub(super) fn new_item() -> NewItem {
    NewItem {
        event: event(),
        reason: None,
        digest: [0xab; 32],
        matched: None,
        dedupe_window: SignedDuration::ZERO,
        came_at: Timestamp::from_second(1_790_000_000).unwrap(),
        headers: Vec::new(),
        fields: RecordedFields::default(),
    }
}

/// Takes the item of this key.
fn taken(key: &'static str) -> Rule {
    let put = mock!(Client::put_item)
        .match_requests(move |request| request.item().unwrap()["pk"] == text(key));
    put.then_output(|| PutItemOutput::builder().build())
}

/// Has an item of this key already, of a body of this digest.
fn occupied(key: &'static str, id: &'static str, digest: Digest256) -> Rule {
    let put = mock!(Client::put_item)
        .match_requests(move |request| request.item().unwrap()["pk"] == text(key));
    put.then_error(move || {
        let there = Item::from([
            ("id".to_owned(), text(id)),
            ("body_sha256".to_owned(), binary(digest)),
        ]);
        let refusal = ConditionalCheckFailedException::builder().set_item(Some(there));
        PutItemError::ConditionalCheckFailedException(refusal.build())
    })
}

async fn recorded(rules: &[&Rule]) -> Result<Recorded, LedgerError> {
    let body = StoredBody::Inline(b"{}".to_vec());
    ledger(rules)
        .record(&new_item(), &body, SignedDuration::ZERO)
        .await
}

#[tokio::test]
async fn the_same_key_is_a_duplicate_only_with_the_same_body() {
    const BESIDE: &str = "studio#1#abababababababab";
    let (ours, theirs) = ([0xab; 32], [0xcd; 32]);
    let id = |id: &str| id.to_owned();

    assert_eq!(
        recorded(&[&taken("studio#1")]).await.unwrap(),
        Recorded::New
    );
    let again = recorded(&[&occupied("studio#1", "1", ours)]).await;
    assert_eq!(again.unwrap(), Recorded::Duplicate { id: id("1") });

    let other = || occupied("studio#1", "1", theirs);
    let conflict = recorded(&[&other(), &taken(BESIDE)]).await.unwrap();
    let beside = id("1#abababababababab");
    assert_eq!(conflict, Recorded::Conflict { id: beside.clone() });
    let again = recorded(&[&other(), &occupied(BESIDE, "1#abababababababab", ours)]).await;
    assert_eq!(again.unwrap(), Recorded::Duplicate { id: beside });

    // A third body of which the hash begins alike.
    let third = recorded(&[&other(), &occupied(BESIDE, "x", theirs)]).await;
    assert!(matches!(third, Err(LedgerError::Occupied(key)) if key == "1#abababababababab"));
}

#[test]
fn a_key_is_taken_for_its_window_and_no_longer_than_its_item_is_kept() {
    let (hour, day) = (
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(24),
    );
    for (dedupe_window, retention, until) in [(hour, day, 3_600), (day, hour, 3_600)] {
        let new = NewItem {
            dedupe_window,
            ..new_item()
        };
        let mut item = new.item(&StoredBody::Inline(Vec::new()), retention);
        assert_eq!(item["pk"], text("studio#1"));
        assert_eq!(item["dedupe_until"], number(1_790_000_000 + until));
        let expires_at = number(1_790_000_000 + retention.as_secs());
        assert_eq!(item["expires_at"], expires_at);
        // What was rejected a day before it was accepted is as old as it is, and kept as long as any.
        let came_at = new.came_at - day;
        item = NewItem { came_at, ..new }.item(&StoredBody::Inline(Vec::new()), retention);
        assert_eq!(item["dedupe_until"], number(1_790_000_000 - 86_400 + until));
        assert_eq!(item["expires_at"], expires_at);
    }
}
