//! A published event, as a listener receives it.

use crate::Result;
use crate::output::Output;
use crate::time;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde::Serialize;
use sha2::{Digest, Sha256};
use webhook_gateway::store::payloads::Payloads;

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    row: EventRow,
    /// The `webhook-id` of its copies: the same for each copy that this listener posts.
    pub(crate) webhook_id: String,
    /// The event in structured JSON, or why it could not be read.
    pub(crate) body: std::result::Result<Vec<u8>, String>,
    /// The receipt handle of its message.
    pub(crate) receipt: String,
}

/// An event as it is shown.
#[derive(Debug, Serialize)]
struct EventRow {
    at: Option<String>,
    source: String,
    r#type: String,
    id: String,
}

impl Event {
    /// The event of a message, read from the bucket if the message points there.
    pub(crate) async fn of(message: Message, listener: &str, payloads: &Payloads) -> Self {
        let sent = MessageSystemAttributeName::SentTimestamp;
        let sent = message.attributes().and_then(|all| all.get(&sent));
        let row = EventRow {
            at: sent.and_then(|text| time::shown(text.parse().ok()?)),
            source: attribute(&message, "gatewaysource"),
            r#type: attribute(&message, "ce-type"),
            id: attribute(&message, "ce-id"),
        };
        let webhook_id = webhook_id(listener, &attribute(&message, "ce-source"), &row.id);
        let body = payloads.event_of(message.body.unwrap_or_default()).await;
        Self {
            row,
            webhook_id,
            body: body.map_err(|error| error.to_string()),
            receipt: message.receipt_handle.unwrap_or_default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.row.id
    }

    /// Prints its line.
    pub(crate) fn show(&self, output: &Output) -> Result<()> {
        output.result(&self.row.text(), &self.row)
    }
}

impl EventRow {
    fn text(&self) -> String {
        let Self {
            at,
            source,
            r#type,
            id,
        } = self;
        let at = at.as_deref().unwrap_or("-");
        format!("{at}  {source}  {type}  {id}")
    }
}

/// The value of an attribute. Only a message that the gateway did not send lacks one.
fn attribute(message: &Message, name: &str) -> String {
    let all = message.message_attributes();
    let value = all.and_then(|all| all.get(name)?.string_value());
    value.unwrap_or_default().to_owned()
}

/// What identifies the copies of one event for one listener, however often its message comes. Events of two
/// sources may have one id.
fn webhook_id(listener: &str, source: &str, id: &str) -> String {
    let hash = Sha256::new()
        .chain_update(source)
        .chain_update("\n")
        .chain_update(id);
    format!("{listener}_{}", &hex::encode(hash.finalize())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_config::SdkConfig;
    use aws_sdk_sqs::types::MessageAttributeValue;

    fn payloads() -> Payloads {
        // To make a client of this would panic: no event here is in the bucket.
        Payloads::new(&SdkConfig::builder().build(), "b".to_owned())
    }

    fn message(body: &str) -> Message {
        let attribute = |value: &str| {
            let value = MessageAttributeValue::builder().string_value(value);
            value.data_type("String").build().unwrap()
        };
        Message::builder()
            .body(body)
            .receipt_handle("r")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1790000000250")
            .message_attributes("ce-id", attribute("p-1"))
            .message_attributes("ce-type", attribute("a.b"))
            .message_attributes("ce-source", attribute("urn:webhook:studio"))
            .message_attributes("gatewaysource", attribute("studio"))
            .build()
    }

    #[tokio::test]
    async fn an_event_is_a_line_with_its_time_source_type_and_id() {
        let event = Event::of(message("{\"a\": 1.50}"), "listen-a", &payloads()).await;
        let line = "2026-09-21T14:13:20.250Z  studio  a.b  p-1";
        assert_eq!(event.row.text(), line);
        assert_eq!(event.body.unwrap(), b"{\"a\": 1.50}");
        assert_eq!(event.receipt, "r");
    }

    #[tokio::test]
    async fn a_message_of_somebody_else_is_shown_with_what_it_has() {
        let event = Event::of(Message::builder().build(), "listen-a", &payloads()).await;
        assert_eq!(event.row.text(), "-      ");
        assert_eq!(event.body.unwrap(), b"");
    }

    #[test]
    fn copies_of_an_event_have_one_id_and_other_events_have_others() {
        let id = webhook_id("listen-a", "urn:webhook:studio", "p-1");
        assert_eq!(id, webhook_id("listen-a", "urn:webhook:studio", "p-1"));
        assert!(id.starts_with("listen-a_") && id.len() == "listen-a_".len() + 16);
        for (listener, source, other) in [
            ("listen-b", "urn:webhook:studio", "p-1"),
            ("listen-a", "urn:webhook:hr", "p-1"),
            ("listen-a", "urn:webhook:studio", "p-2"),
        ] {
            assert_ne!(id, webhook_id(listener, source, other));
        }
    }
}
