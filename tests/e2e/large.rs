//! Bodies too large for an item of the ledger, and events too large for a message.

use crate::support::gateway::Gateway;
use crate::support::inbox::{Message, Queue};
use crate::support::source::{CREATIVE_FORCE, WOODWING, product_reset};
use crate::support::unique;
use serde_json::{Value, json};

/// The event in a message, or the event that the message points to in the way of the Amazon SQS Extended
/// Client.
async fn event(gateway: &Gateway, message: &Message) -> Vec<u8> {
    let size = message.attribute("ExtendedPayloadSize");
    if size.is_empty() {
        return message.body.clone().into_bytes();
    }
    let pointer = message.json();
    assert_eq!(
        pointer[0],
        "software.amazon.payloadoffloading.PayloadS3Pointer"
    );
    let (bucket, key) = (
        &pointer[1]["s3BucketName"],
        pointer[1]["s3Key"].as_str().unwrap(),
    );
    assert_eq!(bucket, gateway.output("PayloadBucketName"));
    let path = format!("{}/{key}", gateway.output("PayloadBucketName"));
    let event = gateway.get("s3", &path).await;
    assert_eq!(size, event.len().to_string());
    event
}

#[tokio::test]
async fn a_body_above_the_ledgers_limit_is_one_message_as_any_other() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let id = unique();
    let body = product_reset(&id, &"x".repeat(300 * 1024));
    assert_eq!(source.post(&body).await.outcome(), ("accepted", &*id));
    assert_eq!(source.post(&body).await.outcome(), ("duplicate", &*id));
    let message = source.message(Queue::Events, &id).await;
    assert_eq!(message.attribute("ExtendedPayloadSize"), "");
    assert!(
        message.body.ends_with(&format!(r#","data":{body}}}"#)),
        "the data is the body"
    );

    let not_json = format!("{body}!");
    let answer = source.post(&not_json).await;
    assert_eq!(answer.outcome().0, "quarantined");
    let message = source.message(Queue::Quarantine, answer.outcome().1).await;
    let event: Value = serde_json::from_slice(&event(&gateway, &message).await).unwrap();
    let kept = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, not_json);
    assert!(event["data_base64"] == kept, "the raw body is kept");
}

#[tokio::test]
async fn a_body_at_lambdas_limit_is_a_message_that_points_to_the_event() {
    let gateway = Gateway::find().await;
    let source = gateway.source(WOODWING, &[]).await;
    // In Base64, as the API passes it on, this is just under the 6 MB of an invocation.
    let data = format!(r#"{{ "x" : "{}" }}"#, "y".repeat(4_400_000));
    let id = unique();
    let body = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"urn:studio","type":"com.woodwing.studio/object/created","data":{data}}}"#
    );
    assert_eq!(source.post(&body).await.outcome(), ("accepted", &*id));
    assert_eq!(source.post(&body).await.outcome(), ("duplicate", &*id));
    let message = source.message(Queue::Events, &id).await;
    assert_ne!(message.attribute("ExtendedPayloadSize"), "");
    let event = String::from_utf8(event(&gateway, &message).await).unwrap();
    assert!(
        event.contains(&format!(r#""data":{data}"#)),
        "the data is the provider's text"
    );
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(
        (&event["id"], &event["source"]),
        (&json!(id), &json!("urn:studio"))
    );
}
