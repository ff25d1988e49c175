//! An endpoint as it is printed: its settings and its condition, without its secrets.

use super::secret::signs;
use crate::condition::Condition;
use crate::output::header_value;
use crate::time::{exact, shown};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use webhook_gateway::store::endpoints::circuit::Circuit;
use webhook_gateway::store::endpoints::{EndpointStatus, Format, Scheme, State};

/// An endpoint as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) description: Option<String>,
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    /// The state or, while it is active, the state of its circuit.
    pub(crate) condition: &'static str,
    pub(crate) circuit: CircuitView,
    pub(crate) events: Vec<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) timeout: String,
    pub(crate) retry: Vec<String>,
    pub(crate) rate: Option<u32>,
    pub(crate) format: Format,
    pub(crate) signature: Scheme,
    pub(crate) signature_header: Option<String>,
    pub(crate) signature_prefix: Option<String>,
    pub(crate) secrets: Vec<SecretView>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// The failures of an endpoint.
#[derive(Debug, Serialize)]
pub(crate) struct CircuitView {
    pub(crate) failures: u64,
    pub(crate) failing_since: Option<String>,
    pub(crate) opened_at: Option<String>,
    /// The wait before the next attempt: between two probes, or the one that the endpoint asked for.
    pub(crate) wait: Option<String>,
}

/// A secret that signs. Only its end is shown.
#[derive(Debug, Serialize)]
pub(crate) struct SecretView {
    pub(crate) until: Option<String>,
}

impl EndpointView {
    pub(crate) const COLUMNS: &[&str] = &[
        "id",
        "name",
        "url",
        "condition",
        "circuit.failures",
        "events",
        "sources",
    ];

    pub(crate) fn of(status: &EndpointStatus, now: Timestamp) -> Self {
        let endpoint = status.endpoint.clone();
        let headers = endpoint.headers.iter();
        let headers =
            headers.map(|(name, value)| (name.clone(), header_value(name, value).to_owned()));
        let secrets = endpoint.secrets.iter();
        let secrets = secrets.filter(|secret| signs(secret, now.as_second()));
        let until = secrets.map(|secret| secret.until.map(|second| time(second * 1000)));
        Self {
            condition: Condition::of(status, now).name(),
            circuit: CircuitView::of(&status.circuit, now),
            headers: headers.collect(),
            timeout: exact(endpoint.timeout().as_secs()),
            retry: endpoint.retry.iter().map(|wait| exact(*wait)).collect(),
            secrets: until.map(|until| SecretView { until }).collect(),
            created_at: time(endpoint.created_at),
            updated_at: time(endpoint.updated_at),
            id: endpoint.id,
            name: endpoint.name,
            url: endpoint.url,
            description: endpoint.description,
            state: endpoint.state,
            reason: endpoint.reason,
            events: endpoint.events,
            sources: endpoint.sources,
            rate: endpoint.rate,
            format: endpoint.format,
            signature: endpoint.signature,
            signature_header: endpoint.signature_header,
            signature_prefix: endpoint.signature_prefix,
        }
    }
}

impl CircuitView {
    fn of(circuit: &Circuit, now: Timestamp) -> Self {
        let wait = match circuit.wait(now) {
            Duration::ZERO => circuit.hanging_for(now).unwrap_or_default(),
            wait => wait,
        };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            failures: circuit.failures,
            failing_since: circuit.failing_since.map(time),
            opened_at: circuit.opened_at.map(time),
            wait: (seconds > 0).then(|| exact(seconds)),
        }
    }
}

/// An endpoint with all its settings.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointDetails {
    #[serde(flatten)]
    view: EndpointView,
    /// What is held, if it was counted.
    #[serde(flatten)]
    queue: Option<QueueView>,
    /// The secret that was just generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The deliveries that an endpoint is to get.
#[derive(Debug, Serialize)]
struct QueueView {
    held: usize,
    /// Whether more are held than were counted.
    more_held: bool,
    next_attempt_at: Option<String>,
}

impl EndpointDetails {
    pub(crate) const COLUMNS: &[&str] = &[
        "id",
        "name",
        "url",
        "description",
        "state",
        "reason",
        "condition",
        "circuit",
        "held",
        "more_held",
        "next_attempt_at",
        "events",
        "sources",
        "headers",
        "timeout",
        "retry",
        "rate",
        "format",
        "signature",
        "signature_header",
        "signature_prefix",
        "secrets",
        "created_at",
        "updated_at",
        "secret",
    ];

    pub(crate) fn of(view: EndpointView) -> Self {
        Self {
            view,
            queue: None,
            secret: None,
        }
    }

    /// The same with the number of held deliveries, counted up to a limit, and the time of the next attempt
    /// in milliseconds.
    pub(crate) fn queue(mut self, counted: usize, limit: usize, next: Option<i64>) -> Self {
        self.queue = Some(QueueView {
            held: counted.min(limit),
            more_held: counted > limit,
            next_attempt_at: next.and_then(shown),
        });
        self
    }

    /// The same with a secret, which is shown only once.
    pub(crate) fn secret(mut self, secret: Option<String>) -> Self {
        self.secret = secret;
        self
    }
}

