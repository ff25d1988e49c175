//! The record of a delivery: what became of one event at one endpoint, and each attempt. Pure.

use super::Write;
use crate::event::EventRef;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a delivery is told of.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most attempts that are told of; the oldest go first.
const MAX_HISTORY: usize = 50;

/// What became of one event at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the delivery, which is the `webhook-id` of each of its requests.
    pub id: String,
    /// The event.
    pub event: EventRef,
    /// Where it stands.
    pub state: State,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it had been tried when the operator last resent it: its schedule begins there.
    #[serde(default)]
    pub resent_at: u32,
    /// That resending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend: Option<String>,
    /// Its attempts, the oldest first.
    #[serde(default)]
    pub history: Vec<Attempt>,
    /// What the last attempt sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Sent>,
    /// When the next attempt is due, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<i64>,
    /// When this was written, in milliseconds.
    pub updated_at: i64,
    /// When it is forgotten, in seconds; what is held is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for its next attempt.
    Pending,
    /// The endpoint has it.
    Delivered,
    /// It waits for its endpoint.
    Held,
    /// Its attempts are used up; it can be resent.
    Exhausted,
    /// It cannot be sent, and the reason says why.
    Skipped,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, in milliseconds.
    pub at: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The HTTP status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// In one word, why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// What an attempt sent, but for its body, which the ledger has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Where it was posted to.
    pub url: String,
    /// Its headers; of signatures, the names alone.
    pub headers: Vec<(String, String)>,
}

impl State {
    /// The name in the table and in what the operator sees.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Held => "held",
            Self::Exhausted => "exhausted",
            Self::Skipped => "skipped",
        }
    }
}

impl Record {
    /// The record of a delivery that nothing was done for yet.
    pub fn new(endpoint: &str, id: String, event: EventRef) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            id,
            event,
            state: State::Pending,
            reason: None,
            attempts: 0,
            resent_at: 0,
            resend: None,
            history: Vec::new(),
            request: None,
            next_attempt_at: None,
            updated_at: 0,
            expires_at: None,
        }
    }

    /// How many attempts its schedule has seen.
    pub fn scheduled_attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.resent_at)
    }

    /// Adds an attempt, and what it sent.
    pub fn tried(&mut self, attempt: Attempt, sent: Sent) {
        self.attempts += 1;
        if self.history.len() == MAX_HISTORY {
            self.history.remove(0);
        }
        self.history.push(attempt);
        self.request = Some(sent);
    }

    /// Puts it into a state.
    pub fn turn(&mut self, state: State, reason: Option<String>, now: Timestamp) {
        self.state = state;
        self.reason = reason;
        self.next_attempt_at = None;
        self.updated_at = now.as_millisecond();
        // What is held waits for an operator, who may be long in coming.
        self.expires_at = (state != State::Held).then(|| now.as_second() + RETENTION.as_secs());
    }

    /// Takes the delivery out of the queue of what is held.
    pub(in crate::delivery) fn release(&self) -> Write {
        Write::Release {
            endpoint: self.endpoint.clone(),
            id: self.id.clone(),
        }
    }
}
