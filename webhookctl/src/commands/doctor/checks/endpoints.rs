//! Whether each endpoint gets its deliveries, and what signs them.

use super::super::facts::Kept;
use super::super::finding::Finding;
use crate::commands::delivery::MOST_HELD;
use crate::output::header_value;
use crate::time::{ago, long};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use webhook_gateway::store::endpoints::{Endpoint, State};

const CHECK: &str = "endpoints";

/// An endpoint that asks to be left alone for longer than that most likely means something else.
const LONG_WAIT: Duration = Duration::from_hours(1);

/// Circuits that are open, endpoints that are disabled or paused, and secrets that ended.
pub(crate) fn endpoints(endpoints: &[Kept], now: Timestamp) -> Vec<Finding> {
    if endpoints.is_empty() {
        let none = Finding::ok(CHECK, "none", "there is no endpoint yet");
        return vec![none];
    }
    let judge = |kept: &Kept| {
        let endpoint = &kept.standing.endpoint;
        let mut found = vec![course(kept, now)];
        found.extend(secrets(endpoint, now));
        found.extend(headers(endpoint));
        found
    };
    endpoints.iter().flat_map(judge).collect()
}

/// Whether it gets anything.
fn course(kept: &Kept, now: Timestamp) -> Finding {
    let (endpoint, circuit) = (&kept.standing.endpoint, &kept.standing.circuit);
    let (id, name) = (&endpoint.id, &endpoint.name);
    let held = match kept.held {
        held if held > MOST_HELD => format!("more than {MOST_HELD} deliveries are held"),
        0 => "nothing is held".to_owned(),
        1 => "1 delivery is held".to_owned(),
        held => format!("{held} deliveries are held"),
    };
    let since = |at: i64| Timestamp::from_millisecond(at).map_or("?".to_owned(), |at| ago(at, now));
    let reason = endpoint.reason.as_ref();
    let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    match endpoint.state {
        State::Disabled => Finding::wrong(
            CHECK,
            name,
            format!("disabled {}{reason}; {held}", since(endpoint.updated_at)),
            format!("fix it, then `webhookctl endpoint enable {id}`"),
        ),
        State::Paused => Finding::warning(
            CHECK,
            name,
            format!("paused {}{reason}; {held}", since(endpoint.updated_at)),
            format!("`webhookctl endpoint resume {id}`, once it is to get them"),
        ),
        State::Active if kept.held > 0 && circuit.is_probe_lost(now) => Finding::warning(
            CHECK,
            name,
            format!(
                "its probe is lost, which was due {}; {held}",
                circuit.probe_due_at.map_or("?".to_owned(), since)
            ),
            format!("`webhookctl endpoint resume {id}` sends another"),
        ),
        State::Active if circuit.is_open() => Finding::warning(
            CHECK,
            name,
            format!(
                "its circuit opened {} after {} failures in a row; {held}",
                since(circuit.opened_at.unwrap_or_default()),
                circuit.failures
            ),
            format!(
                "it is tried every now and then; fix it, and `webhookctl endpoint enable {id}` tries it at \
                 once"
            ),
        ),
        State::Active if circuit.wait(now) > LONG_WAIT => Finding::warning(
            CHECK,
            name,
            format!(
                "it asked to be left alone for another {}; {held}",
                long(SignedDuration::try_from(circuit.wait(now)).unwrap_or(SignedDuration::MAX))
            ),
            format!(
                "see that its Retry-After is in seconds or a date, at most 12 h are kept to; `webhookctl \
                 endpoint enable {id}` tries it at once"
            ),
        ),
        State::Active if !circuit.wait(now).is_zero() => Finding::ok(
            CHECK,
            name,
            format!("waiting, as it asked to be left alone for a while; {held}"),
        ),
        State::Active if circuit.is_slow() => Finding::warning(
            CHECK,
            name,
            format!(
                "slow since {}, so that one invocation at a time tries it; {held}",
                since(circuit.slow_since.unwrap_or_default())
            ),
            format!(
                "have it answer first and work later, or raise its rate: `webhookctl endpoint update {id} \
                 --rate N` has N tried side by side"
            ),
        ),
        State::Active if circuit.failures > 0 => Finding::ok(
            CHECK,
            name,
            format!(
                "active, with {} failures in a row; {held}",
                circuit.failures
            ),
        ),
        State::Active => Finding::ok(CHECK, name, format!("active; {held}")),
    }
}

