//! The record of a delivery: what became of one event at one endpoint, and each attempt. Pure.

use super::Write;
use crate::event::EventMeta;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a delivery is kept.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most attempts that are kept; the oldest go first.
const MAX_HISTORY: usize = 50;

/// The error of an attempt that was not made, as the gateway could not read its event.
pub const UNREAD: &str = "unread";

/// What became of one event at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the delivery, which is the `webhook-id` of each of its requests.
    pub id: String,
    /// The event.
    pub event: EventMeta,
    /// Where it stands.
    pub state: State,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// How many attempts failed since the operator last resent it: its schedule goes by them. A wait that the
    /// endpoint asked for is none, nor is the probe of an open circuit.
    #[serde(default)]
    pub failures: u32,
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
    /// When it is forgotten, in seconds; never while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// What the table had when this was read, which tells whether others have written since; nothing if it
    /// had none.
    #[serde(skip)]
    pub(super) seen: Option<Seen>,
}

/// What tells one state of a record from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) attempts: u32,
    pub(super) updated_at: i64,
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
    /// In a sentence, why it failed, where its status does not say so; or what was made of what the endpoint
    /// asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The beginning of the answer's body, without what was sent as a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

/// What an attempt sent, but for its body, which the ledger has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Where it was posted to, without the query.
    pub url: String,
    /// Its headers; of signatures and of the endpoint's own, the names alone.
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

impl Delivery {
    /// The record of a delivery that nothing was done for yet.
    pub fn new(endpoint: &str, id: String, event: EventMeta) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            id,
            event,
            state: State::Pending,
            reason: None,
            attempts: 0,
            failures: 0,
            resend: None,
            history: Vec::new(),
            request: None,
            next_attempt_at: None,
            updated_at: 0,
            expires_at: None,
            seen: None,
        }
    }

    /// A record as the table has it.
    pub(super) fn read(mut self) -> Self {
        self.seen = Some(Seen {
            attempts: self.attempts,
            updated_at: self.updated_at,
        });
        self
    }

    /// This record after another was written since it was read: with the attempts of both, and as it stands
    /// itself, unless the delivery was delivered meanwhile and this does not say so. Whether it stands as it
    /// did.
    pub(super) fn after(&self, stored: Self) -> (Self, bool) {
        let stored = stored.read();
        let before = self.seen.map_or(0, |seen| seen.attempts);
        let own = usize::try_from(self.attempts.saturating_sub(before)).unwrap_or(usize::MAX);
        let own = self.history.len().saturating_sub(own);
        let others = stored.attempts.saturating_sub(before);
        let mut history = stored.history.clone();
        history.extend(self.history.iter().skip(own).cloned());
        history.sort_by_key(|attempt| attempt.at);
        history.drain(..history.len().saturating_sub(MAX_HISTORY));
        let stands = self.state == State::Delivered || stored.state != State::Delivered;
        let merged = Self {
            attempts: self.attempts.saturating_add(others),
            history,
            seen: stored.seen,
            ..self.clone()
        };
        if stands {
            return (merged, true);
        }
        let delivered = Self {
            attempts: merged.attempts,
            history: merged.history,
            ..stored
        };
        (delivered, false)
    }

    /// How often in a row the gateway could not read its event.
    pub fn unread(&self) -> u32 {
        let is_unread = |attempt: &&Attempt| attempt.error.as_deref() == Some(UNREAD);
        let unread = self.history.iter().rev().take_while(is_unread).count();
        u32::try_from(unread).unwrap_or(u32::MAX)
    }

    /// Adds an attempt, and what it sent.
    pub fn tried(&mut self, attempt: Attempt, sent: Sent) {
        self.add(attempt);
        self.request = Some(sent);
    }

    /// Adds an attempt that sent nothing.
    pub(crate) fn add(&mut self, attempt: Attempt) {
        self.attempts += 1;
        if self.history.len() == MAX_HISTORY {
            self.history.remove(0);
        }
        self.history.push(attempt);
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

    /// Takes the delivery out of the queue of held deliveries.
    pub(crate) fn release(&self) -> Write {
        Write::Release {
            endpoint: self.endpoint.clone(),
            id: self.id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::event;

    fn attempt(at: i64) -> Attempt {
        Attempt {
            at,
            duration_ms: 1,
            status: Some(500),
            error: None,
            reason: None,
            response: None,
        }
    }

    /// A record that was read with these attempts, and tried at these times since then.
    fn tried(before: &[i64], since: &[i64], state: State) -> Delivery {
        let mut record = Delivery::new("ep_1", "ep_1_1_1".to_owned(), event());
        before.iter().for_each(|at| record.add(attempt(*at)));
        let mut record = record.read();
        since.iter().for_each(|at| record.add(attempt(*at)));
        record.turn(state, None, Timestamp::UNIX_EPOCH);
        record
    }

    fn times(record: &Delivery) -> Vec<i64> {
        record.history.iter().map(|attempt| attempt.at).collect()
    }

    #[test]
    fn no_attempt_made_beside_is_lost_and_none_is_told_of_twice() {
        for (before, ours, theirs, all) in [
            (&[1, 2][..], &[4][..], &[3][..], &[1, 2, 3, 4][..]),
            (&[1], &[3], &[4, 2], &[1, 2, 3, 4]),
            (&[], &[1], &[2, 3], &[1, 2, 3]),
            (&[1], &[], &[2], &[1, 2]),
        ] {
            let stored = tried(before, theirs, State::Pending);
            let mut own = tried(before, ours, State::Exhausted);
            own.failures = 1;
            let (merged, stands) = own.after(stored.clone());
            assert_eq!(times(&merged), all);
            assert_eq!(merged.attempts as usize, all.len());
            assert_eq!((merged.state, stands), (State::Exhausted, true));
            assert_eq!(merged.failures, 1, "its schedule has seen its own alone");
            assert_eq!(merged.seen, stored.read().seen, "it replaces what is there");
        }
    }

    #[test]
    fn what_could_not_be_read_counts_in_a_row() {
        let mut record = tried(&[1], &[2], State::Pending);
        assert_eq!(record.unread(), 0);
        let unread = |at| Attempt {
            error: Some(UNREAD.to_owned()),
            ..attempt(at)
        };
        record.add(unread(3));
        record.add(unread(4));
        assert_eq!((record.unread(), record.attempts), (2, 4));
        record.add(attempt(5));
        assert_eq!(record.unread(), 0);
    }

    #[test]
    fn what_was_delivered_beside_stays_delivered() {
        use State::{Delivered, Exhausted, Pending};
        for (own, stored, expected, expected_stands) in [
            (Pending, Delivered, Delivered, false),
            (Exhausted, Delivered, Delivered, false),
            (Delivered, Pending, Delivered, true),
            (Delivered, Delivered, Delivered, true),
        ] {
            let stored = tried(&[1], &[2], stored);
            let (merged, stands) = tried(&[1], &[3], own).after(stored);
            assert_eq!((merged.state, stands), (expected, expected_stands));
            assert_eq!((times(&merged), merged.attempts), (vec![1, 2, 3], 3));
        }
    }

    #[test]
    fn the_oldest_attempts_go_first() {
        let before: Vec<_> = (0..49).collect();
        let stored = tried(&before, &[49, 50], State::Pending);
        let (merged, _) = tried(&before, &[51], State::Pending).after(stored);
        assert_eq!((times(&merged), merged.attempts), ((2..=51).collect(), 52));
    }
}
