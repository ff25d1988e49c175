//! The events: `webhookctl event list`. The filters are in the URL, therefore a link shows the same events to
//! somebody else. The live tail asks again for the newest events.

use crate::console::Console;
use crate::console::html::{answer, badge, empty, member, page, scroll, string, text, time, url};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The rows of a page.
const PAGE: &str = "50";

const STATES: [&str; 4] = ["accepted", "duplicate", "conflict", "quarantined"];

const SPANS: [(&str, &str); 5] = [
    ("1h", "last hour"),
    ("1d", "last 24 hours"),
    ("3d", "last 3 days"),
    ("7d", "last 7 days"),
    ("30d", "last 30 days"),
];

/// The filters, as the URL has them. Those that are empty select everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Filter {
    source: String,
    r#type: String,
    state: String,
    /// How far back; a day if it is empty.
    since: String,
    /// Only events before this time: the next page of a long list.
    until: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/events", get(events))
        .route("/panels/events", get(rows))
}

impl Filter {
    fn command(&self) -> Vec<String> {
        let mut command = words(&["event", "list", "--limit", PAGE]);
        let flags = [
            ("source", &self.source),
            ("type", &self.r#type),
            ("state", &self.state),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let given = flags.iter().filter(|(_, value)| !value.is_empty());
        command.extend(given.map(|(name, value)| format!("--{name}={value}")));
        command
    }

    fn url(&self, path: &str, until: &str) -> String {
        let query = [
            ("source", &*self.source),
            ("type", &self.r#type),
            ("state", &self.state),
            ("since", &self.since),
            ("until", until),
        ];
        url(path, &query)
    }
}

async fn events(State(console): State<Console>, Query(filter): Query<Filter>) -> Markup {
    let body = html! {
        div.title {
            h1 { "Events" }
            button #tail type="button" aria-pressed="false" data-tail=(filter.url("/panels/events", "")) { "Live tail" }
        }
        (form(&filter))
        section.panel {
            div hx-get=(filter.url("/panels/events", &filter.until)) hx-trigger="load, changed from:body" aria-busy="true" data-panel {
                (crate::console::html::loading())
            }
        }
    };
    page(&console, "/events", "Events", &body)
}

fn form(filter: &Filter) -> Markup {
    html! {
        form.filters method="get" action="/events" role="search" {
            label { "Source" input #filter type="search" name="source" value=(filter.source) autocomplete="off"; }
            label { "Type" input type="search" name="type" value=(filter.r#type) placeholder="io.acme.*" autocomplete="off"; }
            label { "State"
                select name="state" {
                    option value="" { "any" }
                    @for state in STATES { option value=(state) selected[filter.state == state] { (state) } }
                }
            }
            label { "Time"
                select name="since" {
                    @for (span, name) in SPANS {
                        option value=(span) selected[filter.since == span || filter.since.is_empty() && span == "1d"] { (name) }
                    }
                }
            }
            button type="submit" { "Filter" }
        }
    }
}

async fn rows(State(console): State<Console>, Query(filter): Query<Filter>) -> Markup {
    let command = filter.command();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| table(&filter, found))
}

fn table(filter: &Filter, found: &Answer) -> Markup {
    let Some(last) = found.rows.last() else {
        let wider = html! { a href=(Filter { since: "30d".to_owned(), ..filter.clone() }.url("/events", "")) { "Search the last 30 days" } };
        return empty("No event matches.", wider);
    };
    let list = html! {
        table.list {
            thead { tr { th { "Accepted" } th { "Source" } th { "Type" } th { "Id" } th { "State" } } }
            tbody { @for row in &found.rows { (event(row)) } }
        }
    };
    html! {
        (scroll("Events", &list))
        @if found.rows.len().to_string() == PAGE {
            p { a href=(filter.url("/events", string(last, "accepted_at"))) { "Older events" } }
        }
    }
}

fn event(row: &Value) -> Markup {
    let to = url("/event", &[("id", string(row, "key"))]);
    html! {
        tr data-key=(string(row, "key")) {
            td { (time(row, "accepted_at")) }
            td { (member(row, "source")) }
            td { a href=(to) { (text(string(row, "type"))) } }
            td.id { (member(row, "id")) }
            td { (badge(string(row, "state"))) }
        }
    }
}
