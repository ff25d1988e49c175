//! Endpoints: where events are delivered to, and how. Kept in their `table`, written by the operator's tool,
//! read by the fan-out, which caches them, and by `delivery`, which does not: a paused endpoint gets nothing
//! more.
//!
//! How an endpoint is doing stands beside it and is left to `delivery::circuit`.

pub mod circuit;
mod table;

pub(crate) use table::key;
pub use table::{EndpointError, Endpoints};

use crate::event::EventMeta;
use crate::store::subscriptions::is_selected;
use circuit::Circuit;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A change is in force for new events within half a minute; in between, a batch costs no read.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The time-out of an endpoint that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest time-out: Standard Webhooks asks for 15 to 30 s, and the function's own has to be above it.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The waits between attempts, in seconds: 12 attempts over about 2.8 days.
pub const DEFAULT_RETRY: [u64; 11] = [
    5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000, 36_000, 36_000, 36_000,
];

/// Where events are delivered to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Made when it is created: `ep_` and hexadecimal digits.
    pub id: String,
    /// Counts the changes; whoever writes names the one that was read.
    pub version: u64,
    /// What the operator calls it.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// What the operator says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Event types, with `*` for any characters.
    pub events: Vec<String>,
    /// Names of sources; all if there are none.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Headers to send in addition to the gateway's own.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// How long an attempt may take, in seconds.
    pub timeout: u64,
    /// The waits between attempts, in seconds.
    pub retry: Vec<u64>,
    /// How many deliveries a second at most; as many as come if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// What the body of a request is.
    pub format: Format,
    /// How a request is signed.
    pub signature: Scheme,
    /// The header of the signature, for [`Scheme::HmacSha256Hex`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_header: Option<String>,
    /// What stands before the digits there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_prefix: Option<String>,
    /// The newest first.
    pub secrets: Vec<SealedSecret>,
    /// Whether it gets its deliveries.
    pub state: State,
    /// Why it is in that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was created, in milliseconds.
    pub created_at: i64,
    /// When it was last changed, in milliseconds.
    pub updated_at: i64,
    /// When it was last changed which events it gets, in milliseconds; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_at: Option<i64>,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The event, in structured JSON.
    #[serde(rename = "cloudevents")]
    CloudEvents,
    /// The provider's own bytes and content type.
    Raw,
}

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// As [Standard Webhooks](https://www.standardwebhooks.com) says.
    StandardWebhooks,
    /// HMAC-SHA256 over the body in hexadecimal digits, as the four providers do.
    HmacSha256Hex,
}

/// Whether an endpoint gets its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does.
    Active,
    /// Not until the operator resumes it. Its deliveries are held.
    Paused,
    /// It answered 410, or failed for too long. Its deliveries are held until the operator enables it.
    Disabled,
}

/// A signing secret as it is stored: encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// What KMS made of it, in Base64.
    pub ciphertext: String,
    /// When it stops signing, in seconds; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// An endpoint and how it is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointStatus {
    /// What the operator says of it.
    pub endpoint: Endpoint,
    /// What the gateway has seen of it.
    pub circuit: Circuit,
}

impl Endpoint {
    /// Whether an event is to go to it.
    pub fn matches(&self, event_type: &str, source: &str) -> bool {
        is_selected(&self.events, &self.sources, event_type, source)
    }

    /// Since when, in milliseconds, every event that matches is published for it: a change takes a while to
    /// be in force, and which events it got before the last one is not known any more.
    pub fn wants_since(&self) -> i64 {
        let changed_at = self.selected_at.unwrap_or(self.created_at);
        changed_at.saturating_add_unsigned(MAX_AGE.as_millis() as u64)
    }

    /// How long an attempt may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout).min(MAX_TIMEOUT)
    }
}

/// What identifies one event's delivery to one endpoint, over all its attempts: sorts by when the event was
/// accepted, and is the same however often the event is fanned out.
pub fn delivery_id(endpoint: &str, event: &EventMeta) -> String {
    let digest = crate::crypto::mac::sha256(event.key.as_bytes());
    format!(
        "{endpoint}_{:013}_{}",
        event.accepted_at,
        &hex::encode(digest)[..16]
    )
}

/// The endpoint that a delivery is to.
pub fn endpoint_of(delivery_id: &str) -> Option<&str> {
    let (rest, _digest) = delivery_id.rsplit_once('_')?;
    let (endpoint, _accepted_at) = rest.rsplit_once('_')?;
    Some(endpoint)
}

#[cfg(test)]
pub(crate) mod test;
