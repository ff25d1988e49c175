//! An endpoint as a command prints it: in a list, or in full. What may be seen at all is left to `view`.

use super::parse::name_of;
use super::view::{CircuitView, View};
use crate::output::Row;
use serde::Serialize;

/// An endpoint in a list.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Listed(pub(crate) View);

/// An endpoint in full.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    view: View,
    /// How many deliveries are held for it, if that was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<usize>,
    /// Whether there are more than were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_held: Option<bool>,
    /// The secret that it was just given.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Shown {
    pub(crate) fn of(view: View) -> Self {
        Self {
            view,
            held: None,
            more_held: None,
            secret: None,
        }
    }

    /// With how many deliveries are held for it, counted up to a limit.
    pub(crate) fn held(mut self, counted: usize, limit: usize) -> Self {
        self.held = Some(counted.min(limit));
        self.more_held = Some(counted > limit);
        self
    }

    /// With a secret that is shown this once.
    pub(crate) fn secret(mut self, secret: Option<String>) -> Self {
        self.secret = secret;
        self
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let view = &self.0;
        vec![
            ("id", view.id.clone()),
            ("name", view.name.clone()),
            ("url", view.url.clone()),
            ("state", state(view)),
            ("failures", view.circuit.failures.to_string()),
            ("events", view.events.join(" ")),
            ("sources", sources(view)),
        ]
    }
}

impl Row for Shown {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let view = &self.view;
        let mut cells = vec![("id", view.id.clone()), ("name", view.name.clone())];
        let mut add = |name, text: Option<String>| cells.extend(text.map(|text| (name, text)));
        add("url", Some(view.url.clone()));
        add("description", view.description.clone());
        add("state", Some(name_of(view.state)));
        add("reason", view.reason.clone());
        add("circuit", Some(circuit(&view.circuit)));
        add("failures", Some(view.circuit.failures.to_string()));
        let more = if self.more_held == Some(true) {
            "+"
        } else {
            ""
        };
        add("held", self.held.map(|held| format!("{held}{more}")));
        add("events", Some(view.events.join(" ")));
        add("sources", Some(sources(view)));
        for (name, value) in &view.headers {
            add("header", Some(format!("{name}: {value}")));
        }
        add("timeout", Some(view.timeout.clone()));
        add("retry", Some(retry(view)));
        add("rate", view.rate.map(|rate| format!("{rate} a second")));
        add("format", Some(name_of(view.format)));
        add("signature", Some(signature(view)));
        add("secrets", Some(secrets(view)));
        add("created", Some(view.created_at.clone()));
        add("updated", Some(view.updated_at.clone()));
        add("secret", self.secret.clone());
        cells
    }
}

/// In a few words, whether it gets its deliveries.
fn state(view: &View) -> String {
    let state = name_of(view.state);
    match view.circuit.state {
        "closed" => state,
        "open" => format!("{state}, circuit open"),
        other => format!("{state}, {other}"),
    }
}

fn circuit(circuit: &CircuitView) -> String {
    let parts = [
        ("since", &circuit.opened_at),
        ("failing since", &circuit.failing_since),
        ("wait", &circuit.wait),
    ];
    let parts = parts.into_iter().filter_map(|(what, value)| {
        let value = value.as_ref()?;
        Some(format!(", {what} {value}"))
    });
    [circuit.state.to_owned()]
        .into_iter()
        .chain(parts)
        .collect()
}

fn sources(view: &View) -> String {
    match &*view.sources {
        [] => "all".to_owned(),
        sources => sources.join(" "),
    }
}

fn retry(view: &View) -> String {
    match &*view.retry {
        [] => "none".to_owned(),
        waits => waits.join(","),
    }
}

fn signature(view: &View) -> String {
    let scheme = name_of(view.signature);
    let prefix = view.signature_prefix.as_deref().unwrap_or_default();
    match &view.signature_header {
        Some(header) => format!("{scheme}, {header}: {prefix}…"),
        None => scheme,
    }
}

fn secrets(view: &View) -> String {
    let until = view.secrets.iter().filter_map(|it| it.until.as_ref());
    let until = until.map(|until| format!(", one until {until}"));
    let count = view.secrets.len().to_string();
    [count].into_iter().chain(until).collect()
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{now, standing};
    use super::*;
    use serde_json::json;
    use webhook_gateway::store::endpoints::circuit::Circuit;

    fn view(circuit: Circuit) -> View {
        View::of(&standing(circuit), now())
    }

    fn cell(row: &impl Row, name: &str) -> Option<String> {
        let cells = row.cells().into_iter();
        cells
            .filter(|(cell, _)| *cell == name)
            .map(|(_, text)| text)
            .next()
    }

    #[test]
    fn nothing_that_is_printed_holds_a_secret_or_its_ciphertext() {
        let listed = Listed(view(Circuit::default()));
        let shown = Shown::of(view(Circuit::default())).held(0, 1);
        for text in [
            format!("{:?} {}", listed.cells(), json!(listed)),
            format!("{:?} {}", shown.cells(), json!(shown)),
        ] {
            assert!(text.contains("search"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        let text = "2, one until 2026-09-21T14:14:20Z".to_owned();
        assert_eq!(cell(&shown, "secrets"), Some(text));
    }

    #[test]
    fn what_is_held_is_counted_up_to_a_limit() {
        for (counted, held, more, text) in [(7, 7, false, "7"), (101, 100, true, "100+")] {
            let shown = Shown::of(view(Circuit::default())).held(counted, 100);
            assert_eq!(cell(&shown, "held").as_deref(), Some(text));
            let json = json!(shown);
            assert_eq!(
                (&json["held"], &json["more_held"]),
                (&json!(held), &json!(more))
            );
        }
        let uncounted = Shown::of(view(Circuit::default()));
        assert_eq!(
            (cell(&uncounted, "held"), json!(uncounted).get("held")),
            (None, None)
        );
    }

    #[test]
    fn a_secret_is_shown_to_who_made_it() {
        let made = Shown::of(view(Circuit::default())).secret(Some("whsec_".to_owned()));
        assert_eq!(json!(made)["secret"], "whsec_");
        assert_eq!(cell(&made, "secret").as_deref(), Some("whsec_"));
    }

    #[test]
    fn a_circuit_is_told_of_beside_the_state() {
        let since = now().as_millisecond();
        let waiting = Circuit {
            failing_since: Some(since),
            wait_until: Some(since + 60_000),
            ..Circuit::default()
        };
        let open = Circuit {
            opened_at: Some(since),
            ..Circuit::default()
        };
        for (circuit, state, text) in [
            (Circuit::default(), "active", "closed"),
            (
                waiting,
                "active, waiting",
                "waiting, failing since 2026-09-21T14:13:20Z, wait 1m",
            ),
            (
                open,
                "active, circuit open",
                "open, since 2026-09-21T14:13:20Z, wait 1m",
            ),
        ] {
            let listed = Listed(view(circuit.clone()));
            assert_eq!(cell(&listed, "state").as_deref(), Some(state));
            let shown = Shown::of(view(circuit));
            assert_eq!(cell(&shown, "circuit").as_deref(), Some(text));
        }
    }

    #[test]
    fn where_a_signature_stands_is_told() {
        let mut view = view(Circuit::default());
        assert_eq!(signature(&view), "standard-webhooks");
        view.signature_header = Some("X-Signature".to_owned());
        view.signature_prefix = Some("sha256=".to_owned());
        assert!(signature(&view).ends_with(", X-Signature: sha256=…"));
    }
}
