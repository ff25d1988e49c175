//! The state of the stack: `webhookctl doctor`, and the proof that nothing was lost: `webhookctl reconcile`,
//! which is started by a button, because it scans the ledger.

use crate::console::Console;
use crate::console::html::{
    action, answer, at, badge, count, empty, loading, member, page, panel, prose, scroll,
    since_field, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The parts of the two balances: the member and the name.
const EVENTS: [(&str, &str); 5] = [
    ("accepted", "accepted"),
    ("published", "published"),
    ("quarantined", "quarantined"),
    ("in_flight", "in flight"),
    ("missing", "missing"),
];
const DELIVERIES: [(&str, &str); 8] = [
    ("all", "all"),
    ("delivered", "delivered"),
    ("held", "held"),
    ("exhausted", "exhausted"),
    ("skipped", "skipped"),
    ("in_flight", "in flight"),
    ("in_flight_or_missing", "in flight or missing"),
    ("missing", "missing"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Span {
    since: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/doctor", get(doctor))
        .route("/panels/doctor", get(findings))
        .route("/panels/reconcile", get(reconcile))
}

async fn doctor(State(console): State<Console>) -> Markup {
    let body = html! {
        h1 { "Doctor" }
        (panel("Findings", "/panels/doctor"))
        section.panel {
            h2 { "Reconcile" }
            p {
                "It proves for a span of time that each accepted event was published, and that each delivery "
                "is delivered, held, exhausted, skipped or in flight; or it lists those that are missing."
            }
            p.caution { strong { "What it costs: " }
                "it scans the entire ledger, whatever the span is. That is one read unit for each 8 KB, or "
                "0.13 million for 1 GB. Beside that, a thousand events cost 8 read units, and a thousand "
                "deliveries about 200." }
            (reconcile_form())
        }
    };
    page(&console, "/doctor", "Doctor", &body)
}

fn reconcile_form() -> Markup {
    html! {
        form.asked hx-get="/panels/reconcile" hx-target="next .answer" hx-indicator="closest .asked"
            hx-disabled-elt="find button" {
            div.filters {
                (since_field("Events accepted in the", "1d"))
                button type="submit" { "Reconcile" }
            }
            div.waits { (loading()) }
        }
        div.answer aria-live="polite" {}
    }
}

async fn findings(State(console): State<Console>) -> Markup {
    examined(&console, checks).await
}

/// What `doctor` finds. Its error only counts the findings, which are here.
pub(super) async fn examined(console: &Console, render: impl FnOnce(&Answer) -> Markup) -> Markup {
    let command = words(&["doctor"]);
    let mut found = console.runner.ask(&command).await;
    found.error = found.error.filter(|_| found.rows.is_empty());
    answer(console, &command, &found, render)
}

/// The checks with something to do, the worst first, and those that are ok.
fn checks(found: &Answer) -> Markup {
    let level = |level: &'static str| found.rows.iter().filter(move |row| row["level"] == level);
    let (wrong, warnings, ok) = (
        level("wrong").count(),
        level("warning").count(),
        level("ok").count(),
    );
    let to_do = worst_first(found);
    html! {
        p.tally {
            (badge("wrong")) " " (wrong) "  " (badge("warning")) " " (warnings) "  " (badge("ok")) " " (ok)
        }
        @if to_do.is_empty() && ok > 0 {
            (empty("Nothing is wrong, and everything could be checked.", html! {}))
        }
        @for (check, rows) in to_do {
            h3 { (text(check)) }
            ul.findings { @for row in rows { (finding(row)) } }
        }
        @if ok > 0 {
            details {
                summary { (ok) " ok" }
                @for (check, rows) in by_check(level("ok")) {
                    h3 { (text(check)) }
                    ul.findings { @for row in rows { (finding(row)) } }
                }
            }
        }
    }
}

type Checks<'f> = Vec<(&'f str, Vec<&'f Value>)>;

/// Findings by check, in the order of their first.
fn by_check<'f>(findings: impl Iterator<Item = &'f Value>) -> Checks<'f> {
    let mut checks: Checks<'f> = Vec::new();
    for finding in findings {
        let check = string(finding, "check");
        match checks.iter_mut().find(|(name, _)| *name == check) {
            Some((_, rows)) => rows.push(finding),
            None => checks.push((check, vec![finding])),
        }
    }
    checks
}

fn worst_first(found: &Answer) -> Checks<'_> {
    let is_warning = |finding: &Value| string(finding, "level") != "wrong";
    let mut checks = by_check(found.rows.iter().filter(|row| row["level"] != "ok"));
    for (_, rows) in &mut checks {
        rows.sort_by_key(|row| is_warning(row));
    }
    checks.sort_by_key(|(_, rows)| rows.first().is_none_or(|row| is_warning(row)));
    checks
}

/// A finding with what to do.
pub(super) fn finding(row: &Value) -> Markup {
    html! {
        li {
            (badge(string(row, "level")))
            div {
                p { strong { (member(row, "subject")) } ": " (prose(string(row, "what"))) }
                @if let Some(to_do) = row["to_do"].as_str() { p.to-do { (prose(to_do)) } }
            }
        }
    }
}

