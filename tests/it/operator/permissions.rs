//! The table of permissions in docs/deploying.md names each action that a command calls, and no other action.
//!
//! Seen to fail: with actions in the table that none of these commands calls.

use super::support::send_to_dead;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use testkit::delivery::DeliveryHarness;
use testkit::operator::{Listening, Operator};
use testkit::webhook::{creative_force, request, signed};

/// What commands call only in cases that this test does not bring about: of large bodies, of a subscribed
/// queue, of deliveries to resend and dead letters to send back, and of deployed functions and alarms.
const IN_OTHER_CASES: [&str; 9] = [
    "cloudwatch:DescribeAlarms",
    "dynamodb:BatchWriteItem",
    "kms:DescribeKey",
    "lambda:GetFunctionConfiguration",
    "lambda:ListEventSourceMappings",
    "s3:GetObject",
    "s3:PutObject",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
];

/// The actions of each command, by the table of docs/deploying.md.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let document = testkit::root().join("docs/deploying.md");
    let document = std::fs::read_to_string(document).unwrap();
    let (_, section) = document.split_once("\n## Permissions\n").unwrap();
    let section = section.split("\n#").next().unwrap();
    let words = |cell: &str| -> Vec<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let mut table = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.split(" | ");
        let (commands, actions) = (cells.next().unwrap(), cells.next().unwrap());
        let actions = words(actions).into_iter().filter(|word| word.contains(':'));
        let actions: BTreeSet<_> = actions.collect();
        for command in words(commands) {
            table.insert(command, actions.clone());
        }
    }
    table
}

/// The actions of a command line: those of the longest beginning of it in the table.
fn allowed<'a>(
    table: &'a BTreeMap<String, BTreeSet<String>>,
    line: &str,
) -> (&'a str, &'a BTreeSet<String>) {
    let rows = table.iter().filter(|(command, _)| {
        let rest = line.strip_prefix(command.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let row = rows.max_by_key(|(command, _)| command.len());
    let (command, actions) = row.unwrap_or_else(|| panic!("the table has no row for {line}"));
    (command, actions)
}

#[tokio::test]
async fn the_table_of_permissions_has_what_each_command_calls() {
    let mut world = DeliveryHarness::start().await;
    let operator = Operator::behind(&world.aws, world.tap.url()).await;
    let table = table();
    let mut called: BTreeSet<String> = BTreeSet::new();
    let mut ingress = world.aws.ingress().await;
    for webhook in [
        signed("studio", &creative_force("p-1", "")),
        signed("studio", "no JSON"),
    ] {
        ingress.accept(&webhook).await;
    }
    let forged = [("x-cf-signature", &*"0".repeat(64))];
    ingress
        .answered(&request("POST", "studio", "{}", &forged), 401)
        .await;
    world.aws.drain_stream(&mut ingress).await;
    world
        .endpoint("ep_test", "http://127.0.0.1:9/", &json!({"name": "old"}))
        .await;
    // One of them is about an endpoint, whose name is read.
    for body in [
        "hello",
        r#"{"kind":"ping/1","endpoint":"ep_1","id":"p","at":1}"#,
    ] {
        send_to_dead(&world.aws, body).await;
    }
    let queue = world.aws.queue_url("search");

    let lines = [
        "source create perm --provider creative-force",
        "source list",
        "source url perm",
        "source create pages --provider slack",
        "source show pages",
        "source diagnose studio",
        "source update perm --silent-after 2h",
        "source rotate-secret perm",
        "source delete perm",
        "source delete pages",
        &format!("subscription create search --queue {queue} --source studio"),
        "subscription list",
        "subscription delete search",
        "listen --source studio",
        "endpoint create --name new --url http://127.0.0.1:9/ --source studio",
        "endpoint list",
        "endpoint show new",
        "endpoint update new --timeout 5s",
        "endpoint pause new",
        "endpoint resume new",
        "endpoint enable new",
        "endpoint rotate-secret new",
        "event list --since 1h --deliveries",
        "event show p-1",
        "event explain p-1",
        "event replay --since 1h --endpoint new",
        "event replay --since 1h --queue search",
        "delivery list --endpoint new",
        "delivery resend --endpoint new --state exhausted --since 1h",
        "quarantine list",
        "quarantine list --rejected",
        "quarantine release --since 1h",
        "quarantine release --rejected --since 1h",
        "dead-letter list",
        "dead-letter redrive --all",
        "status",
        "doctor",
        "reconcile --since 1h",
        "endpoint delete new",
    ];
    for line in lines {
        world.tap.calls();
        let arguments: Vec<_> = line.split(' ').collect();
        let said = match arguments[0] {
            "listen" => {
                let listening = Listening::of(operator.start(&arguments)).await;
                listening.end("-INT").await
            }
            _ => operator.run(&arguments).await,
        };
        // What a command finds may be a failure; what it is not may not.
        assert_ne!(said.code, Some(2), "{line}: {said:?}");
        let calls = world.tap.calls();
        let (row, allowed) = allowed(&table, line);
        let missing: Vec<_> = calls.difference(allowed).collect();
        assert!(
            missing.is_empty(),
            "{line} calls {missing:?}, which the row of {row} lacks"
        );
        called.extend(calls);
    }
    let named: BTreeSet<_> = table.into_values().flatten().collect();
    let superfluous: Vec<_> = named
        .difference(&called)
        .filter(|action| !IN_OTHER_CASES.contains(&action.as_str()))
        .collect();
    assert!(superfluous.is_empty(), "no command calls {superfluous:?}");
}
