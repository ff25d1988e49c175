//! The overview: how sources and endpoints are doing, and what `doctor` found. It is `webhookctl status` and
//! `webhookctl doctor`.

use crate::console::Console;
use crate::console::html::{answer, at, count, empty, member, page, panel, scroll, string, time};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/", get(overview))
        .route("/panels/status", get(status))
}

async fn overview(State(console): State<Console>) -> Markup {
    let body = html! {
        h1 { "Overview" }
        (panel("Sources and endpoints", "/panels/status"))
    };
    page(&console, "/", "Overview", &body)
}

async fn status(State(console): State<Console>) -> Markup {
    let command = words(&["status"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, sources)
}

fn sources(found: &Answer) -> Markup {
    let sources: Vec<_> = found
        .rows
        .iter()
        .filter(|row| string(row, "kind") == "source")
        .collect();
    if sources.is_empty() {
        return empty(
            "There is no source yet. A source is one account of a provider.",
            html! { code { "webhookctl source create studio --provider creative-force" } },
        );
    }
    let table = html! {
        table {
            thead { tr { th { "Source" } th { "Provider" } th { "Last event" } th.number { "Accepted, 24 h" } } }
            tbody {
                @for row in sources {
                    tr { td { (member(row, "name")) } td { (member(row, "provider")) } td { (time(row, "last_event_at")) } td.number { (count(at(row, "day.accepted"))) } }
                }
            }
        }
    };
    scroll("Sources", &table)
}