/// A time in milliseconds, as text.
pub(crate) fn time(milliseconds: i64) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(time) => format!("{time:.0}"),
        Err(_) => milliseconds.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::samples::named;
    use serde_json::json;
    use webhook_gateway::store::endpoints::SealedSecret;

    /// 2026-09-21T14:13:20Z
    const NOW: i64 = 1_790_000_000_000;

    pub(crate) fn now() -> Timestamp {
        Timestamp::from_millisecond(NOW).unwrap()
    }

    /// An endpoint with all kinds of secrets, every one of them `hunter2`.
    pub(crate) fn status(circuit: Circuit) -> EndpointStatus {
        let mut endpoint = named("search", "https://hooks.example.com/in");
        endpoint.retry = vec![5, 300, 36_000];
        let sealed = |until| SealedSecret {
            ciphertext: "hunter2".to_owned(),
            until,
        };
        let second = NOW / 1000;
        endpoint.secrets = [None, Some(second + 60), Some(second)].map(sealed).into();
        let headers = [
            ("X-Env", "test"),
            ("Authorization", "Bearer hunter2"),
            ("X-Api-Key", "hunter2"),
        ];
        endpoint.headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        endpoint.created_at = NOW;
        endpoint.updated_at = NOW + 1000;
        EndpointStatus { endpoint, circuit }
    }

    #[test]
    fn an_endpoint_is_seen_as_it_is_and_no_secret_of_it() {
        let expected = json!({
            "id": "ep_1",
            "name": "search",
            "url": "https://hooks.example.com/in",
            "description": null,
            "state": "active",
            "reason": null,
            "condition": "active",
            "circuit": {"failures": 0, "failing_since": null, "opened_at": null,
            "wait": null},
            "events": ["*"],
            "sources": [],
            "headers": {"Authorization": "[redacted]", "X-Api-Key": "[redacted]", "X-Env": "test"},
            "timeout": "20s",
            "retry": ["5s", "5m", "10h"],
            "rate": null,
            "format": "cloudevents",
            "signature": "standard-webhooks",
            "signature_header": null,
            "signature_prefix": null,
            "secrets": [{"until": null}, {"until": "2026-09-21T14:14:20Z"}],
            "created_at": "2026-09-21T14:13:20Z",
            "updated_at": "2026-09-21T14:13:21Z",
        });
        assert_eq!(
            json!(EndpointView::of(&status(Circuit::default()), now())),
            expected
        );
    }

    #[test]
    fn a_circuit_says_how_long_the_endpoint_is_left_alone_and_why() {
        let asked = Circuit {
            failures: 1,
            failing_since: Some(NOW),
            wait_until: Some(NOW + 59_001),
            ..Circuit::default()
        };
        let slow = Circuit {
            hanging_until: Some(NOW + 30_000),
            ..Circuit::default()
        };
        let known = Circuit {
            hanging_until: Some(NOW),
            slow_since: Some(NOW),
            ..Circuit::default()
        };
        let open = Circuit {
            failures: 12,
            opened_at: Some(NOW),
            probes: 1,
            ..Circuit::default()
        };
        let now_text = "2026-09-21T14:13:20Z";
        for (circuit, expected) in [
            (
                asked,
                json!({"failures": 1, "failing_since": now_text, "opened_at": null,
                    "wait": "1m"}),
            ),
            (
                slow,
                json!({"failures": 0, "failing_since": null, "opened_at": null,
                    "wait": "30s"}),
            ),
            (
                known,
                json!({"failures": 0, "failing_since": null, "opened_at": null,
                    "wait": null}),
            ),
            (
                open,
                json!({"failures": 12, "failing_since": null, "opened_at": now_text,
                    "wait": "2m"}),
            ),
        ] {
            assert_eq!(json!(CircuitView::of(&circuit, now())), expected);
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_a_secret_or_its_ciphertext() {
        let view = || EndpointView::of(&status(Circuit::default()), now());
        let shown = EndpointDetails::of(view()).queue(0, 1, None);
        for text in [json!(view()).to_string(), json!(shown).to_string()] {
            assert!(text.contains("search"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_held_is_counted_up_to_a_limit() {
        let view = || EndpointView::of(&status(Circuit::default()), now());
        for (counted, held, more) in [(7, 7, false), (101, 100, true)] {
            let json = json!(EndpointDetails::of(view()).queue(counted, 100, Some(NOW)));
            assert_eq!(
                (&json["held"], &json["more_held"]),
                (&json!(held), &json!(more))
            );
        }
        let next = json!(EndpointDetails::of(view()).queue(0, 100, Some(NOW)));
        assert_eq!(next["next_attempt_at"], "2026-09-21T14:13:20.000Z");
        let none = json!(EndpointDetails::of(view()).queue(0, 100, None));
        assert_eq!(none.get("next_attempt_at"), Some(&json!(null)));
        for member in ["held", "next_attempt_at"] {
            assert_eq!(json!(EndpointDetails::of(view())).get(member), None);
        }
    }

    #[test]
    fn a_secret_is_shown_to_who_made_it() {
        let view = EndpointView::of(&status(Circuit::default()), now());
        let made = EndpointDetails::of(view).secret(Some("whsec_".to_owned()));
        assert_eq!(json!(made)["secret"], "whsec_");
    }
}
