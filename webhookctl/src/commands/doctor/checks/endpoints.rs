//! Whether each endpoint gets its deliveries, and which secrets sign them.

use super::super::facts::HeldEndpoint;
use super::super::finding::Finding;
use crate::commands::delivery::MOST_HELD;
use crate::condition::{Condition, held_by_state};
use crate::output::header_value;
use crate::time::{ago, rough};
use jiff::Timestamp;
use std::time::Duration;
use webhook_gateway::store::endpoints::{Endpoint, EndpointStatus};

const CHECK: &str = "endpoints";

/// An endpoint that asks for a longer wait most likely sends a wrong Retry-After.
const LONG_WAIT: Duration = Duration::from_hours(1);

/// Endpoints that get nothing or little, secrets that ended, and credentials among the headers.
pub(crate) fn endpoints(endpoints: &[HeldEndpoint], now: Timestamp) -> Vec<Finding> {
    if endpoints.is_empty() {
        return vec![Finding::ok(CHECK, "none", "there is no endpoint yet")];
    }
    let judge = |held: &HeldEndpoint| {
        let endpoint = &held.status.endpoint;
        let mut found = vec![condition(held, now)];
        found.extend(secrets(endpoint, now));
        found.extend(headers(endpoint));
        found
    };
    endpoints.iter().flat_map(judge).collect()
}

/// Whether it gets its deliveries.
fn condition(endpoint: &HeldEndpoint, now: Timestamp) -> Finding {
    let status = &endpoint.status;
    let (name, held) = (&status.endpoint.name, held(endpoint.held));
    let is_disabled = Condition::of(status, now) == Condition::Disabled;
    match problem(endpoint, now) {
        Some((what, to_do)) if is_disabled => {
            Finding::wrong(CHECK, name, format!("{what}; {held}"), to_do)
        }
        Some((what, to_do)) => Finding::warning(CHECK, name, format!("{what}; {held}"), to_do),
        None => Finding::ok(CHECK, name, format!("{}; {held}", no_problem(status, now))),
    }
}

/// The reason why an endpoint gets no deliveries or few, and the advice about it.
fn problem(endpoint: &HeldEndpoint, now: Timestamp) -> Option<(String, String)> {
    let EndpointStatus {
        endpoint: settings,
        circuit,
    } = &endpoint.status;
    let id = &settings.id;
    let since = |at: i64| Timestamp::from_millisecond(at).map_or("?".to_owned(), |at| ago(at, now));
    let changed = since(settings.updated_at);
    let reason = settings.reason.as_ref();
    let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    let is_active = held_by_state(settings).is_none();
    if is_active && endpoint.held > 0 && circuit.is_probe_lost(now) {
        let due = circuit.probe_due_at.map_or("?".to_owned(), since);
        return Some((
            format!("its probe was due {due} and is lost"),
            format!("`webhookctl endpoint resume {id}` sends another"),
        ));
    }
    Some(match Condition::of(&endpoint.status, now) {
        Condition::Disabled => (
            format!("disabled {changed}{reason}"),
            format!("fix the receiver, then `webhookctl endpoint enable {id}`"),
        ),
        Condition::Paused => (
            format!("paused {changed}{reason}"),
            format!("`webhookctl endpoint resume {id}` when it can take its deliveries"),
        ),
        Condition::Open => (
            format!(
                "its circuit opened {} after {} failures in a row",
                since(circuit.opened_at.unwrap_or_default()),
                circuit.failures
            ),
            format!(
                "fix the receiver. Probes try it from time to time; `webhookctl endpoint enable {id}` tries \
                 it at once"
            ),
        ),
        Condition::Waiting(wait) if wait > LONG_WAIT => (
            format!("it asked for a wait, which lasts another {}", rough(wait)),
            format!(
                "check that its Retry-After is a number of seconds or a date. The gateway waits 12h at most; \
                 `webhookctl endpoint enable {id}` tries the endpoint at once"
            ),
        ),
        Condition::Slow => (
            format!(
                "it became slow {}: one delivery at a time is sent",
                since(circuit.slow_since.unwrap_or_default())
            ),
            format!(
                "let it answer first and work later, or raise its rate: with `webhookctl endpoint update \
                 {id} --rate N`, N deliveries a second are sent at the same time"
            ),
        ),
        Condition::Waiting(_) | Condition::Hanging(_) | Condition::Active => return None,
    })
}

/// The condition of an endpoint without a problem, in words.
fn no_problem(status: &EndpointStatus, now: Timestamp) -> String {
    match (Condition::of(status, now), status.circuit.failures) {
        (Condition::Waiting(_), _) => "it asked for a wait".to_owned(),
        (_, 0) => "active".to_owned(),
        (_, failures) => format!("active, with {failures} failures in a row"),
    }
}

/// How many deliveries are held, in words.
fn held(count: usize) -> String {
    match count {
        0 => "no delivery is held".to_owned(),
        1 => "1 delivery is held".to_owned(),
        count if count > MOST_HELD => format!("more than {MOST_HELD} deliveries are held"),
        count => format!("{count} deliveries are held"),
    }
}

