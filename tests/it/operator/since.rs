//! Times that are given: nothing is looked for before it is kept, and nothing in a span of time that is none.
//!
//! Seen to fail: all of them, with a tool that asks for every day of the calendar since then.

use testkit::aws::Aws;
use testkit::operator::Operator;
use testkit::proxy::{Call, Proxy};

const QUERY: Call = Call {
    service: "dynamodb",
    operation: "Query",
    body: None,
};

#[tokio::test]
async fn nothing_is_looked_for_before_it_is_kept() {
    let aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let operator = Operator::behind(&aws, &proxy.url()).await;
    for since in ["2000-01-01", "99999d"] {
        for (command, days) in [
            (&["event", "list"][..], 30),
            (&["event", "replay", "--all"], 30),
            (&["quarantine", "list"], 30),
            (&["quarantine", "list", "--rejected"], 7),
            (&["quarantine", "release", "--dry-run"], 30),
            (&["reconcile"], 30),
        ] {
            proxy.trace(QUERY).await;
            let command = [command, &["--since", since]].concat();
            let said = operator.run(&command).await;
            said.json();
            let note = format!("nothing is kept for longer than {days} days");
            assert!(said.notes.contains(&note), "{command:?}: {said:?}");
            // One a day, with two days in which DynamoDB may not have forgotten it yet.
            let asked = proxy.fired().await;
            assert!(asked <= days + 5, "{command:?}: {asked} queries");
        }
    }
}

#[tokio::test]
async fn times_in_the_wrong_order_and_sources_that_are_not_there_get_a_word() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let error = async |words: &[&str]| operator.run(words).await.error();
    let span = ["--since", "1h", "--until", "2h"];
    for command in [
        &["event", "list"][..],
        &["event", "list", "--state", "duplicate"],
        &["event", "replay", "--all"],
        &["reconcile"],
    ] {
        let error = error(&[command, &span].concat()).await;
        assert!(error.contains("--since must be before --until"), "{error}");
    }
    for command in [
        &["event", "list"][..],
        &["event", "replay", "--all"],
        &["delivery", "list", "--endpoint", "ep_1"],
        &["quarantine", "list"],
        &["quarantine", "list", "--rejected"],
        &["reconcile"],
    ] {
        let error = error(&[command, &["--since", "2126-01-01"]].concat()).await;
        assert!(error.contains("--since is in the future"), "{error}");
    }
    for (source, is_known) in [("studio", true), ("typo", false)] {
        for command in [
            &["event", "list"][..],
            &["event", "replay", "--all", "--since", "1h"],
            &["quarantine", "list"],
        ] {
            let command = [command, &["--source", source]].concat();
            let said = operator.run(&command).await;
            said.json();
            let unknown = format!("there is no source {source}");
            assert_eq!(said.notes.contains(&unknown), !is_known, "{said:?}");
        }
    }
    let list = ["delivery", "list", "--endpoint", "ep_1", "--since", "60d"];
    let said = operator.run(&list).await;
    assert!(said.notes.contains("kept for 30 days"), "{said:?}");
}
