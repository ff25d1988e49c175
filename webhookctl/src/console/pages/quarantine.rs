//! The quarantine: webhooks that were authentic but not understood, and rejected requests
//! (`webhookctl quarantine list`), and one of them (`webhookctl quarantine show`): why it is here, and what a
//! release would make of it today.

use super::diagnose;
use super::events::source_field;
use super::request::headers;
use crate::console::Console;
use crate::console::html::{
    LOADED, action, answer, at, badge, body, empty, loading, member, on_request, page, panel, pre,
    pretty, prose, scroll, since_field, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The rows of the list.
const ROWS: &str = "100";

/// The filters of the list, or the id of an item.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Which {
    id: String,
    source: String,
    /// How far back; seven days if it is empty.
    since: String,
    /// Rejected requests, unless it is empty.
    rejected: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/quarantine", get(quarantine))
        .route("/panels/quarantine", get(rows))
        .route("/quarantine/item", get(item))
        .route("/panels/quarantine/item", get(today))
        .route("/panels/quarantine/request", get(request))
}

impl Which {
    fn is_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    fn since(&self) -> &str {
        match &*self.since {
            "" => "7d",
            since => since,
        }
    }

    fn list(&self) -> Vec<String> {
        let mut command = words(&["quarantine", "list", "--limit", ROWS]);
        if self.is_rejected() {
            command.push("--rejected".to_owned());
        }
        command.push(format!("--since={}", self.since()));
        if !self.source.is_empty() {
            command.push(format!("--source={}", self.source));
        }
        command
    }

    fn show(&self) -> Vec<String> {
        let mut command = words(&["quarantine", "show"]);
        match (self.is_rejected(), self.source.is_empty()) {
            (true, _) => command.push("--rejected".to_owned()),
            (false, false) => command.push(format!("--source={}", self.source)),
            (false, true) => {}
        }
        command.extend(words(&["--", &self.id]));
        command
    }

    fn url(&self, path: &str) -> String {
        let query = [
            ("id", &*self.id),
            ("source", &self.source),
            ("since", &self.since),
            ("rejected", &self.rejected),
        ];
        url(path, &query)
    }

    /// The other tab with the same filters.
    fn tab(&self, rejected: &str) -> String {
        Self {
            rejected: rejected.to_owned(),
            ..self.clone()
        }
        .url("/quarantine")
    }
}

async fn quarantine(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let is_rejected = which.is_rejected();
    let all = [
        ("source", &*which.source),
        ("since", which.since()),
        ("rejected", "1"),
    ];
    let body = html! {
        div.title {
            h1 { "Quarantine" }
            @if is_rejected && !which.source.is_empty() {
                (action(&console, "Release", &url("/actions/release-rejected", &all[..2])))
            }
        }
        nav.tabs aria-label="What is in quarantine" {
            a href=(which.tab("")) aria-current=[(!is_rejected).then_some("page")] { "Quarantined webhooks" }
            a href=(which.tab("1")) aria-current=[is_rejected.then_some("page")] { "Rejected requests" }
        }
        (form(&which))
        section.panel aria-label="Quarantine" {
            div hx-get=(which.url("/panels/quarantine")) hx-trigger=(LOADED) aria-busy="true"
                data-panel { (loading()) }
        }
    };
    page(&console, "/quarantine", "Quarantine", &body)
}

fn form(which: &Which) -> Markup {
    html! {
        form.filters method="get" action="/quarantine" role="search" {
            @if which.is_rejected() { input type="hidden" name="rejected" value="1"; }
            (source_field(&which.source))
            (since_field("Time", which.since()))
            button type="submit" { "Filter" }
        }
        @if which.is_rejected() && which.source.is_empty() {
            p.note { "Choose a source to release all its rejected requests that its secrets verify today." }
        }
    }
}

async fn rows(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.list();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| table(&which, found))
}

fn table(which: &Which, found: &Answer) -> Markup {
    if found.rows.is_empty() {
        return match which.is_rejected() {
            true => empty(
                "No request was rejected in this span of time.",
                html! { p.note { "Requests are kept for 7 days. To see one rejected on purpose: "
                code { "webhookctl send --source NAME --forge payload.json" } } },
            ),
            false => empty(
                "No webhook is quarantined in this span of time: the gateway understood all of them.",
                html! { p.note { "A webhook comes here if it is authentic but not understood." } },
            ),
        };
    }
    let rows = html! {
        table.list.wide {
            thead { tr {
                th { "Came" } th { "Source" } th { "State" } th { "Reason" } th { "Released as" } th { "Id" }
            } }
            tbody { @for row in &found.rows { (line(which, row)) } }
        }
    };
    scroll("Quarantine", &rows)
}