async fn reconcile(State(console): State<Console>, Query(span): Query<Span>) -> Markup {
    let command = words(&["reconcile", &format!("--since={}", span.since)]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let missing: Vec<_> = found
            .rows
            .iter()
            .filter(|row| !row["missing"].is_null())
            .collect();
        let repair = url("/actions/repair", &[("since", &span.since)]);
        html! {
            (balances(found.first()))
            @if missing.is_empty() && found.error.is_none() {
                p { (badge("ok")) " No event and no delivery is missing." }
            }
            @if !missing.is_empty() {
                h3 { "Missing" }
                (scroll("Missing", &lost(&missing)))
                (action(&console, "Repair", &repair))
            }
        }
    })
}

fn balances(balance: &Value) -> Markup {
    html! {
        p.note { "Events accepted from " (time(balance, "since")) " to " (time(balance, "until")) }
        (scroll("Balance of the events", &equation("Events", at(balance, "events"), &EVENTS)))
        (scroll("Balance of the deliveries", &equation("Deliveries", at(balance, "deliveries"), &DELIVERIES)))
    }
}

/// The first part is the sum of the others.
fn equation(name: &str, counts: &Value, parts: &[(&str, &str)]) -> Markup {
    html! {
        table.balance {
            thead { tr {
                th { (name) }
                @for (place, (_, name)) in parts.iter().enumerate() {
                    th.number { @if place == 1 { "= " } @else if place > 1 { "+ " } (name) }
                }
            } }
            tbody { tr {
                th scope="row" { "Count" }
                @for (member, _) in parts { td.number { (count(at(counts, member))) } }
            } }
        }
    }
}

fn lost(missing: &[&Value]) -> Markup {
    html! {
        table.list {
            thead { tr {
                th { "Accepted" } th { "Missing" } th { "Event" }
                th { "Source" } th { "Endpoint" } th { "Why" }
            } }
            tbody { @for row in missing {
                @let event = row["event"].as_str().unwrap_or(string(row, "id"));
                @let to = url("/event", &[("id", event), ("source", string(row, "source"))]);
                tr data-key=(string(row, "id")) {
                    td { (time(row, "accepted_at")) }
                    td { (member(row, "missing")) }
                    td.id { a href=(to) { (text(event)) } }
                    td { (member(row, "source")) }
                    td { (member(row, "endpoint_name")) }
                    td { (member(row, "why")) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::console::samples::{answers, reconciled};
    use crate::console::tests::{Answers, Page, local};
    use serde_json::json;

    #[tokio::test]
    async fn the_worst_findings_come_first_and_those_that_are_ok_are_counted() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/doctor").await;
            assert_eq!(seen.texts("h3"), ["sources", "queues", "sources"]);
            let levels = seen.texts(".findings .badge");
            assert_eq!(levels, ["wrong", "warning", "warning", "ok"]);
            assert_eq!(seen.texts("details summary"), ["1 ok"]);
            assert_eq!(seen.texts(".to-do code")[0], "webhookctl source rotate-secret hr");
            let well = json!({"level": "ok", "check": "sources", "subject": "a", "what": "b", "to_do": null});
            let page = Page::with(Answers::from([("doctor", Ok(vec![well]))]), false);
            let seen = page.get("/panels/doctor").await;
            assert!(seen.texts(".empty")[0].starts_with("Nothing is wrong"));
        })
        .await;
    }

    #[tokio::test]
    async fn nothing_is_scanned_before_it_is_asked_for_and_the_cost_is_named() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/doctor").await;
            assert!(page.ran.lock().unwrap().is_empty());
            assert!(seen.texts(".caution")[0].contains("scans the entire ledger"));
            let seen = page.get("/panels/reconcile?since=3d").await;
            assert_eq!(page.ran.lock().unwrap()[0], "reconcile --since=3d");
            assert_eq!(seen.texts("table.balance td")[0], "3");
            assert_eq!(seen.texts("table.list tbody tr").len(), 2);
            assert!(seen.html.contains("/event?id=evt-2&amp;source=studio"));
            assert_eq!(seen.texts("button")[0], "Repair…");
        })
        .await;
    }

    #[tokio::test]
    async fn a_repair_counts_what_is_missing_first() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/actions/repair/count?since=3d").await;
            assert_eq!(
                page.ran.lock().unwrap()[0],
                "reconcile --since=3d --dry-run --repair"
            );
            assert_eq!(seen.texts(".count"), ["2 of 2 will be repaired"]);
            assert_eq!(
                seen.texts(".command code"),
                ["webhookctl reconcile --since=3d --repair"]
            );
            let whole = Answers::from([("reconcile", Ok(reconciled()[..1].to_vec()))]);
            let page = Page::with(whole, false);
            let seen = page.get("/panels/reconcile?since=3d").await;
            assert!(
                seen.texts("button")
                    .iter()
                    .all(|button| button != "Repair…")
            );
            assert!(seen.html.contains("No event and no delivery is missing"));
        })
        .await;
    }
}
