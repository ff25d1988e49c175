//! What is wrong or should be looked at: alarms that are on, and the other findings of `webhookctl doctor`.

use crate::console::Console;
use crate::console::html::{grouped, string};
use crate::console::pages::doctor::{examined, finding};
use crate::console::runner::Answer;
use axum::extract::State;
use maud::{Markup, html};
use serde_json::Value;

pub(super) async fn attention(State(console): State<Console>) -> Markup {
    examined(&console, findings).await
}

fn findings(found: &Answer) -> Markup {
    let is_ok = |finding: &&Value| string(finding, "level") == "ok";
    let (well, mut other): (Vec<_>, Vec<_>) = found.rows.iter().partition(is_ok);
    // The rest of the order is that of the checks.
    other.sort_by_key(|finding| {
        (
            string(finding, "level") != "wrong",
            string(finding, "check") != "alarms",
        )
    });
    html! {
        @if !other.is_empty() { ul.findings { @for row in &other { (finding(row)) } } }
        p.note {
            @if other.is_empty() { "Nothing needs attention. " }
            (grouped(well.len() as u64)) @if well.len() == 1 { " check is ok. " } @else { " checks are ok. " }
            a href="/doctor" { "All findings" }
        }
    }
}
