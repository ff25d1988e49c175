//! Whether the previous secrets of a source are still needed, and whether its provider signs with the newest.

use super::super::facts::{Secrets, Source, Sources};
use super::super::finding::Finding;
use crate::time::ago;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use webhook_gateway::store::journal::SourceActivity;

const CHECK: &str = "secrets";

/// How long after its last match a previous secret may match again: providers retry failed webhooks.
const CALM: SignedDuration = SignedDuration::from_hours(24);

/// The secrets of sources that have more than one.
pub(crate) fn secrets(
    sources: &Sources,
    heard: &HashMap<String, SourceActivity>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &sources.all {
        let Ok((_, Secrets::Signed(ids))) = &source.usable else {
            continue;
        };
        if let [newest, previous @ ..] = &**ids
            && !previous.is_empty()
        {
            let matched = heard.get(&source.name).map(|heard| &heard.matched);
            let matched = |id: &String| matched?.get(id).copied();
            let of_previous: Vec<_> = previous.iter().map(matched).collect();
            let newest = matched(newest);
            found.extend(switched(source, newest, &of_previous, now));
            for (position, last) in of_previous.into_iter().enumerate() {
                let previous = Previous {
                    position: position + 2,
                    of: previous.len() + 1,
                    last,
                };
                found.push(previous.judge(source, newest, sources.changed_at, now));
            }
        }
    }
    found
}

/// Whether the provider signs with the newest secret.
fn switched(
    source: &Source,
    newest: Option<Timestamp>,
    previous: &[Option<Timestamp>],
    now: Timestamp,
) -> Option<Finding> {
    let previous = previous.iter().copied().flatten().max();
    let what = match (newest, previous) {
        (None, Some(last)) => format!(
            "the newest secret has never matched; a previous one last matched {}",
            ago(last, now)
        ),
        (Some(newest), Some(last)) if newest < last => format!(
            "the newest secret last matched {}; a previous one last matched {}",
            ago(newest, now),
            ago(last, now)
        ),
        _ => return None,
    };
    Some(Finding::warning(
        CHECK,
        &source.name,
        what,
        "the provider does not sign with the newest secret: enter that secret at the provider",
    ))
}

/// A secret that is not the newest.
struct Previous {
    /// Counted from 1, the newest.
    position: usize,
    of: usize,
    last: Option<Timestamp>,
}

impl Previous {
    fn judge(
        &self,
        source: &Source,
        newest: Option<Timestamp>,
        changed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Finding {
        let secret = format!("secret {} of {}", self.position, self.of);
        let (what, is_needed) = match (self.last, newest) {
            (Some(last), _) if now.duration_since(last) < CALM => {
                (format!("still matches, last {}", ago(last, now)), true)
            }
            (Some(last), Some(newest)) if newest > last => {
                (format!("last matched {}", ago(last, now)), false)
            }
            (Some(last), _) => {
                let last = ago(last, now);
                (
                    format!("last matched {last}; the newest has not matched after it"),
                    true,
                )
            }
            (None, None) => (
                "has never matched, and neither has the newest".to_owned(),
                true,
            ),
            (None, Some(_)) => {
                let since = changed_at.map(|at| ago(at, now));
                let since = since.unwrap_or("an unknown time".to_owned());
                let is_young = changed_at.is_some_and(|at| now.duration_since(at) < CALM);
                let what = format!("has never matched; the sources were last changed {since}");
                (what, is_young)
            }
        };
        if is_needed {
            return Finding::ok(CHECK, &source.name, format!("{secret} {what}: keep it"));
        }
        let (drop, others) = (
            format!(
                "`webhookctl source rotate-secret {} --drop-previous`",
                source.name
            ),
            if self.of > 2 {
                ": this removes all secrets but the newest"
            } else {
                ""
            },
        );
        Finding::warning(
            CHECK,
            &source.name,
            format!("{secret} {what}: safe to remove"),
            format!("{drop}{others}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    /// What is found of two secrets that last matched so many hours ago, in sources that were changed so many
    /// ago.
    fn found(newest: Option<i64>, previous: Option<i64>, changed: i64) -> Vec<(Level, String)> {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let before = |hours| now - SignedDuration::from_hours(hours);
        let matched = [("new", newest), ("old", previous)].into_iter();
        let matched = matched.filter_map(|(id, hours)| Some((id.to_owned(), before(hours?))));
        let heard = SourceActivity {
            last_accepted_at: None,
            matched: matched.collect(),
            ..SourceActivity::default()
        };
        let heard = HashMap::from([("studio".to_owned(), heard)]);
        let ids = ["new", "old"].map(str::to_owned).to_vec();
        let sources = Sources {
            changed_at: Some(before(changed)),
            all: vec![Source {
                name: "studio".to_owned(),
                url: String::new(),
                blank: 0,
                short: 0,
                usable: Ok(("creative-force", Secrets::Signed(ids))),
            }],
        };
        let found = secrets(&sources, &heard, now).into_iter();
        found.map(|finding| (finding.level, finding.what)).collect()
    }

    #[test]
    fn a_previous_secret_is_kept_as_long_as_it_may_match_again() {
        for (newest, previous, changed, level, what) in [
            (
                Some(1),
                Some(72),
                100,
                Level::Warning,
                "last matched 3d ago: safe to remove",
            ),
            (
                Some(1),
                Some(25),
                100,
                Level::Warning,
                "last matched 25h ago: safe to remove",
            ),
            (
                Some(1),
                Some(23),
                100,
                Level::Ok,
                "still matches, last 23h ago: keep it",
            ),
            (
                Some(1),
                None,
                48,
                Level::Warning,
                "changed 2d ago: safe to remove",
            ),
            (Some(1), None, 5, Level::Ok, "changed 5h ago: keep it"),
            (
                None,
                None,
                100,
                Level::Ok,
                "neither has the newest: keep it",
            ),
        ] {
            let found = found(newest, previous, changed);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, level, "{found:?}");
            assert!(found[0].1.starts_with("secret 2 of 2 "), "{found:?}");
            assert!(found[0].1.contains(what), "{found:?}");
        }
    }

    #[test]
    fn a_provider_that_does_not_sign_with_the_newest_secret_is_told() {
        for (newest, what) in [
            (None, "never matched"),
            (Some(90), "last matched 3d ago; a previous"),
        ] {
            let found = found(newest, Some(1), 100);
            assert_eq!(found[0].0, Level::Warning, "{found:?}");
            assert!(found[0].1.contains(what), "{found:?}");
            assert!(found[1].1.contains("keep it"), "{found:?}");
        }
        let quiet = found(Some(90), Some(80), 100);
        assert!(
            quiet[1]
                .1
                .contains("the newest has not matched after it: keep it"),
            "{quiet:?}"
        );
    }
}
