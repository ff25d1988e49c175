//! Whether each source can be used, and whether its provider sends to it.

use super::super::facts::{Secrets, Source};
use super::super::finding::Finding;
use crate::providers::payload_url_problem;
use crate::time::{ago, exact_duration};
use jiff::Timestamp;
use std::collections::HashMap;
use webhook_gateway::silence;
use webhook_gateway::store::journal::SourceActivity;
use webhook_gateway::store::sources::SourceError;

const SOURCES: &str = "sources";
const URLS: &str = "payload URLs";

/// Sources without a usable secret, unsigned ones, and blank secrets.
pub(crate) fn sources(
    sources: &[Source],
    heard: &HashMap<String, SourceActivity>,
    now: Timestamp,
) -> Vec<Finding> {
    if sources.is_empty() {
        let none = Finding::ok(SOURCES, "none", "there is no source yet");
        return vec![none];
    }
    sources
        .iter()
        .map(|item| source(item, heard.get(&item.name), now))
        .collect()
}

fn source(source: &Source, heard: Option<&SourceActivity>, now: Timestamp) -> Finding {
    let (name, blank) = (&source.name, source.blank);
    let rotate = format!("`webhookctl source rotate-secret {name}`");
    match &source.usable {
        Err(SourceError::NoSecret) => Finding::wrong(
            SOURCES,
            name,
            "it has no usable secret: the gateway answers every webhook 503",
            format!("{rotate} gives it one"),
        ),
        Err(error) => Finding::wrong(
            SOURCES,
            name,
            format!("it is disabled: {error}. The gateway answers every webhook 503"),
            format!(
                "`webhookctl source update {name}` with --set or --unset corrects a field of its recipe; or \
                    `webhookctl source delete {name}`, and create it again"
            ),
        ),
        Ok(_) if heard.is_some_and(|heard| silence::is_lost(heard, now)) => {
            let gap = heard
                .and_then(|heard| heard.silent_after)
                .unwrap_or_default();
            let gap = exact_duration(gap);
            Finding::warning(
                SOURCES,
                name,
                "its silence check is lost: the gateway does not notice its silence",
                format!(
                    "`webhookctl source update {name} --silent-after {gap}` starts another check; the \
                        source's next webhook does, too"
                ),
            )
        }
        Ok((_, Secrets::Unsigned)) => Finding::warning(
            SOURCES,
            name,
            "it is unsigned: anyone who knows its URL can send to it",
            format!("{rotate} gives it a secret, if the provider can sign"),
        ),
        Ok((_, Secrets::Signed(ids))) if ids.is_empty() => Finding::warning(
            SOURCES,
            name,
            "it waits for its secret: until it has one, it rejects every webhook",
            format!(
                "`webhookctl source show {name}` shows the token of its provider, and {rotate} with \
                    --secret-stdin takes it; `webhookctl source diagnose {name}` finds a secret that the \
                    provider sent itself"
            ),
        ),
        Ok(_) if blank > 0 => Finding::warning(
            SOURCES,
            name,
            format!("it has blank secrets ({blank}), which no webhook matches"),
            format!("{rotate} removes them; with --drop-previous it makes no new secret"),
        ),
        Ok(_) if source.short > 0 => Finding::warning(
            SOURCES,
            name,
            format!(
                "secrets of fewer than 16 bytes ({}) can be guessed",
                source.short
            ),
            format!("{rotate} gives it a longer one, if the provider lets you choose"),
        ),
        Ok((_, Secrets::Signed(_))) => {
            let last = heard.and_then(|heard| heard.last_accepted_at);
            let last = last.map_or("it has sent no event yet".to_owned(), |at| {
                format!("the last event came {}", ago(at, now))
            });
            Finding::ok(SOURCES, name, format!("signed; {last}"))
        }
    }
}

