//! The ingress function's records in the journal, with the real binary.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::function::Answer;
use testkit::items::plain;
use testkit::proxy::{Call, Fault, Proxy};
use testkit::webhook::{creative_force, signed};

/// The journal's items whose kind has this prefix.
async fn noted(aws: &Aws, kind: &str) -> Vec<Value> {
    aws.noted(kind).await.iter().map(plain).collect()
}

#[tokio::test]
async fn a_batch_is_noted_once_and_so_is_who_was_heard() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for id in ["a", "b", "c"] {
        function
            .accept(&signed("studio", &creative_force(id, "")))
            .await;
    }
    aws.drain_stream(&mut function).await;
    let batches = noted(&aws, "published#").await;
    assert_eq!(batches.len(), 1);
    let sources = noted(&aws, "source").await;
    assert_eq!((sources.len(), &sources[0]["id"]), (1, &json!("studio")));
    let matched: Vec<_> = sources[0]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with("matched_"))
        .collect();
    assert_eq!(matched.len(), 1);
    assert_eq!(matched[0].1, &sources[0]["last_accepted_at"]);
    let recorded = aws.recorded().await;
    let last = recorded.iter().map(plain);
    let last = last.map(|item| item["accepted_at"].as_i64().unwrap()).max();
    assert_eq!(sources[0]["last_accepted_at"].as_i64(), last);
}

#[tokio::test]
async fn a_journal_that_is_out_of_reach_neither_holds_up_an_event_nor_sends_it_twice() {
    let mut aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    for (round, operation) in ["UpdateItem", "PutItem"].into_iter().enumerate() {
        let call = Call {
            service: "dynamodb",
            operation,
            body: Some("TableName == 'journal'"),
        };
        proxy.inject(call, Fault::Outage).await;
        let id = format!("event-{round}");
        function
            .accept(&signed("studio", &creative_force(&id, "")))
            .await;
        let (batch, after) = aws.next_batch().await;
        assert!(matches!(function.invoke(&batch).await, Answer::Success(_)));
        assert!(proxy.fired().await > 0, "{operation} did not fail");
        aws.acknowledge(after);
        assert_eq!(aws.drain_event_ids().await, [json!(id)]);
        proxy.heal().await;
    }
}