fn line(which: &Which, row: &Value) -> Markup {
    let (id, source) = (string(row, "id"), string(row, "source"));
    let of_source = match which.is_rejected() {
        true => ("rejected", "1"),
        false => ("source", source),
    };
    html! {
        tr data-key=(id) {
            td { (time(row, "at")) }
            td { (member(row, "source")) }
            td { (badge(string(row, "state"))) }
            td { (member(row, "reason")) }
            td.id { (event_link(row)) }
            td.id { a href=(url("/quarantine/item", &[("id", id), of_source])) { (text(id)) } }
        }
    }
}

/// The event that it was released as.
fn event_link(row: &Value) -> Markup {
    let source = string(row, "source");
    match at(row, "released_as").as_str() {
        Some(id) => {
            html! { a href=(url("/event", &[("id", id), ("source", source)])) { (text(id)) } }
        }
        None => member(row, "released_as"),
    }
}

async fn item(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let release = match which.is_rejected() {
        true => url("/actions/release-rejected", &[("id", &which.id)]),
        false => url(
            "/actions/release",
            &[("id", &which.id), ("source", &which.source)],
        ),
    };
    let (list, kind) = match which.is_rejected() {
        true => ("/quarantine?rejected=1", "Rejected requests"),
        false => ("/quarantine", "Quarantined webhooks"),
    };
    // The id of a rejected request begins with the name of its source.
    let source = which.id.split('/').next().unwrap_or_default();
    let body = html! {
        p.up { a href=(list) { (kind) } }
        div.title {
            h1.id { (text(&which.id)) }
            (action(&console, "Release", &release))
        }
        (panel("Then and now", &which.url("/panels/quarantine/item")))
        @if which.is_rejected() { (diagnose::section(source, &which.id)) }
        section.panel {
            h2 { "Request" }
            p.note { "A request may hold personal data. It is read and shown only when you ask for it." }
            (on_request("Show the request", &which.url("/panels/quarantine/request")))
        }
    };
    page(&console, "/quarantine", "Quarantine", &body)
}

async fn today(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.show();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let item = found.first();
        let source = string(item, "source");
        html! {
            dl.facts {
                div { dt { "State" } dd { (badge(string(item, "state"))) } }
                div { dt { "Source" } dd { a href=(url("/source", &[("name", source)])) { (text(source)) } } }
                div { dt { "Came" } dd { (time(item, "at")) } }
                @if !at(item, "released_as").is_null() {
                    div { dt { "Released as" } dd.id { (event_link(item)) } }
                }
                @if !which.is_rejected() {
                    @let event = url("/event", &[("id", string(item, "id")), ("source", source)]);
                    div { dt { "What happened" } dd { a href=(event) { "Its steps" } } }
                }
            }
            div.then-now {
                div { h3 { "When it came" } p { (prose(string(item, "reason"))) } }
                div { h3 { "Today" } (now(item)) }
            }
            button type="button" hx-get=(which.url("/panels/quarantine/item"))
                hx-target="closest [data-panel]" hx-disabled-elt="this" {
                @if which.is_rejected() { "Try today's secrets again" } @else { "Try today's code again" }
            }
        }
    })
}

/// What a release would do now, in words.
fn now(item: &Value) -> Markup {
    let today = at(item, "today");
    let reason = string(today, "reason");
    let id = html! { code { (member(today, "event")) } };
    html! {
        @match string(today, "outcome") {
            "would-be-released" if reason.is_empty() => p {
                (badge("ok")) " It is in order: a release makes it the event " (id) " of the type "
                code { (member(today, "type")) } "."
            },
            "would-be-released" => p {
                (badge("quarantined")) " It is authentic now, but still not understood: a release puts it "
                "into quarantine, because " (prose(reason)) "."
            },
            "released-before" => p { (badge("released")) " It was released as the event " (id) "." },
            _ if reason == string(item, "reason") => p {
                (badge("kept")) " Nothing has changed: it is not in order for the same reason."
            },
            _ => p { (badge("kept")) " It is still not in order, for another reason: " (prose(reason)) },
        }
    }
}

