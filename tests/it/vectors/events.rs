//! `events`: Lambda's events for the functions, for `sam local invoke -e`. Their signatures are made with the
//! secrets in `events/sources.json`.

use super::{in_project, parse, read};
use aws_lambda_events::sqs::SqsEvent;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs;
use webhook_gateway::crypto::mac::sha256;
use webhook_gateway::event::EventMeta;
use webhook_gateway::ingress::Request;
use webhook_gateway::messages::Message;
use webhook_gateway::providers::{Incoming, Provider, Verified};
use webhook_gateway::store::ledger::{Change, StoredBody, StreamItem};
use webhook_gateway::store::sources::SourceTable;

/// The records of the stream's batch, and their items in the form in which the gateway writes them.
fn batch() -> Vec<(StreamItem, Value)> {
    let event: Value = parse("events/stream/insert.json");
    assert!(Request::read(&event.to_string()).is_none());
    let read = |record: &Value| {
        let text = record.to_string();
        let change: Change<'_> = serde_json::from_str(&text).unwrap();
        let recorded = change.recorded().unwrap().unwrap();
        (recorded, record["dynamodb"]["NewImage"].clone())
    };
    event["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(read)
        .collect()
}

fn inline(record: &StreamItem) -> &[u8] {
    match &record.body {
        StoredBody::Inline(body) => body,
        StoredBody::InBucket(key) => panic!("{key} is elsewhere"),
    }
}

fn provider(record: &StreamItem) -> Provider {
    record.event.provider.parse().unwrap()
}

#[test]
fn every_provider_has_a_request_that_is_authentic_and_understood() {
    let sources = String::from_utf8(read("events/sources.json")).unwrap();
    let sources = SourceTable::parse(&sources).unwrap();
    for provider in Provider::ALL {
        let event = String::from_utf8(read(&format!("events/ingress/{provider}.json"))).unwrap();
        let request = Request::read(&event).unwrap();
        let source = sources.get(&request.source).unwrap();
        let source = source.clone().unwrap();
        assert_eq!(source.provider, provider.name());
        assert!(!source.secrets().is_empty(), "{provider}: not signed");
        // All except four content types arrive in Base64, the type of CloudEvents too.
        assert_eq!(request.is_text, provider != Provider::WoodWing);
        let body = request.body.unwrap();
        let incoming = Incoming {
            method: &request.method,
            query: &request.query,
            headers: &request.headers,
            body: &body,
        };
        let webhook = source.verify(&incoming, "", Timestamp::now());
        let webhook = webhook.unwrap_or_else(|error| panic!("{provider}: {error}"));
        let event = provider.normalize(webhook).unwrap();
        assert!(
            provider
                .event_types()
                .contains(&event.event_type.into_owned())
        );
        let payloads = fs::read_dir(in_project(&format!("tests/payloads/{provider}"))).unwrap();
        let mut payloads = payloads.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        assert!(
            payloads.any(|payload| payload == webhook.body()),
            "{provider}"
        );
    }
}

#[test]
fn the_batch_of_the_stream_holds_one_event_and_one_for_quarantine() {
    let batch = batch();
    for (record, item) in &batch {
        let (event_meta, body) = (&record.event, inline(record));
        let digest = sha256(body);
        assert_eq!(item["body_sha256"], json!({"B": STANDARD.encode(digest)}));
        let (key, event_type, state) = match provider(record).normalize(Verified::recorded(body)) {
            Ok(event) => (
                event.id.unwrap().into_owned(),
                json!({"S": event.event_type}),
                "accepted",
            ),
            Err(error) => {
                assert_eq!(record.reason, Some(error.to_string()));
                (
                    format!("sha256:{}", hex::encode(digest)),
                    Value::Null,
                    "quarantined",
                )
            }
        };
        assert_eq!(
            item["pk"],
            json!({"S": format!("{}#{key}", event_meta.source)})
        );
        assert_eq!(item["type"], event_type);
        assert_eq!(item["state"], json!({"S": state}));
        assert_eq!(record.content_type, "application/json");
    }
    let reasons: Vec<_> = batch
        .iter()
        .map(|(record, _)| record.reason.is_some())
        .collect();
    assert_eq!(reasons, [false, true]);
}

#[test]
fn the_batches_of_the_delivery_queue_name_the_event_of_the_stream() {
    let (record, _) = &batch()[0];
    let event = provider(record)
        .normalize(Verified::recorded(inline(record)))
        .unwrap();
    let event = EventMeta {
        event_type: event.event_type.to_string(),
        ..record.event.clone()
    };
    for (file, position) in [("one", 0), ("poison", 1)] {
        let batch: SqsEvent = parse(&format!("events/delivery/{file}.json"));
        let body = batch.records[position].body.as_deref().unwrap();
        let message: Message = serde_json::from_str(body).unwrap();
        let Message::Delivery(order) = message else {
            panic!("{body} is no delivery");
        };
        assert_eq!(order.event, event, "{file}");
    }
}

#[test]
fn the_poison_of_the_delivery_queue_is_no_message() {
    let batch: SqsEvent = parse("events/delivery/poison.json");
    let body = batch.records[0].body.as_deref().unwrap();
    assert!(serde_json::from_str::<Message>(body).is_err());
}
