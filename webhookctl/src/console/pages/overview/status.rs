//! How sources and endpoints are doing: the charts of all of them, and a row for each.

use crate::console::Console;
use crate::console::chart::{Chart, Series, Unit, bar, sparkline};
use crate::console::html::{
    answer, at, badge, count, dash, empty, grouped, member, scroll, string, text, time, url,
};
use crate::console::pages::endpoints::CREATE;
use crate::console::runner::{Answer, words};
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

/// What becomes of a request: the member of a source, the name for a reader, and the class.
const OUTCOMES: [(&str, &str, &str); 4] = [
    ("accepted", "Accepted", "accepted"),
    ("duplicates", "Duplicate", "duplicate"),
    ("quarantined", "Quarantined", "quarantined"),
    ("rejected", "Rejected", "rejected"),
];

pub(super) async fn status(State(console): State<Console>) -> Markup {
    let command = words(&["status"]);
    let found = console.runner.ask(&command).await;
    let read_at = format!("{:.0}", Timestamp::now());
    html! {
        (answer(&console, &command, &found, panels))
        p.note.inline {
            "Read at " time datetime=(read_at) { (read_at) }
            ". CloudWatch charges for each metric: Refresh reads them again."
        }
    }
}

fn panels(found: &Answer) -> Markup {
    let of = |kind: &str| {
        let rows = found.rows.iter();
        rows.filter(|row| string(row, "kind") == kind)
            .collect::<Vec<_>>()
    };
    let (sources, endpoints, gateway) = (of("source"), of("endpoint"), of("gateway"));
    let is_counted = |rows: &[&Value]| rows.iter().any(|row| !hours(row).is_empty());
    html! {
        @if is_counted(&sources) || is_counted(&gateway) {
            div.panels {
                @if is_counted(&sources) {
                    section.panel { h2 { "Requests by outcome" } (requests(&sources).bars()) }
                }
                @for row in &gateway {
                    section.panel { h2 { "Latency of first attempts" } (latency(row).lines()) }
                }
            }
        }
        section.panel { h2 { "Sources, 24 hours" } (source_table(&sources)) }
        section.panel { h2 { "Endpoints, 24 hours" } (endpoint_table(&endpoints)) }
    }
}

/// The series of a row, an object for each hour.
fn hours(row: &Value) -> &[Value] {
    at(row, "hours").as_array().map_or(&[], Vec::as_slice)
}

fn begins(row: &Value) -> Vec<String> {
    let begins = hours(row).iter().map(|hour| string(hour, "at").to_owned());
    begins.collect()
}

fn series(row: &Value, member: &str, name: &'static str, class: &'static str) -> Series {
    let values = hours(row).iter().map(|hour| at(hour, member).as_u64());
    Series {
        name,
        class,
        values: values.collect(),
    }
}

/// The requests of all sources.
fn requests(sources: &[&Value]) -> Chart {
    let begins = sources.first().map(|source| begins(source));
    let begins = begins.unwrap_or_default();
    let sum = |member: &str, hour: usize| {
        let counts = sources.iter().filter_map(|source| hours(source).get(hour));
        counts
            .filter_map(|counts| at(counts, member).as_u64())
            .sum()
    };
    let series = OUTCOMES.map(|(member, name, class)| Series {
        name,
        class,
        values: (0..begins.len())
            .map(|hour| Some(sum(member, hour)))
            .collect(),
    });
    Chart {
        id: "requests",
        title: "Requests of all sources by outcome, 24 hours",
        unit: Unit::Things,
        hours: begins,
        series: series.into(),
    }
}

fn latency(gateway: &Value) -> Chart {
    Chart {
        id: "latency",
        title: "Time from the acceptance of an event to the end of its first attempt, 24 hours",
        unit: Unit::Milliseconds,
        hours: begins(gateway),
        series: vec![
            series(gateway, "p50_ms", "p50", "p50"),
            series(gateway, "p99_ms", "p99", "p99"),
        ],
    }
}

fn source_table(sources: &[&Value]) -> Markup {
    if sources.is_empty() {
        return empty(
            "There is no source yet. A source is one account of a provider.",
            html! { code { "webhookctl source create studio --provider creative-force" } },
        );
    }
    let day = |source: &Value, member: &str| at(source, &format!("day.{member}")).as_u64();
    let counts = sources.iter();
    let counts = counts.flat_map(|source| OUTCOMES.map(|(member, ..)| day(source, member)));
    let most = counts.flatten().max().unwrap_or(0);
    let table = html! {
        table.wide {
            thead {
                tr {
                    th { "Source" } th { "Last event" } th { "Silence" }
                    @for (_, name, _) in OUTCOMES { th.number { (name) } }
                    th { "By the hour" }
                }
            }
            tbody { @for source in sources { (source_row(source, most)) } }
        }
    };
    scroll("Sources", &table)
}

