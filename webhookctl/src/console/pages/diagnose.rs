//! Why a source rejects requests: `webhookctl source diagnose`. It is started by a button.

use crate::console::Console;
use crate::console::html::{
    answer, copyable, list, member, on_request, prose, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    source: String,
    /// The newest rejected request, if it is empty.
    request: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new().route("/panels/diagnose", get(diagnose))
}

/// The part of a page with the button.
pub(super) fn section(source: &str, request: &str) -> Markup {
    let to = url(
        "/panels/diagnose",
        &[("source", source), ("request", request)],
    );
    html! {
        section.panel {
            h2 { "Diagnosis" }
            p.note {
                "It tries other secrets, encodings, headers, algorithms and URLs on "
                @if request.is_empty() { "the newest rejected request" } @else { "this request" }
                ", and names the command with which it verifies. It changes nothing."
            }
            (on_request("Diagnose", &to))
        }
    }
}

async fn diagnose(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let mut command = words(&["source", "diagnose"]);
    if !which.request.is_empty() {
        command.push(format!("--request={}", which.request));
    }
    command.extend(words(&["--", &which.source]));
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, findings)
}

fn findings(found: &Answer) -> Markup {
    let diagnosed = found.first();
    let left = list(diagnosed, "left");
    html! {
        dl.facts {
            div { dt { "Request" } dd.id { (member(diagnosed, "request")) } }
            div { dt { "Came" } dd { (time(diagnosed, "at")) } }
            div { dt { "Rejected because" } dd { (member(diagnosed, "reason")) } }
        }
        @for finding in list(diagnosed, "findings") { (one(finding)) }
        @if !left.is_empty() {
            p { "Nothing that was tried explains it. These causes are left:" }
            ul.rows { @for cause in left { li { (prose(cause.as_str().unwrap_or_default())) } } }
        }
    }
}

fn one(finding: &Value) -> Markup {
    html! {
        div.finding {
            p { strong { (prose(string(finding, "what"))) } }
            @if let Some(command) = finding["command"].as_str() {
                (copyable(command, "the command that repairs it"))
            }
            @if let Some(to_do) = finding["to_do"].as_str() { p.note { (text(to_do)) } }
        }
    }
}
