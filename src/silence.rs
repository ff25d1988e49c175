//! The watch over a source that declares its longest gap: one message on the delivery queue, which comes again when the
//! source would be silent. Here it is decided and begun; the [`journal`](crate::store::journal) knows who has the charge, and what
//! happens when the message comes is left to `delivery`.
//!
//! No clock runs for it: a source that is silent is watched by nobody, until it is heard again.

use crate::aws::error::AwsError;
use crate::aws::sqs::{Queues, SendError};
use crate::backoff::visibility;
use crate::messages::{MAX_DELAY, Message, SilenceCheck};
use crate::store::journal::{Journal, SourceActivity, record_interval};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A message that has not come for so long after it was due is lost.
const OVERDUE: SignedDuration = SignedDuration::from_hours(1);

/// A message that comes so long after the source would be silent is as good as in time.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// What is to be done when a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It comes again after so long, when the source would be silent.
    PutOff(Duration),
    /// The source is silent.
    Silent,
    /// Another watches, or none is to.
    End,
}

/// Why nobody may be watching over a source.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// The charge was not given.
    #[error("{0}")]
    Journal(#[from] AwsError),
    /// The message was not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// The message has no form.
    #[error("the watch was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// When a source is silent, if it is not heard before: its gap after it was last heard of, or declared it, with what
/// noting it may lag behind.
pub fn due_at(heard: &SourceActivity) -> Option<Timestamp> {
    let silent_after = heard.silent_after?;
    let since = heard.last_accepted_at.max(heard.declared_at)?;
    let lag = SignedDuration::try_from(record_interval(silent_after)).ok()?;
    since.checked_add(silent_after.checked_add(lag)?).ok()
}

/// What is to be done about a message that comes now.
pub fn step(watch: &SilenceCheck, heard: &SourceActivity, now: Timestamp) -> Step {
    let has_charge = match &heard.watch {
        Some(charged) => *charged == watch.id || watch.replaces.as_ref() == Some(charged),
        // It was sent and not charged yet; or it has told that the source is silent, and is a copy.
        None => heard.silent_since.is_none(),
    };
    match due_at(heard).filter(|_| has_charge) {
        None => Step::End,
        Some(due) => match left(due, now) {
            Duration::ZERO => Step::Silent,
            wait => Step::PutOff(wait),
        },
    }
}

/// Whether a watch is to begin: the source declares a gap, and nobody watches, or the message is lost, or it will come
/// too late, as the gap was longer when it was put off.
pub fn is_wanted(heard: &SourceActivity, now: Timestamp) -> bool {
    let Some(due) = due_at(heard) else {
        return false;
    };
    let comes = heard.watch_due_at.filter(|_| heard.watch.is_some());
    comes.is_none_or(|comes| {
        now.duration_since(comes) > OVERDUE || comes.duration_since(due) > SLACK
    })
}

/// Whether a source declares a gap, is not known to be silent, and is watched by nobody: the message never began, or is
/// lost.
pub fn is_lost(heard: &SourceActivity, now: Timestamp) -> bool {
    let comes = heard.watch_due_at.filter(|_| heard.watch.is_some());
    due_at(heard).is_some()
        && heard.silent_since.is_none()
        && comes.is_none_or(|comes| now.duration_since(comes) > OVERDUE)
}

/// How long after now that is; nothing if it is past.
pub fn left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

/// Begins to watch over a source, in the place of whoever does.
///
/// The message is sent first: one that is not charged takes the charge when it comes, but a charge without a message
/// would be a watch that nobody keeps.
pub async fn begin(
    source: &str,
    heard: &SourceActivity,
    now: Timestamp,
    journal: &Journal,
    queues: &Queues,
    queue_url: &str,
) -> Result<(), SilenceError> {
    let Some(due) = due_at(heard) else {
        return Ok(());
    };
    let seconds = visibility(left(due, now), Duration::ZERO).min(MAX_DELAY);
    let watch = SilenceCheck {
        source: source.to_owned(),
        id: uuid::Uuid::new_v4().simple().to_string(),
        replaces: heard.watch.clone(),
    };
    let message = Message::SilenceCheck(watch.clone()).queued(seconds)?;
    queues.send_one(queue_url, message).await?;
    let comes = now + SignedDuration::from_secs(seconds.into());
    // If another was faster, this one ends when it comes.
    journal
        .charge_watch(source, &watch.id, watch.replaces.as_deref(), comes)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// A source that was active at 0, may be silent for ten minutes, and is recorded a minute late.
    fn heard() -> SourceActivity {
        SourceActivity {
            last_accepted_at: Some(at(0)),
            silent_after: Some(SignedDuration::from_mins(10)),
            watch: Some("w".to_owned()),
            watch_due_at: Some(at(660)),
            ..SourceActivity::default()
        }
    }

    fn watch(id: &str, replaces: Option<&str>) -> SilenceCheck {
        SilenceCheck {
            source: "studio".to_owned(),
            id: id.to_owned(),
            replaces: replaces.map(str::to_owned),
        }
    }

    #[test]
    fn a_source_is_silent_a_gap_after_it_was_heard_or_declared_it() {
        assert_eq!(due_at(&heard()), Some(at(660)));
        let declared = SourceActivity {
            declared_at: Some(at(100)),
            ..heard()
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
                ..heard()
            },
        ] {
            assert_eq!(due_at(&none), None, "{none:?}");
        }
    }

    #[test]
    fn a_message_comes_again_until_the_source_is_silent() {
        for (second, expected) in [
            (0, Step::PutOff(Duration::from_secs(660))),
            (659, Step::PutOff(Duration::from_secs(1))),
            (660, Step::Silent),
            (100_000, Step::Silent),
        ] {
            let step = step(&watch("w", None), &heard(), at(second));
            assert_eq!(step, expected, "{second}");
        }
    }

    #[test]
    fn one_message_has_the_charge_and_copies_of_it_end() {
        let charged = |id: Option<&str>| SourceActivity {
            watch: id.map(str::to_owned),
            ..heard()
        };
        let silent = SourceActivity {
            silent_since: Some(at(660)),
            ..charged(None)
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..heard()
        };
        for (watch, heard, expected) in [
            (watch("w", None), charged(Some("w")), Step::Silent),
            (watch("x", Some("w")), charged(Some("w")), Step::Silent),
            (watch("x", None), charged(None), Step::Silent),
            (watch("x", None), charged(Some("w")), Step::End),
            (watch("x", Some("v")), charged(Some("w")), Step::End),
            (watch("w", None), silent, Step::End),
            (watch("w", None), undeclared, Step::End),
            (watch("w", None), SourceActivity::default(), Step::End),
        ] {
            assert_eq!(
                step(&watch, &heard, at(700)),
                expected,
                "{watch:?} {heard:?}"
            );
        }
    }

    #[test]
    fn a_watch_begins_where_none_is_or_it_is_lost_or_would_come_too_late() {
        let comes = |second: i64| SourceActivity {
            watch_due_at: Some(at(second)),
            ..heard()
        };
        let nobody = SourceActivity {
            watch: None,
            ..heard()
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..nobody.clone()
        };
        for (heard, now, expected) in [
            (heard(), 0, false),
            (nobody, 0, true),
            (undeclared, 0, false),
            (comes(-3_600), 0, false),
            (comes(-3_601), 0, true),
            (comes(720), 0, false),
            (comes(721), 0, true),
        ] {
            assert_eq!(is_wanted(&heard, at(now)), expected, "{heard:?}");
        }
    }

    #[test]
    fn a_watch_is_lost_an_hour_after_its_message_was_due_unless_it_has_told() {
        let silent = SourceActivity {
            watch: None,
            watch_due_at: None,
            silent_since: Some(at(660)),
            ..heard()
        };
        let never_begun = SourceActivity {
            silent_since: None,
            ..silent.clone()
        };
        let undeclared = SourceActivity {
            silent_after: None,
            ..heard()
        };
        for (heard, now, expected) in [
            (heard(), 660 + 3_600, false),
            (heard(), 660 + 3_601, true),
            (silent, 100_000, false),
            (never_begun, 0, true),
            (undeclared, 100_000, false),
        ] {
            assert_eq!(is_lost(&heard, at(now)), expected, "{heard:?}");
        }
    }
}
