//! The sources (`webhookctl source list`) and one source (`webhookctl source show`). No secret is rendered.

use super::diagnose;
use crate::console::Console;
use crate::console::html::{
    answer, at, badge, command_line, copyable_value, dash, empty, list, member, page, panel, prose,
    scroll, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The rejected requests on the page of a source.
const REJECTED: &str = "5";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    name: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/sources", get(sources))
        .route("/panels/sources", get(rows))
        .route("/source", get(source))
        .route("/panels/source", get(settings))
        .route("/panels/source/rejected", get(rejected))
}

async fn sources(State(console): State<Console>) -> Markup {
    let body = html! {
        h1 { "Sources" }
        (panel("All sources", "/panels/sources"))
    };
    page(&console, "/sources", "Sources", &body)
}

async fn rows(State(console): State<Console>) -> Markup {
    let command = words(&["source", "list"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, table)
}

fn table(found: &Answer) -> Markup {
    if found.rows.is_empty() {
        return empty(
            "There is no source yet. A source is one account of a provider.",
            html! { code { "webhookctl source create studio --provider creative-force" } },
        );
    }
    let rows = html! {
        table.list.wide {
            thead { tr {
                th { "Name" } th { "Provider" } th { "Status" } th.number { "Secrets" } th { "Silent after" }
                th { "Payload URL" }
            } }
            tbody { @for row in &found.rows { (line(row)) } }
        }
    };
    scroll("Sources", &rows)
}

fn line(row: &Value) -> Markup {
    let name = string(row, "name");
    html! {
        tr data-key=(name) {
            td { a href=(url("/source", &[("name", name)])) { (text(name)) } }
            td { (member(row, "provider")) }
            td {
                (badge(string(row, "status")))
                @if let Some(reason) = row["reason"].as_str() { p.note { (text(reason)) } }
            }
            td.number { (member(row, "secrets")) }
            td { (member(row, "silent_after")) }
            td { (copyable_value(string(row, "url"), "the Payload URL")) }
        }
    }
}

async fn source(State(console): State<Console>, Query(Which { name }): Query<Which>) -> Markup {
    let of_it = |path| url(path, &[("name", &name)]);
    let body = html! {
        p.up { a href="/sources" { "Sources" } }
        div.title {
            h1 { (text(&name)) }
            a href=(url("/events", &[("source", &name)])) { "Its events" }
        }
        (panel("Source", &of_it("/panels/source")))
        (panel("Rejected requests", &of_it("/panels/source/rejected")))
        (diagnose::section(&name, ""))
    };
    page(&console, "/sources", &name, &body)
}

async fn settings(State(console): State<Console>, Query(Which { name }): Query<Which>) -> Markup {
    let command = words(&["source", "show", "--", &name]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let source = found.first();
        html! {
            (facts(source))
            h3 { "Payload URL" }
            (copyable_value(string(source, "url"), "the Payload URL"))
            @if let Some(signed) = source["signed_url"].as_str().filter(|signed| *signed != source["url"]) {
                p.note { "The provider must call this URL, which it signs:" }
                (copyable_value(signed, "the signed URL"))
            }
            h3 { "What a webhook proves" }
            (proof(source))
            h3 { "Secrets" }
            (secrets(&console, source))
        }
    })
}

fn facts(source: &Value) -> Markup {
    let is_silent = !at(source, "silent_since").is_null();
    html! {
        dl.facts {
            div { dt { "Status" } dd {
                (badge(string(source, "status")))
                @if let Some(reason) = source["reason"].as_str() { p.note { (text(reason)) } }
            } }
            div { dt { "Provider" } dd { (member(source, "provider")) } }
            div { dt { "Last event" } dd { (time(source, "last_event_at")) } }
            div { dt { "Silence" } dd {
                @if is_silent { (badge("silent")) " since " (time(source, "silent_since")) }
                @else if at(source, "silent_after").is_null() { "not watched" }
                @else { "an alarm after " (member(source, "silent_after")) }
            } }
            div { dt { "Copies are known" } dd {
                (member(source, "dedupe")) " for " (member(source, "dedupe_window"))
            } }
            div { dt { "Allowed origins" } dd { (member(source, "origins")) } }
            @if let Some(handshake) = source["handshake"].as_str() {
                div { dt { "Handshake" } dd {
                    (prose(handshake))
                    p.note { "Last answered: " (time(source, "handshake_answered_at")) }
                } }
            }
        }
    }
}

fn proof(source: &Value) -> Markup {
    let uncovered = list(source, "not_covered_by_the_signature");
    html! {
        @match source["authenticity"].as_str() {
            Some(authenticity) => p { (prose(authenticity)) },
            None => p { (dash()) },
        }
        @if let Some(how) = source["authentication"].as_str() { p.note { (prose(how)) } }
        @if !uncovered.is_empty() {
            p.caution {
                strong { "Not covered by the signature: " }
                (member(source, "not_covered_by_the_signature"))
                ". Whoever captured a request can change these headers."
            }
        }
        @for caution in list(source, "cautions") {
            p.caution { strong { "Caution: " } (prose(caution.as_str().unwrap_or_default())) }
        }
    }
}

