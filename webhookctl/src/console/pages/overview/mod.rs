//! The overview: what needs attention (`webhookctl doctor`), and how sources and endpoints are doing
//! (`webhookctl status`). CloudWatch charges for each metric; therefore nothing is read again by itself.

mod attention;
mod status;
#[cfg(test)]
mod tests;

pub(super) use status::held;

use crate::console::Console;
use crate::console::html::{LOADED, loading, page, panel, refresh};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/", get(overview))
        .route("/panels/status", get(status::status))
        .route("/panels/attention", get(attention::attention))
}

async fn overview(State(console): State<Console>) -> Markup {
    let body = html! {
        div.title { h1 { "Overview" } (refresh()) }
        (panel("Needs attention", "/panels/attention"))
        div.group hx-get="/panels/status" hx-trigger=(LOADED) aria-busy="true" data-panel {
            section.panel { h2 { "Sources and endpoints" } (loading()) }
        }
    };
    page(&console, "/", "Overview", &body)
}
