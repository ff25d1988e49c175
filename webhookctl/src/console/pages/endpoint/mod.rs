//! One endpoint: its condition and settings (`webhookctl endpoint show`), its deliveries, and its actions.

mod deliveries;
mod settings;
#[cfg(test)]
mod tests;

use crate::console::Console;
use crate::console::html::{LOADED, loading, page, panel, since_field, text, url};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use deliveries::Filter;
use maud::{Markup, html};

/// The states of deliveries that can be sent again together.
const RESENT: [(&str, &str); 3] = [
    ("exhausted", "exhausted: the attempts are used up"),
    ("skipped", "skipped: they could not be sent"),
    ("delivered", "delivered: the endpoint has them"),
];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/endpoint", get(endpoint))
        .route("/panels/endpoint", get(settings::settings))
        .route("/panels/endpoint/deliveries", get(deliveries::deliveries))
}

async fn endpoint(State(console): State<Console>, Query(filter): Query<Filter>) -> Markup {
    let deliveries = filter.url("/panels/endpoint/deliveries");
    let body = html! {
        p.up { a href="/endpoints" { "Endpoints" } }
        div.title { h1 #endpoint-name.id { (text(&filter.id)) } }
        (panel("Condition and settings", &url("/panels/endpoint", &[("id", &filter.id)])))
        section.panel #deliveries {
            h2 { "Deliveries" }
            (filter.form())
            div hx-get=(deliveries) hx-trigger=(LOADED) aria-busy="true" data-panel { (loading()) }
        }
        @if !console.read_only { (resend(&filter.id)) }
    };
    page(&console, "/endpoints", "Endpoint", &body)
}

/// The question that comes before many deliveries are sent again.
fn resend(endpoint: &str) -> Markup {
    html! {
        section.panel {
            h2 { "Resend" }
            p.note {
                "Sends the deliveries in one state again, the oldest first. They are counted first."
            }
            form.filters hx-get="/actions/resend" hx-target="#action" {
                input type="hidden" name="endpoint" value=(endpoint);
                label { "State"
                    select name="state" { @for (state, name) in RESENT { option value=(state) { (name) } } }
                }
                (since_field("Events that were accepted in the", "1d"))
                button type="submit" data-key-r { "Resend…" }
            }
        }
    }
}