/// The secrets by their use. None of them is shown.
fn secrets(console: &Console, source: &Value) -> Markup {
    let used = list(source, "secret_use");
    let name = string(source, "name");
    let is_removable = used.iter().any(|secret| secret["safe_to_remove"] == true);
    if !at(source, "verification_token").is_null() {
        return html! {
            p { "The provider sent a verification token, which is a secret: this page does not show it." }
            (command_line(console, &words(&["source", "show", name])))
        };
    }
    if used.is_empty() {
        return html! { p.note { "It has none, or the journal cannot be read." } };
    }
    let rows = html! {
        table {
            thead { tr { th { "Secret" } th { "Last matched" } th { "Use" } th { "Advice" } } }
            tbody { @for secret in used {
                tr {
                    td {
                        @if secret["position"] == 1 { "newest" }
                        @else { "previous, number " (member(secret, "position")) }
                    }
                    td { (time(secret, "last_matched_at")) }
                    td { (member(secret, "what")) }
                    td {
                        @if secret["safe_to_remove"] == true { span.badge.attention { "safe to remove" } }
                        @else { span.badge.neutral { "keep it" } }
                    }
                }
            } }
        }
    };
    html! {
        (scroll("Secrets", &rows))
        @if is_removable {
            p.note { "This removes all secrets but the newest:" }
            (command_line(console, &words(&["source", "rotate-secret", name, "--drop-previous"])))
        }
        p.note { "The gateway does not record when a secret was added. The sources were last changed: "
            (time(source, "sources_changed_at")) }
    }
}

async fn rejected(State(console): State<Console>, Query(Which { name }): Query<Which>) -> Markup {
    let of_source = format!("--source={name}");
    let command = words(&[
        "quarantine",
        "list",
        "--rejected",
        "--limit",
        REJECTED,
        &of_source,
    ]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        if found.rows.is_empty() {
            return empty("It rejected no request in the last 7 days.", html! {});
        }
        let all = url("/quarantine", &[("source", &name), ("rejected", "1")]);
        html! {
            (scroll("Rejected requests", &rejected_table(&found.rows)))
            p { a href=(all) { "All rejected requests of this source" } }
        }
    })
}

fn rejected_table(rows: &[Value]) -> Markup {
    html! {
        table.list {
            thead { tr { th { "Came" } th { "State" } th { "Reason" } th { "Id" } } }
            tbody { @for row in rows {
                @let item = url("/quarantine/item", &[("id", string(row, "id")), ("rejected", "1")]);
                tr data-key=(string(row, "id")) {
                    td { (time(row, "at")) }
                    td { (badge(string(row, "state"))) }
                    td { (member(row, "reason")) }
                    td.id { a href=(item) { (member(row, "id")) } }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::console::samples::{answers, source};
    use crate::console::tests::{Answers, Page, local};
    use serde_json::json;

    #[tokio::test]
    async fn a_source_says_what_its_webhooks_prove_and_which_secret_is_safe_to_remove() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/source?name=studio").await;
            let cautions = seen.texts(".caution");
            assert!(
                cautions[0].contains("x-event") && cautions[1].contains("no time"),
                "{cautions:?}"
            );
            assert_eq!(seen.texts("tbody .badge"), ["keep it", "safe to remove"]);
            let commands = seen.texts(".command code");
            let drop = "webhookctl source rotate-secret studio --drop-previous";
            assert!(commands.contains(&drop.to_owned()), "{commands:?}");
            assert_eq!(commands[0], "https://hooks.example.com/webhooks/studio");
            assert_eq!(seen.texts(".bad"), ["silent"]);
            let seen = page.get("/panels/source/rejected?name=hr").await;
            assert!(seen.html.contains("/quarantine?source=hr&amp;rejected=1"));
            let seen = page.get("/source?name=hr").await;
            assert!(seen.html.contains("/panels/diagnose?source=hr\""));
        })
        .await;
    }

    #[tokio::test]
    async fn a_token_that_is_a_secret_is_not_rendered() {
        local(async {
            let mut waiting = source();
            waiting["verification_token"] = json!("secret_hunter2");
            let page = Page::with(Answers::from([("source show", Ok(vec![waiting]))]), false);
            let seen = page.get("/panels/source?name=studio").await;
            assert!(!seen.html.contains("hunter2"));
            assert!(
                seen.texts(".command code")
                    .contains(&"webhookctl source show studio".to_owned())
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_new_stack_says_how_to_create_the_first_source() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let empty = page.get("/panels/sources").await.texts(".empty code");
            assert_eq!(
                empty,
                ["webhookctl source create studio --provider creative-force"]
            );
        })
        .await;
    }
}
