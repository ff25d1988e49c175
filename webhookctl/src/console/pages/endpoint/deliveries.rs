//! The deliveries of an endpoint (`webhookctl delivery list`): how many are in each state, how their last
//! attempts ended, and a row for each. The filters are in the URL.

use crate::console::Console;
use crate::console::chart::bar;
use crate::console::html::{
    action, answer, at, badge, empty, grouped, member, scroll, since_field, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The deliveries that are read, and how many are read on demand.
const LIMIT: &str = "100";
const MORE: &str = "1000";

const STATES: [&str; 5] = ["pending", "delivered", "held", "exhausted", "skipped"];

/// The type of a test event, which the ledger does not have.
const PING: &str = "io.webhook-gateway.endpoint.ping";

/// The endpoint, and which of its deliveries are listed. Filters that are empty select everything.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filter {
    pub(super) id: String,
    #[serde(default)]
    state: String,
    /// How far back; three days if it is empty.
    #[serde(default)]
    since: String,
    #[serde(default)]
    limit: String,
}

impl Filter {
    fn since(&self) -> &str {
        match &*self.since {
            "" => "3d",
            since => since,
        }
    }

    fn limit(&self) -> &str {
        match &*self.limit {
            "" => LIMIT,
            limit => limit,
        }
    }

    fn command(&self) -> Vec<String> {
        let mut command = words(&["delivery", "list"]);
        command.push(format!("--endpoint={}", self.id));
        if !self.state.is_empty() {
            command.push(format!("--state={}", self.state));
        }
        command.push(format!("--since={}", self.since()));
        command.push(format!("--limit={}", self.limit()));
        command
    }

    pub(super) fn url(&self, path: &str) -> String {
        let query = [
            ("id", &*self.id),
            ("state", &self.state),
            ("since", &self.since),
            ("limit", &self.limit),
        ];
        url(path, &query)
    }

    pub(super) fn form(&self) -> Markup {
        html! {
            form.filters method="get" action="/endpoint" role="search" {
                input type="hidden" name="id" value=(self.id);
                label { "State"
                    select #filter name="state" {
                        option value="" { "any" }
                        @for state in STATES {
                            option value=(state) selected[self.state == state] { (state) }
                        }
                    }
                }
                (since_field("Events that were accepted in the", self.since()))
                button type="submit" { "Filter" }
            }
        }
    }
}

pub(super) async fn deliveries(
    State(console): State<Console>,
    Query(filter): Query<Filter>,
) -> Markup {
    let command = filter.command();
    let mut found = console.runner.ask(&command).await;
    if found.rows.is_empty() {
        // The empty table says the same.
        found.notes.retain(|note| note != "no delivery matches");
    }
    answer(&console, &command, &found, |found| {
        shown(&console, &filter, found)
    })
}

fn shown(console: &Console, filter: &Filter, found: &Answer) -> Markup {
    if found.rows.is_empty() {
        let older = Filter {
            since: "30d".to_owned(),
            ..filter.clone()
        };
        return empty(
            "No delivery matches. A delivery is listed after its first attempt.",
            html! { a href=(older.url("/endpoint")) { "Search the last 30 days" } },
        );
    }
    let is_cut = found.rows.len().to_string() == filter.limit();
    let more = Filter {
        limit: MORE.to_owned(),
        ..filter.clone()
    };
    let table = html! {
        table.list.wide {
            thead {
                tr {
                    th { "Accepted" } th { "Delivery" } th { "State" } th.number { "Attempts" }
                    th { "Last answer" } th { "Next attempt" } th { span.visually-hidden { "Action" } }
                }
            }
            tbody { @for delivery in &found.rows { (row(console, delivery)) } }
        }
    };
    html! {
        p.note {
            @if is_cut { "These are the newest " (filter.limit()) " deliveries. " }
            @if is_cut && filter.limit() != MORE {
                a href=(more.url("/endpoint")) { "Show " (MORE) }
            }
        }
        div.panels.tight { (states(&found.rows)) (classes(&found.rows)) }
        (scroll("Deliveries", &table))
    }
}

