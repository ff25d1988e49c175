//! The endpoints: `webhookctl endpoint list`.

use crate::console::Console;
use crate::console::html::{answer, at, badge, empty, member, page, panel, scroll, string, url};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

/// How to begin.
pub(super) const CREATE: &str =
    "webhookctl endpoint create --name search --url https://search.example.com/hooks";

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/endpoints", get(endpoints))
        .route("/panels/endpoints", get(list))
}

async fn endpoints(State(console): State<Console>) -> Markup {
    let body = html! {
        div.title { h1 { "Endpoints" } }
        (panel("All endpoints", "/panels/endpoints"))
    };
    page(&console, "/endpoints", "Endpoints", &body)
}

async fn list(State(console): State<Console>) -> Markup {
    let command = words(&["endpoint", "list"]);
    let mut found = console.runner.ask(&command).await;
    if found.rows.is_empty() {
        // The empty table says the same.
        found.notes.clear();
    }
    answer(&console, &command, &found, table)
}

fn table(found: &Answer) -> Markup {
    if found.rows.is_empty() {
        return empty(
            "There is no endpoint yet. An endpoint is a URL that events are delivered to.",
            html! { code { (CREATE) } },
        );
    }
    let table = html! {
        table.list.wide {
            thead {
                tr {
                    th { "Endpoint" } th { "Condition" } th { "URL" } th { "Events" } th { "Sources" }
                    th.number { "Failures in a row" }
                }
            }
            tbody { @for endpoint in &found.rows { (row(endpoint)) } }
        }
    };
    scroll("Endpoints", &table)
}

fn row(endpoint: &Value) -> Markup {
    html! {
        tr {
            td {
                a href=(url("/endpoint", &[("id", string(endpoint, "id"))])) { (member(endpoint, "name")) }
                @if !string(endpoint, "description").is_empty() {
                    div.note { (member(endpoint, "description")) }
                }
            }
            td {
                (badge(string(endpoint, "condition")))
                @if !string(endpoint, "reason").is_empty() { div.note { (member(endpoint, "reason")) } }
            }
            td.id { (member(endpoint, "url")) }
            td { (member(endpoint, "events")) }
            td { (sources(endpoint)) }
            td.number { (member(endpoint, "circuit.failures")) }
        }
    }
}

/// The sources whose events an endpoint gets.
pub(super) fn sources(endpoint: &Value) -> Markup {
    match at(endpoint, "sources").as_array() {
        Some(sources) if sources.is_empty() => html! { "all" },
        _ => member(endpoint, "sources"),
    }
}

#[cfg(test)]
mod tests {
    use crate::console::tests::{Answers, Page, local};
    use serde_json::json;

    #[tokio::test]
    async fn each_endpoint_has_its_condition_and_a_link() {
        local(async {
            let rows = vec![
                json!({"id": "ep_1", "name": "search", "url": "https://a.example/x", "condition": "active",
                    "events": ["*"], "sources": [], "circuit": {"failures": 0}, "reason": null}),
                json!({"id": "ep_2", "name": "hr", "url": "https://b.example/x", "condition": "paused",
                    "events": ["io.people-force.*"], "sources": ["hr", "studio"],
                    "circuit": {"failures": 3}, "reason": "migration until Monday"}),
            ];
            let page = Page::with(Answers::from([("endpoint list", Ok(rows))]), false);
            let seen = page.get("/panels/endpoints").await;
            assert_eq!(seen.texts(".list a"), ["search", "hr"]);
            assert_eq!(seen.texts(".badge"), ["active", "paused"]);
            assert!(seen.html.contains("/endpoint?id=ep_2"), "{}", seen.html);
            let second = seen.texts("tbody tr:nth-child(2) td");
            assert_eq!(second[1], "pausedmigration until Monday");
            assert_eq!(second[3..], ["io.people-force.*", "hr, studio", "3"]);
            assert_eq!(seen.texts("tbody tr:first-child td")[4], "all");
            let shell = page.get("/endpoints").await;
            assert_eq!(shell.texts("h1"), ["Endpoints"]);
        })
        .await;
    }

    #[tokio::test]
    async fn without_endpoints_and_without_aws_it_says_what_to_do() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let seen = page.get("/panels/endpoints").await;
            assert!(seen.texts(".empty code")[0].starts_with("webhookctl endpoint create"));
            let error = Err("the endpoints cannot be read: access denied");
            let page = Page::with(Answers::from([("endpoint list", error)]), false);
            let seen = page.get("/panels/endpoints").await;
            assert!(seen.texts(".problem")[0].contains("access denied"));
            assert!(seen.texts(".empty").is_empty());
        })
        .await;
    }
}
