//! What stands on the delivery queue: written by the fan-out, by the operator's tool and by `delivery`
//! itself, read by `delivery`. Events are named, not carried: the ledger has them.

use crate::aws::sqs;
use crate::event::{EventMeta, escape_noncharacters};
use crate::lease::Claim;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A message of the delivery queue. A change of its form is a new kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Message {
    /// One event for one endpoint.
    #[serde(rename = "delivery/1")]
    Delivery(DeliverEvent),
    /// The one message that drains what is held for an endpoint.
    #[serde(rename = "probe/1")]
    Probe(Probe),
    /// A request to see what the endpoint says.
    #[serde(rename = "ping/1")]
    Ping(Ping),
    /// The one message that watches over the silence of a source.
    #[serde(rename = "watch/1")]
    SilenceCheck(SilenceCheck),
}

/// One event for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverEvent {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The event.
    pub event: EventMeta,
    /// What tells this resending by the operator from others; none for the first sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<String>,
    /// When it is due, in milliseconds, if that is longer than a queue delays a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
}

/// Tries the oldest delivery that is held for an endpoint, and drains the rest if that succeeds.
///
/// An endpoint has one: its circuit has the [lease](crate::lease), and any other probe ends when it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The id of the endpoint.
    pub endpoint: String,
    /// Its claim to probe the endpoint.
    #[serde(flatten)]
    pub claim: Claim,
    /// When it is due, in milliseconds, if that is longer than a queue delays a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
}

/// A request to see what the endpoint says: signed and guarded as any, tried once, and whatever the
/// endpoint's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the event that it is.
    pub id: String,
    /// When it was asked for, in milliseconds.
    pub at: i64,
}

/// Comes again when a source would be silent, and notifies the operator if it is.
///
/// A source has one: the journal has the [lease](crate::lease), and any other check ends when it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceCheck {
    /// The name of the source.
    pub source: String,
    /// Its claim to watch over the source.
    #[serde(flatten)]
    pub claim: Claim,
}

impl Ping {
    /// The event that it is: of nobody's ledger, so that its record is found by what the ping says alone.
    pub fn event(&self) -> EventMeta {
        EventMeta {
            key: format!("ping#{}", self.id),
            id: self.id.clone(),
            event_type: "io.webhook-gateway.endpoint.ping".to_owned(),
            source: "webhookctl".to_owned(),
            provider: "webhook-gateway".to_owned(),
            accepted_at: self.at,
            conflict: false,
            replayed: false,
        }
    }
}

/// The longest that a queue keeps a new message back, in seconds.
pub const MAX_DELAY: i32 = 900;

impl Message {
    /// The endpoint that it is about.
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Delivery(order) => Some(&order.endpoint),
            Self::Probe(probe) => Some(&probe.endpoint),
            Self::Ping(ping) => Some(&ping.endpoint),
            Self::SilenceCheck(_) => None,
        }
    }

    /// The message as it is sent: of the group of its endpoint, kept back for so many seconds.
    pub fn queued(&self, delay: i32) -> Result<sqs::Message, serde_json::Error> {
        Ok(sqs::Message {
            body: escape_noncharacters(serde_json::to_string(self)?),
            attributes: Vec::new(),
            offloaded_bytes: None,
            group: self.endpoint().map(str::to_owned),
            delay: (delay > 0).then_some(delay.min(MAX_DELAY)),
        })
    }
}

/// How much too early a message came, which a queue could not keep back for long enough.
pub(crate) fn early_by(not_before: Option<i64>, now: Timestamp) -> Option<Duration> {
    let early = not_before?.saturating_sub(now.as_millisecond());
    let early = Duration::from_millis(u64::try_from(early).ok()?);
    (!early.is_zero()).then_some(early)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_form() {
        let event = r#"{"key":"studio#1","id":"1","type":"a.b","source":"studio","provider":"creative-force","accepted_at":1790000000000}"#;
        for text in [
            &*format!(r#"{{"kind":"delivery/1","endpoint":"ep_1","event":{event}}}"#),
            r#"{"kind":"probe/1","endpoint":"ep_1","id":"p"}"#,
            r#"{"kind":"ping/1","endpoint":"ep_1","id":"ping_1","at":1}"#,
            r#"{"kind":"probe/1","endpoint":"ep_1","id":"p","replaces":"o","not_before":1}"#,
            r#"{"kind":"watch/1","source":"studio","id":"w"}"#,
            r#"{"kind":"watch/1","source":"studio","id":"w","replaces":"o"}"#,
        ] {
            let message: Message = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
        }
        assert!(serde_json::from_str::<Message>(r#"{"kind":"delivery/2"}"#).is_err());
    }

    #[test]
    fn a_message_is_early_by_its_own_word_alone() {
        let now = Timestamp::from_millisecond(1_000).unwrap();
        assert_eq!(early_by(None, now), None);
        assert_eq!(early_by(Some(1_000), now), None);
        assert_eq!(early_by(Some(900), now), None);
        assert_eq!(early_by(Some(1_500), now), Some(Duration::from_millis(500)));
    }
}