/// Payload URLs that the provider does not accept.
pub(crate) fn payload_urls(sources: &[Source], is_local: bool) -> Vec<Finding> {
    let usable = sources.iter().filter_map(|source| {
        let (provider, _) = source.usable.as_ref().ok()?;
        Some((source, *provider))
    });
    let judge = |(source, provider): (&Source, &str)| match payload_url_problem(
        provider,
        &source.url,
    ) {
        None => Finding::ok(URLS, &source.name, "the provider accepts it"),
        Some(problem) if is_local => Finding::ok(
            URLS,
            &source.name,
            format!("not checked on a local stack: {problem}"),
        ),
        Some(problem) => Finding::wrong(
            URLS,
            &source.name,
            problem,
            "choose another name for the source, or put your own domain in front of the gateway",
        ),
    };
    usable.map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    fn of(usable: Result<(&'static str, Secrets), SourceError>, blank: usize) -> Source {
        Source {
            name: "studio".to_owned(),
            url: "https://hooks.example.com/webhooks/studio".to_owned(),
            blank,
            short: 0,
            usable,
        }
    }

    fn signed() -> Source {
        let secrets = Secrets::Signed(vec!["01234567".to_owned()]);
        of(Ok(("creative-force", secrets)), 0)
    }

    #[test]
    fn a_source_is_signed_or_something_is_to_be_done_about_it() {
        let now = Timestamp::UNIX_EPOCH;
        let heard = SourceActivity {
            last_accepted_at: Some(now - jiff::SignedDuration::from_mins(5)),
            ..SourceActivity::default()
        };
        let heard = HashMap::from([("studio".to_owned(), heard)]);
        let blank = Source {
            blank: 1,
            ..signed()
        };
        let short = Source {
            short: 1,
            ..signed()
        };
        let waiting = of(Ok(("notion", Secrets::Signed(Vec::new()))), 0);
        let unsigned = of(Ok(("creads", Secrets::Unsigned)), 0);
        for (source, level, what, to_do) in [
            (signed(), Level::Ok, "5m ago", ""),
            (blank, Level::Warning, "blank", "--drop-previous"),
            (
                short,
                Level::Warning,
                "16 bytes",
                "source rotate-secret studio",
            ),
            (
                waiting,
                Level::Warning,
                "waits for its secret",
                "source show studio",
            ),
            (
                unsigned,
                Level::Warning,
                "unsigned",
                "source rotate-secret studio",
            ),
            (
                of(Err(SourceError::NoSecret), 1),
                Level::Wrong,
                "503",
                "source rotate-secret studio",
            ),
            (
                of(Err(SourceError::Provider), 0),
                Level::Wrong,
                "provider",
                "source delete studio",
            ),
        ] {
            let finding = sources(&[source], &heard, now).remove(0);
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.what.contains(what), "{finding:?}");
            assert!(finding.to_do.unwrap_or_default().contains(to_do));
        }
        let never = sources(&[signed()], &HashMap::new(), now).remove(0);
        assert!(never.what.contains("it has sent no event yet"), "{never:?}");
        assert_eq!(sources(&[], &heard, now)[0].level, Level::Ok);
    }

    #[test]
    fn a_payload_url_that_its_provider_refuses_is_wrong_but_on_a_local_stack() {
        let refused = Source {
            url: "http://localhost:1/webhooks/studio".to_owned(),
            ..signed()
        };
        let other = Source {
            usable: Ok(("creads", Secrets::Unsigned)),
            ..refused.clone()
        };
        for (source, is_local, level) in [
            (signed(), false, Level::Ok),
            (refused.clone(), false, Level::Wrong),
            (refused, true, Level::Ok),
            (other, false, Level::Ok),
        ] {
            assert_eq!(payload_urls(&[source], is_local)[0].level, level);
        }
        assert!(payload_urls(&[of(Err(SourceError::NoSecret), 0)], false).is_empty());
    }

    #[test]
    fn a_source_whose_silence_nobody_watches_is_told() {
        let now = Timestamp::UNIX_EPOCH;
        let ago = |minutes| Some(now - jiff::SignedDuration::from_mins(minutes));
        for (due, level) in [(60, Level::Ok), (61, Level::Warning)] {
            let heard = SourceActivity {
                last_accepted_at: ago(5),
                silent_after: Some(jiff::SignedDuration::from_hours(2)),
                watch: Some("w".to_owned()),
                watch_due_at: ago(due),
                ..SourceActivity::default()
            };
            let heard = HashMap::from([("studio".to_owned(), heard)]);
            let finding = sources(&[signed()], &heard, now).remove(0);
            assert_eq!(finding.level, level, "{finding:?}");
            let to_do = finding.to_do.unwrap_or_default();
            assert_eq!(to_do.contains("--silent-after 2h"), level == Level::Warning);
        }
    }
}