fn source_row(source: &Value, most: u64) -> Markup {
    let name = string(source, "name");
    html! {
        tr {
            td {
                div { a href=(url("/source", &[("name", name)])) { (text(name)) } }
                div.note { (member(source, "provider")) }
            }
            td { (time(source, "last_event_at")) }
            td { (silence(source)) }
            @for (member, _, class) in OUTCOMES {
                td.number.part {
                    @match at(source, &format!("day.{member}")).as_u64() {
                        Some(count) => (bar(count, most, class)),
                        None => (dash()),
                    }
                }
            }
            td { (source_hours(source)) }
        }
    }
}

/// Whether a source is silent, if it is watched.
fn silence(source: &Value) -> Markup {
    let gap = string(source, "silent_after");
    html! {
        @if !at(source, "silent_since").is_null() {
            (badge("silent")) div.note.inline { "since " (time(source, "silent_since")) }
        } @else if gap.is_empty() { span.none { "not watched" } }
        @else { span.none { "watched, " (text(gap)) } }
    }
}

fn source_hours(source: &Value) -> Markup {
    if hours(source).is_empty() {
        return dash();
    }
    let parts = OUTCOMES.map(|(member, name, class)| series(source, member, name, class));
    let name = string(source, "name");
    sparkline(&format!("Requests of {name} by the hour, 24 hours"), &parts)
}

fn endpoint_table(endpoints: &[&Value]) -> Markup {
    if endpoints.is_empty() {
        return empty(
            "There is no endpoint yet. An endpoint is a URL that events are delivered to.",
            html! { code { (CREATE) } },
        );
    }
    let table = html! {
        table.wide.list {
            thead {
                tr {
                    th { "Endpoint" } th { "Condition" } th.number { "Success" } th.number { "p50" }
                    th.number { "p99" } th.number { "Held" } th { "Next attempt" } th { "By the hour" }
                }
            }
            tbody { @for endpoint in endpoints { (endpoint_row(endpoint)) } }
        }
    };
    scroll("Endpoints", &table)
}

fn endpoint_row(endpoint: &Value) -> Markup {
    html! {
        tr {
            td { a href=(url("/endpoint", &[("id", string(endpoint, "id"))])) { (member(endpoint, "name")) } }
            td { (badge(string(endpoint, "condition"))) }
            td.number {
                (share(at(endpoint, "day.success")))
                @if !at(endpoint, "hour.success").is_null() {
                    div.note { "last hour " (share(at(endpoint, "hour.success"))) }
                }
            }
            td.number { (duration(at(endpoint, "p50_ms"))) }
            td.number { (duration(at(endpoint, "p99_ms"))) }
            td.number { (held(endpoint)) }
            td { (time(endpoint, "next_attempt_at")) }
            td { (endpoint_hours(endpoint)) }
        }
    }
}

/// The number of held deliveries, with a sign if there are more than were counted.
pub(crate) fn held(endpoint: &Value) -> Markup {
    html! {
        (count(at(endpoint, "held")))
        @if at(endpoint, "more_held").as_bool() == Some(true) { "+" }
    }
}

fn endpoint_hours(endpoint: &Value) -> Markup {
    if hours(endpoint).is_empty() {
        return dash();
    }
    let parts = [("delivered", "delivered"), ("failed", "failed")];
    let parts = parts.map(|(name, class)| series(endpoint, name, name, class));
    let sum = |member: &str| at(endpoint, &format!("day.{member}")).as_u64().unwrap_or(0);
    let (delivered, failed) = (grouped(sum("delivered")), grouped(sum("failed")));
    let name = string(endpoint, "name");
    let title = format!("Attempts at {name} in 24 hours: {delivered} delivered, {failed} failed");
    sparkline(&title, &parts)
}

/// A share in percent. It is 100 only if it is all.
fn share(value: &Value) -> Markup {
    match value.as_f64() {
        Some(share) => html! { ((share * 1000.0).floor() / 10.0) "\u{a0}%" },
        None => dash(),
    }
}

fn duration(milliseconds: &Value) -> Markup {
    match milliseconds.as_u64() {
        Some(time) => html! { (grouped(time)) "\u{a0}ms" },
        None => dash(),
    }
}
