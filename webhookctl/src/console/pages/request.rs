//! The headers of a request as it came.

use crate::console::html::{at, text};
use maud::{Markup, html};
use serde_json::Value;

pub(super) fn headers(row: &Value) -> Markup {
    let headers = at(row, "headers").as_object();
    html! {
        dl.headers {
            @for (name, value) in headers.into_iter().flatten() {
                div { dt { (text(name)) } dd { (text(value.as_str().unwrap_or_default())) } }
            }
        }
        @if headers.is_none_or(serde_json::Map::is_empty) { p.note { "None was kept." } }
    }
}