/// How many of the listed deliveries are in each state.
fn states(deliveries: &[Value]) -> Markup {
    let mut counts = BTreeMap::new();
    for delivery in deliveries {
        *counts.entry(string(delivery, "state")).or_insert(0) += 1;
    }
    let all = deliveries.len() as u64;
    html! {
        table.counts {
            caption { "States" }
            tbody {
                @for state in STATES {
                    @if let Some(count) = counts.get(state) {
                        tr { th scope="row" { (badge(state)) } td.number.part { (bar(*count, all, state)) } }
                    }
                }
            }
        }
    }
}

/// How the last attempts ended.
fn classes(deliveries: &[Value]) -> Markup {
    let mut counts: BTreeMap<_, BTreeMap<String, u64>> = BTreeMap::new();
    for delivery in deliveries {
        let last = at(delivery, "last");
        let of_class = counts.entry(class(last)).or_default();
        *of_class.entry(answered(last)).or_insert(0) += 1;
    }
    let all = deliveries.len() as u64;
    html! {
        table.counts {
            caption { "Last answers" }
            tbody {
                @for (name, answers) in &counts {
                    @let kind = if *name == "2xx" { "delivered" } else { "failed" };
                    tr {
                        th scope="row" {
                            (name)
                            @if name.ends_with("xx") && *name != "2xx" { " " span.note { (list(answers)) } }
                        }
                        td.number.part { (bar(answers.values().sum(), all, kind)) }
                    }
                }
            }
        }
    }
}

/// The statuses of a class, each with its number.
fn list(answers: &BTreeMap<String, u64>) -> Markup {
    let one = |(answer, count): (&String, &u64)| format!("{answer} × {}", grouped(*count));
    text(&answers.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The class of an answer: that of its status or, without any, why there was none.
fn class(last: &Value) -> &'static str {
    match (last.as_u64(), last.as_str()) {
        (Some(200..=299), _) => "2xx",
        (Some(300..=399), _) => "3xx",
        (Some(400..=499), _) => "4xx",
        (Some(500..=599), _) => "5xx",
        (_, Some("timeout")) => "timeout",
        (_, Some("tls")) => "TLS",
        (_, Some("dns")) => "DNS",
        (_, Some("refused" | "unreachable")) => "no connection",
        (_, Some("reset")) => "connection closed",
        (_, Some("protocol")) => "not HTTP",
        (_, Some("guard")) => "denied address",
        (None, None) => "no attempt",
        _ => "other",
    }
}

fn answered(last: &Value) -> String {
    last.as_str()
        .map_or_else(|| last.to_string(), str::to_owned)
}

fn row(console: &Console, delivery: &Value) -> Markup {
    let id = string(delivery, "id");
    let event = [
        ("id", string(delivery, "event")),
        ("source", string(delivery, "source")),
    ];
    let is_over = matches!(
        string(delivery, "state"),
        "delivered" | "exhausted" | "skipped"
    );
    let is_ping = string(delivery, "type") == PING;
    let resend = url("/actions/resend", &[("id", id)]);
    html! {
        tr {
            td { (time(delivery, "accepted_at")) }
            td {
                a href=(url("/delivery", &[("id", id)])) { (member(delivery, "type")) }
                div.note.id {
                    @if is_ping { (member(delivery, "event")) }
                    @else { a href=(url("/event", &event)) { (member(delivery, "event")) } }
                }
            }
            td {
                (badge(string(delivery, "state")))
                @if !string(delivery, "reason").is_empty() { div.note { (member(delivery, "reason")) } }
            }
            td.number { (member(delivery, "attempts")) }
            td { (member(delivery, "last")) }
            td { (time(delivery, "next_attempt_at")) }
            td { @if is_over && !is_ping { (action(console, "Resend", &resend)) } }
        }
    }
}