async fn request(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.show();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let item = found.first();
        html! {
            h3 { "Headers" }
            (headers(item))
            h3 { "Body" }
            (body(item))
            @if !at(item, "today.cloudevent").is_null() {
                h3 { "The CloudEvent that a release would make" }
                (pre(&pretty(&at(item, "today.cloudevent").to_string())))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::console::samples::{answers, item, quarantined, rejected};
    use crate::console::tests::{Answers, Page, local};

    const REJECTED: &str = "hr%2F2026-11-22%2F017%2F1790000000000";

    #[tokio::test]
    async fn the_tabs_are_two_lists_and_are_in_the_url() {
        local(async {
            let page = Page::with(answers(), false);
            for (query, tab, command) in [
                (
                    "source=hr",
                    "Quarantined webhooks",
                    "quarantine list --limit 100 --since=7d --source=hr",
                ),
                (
                    "rejected=1&since=1d",
                    "Rejected requests",
                    "quarantine list --limit 100 --rejected --since=1d",
                ),
            ] {
                let seen = page.get(&format!("/quarantine?{query}")).await;
                assert_eq!(seen.texts(".tabs a[aria-current]"), [tab]);
                page.get(&format!("/panels/quarantine?{query}")).await;
                assert_eq!(page.ran.lock().unwrap().last().unwrap(), command);
            }
            let seen = page.get("/panels/quarantine?rejected=1").await;
            let to = format!("/quarantine/item?id={REJECTED}&amp;rejected=1");
            assert!(seen.html.contains(&to), "{}", seen.html);
            let seen = page.get("/panels/quarantine").await;
            assert!(
                seen.html
                    .contains("/quarantine/item?id=sha256%3A0f%3A1&amp;source=studio")
            );
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_release_would_do_is_said_in_words() {
        local(async {
            let reason = quarantined()["reason"].as_str().unwrap().to_owned();
            for (outcome, reason, says) in [
                (
                    "would-be-released",
                    None,
                    "a release makes it the event evt-9",
                ),
                ("would-be-released", Some("no id"), "still not understood"),
                ("kept", Some(&*reason), "for the same reason"),
                ("kept", Some("no id"), "for another reason: no id"),
                ("released-before", None, "was released as the event evt-9"),
            ] {
                let shown = item(quarantined(), outcome, reason);
                let page = Page::with(Answers::from([("quarantine show", Ok(vec![shown]))]), false);
                let seen = page
                    .get("/panels/quarantine/item?id=sha256:0f:1&source=studio")
                    .await;
                let told = seen.texts(".then-now")[0].clone();
                assert!(told.contains(says), "{told}");
                // The payload is not read yet for the eyes.
                assert!(!seen.html.contains("secret"), "{}", seen.html);
                let expected = "quarantine show --source=studio -- sha256:0f:1";
                assert_eq!(page.ran.lock().unwrap()[0], expected);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_rejected_request_is_diagnosed_and_released_by_its_id() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page
                .get(&format!("/quarantine/item?id={REJECTED}&rejected=1"))
                .await;
            let diagnose = format!("/panels/diagnose?source=hr&amp;request={REJECTED}");
            assert!(seen.html.contains(&diagnose), "{}", seen.html);
            let seen = page.get(&diagnose.replace("&amp;", "&")).await;
            let repair = "webhookctl source update hr --set encoding=base64";
            assert_eq!(seen.texts(".finding code"), [repair]);
            let seen = page
                .get(&format!(
                    "/panels/quarantine/request?id={REJECTED}&rejected=1"
                ))
                .await;
            assert!(seen.texts("pre")[0].contains("body"));
            let id = rejected()["id"].as_str().unwrap().to_owned();
            page.get(&format!("/actions/release-rejected/count?id={REJECTED}"))
                .await;
            let dry_run = format!("quarantine release --dry-run --rejected -- {id}");
            assert_eq!(*page.ran.lock().unwrap().last().unwrap(), dry_run);
        })
        .await;
    }

    #[tokio::test]
    async fn an_empty_quarantine_says_what_comes_there() {
        local(async {
            let page = Page::with(Answers::new(), false);
            for (path, says) in [
                ("/panels/quarantine", "understood all of them"),
                (
                    "/panels/quarantine?rejected=1",
                    "webhookctl send --source NAME --forge",
                ),
            ] {
                let empty = page.get(path).await.texts(".empty");
                assert!(empty[0].contains(says), "{empty:?}");
            }
        })
        .await;
    }
}