/// What signs for it, and what does no more.
fn secrets(endpoint: &Endpoint, now: Timestamp) -> Option<Finding> {
    let ended = endpoint.secrets.iter().filter_map(|secret| secret.until);
    let ended: Vec<_> = ended.filter(|until| *until <= now.as_second()).collect();
    let last = Timestamp::from_second(*ended.iter().max()?).unwrap_or(now);
    let last = ago(last, now);
    if ended.len() == endpoint.secrets.len() {
        return Some(Finding::wrong(
            CHECK,
            &endpoint.name,
            format!("all its secrets have ended, the last {last}: nothing signs"),
            format!("`webhookctl endpoint rotate-secret {}`", endpoint.id),
        ));
    }
    let what = format!("its previous secret ended {last}: its receiver may forget it");
    Some(Finding::ok(CHECK, &endpoint.name, what))
}

/// Credentials among its own headers.
fn headers(endpoint: &Endpoint) -> Option<Finding> {
    let credentials = endpoint.headers.iter();
    let credentials = credentials.filter(|(name, value)| header_value(name, value) != value);
    let names: Vec<_> = credentials.map(|(name, _)| &**name).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        let what = format!(
            "it is sent credentials ({names}), which whoever reads the endpoints table can see"
        );
        Finding::ok(CHECK, &endpoint.name, what)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level::{self, Ok as Right, Warning, Wrong};
    use serde_json::json;
    use webhook_gateway::store::endpoints::circuit::Circuit;
    use webhook_gateway::store::endpoints::{EndpointStatus, SealedSecret};

    /// 2026-09-21T14:13:20Z
    const NOW: i64 = 1_790_000_000;

    /// An endpoint that gets everything.
    pub(crate) fn endpoint() -> Endpoint {
        let endpoint = json!({
            "id": "ep_1", "version": 1, "name": "search", "url": "https://example.com", "events": ["*"],
            "timeout": 20, "retry": [], "format": "raw", "signature": "standard-webhooks",
            "secrets": [{"ciphertext": "c"}], "state": "active", "created_at": 0, "updated_at": 0,
        });
        serde_json::from_value(endpoint).unwrap()
    }

    fn found(change: impl FnOnce(&mut EndpointStatus)) -> Vec<(Level, String)> {
        let mut standing = EndpointStatus {
            endpoint: endpoint(),
            circuit: Circuit::default(),
        };
        standing.endpoint.updated_at = (NOW - 3 * 86_400) * 1000;
        change(&mut standing);
        let now = Timestamp::from_second(NOW).unwrap();
        let found = endpoints(&[Kept { standing, held: 7 }], now).into_iter();
        found.map(|kept| (kept.level, kept.what)).collect()
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
                "its probe is lost, which was due 31 min ago; 7",
            ),
            (|_| {}, Right, "active; 7 deliveries are held"),
            (
                |delivery| delivery.circuit.failures = 2,
                Right,
                "active, with 2 failures in a row; 7",
            ),
            (
                |kept| kept.circuit.slow_since = Some((NOW - 3_600) * 1000),
                Warning,
                "slow since 60 min ago, so that one invocation at a time tries it; 7",
            ),
            (
                |kept| kept.endpoint.state = State::Paused,
                Warning,
                "paused 3 d ago; 7",
            ),
            (
                |kept| {
                    kept.endpoint.state = State::Disabled;
                    kept.endpoint.reason = Some("410 Gone".to_owned());
                },
                Wrong,
                "disabled 3 d ago (410 Gone); 7",
            ),
            (
                |kept| {
                    kept.circuit.opened_at = Some((NOW - 3_600) * 1000);
                    kept.circuit.failures = 12;
                    kept.circuit.probe = Some("p".to_owned());
                    kept.circuit.probe_due_at = Some((NOW - 29 * 60) * 1000);
                },
                Warning,
                "its circuit opened 60 min ago after 12 failures in a row; 7",
            ),
            (
                |kept| kept.circuit.wait_until = Some((NOW + 60) * 1000),
                Right,
                "waiting, as it asked to be left alone for a while; 7",
            ),
            (
                // What a Retry-After of 1790000000, which is a time, comes to.
                |status| status.circuit.wait_until = Some((NOW + 12 * 3_600) * 1000),
                Warning,
                "it asked to be left alone for another 12 h; 7",
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
