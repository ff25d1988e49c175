//! A lease: of the messages that look after one thing, one owns it, and this message reschedules itself.
//!
//! An endpoint for which deliveries are held has one probe, and a source with a silence threshold has one
//! silence check. Each is a message on the delivery queue that comes again and again. An item of a table
//! names its owner and the time at which the owner's message is due.
//!
//! * A message acts only if the lease is open to it: it owns the lease, or nobody does, or it supersedes the
//!   owner. Any other message ends: it is a copy, or another was faster.
//! * To acquire the lease is one conditional write under the same rule. Of two messages that try, one
//!   succeeds.
//! * A message is sent before it gets the lease. Without the lease it takes it when it comes. A lease without
//!   a message would be owned by nothing, and nobody would notice before the lease is overdue.
//! * Whoever releases a lease looks once more whether there is work. Whoever adds work looks for an owner
//!   afterwards. One of the two therefore sees the other.
//! * A lease that is long overdue belongs to a lost message. Whoever sees that sends another message in its
//!   place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a message says of the lease that it claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What tells the message from others.
    pub id: String,
    /// The owner that it supersedes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// A lease as its item has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The id of the message that owns it.
    pub owner: Option<&'a str>,
    /// When that message is due.
    pub due_at: Option<Timestamp>,
}

/// What happens to a message that reschedules itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reschedule {
    /// It ends.
    Done,
    /// It comes again after so long.
    After(Duration),
    /// Something failed by the gateway's own fault: it comes again.
    Again,
}

/// The attributes that hold a lease in an item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) owner: &'static str,
    pub(crate) due_at: &'static str,
}

impl Claim {
    /// The claim of a new message.
    pub fn new(replaces: Option<String>) -> Self {
        Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            replaces,
        }
    }

    /// The owner that this claim may take the lease from: itself, if it supersedes no other.
    pub(crate) fn superseded(&self) -> &str {
        self.replaces.as_deref().unwrap_or(&self.id)
    }
}

impl Reschedule {
    /// The message comes again after so long if it has the lease for that time. Otherwise another message
    /// owns the lease, and this one ends.
    pub(crate) fn by_lease(has_lease: bool, wait: Duration) -> Self {
        if has_lease {
            Self::After(wait)
        } else {
            Self::Done
        }
    }
}

impl Lease<'_> {
    /// Whether the message of this claim owns it.
    pub fn is_held_by(&self, claim: &Claim) -> bool {
        self.owner == Some(&claim.id)
    }

    /// Whether the message of this claim may act.
    pub fn is_open_to(&self, claim: &Claim) -> bool {
        self.owner
            .is_none_or(|owner| owner == claim.id || claim.replaces.as_deref() == Some(owner))
    }

    /// Whether the time that is written is at most so much earlier than this one.
    pub fn is_due_by(&self, time: Timestamp, slack: SignedDuration) -> bool {
        self.due_at
            .is_some_and(|due_at| time.duration_since(due_at) <= slack)
    }

    /// Whether it has an owner whose message is lost: it did not come for so long after it was due.
    pub fn is_lost(&self, now: Timestamp, overdue: SignedDuration) -> bool {
        self.owner.is_some() && !self.is_due_by(now, overdue)
    }
}

/// Parts of DynamoDB expressions, over the values `:owner`, `:superseded` and `:due`.
impl Attributes {
    /// After `SET`: the message of `:owner` has the lease.
    pub(crate) fn set(&self) -> String {
        format!("{} = :owner, {} = :due", self.owner, self.due_at)
    }

    /// After `REMOVE`: nobody has it.
    pub(crate) fn remove(&self) -> String {
        format!("{}, {}", self.owner, self.due_at)
    }

    /// The condition that it is open to the message of `:owner`.
    pub(crate) fn is_open(&self) -> String {
        let owner = self.owner;
        format!("(attribute_not_exists({owner}) OR {owner} = :owner OR {owner} = :superseded)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(id: &str, replaces: Option<&str>) -> Claim {
        Claim {
            id: id.to_owned(),
            replaces: replaces.map(str::to_owned),
        }
    }

    #[test]
    fn a_lease_is_open_to_one_message_and_to_the_one_that_supersedes_it() {
        let owned = |owner| Lease {
            owner,
            due_at: None,
        };
        for (message, owner, is_open, is_held) in [
            (claim("a", None), None, true, false),
            (claim("a", None), Some("a"), true, true),
            (claim("b", Some("a")), Some("a"), true, false),
            (claim("b", Some("a")), None, true, false),
            (claim("b", None), Some("a"), false, false),
            (claim("b", Some("c")), Some("a"), false, false),
        ] {
            let lease = owned(owner);
            assert_eq!(lease.is_open_to(&message), is_open, "{message:?} {owner:?}");
            assert_eq!(lease.is_held_by(&message), is_held, "{message:?} {owner:?}");
        }
    }

    #[test]
    fn a_claim_supersedes_the_owner_that_it_names_or_itself() {
        assert_eq!(claim("b", Some("a")).superseded(), "a");
        assert_eq!(claim("b", None).superseded(), "b");
        assert_ne!(Claim::new(None).id, Claim::new(None).id);
    }

    #[test]
    fn a_lease_is_lost_when_its_message_is_long_overdue_or_nobody_wrote_when_it_is_due() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let hour = SignedDuration::from_hours(1);
        for (owner, due_at, is_lost) in [
            (None, None, false),
            (None, Some(now - 2 * hour), false),
            (Some("a"), None, true),
            (Some("a"), Some(now), false),
            (Some("a"), Some(now - hour), false),
            (
                Some("a"),
                Some(now - hour - SignedDuration::from_millis(1)),
                true,
            ),
            (Some("a"), Some(now + 2 * hour), false),
        ] {
            let lease = Lease { owner, due_at };
            assert_eq!(lease.is_lost(now, hour), is_lost, "{owner:?} {due_at:?}");
        }
    }
}
