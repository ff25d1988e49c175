//! How the secrets of a source are used: when each last matched, and whether it is still needed. Pure.

use crate::time::{ago, shown};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use std::collections::HashMap;

/// How long after its last match a previous secret may match again: providers retry failed webhooks.
const CALM: SignedDuration = SignedDuration::from_hours(24);

/// The use of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SecretUse {
    /// Counted from 1, the newest.
    pub(crate) position: usize,
    #[serde(rename = "last_matched_at", serialize_with = "text")]
    pub(crate) last: Option<Timestamp>,
    /// What is known of it, in words that go on from "the secret".
    pub(crate) what: String,
    /// Whether it is a previous secret that will not match any more.
    #[serde(rename = "safe_to_remove")]
    pub(crate) is_removable: bool,
}

fn text<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.and_then(|at| shown(at.as_millisecond()))
        .serialize(serializer)
}

/// The use of the secrets of a source with these ids, the newest first. `matched` has the time of the last
/// match by id, and the sources were last changed at `changed_at`.
pub(crate) fn uses(
    ids: &[String],
    matched: &HashMap<String, Timestamp>,
    changed_at: Option<Timestamp>,
    now: Timestamp,
) -> Vec<SecretUse> {
    let last = |id: &String| matched.get(id).copied();
    let newest = ids.first().and_then(last);
    let uses = ids.iter().enumerate().map(|(place, id)| {
        let (what, is_removable) = match place {
            0 => (of_newest(newest, now), false),
            _ => of_previous(last(id), newest, changed_at, now),
        };
        SecretUse {
            position: place + 1,
            last: last(id),
            what,
            is_removable,
        }
    });
    uses.collect()
}

fn of_newest(last: Option<Timestamp>, now: Timestamp) -> String {
    match last {
        Some(last) => format!("last matched {}", ago(last, now)),
        None => "has never matched".to_owned(),
    }
}

fn of_previous(
    last: Option<Timestamp>,
    newest: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    now: Timestamp,
) -> (String, bool) {
    match (last, newest) {
        (Some(last), _) if now.duration_since(last) < CALM => {
            (format!("still matches, last {}", ago(last, now)), false)
        }
        (Some(last), Some(newest)) if newest > last => {
            (format!("last matched {}", ago(last, now)), true)
        }
        (Some(last), _) => {
            let last = ago(last, now);
            let what = format!("last matched {last}; the newest has not matched after it");
            (what, false)
        }
        (None, None) => (
            "has never matched, and neither has the newest".to_owned(),
            false,
        ),
        (None, Some(_)) => {
            let since = changed_at.map(|at| ago(at, now));
            let since = since.unwrap_or("an unknown time".to_owned());
            let is_young = changed_at.is_some_and(|at| now.duration_since(at) < CALM);
            let what = format!("has never matched; the sources were last changed {since}");
            (what, !is_young)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_use_of_each_secret_is_told_and_the_newest_is_never_removable() {
        let now = Timestamp::from_millisecond(1_790_000_000_000).unwrap();
        let days = |days: i64| now - SignedDuration::from_hours(24 * days);
        let ids = ["new", "old", "older"].map(str::to_owned);
        let matched = HashMap::from([("new".to_owned(), days(3)), ("old".to_owned(), days(5))]);
        let told = json!(uses(&ids, &matched, Some(days(9)), now));
        let expected = json!([
            {"position": 1, "last_matched_at": "2026-09-18T14:13:20.000Z", "what": "last matched 3d ago",
             "safe_to_remove": false},
            {"position": 2, "last_matched_at": "2026-09-16T14:13:20.000Z", "what": "last matched 5d ago",
             "safe_to_remove": true},
            {"position": 3, "last_matched_at": null,
             "what": "has never matched; the sources were last changed 9d ago", "safe_to_remove": true},
        ]);
        assert_eq!(told, expected);
        let none = uses(&ids, &HashMap::new(), None, now);
        assert!(none.iter().all(|secret| !secret.is_removable));
        assert_eq!(none[0].what, "has never matched");
    }
}
