//! Whether the previous secrets of a source are still needed, and whether its provider signs with the newest.

use super::super::facts::{Secrets, Source, Sources};
use super::super::finding::Finding;
use crate::secret_use::{SecretUse, uses};
use crate::time::ago;
use jiff::Timestamp;
use std::collections::HashMap;
use webhook_gateway::store::journal::SourceActivity;

const CHECK: &str = "secrets";

/// The secrets of sources that have more than one.
pub(crate) fn secrets(
    sources: &Sources,
    heard: &HashMap<String, SourceActivity>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let never = HashMap::new();
    for source in &sources.all {
        let Ok((_, Secrets::Signed(ids))) = &source.usable else {
            continue;
        };
        let matched = heard.get(&source.name).map(|heard| &heard.matched);
        let uses = uses(ids, matched.unwrap_or(&never), sources.changed_at, now);
        if let [newest, previous @ ..] = &*uses
            && !previous.is_empty()
        {
            found.extend(switched(source, newest.last, previous, now));
            found.extend(
                previous
                    .iter()
                    .map(|secret| judge(source, secret, uses.len())),
            );
        }
    }
    found
}

/// Whether the provider signs with the newest secret.
fn switched(
    source: &Source,
    newest: Option<Timestamp>,
    previous: &[SecretUse],
    now: Timestamp,
) -> Option<Finding> {
    let previous = previous.iter().filter_map(|secret| secret.last).max();
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

/// Whether a previous secret is still needed, of so many of its source.
fn judge(source: &Source, secret: &SecretUse, of: usize) -> Finding {
    let SecretUse { position, what, .. } = secret;
    let secret_of = format!("secret {position} of {of} {what}");
    if !secret.is_removable {
        return Finding::ok(CHECK, &source.name, format!("{secret_of}: keep it"));
    }
    let name = &source.name;
    let drop = format!("`webhookctl source rotate-secret {name} --drop-previous`");
    let others = match of > 2 {
        true => ": this removes all secrets but the newest",
        false => "",
    };
    Finding::warning(
        CHECK,
        name,
        format!("{secret_of}: safe to remove"),
        format!("{drop}{others}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;
    use jiff::SignedDuration;

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
