//! Whether a source is silent: it has a silence threshold, and no webhook of it was accepted for that long.
//!
//! The silence check is one message on the delivery queue, with a [lease](crate::lease) in the
//! [`journal`](crate::store::journal). It comes when the source would be silent. While webhooks are accepted
//! it is rescheduled; once the source is silent it ends, and the next accepted webhook starts another. No
//! clock runs for it. The functions here decide and start a check; `delivery/silence.rs` runs it.

use crate::aws::error::AwsError;
use crate::aws::sqs::{Queues, SendError};
use crate::backoff::visibility;
use crate::lease::Claim;
use crate::messages::{MAX_DELAY, Message, SilenceCheck};
use crate::store::journal::{Journal, SourceActivity, record_interval};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A check is lost if its message has not come for so long after it was due.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// A check that comes so long after the source would be silent is as good as in time.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// What a check does when its message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStep {
    /// It comes again after so long, when the source would be silent.
    Reschedule(Duration),
    /// The source is silent.
    Silent,
    /// Another check has the lease, or the source has no threshold.
    End,
}

/// A check was not started.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// The lease was not written.
    #[error("{0}")]
    Journal(#[from] AwsError),
    /// The message was not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// The message has no form.
    #[error("the silence check was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// The time at which a source counts as silent: its threshold after its last activity, or after the threshold
/// was set, plus the interval between two writes of its activity.
pub fn due_at(activity: &SourceActivity) -> Option<Timestamp> {
    let silent_after = activity.silent_after?;
    let since = activity.last_accepted_at.max(activity.declared_at)?;
    let lag = SignedDuration::try_from(record_interval(silent_after)).ok()?;
    since.checked_add(silent_after.checked_add(lag)?).ok()
}

/// Decides on a check whose message comes now.
pub fn check(check: &SilenceCheck, activity: &SourceActivity, now: Timestamp) -> CheckStep {
    let lease = activity.lease();
    // Nobody has the lease: the check was sent and has not acquired it yet, or it is a copy of one that has
    // found the source silent.
    let may_act = lease.is_open_to(&check.claim)
        && (lease.owner.is_some() || activity.silent_since.is_none());
    match due_at(activity).filter(|_| may_act) {
        None => CheckStep::End,
        Some(due) => match left(due, now) {
            Duration::ZERO => CheckStep::Silent,
            wait => CheckStep::Reschedule(wait),
        },
    }
}

/// Whether a check is to be started: the source has a threshold, and no check has the lease, or the check is
/// lost, or it will come too late, as the threshold was longer when it was rescheduled.
pub fn is_wanted(activity: &SourceActivity, now: Timestamp) -> bool {
    let Some(due) = due_at(activity) else {
        return false;
    };
    let lease = activity.lease();
    let is_late = |comes: Timestamp| comes.duration_since(due) > SLACK;
    lease.owner.is_none() || lease.is_lost(now, OVERDUE) || lease.due_at.is_some_and(is_late)
}

/// Whether a source has a threshold, is not known to be silent, and has no check: it never began, or is lost.
pub fn is_lost(activity: &SourceActivity, now: Timestamp) -> bool {
    let lease = activity.lease();
    due_at(activity).is_some()
        && activity.silent_since.is_none()
        && (lease.owner.is_none() || lease.is_lost(now, OVERDUE))
}

/// How long it is until then; zero if it is past.
pub fn left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// Starts a silence check, in the place of the one that has the lease.
pub async fn begin(
    source: &str,
    activity: &SourceActivity,
    now: Timestamp,
    journal: &Journal,
    queues: &Queues,
    queue_url: &str,
) -> Result<(), SilenceError> {
    let Some(due) = due_at(activity) else {
        return Ok(());
    };
    let seconds = visibility(left(due, now), Duration::ZERO).min(MAX_DELAY);
    let check = SilenceCheck {
        source: source.to_owned(),
        claim: Claim::new(activity.watch.clone()),
    };
    let message = Message::SilenceCheck(check.clone()).queued(seconds)?;
    // The message first: a lease without a message would stop all checks until it is overdue.
    queues.send_one(queue_url, message).await?;
    let comes = now + SignedDuration::from_secs(seconds.into());
    // If another was faster, this one ends when it comes.
    journal.acquire_lease(source, &check.claim, comes).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// A source that was active at 0, may be silent for ten minutes, and is recorded a minute late.
    fn activity() -> SourceActivity {
        SourceActivity {
            last_accepted_at: Some(at(0)),
            silent_after: Some(SignedDuration::from_mins(10)),
            watch: Some("w".to_owned()),
            watch_due_at: Some(at(660)),
            ..SourceActivity::default()
        }
    }

    fn message(id: &str, replaces: Option<&str>) -> SilenceCheck {
        SilenceCheck {
            source: "studio".to_owned(),
            claim: Claim {
                id: id.to_owned(),
                replaces: replaces.map(str::to_owned),
            },
        }
    }

    #[test]
    fn a_source_is_silent_a_threshold_after_its_activity_or_after_it_was_set() {
        assert_eq!(due_at(&activity()), Some(at(660)));
        let declared = SourceActivity {
            declared_at: Some(at(100)),
            ..activity()
        };
        assert_eq!(due_at(&declared), Some(at(760)));
        let never = SourceActivity {
            last_accepted_at: None,
            ..declared.clone()
        };
        assert_eq!(due_at(&never), Some(at(760)));
        for none in [
            SourceActivity {
                silent_after: None,
                ..declared
            },
            SourceActivity {
                declared_at: None,
                ..never
            },
            SourceActivity {
                last_accepted_at: Some(Timestamp::MAX),
                ..activity()
            },
        ] {
            assert_eq!(due_at(&none), None, "{none:?}");
        }
    }

    #[test]
    fn a_message_comes_again_until_the_source_is_silent() {
        for (second, expected) in [
            (0, CheckStep::Reschedule(Duration::from_secs(660))),
            (659, CheckStep::Reschedule(Duration::from_secs(1))),
            (660, CheckStep::Silent),
            (100_000, CheckStep::Silent),
        ] {
            let step = check(&message("w", None), &activity(), at(second));
            assert_eq!(step, expected, "{second}");
        }
    }

    #[test]
    fn one_message_has_the_lease_and_copies_of_it_end() {
        let owned = |id: Option<&str>| SourceActivity {
            watch: id.map(str::to_owned),
            ..activity()
        };
        let silent = SourceActivity {
            silent_since: Some(at(660)),
            ..owned(None)
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..activity()
        };
        for (message, activity, expected) in [
            (message("w", None), owned(Some("w")), CheckStep::Silent),
            (message("x", Some("w")), owned(Some("w")), CheckStep::Silent),
            (message("x", None), owned(None), CheckStep::Silent),
            (message("x", None), owned(Some("w")), CheckStep::End),
            (message("x", Some("v")), owned(Some("w")), CheckStep::End),
            (message("w", None), silent, CheckStep::End),
            (message("w", None), undeclared, CheckStep::End),
            (
                message("w", None),
                SourceActivity::default(),
                CheckStep::End,
            ),
        ] {
            assert_eq!(
                check(&message, &activity, at(700)),
                expected,
                "{message:?} {activity:?}"
            );
        }
    }

    #[test]
    fn a_check_is_started_where_none_is_or_it_is_lost_or_would_come_too_late() {
        let comes = |second: i64| SourceActivity {
            watch_due_at: Some(at(second)),
            ..activity()
        };
        let nobody = SourceActivity {
            watch: None,
            ..activity()
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..nobody.clone()
        };
        for (activity, now, expected) in [
            (activity(), 0, false),
            (nobody, 0, true),
            (undeclared, 0, false),
            (comes(-3_600), 0, false),
            (comes(-3_601), 0, true),
            (comes(720), 0, false),
            (comes(721), 0, true),
        ] {
            assert_eq!(is_wanted(&activity, at(now)), expected, "{activity:?}");
        }
    }

    #[test]
    fn a_check_is_lost_an_hour_after_its_message_was_due_unless_the_source_is_silent() {
        let silent = SourceActivity {
            watch: None,
            watch_due_at: None,
            silent_since: Some(at(660)),
            ..activity()
        };
        let never_begun = SourceActivity {
            silent_since: None,
            ..silent.clone()
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..activity()
        };
        for (activity, now, expected) in [
            (activity(), 660 + 3_600, false),
            (activity(), 660 + 3_601, true),
            (silent, 100_000, false),
            (never_begun, 0, true),
            (undeclared, 100_000, false),
        ] {
            assert_eq!(is_lost(&activity, at(now)), expected, "{activity:?}");
        }
    }
}
