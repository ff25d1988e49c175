//! The gateway accepts every payload that the providers' documents print, and some that are composed from
//! their tables.
//!
//! Seen to fail: with `data` that is parsed and serialized again.

use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::source::{CREADS, CREATIVE_FORCE, PEOPLE_FORCE, Provider, WOODWING};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The `data` of an event, as it is written.
fn data(event: &str) -> &str {
    serde_json::from_str::<Data<'_>>(event).unwrap().data.get()
}

fn files(provider: Provider) -> Vec<PathBuf> {
    let folder = Path::new("tests/payloads").join(provider.name);
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The event of a payload, written by hand for the normalization vectors. There is none for a payload that is
/// not JSON.
fn expected(provider: Provider, file: &Path) -> Option<Value> {
    let case = file.file_stem().unwrap().to_str().unwrap();
    let path = format!("tests/vectors/normalize/{}/{case}.out.json", provider.name);
    let event = fs::read(path).ok()?;
    Some(serde_json::from_slice(&event).unwrap())
}

async fn all_go_through(provider: Provider, count: usize) {
    let gateway = Gateway::find().await;
    let source = gateway.source(provider, &[]).await;
    let files = files(provider);
    assert_eq!(files.len(), count);
    let mut malformed = 0;
    for file in files {
        let body = fs::read(&file).unwrap();
        let expected = expected(provider, &file);
        let is_json = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
        assert_eq!(is_json, expected.is_some(), "{}", file.display());

        let answer = source.post(&body).await;
        let (status, id) = answer.outcome();
        let Some(expected) = expected else {
            malformed += 1;
            assert_eq!(status, "quarantined", "{}", file.display());
            let message = source.message(Queue::Quarantine, id).await;
            let event = message.json();
            assert_eq!(event["type"], "io.webhook-gateway.event.quarantined");
            assert_eq!(event["gatewaysource"], source.name);
            assert_eq!(event["data_base64"], STANDARD.encode(&body));
            let reason = event["reason"].as_str().unwrap();
            assert!(reason.contains("not JSON at line"), "{reason}");
            assert_eq!(message.attribute("reason"), reason);
            continue;
        };
        assert_eq!(status, "accepted", "{}", file.display());
        let message = source.message(Queue::Events, id).await;
        let event = message.json();
        assert_eq!(event["id"], id);
        for member in [
            "specversion",
            "type",
            "subject",
            "partitionkey",
            "actorid",
            "provider",
        ] {
            assert_eq!(
                event[member],
                expected[member],
                "{}: {member}",
                file.display()
            );
        }
        // A payload without a time of its own gets the time of its acceptance.
        if expected["time"] != expected["recordedtime"] {
            assert_eq!(event["time"], expected["time"], "{}", file.display());
        }
        assert_eq!(event["gatewaysource"], source.name);

        let text = String::from_utf8(body).unwrap();
        let sent = match provider.name {
            "woodwing" => data(&text),
            _ => text.trim(),
        };
        assert_eq!(data(&message.body), sent, "{}", file.display());

        assert_eq!(
            message.attribute("content-type"),
            "application/cloudevents+json"
        );
        assert_eq!(message.attribute("ce-type"), event["type"]);
        assert_eq!(message.attribute("ce-source"), event["source"]);
        assert_eq!(message.attribute("provider"), provider.name);
    }
    assert_eq!(source.messages(Queue::Quarantine).len(), malformed);
    assert_eq!(source.messages(Queue::Events).len(), count - malformed);
    assert_eq!(source.messages(Queue::DeadLetter).len(), 0);
}

#[tokio::test]
async fn all_of_creative_force_go_through_the_malformed_ones_to_quarantine() {
    all_go_through(CREATIVE_FORCE, 7).await;
}

#[tokio::test]
async fn all_of_woodwing_go_through_though_the_api_hands_them_on_in_base64() {
    all_go_through(WOODWING, 1).await;
}

#[tokio::test]
async fn all_of_creads_go_through() {
    all_go_through(CREADS, 16).await;
}

#[tokio::test]
async fn all_of_people_force_go_through() {
    all_go_through(PEOPLE_FORCE, 1).await;
}