/// Secrets of an endpoint that no longer sign.
fn secrets(endpoint: &Endpoint, now: Timestamp) -> Option<Finding> {
    let ended = endpoint.secrets.iter().filter_map(|secret| secret.until);
    let ended: Vec<_> = ended.filter(|until| *until <= now.as_second()).collect();
    let last = Timestamp::from_second(*ended.iter().max()?).unwrap_or(now);
    let last = ago(last, now);
    if ended.len() == endpoint.secrets.len() {
        return Some(Finding::wrong(
            CHECK,
            &endpoint.name,
            format!("all its secrets have ended, the last one {last}: requests cannot be signed"),
            format!("`webhookctl endpoint rotate-secret {}`", endpoint.id),
        ));
    }
    let what = format!("its previous secret ended {last}: the receiver can drop it");
    Some(Finding::ok(CHECK, &endpoint.name, what))
}

/// Credentials among the headers of an endpoint.
fn headers(endpoint: &Endpoint) -> Option<Finding> {
    let credentials = endpoint.headers.iter();
    let credentials = credentials.filter(|(name, value)| header_value(name, value) != value);
    let names: Vec<_> = credentials.map(|(name, _)| &**name).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        let what = format!(
            "its headers have credentials ({names}): whoever may read the endpoints table can see them"
        );
        Finding::ok(CHECK, &endpoint.name, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level::{self, Ok as Right, Warning, Wrong};
    use crate::samples;
    use webhook_gateway::store::endpoints::{SealedSecret, State};

    /// 2026-09-21T14:13:20Z
    const NOW: i64 = 1_790_000_000;

    fn found(change: impl FnOnce(&mut EndpointStatus)) -> Vec<(Level, String)> {
        let status = samples::status(|status| {
            status.endpoint.updated_at = (NOW - 3 * 86_400) * 1000;
            change(status);
        });
        let found = endpoints(&[HeldEndpoint { status, held: 7 }], samples::now());
        let found = found.into_iter();
        found.map(|finding| (finding.level, finding.what)).collect()
    }

    #[test]
    fn an_endpoint_that_gets_nothing_is_told_with_how_long_and_how_much_is_held() {
        type Change = fn(&mut EndpointStatus);
        let changes: [(Change, _, &str); 9] = [
            (
                |kept| {
                    kept.circuit.opened_at = Some((NOW - 3_600) * 1000);
                    kept.circuit.probe = Some("p".to_owned());
                    kept.circuit.probe_due_at = Some((NOW - 31 * 60) * 1000);
                },
                Warning,
                "its probe was due 31m ago and is lost; 7",
            ),
            (|_| {}, Right, "active; 7 deliveries are held"),
            (
                |status| status.circuit.failures = 2,
                Right,
                "active, with 2 failures in a row; 7",
            ),
            (
                |kept| kept.circuit.slow_since = Some((NOW - 3_600) * 1000),
                Warning,
                "it became slow 60m ago: one delivery at a time is sent; 7",
            ),
            (
                |kept| kept.endpoint.state = State::Paused,
                Warning,
                "paused 3d ago; 7",
            ),
            (
                |kept| {
                    kept.endpoint.state = State::Disabled;
                    kept.endpoint.reason = Some("410 Gone".to_owned());
                },
                Wrong,
                "disabled 3d ago (410 Gone); 7",
            ),
            (
                |kept| {
                    kept.circuit.opened_at = Some((NOW - 3_600) * 1000);
                    kept.circuit.failures = 12;
                    kept.circuit.probe = Some("p".to_owned());
                    kept.circuit.probe_due_at = Some((NOW - 29 * 60) * 1000);
                },
                Warning,
                "its circuit opened 60m ago after 12 failures in a row; 7",
            ),
            (
                |kept| kept.circuit.wait_until = Some((NOW + 60) * 1000),
                Right,
                "it asked for a wait; 7",
            ),
            (
                // What a Retry-After of 1790000000, which is a time, comes to.
                |status| status.circuit.wait_until = Some((NOW + 12 * 3_600) * 1000),
                Warning,
                "it asked for a wait, which lasts another 12h; 7",
            ),
        ];
        for (change, level, what) in changes {
            let found = found(change);
            assert_eq!((found.len(), found[0].0), (1, level), "{found:?}");
            assert!(found[0].1.starts_with(what), "{found:?}");
        }
        assert_eq!(endpoints(&[], Timestamp::UNIX_EPOCH)[0].level, Right);
    }

    #[test]
    fn a_secret_that_ended_is_told_and_that_nothing_signs_is_wrong() {
        let secret = |until: Option<i64>| SealedSecret {
            ciphertext: "c".to_owned(),
            until,
        };
        for (secrets, expected) in [
            (vec![secret(None), secret(Some(NOW + 60))], None),
            (vec![secret(None), secret(Some(NOW - 60))], Some(Right)),
            (vec![secret(Some(NOW - 60)), secret(Some(NOW))], Some(Wrong)),
        ] {
            let found = found(|kept| kept.endpoint.secrets = secrets);
            assert_eq!(found.get(1).map(|finding| finding.0), expected, "{found:?}");
        }
    }

    #[test]
    fn credentials_among_the_headers_are_named_and_not_shown() {
        let headers = [("X-Env", "test"), ("Authorization", "hunter2")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = found(|kept| kept.endpoint.headers = headers.into());
        assert!(found[1].1.contains("(Authorization)"), "{found:?}");
        assert!(!found[1].1.contains("hunter2"), "{found:?}");
    }
}
