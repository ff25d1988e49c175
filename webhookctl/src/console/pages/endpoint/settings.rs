//! The condition and the settings of an endpoint: `webhookctl endpoint show`. Secrets are not in it, only when
//! they end.

use super::super::endpoints::sources;
use super::super::overview::held;
use crate::console::Console;
use crate::console::html::{action, answer, at, badge, count, member, string, text, time, url};
use crate::console::runner::{Answer, words};
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    id: String,
}

pub(super) async fn settings(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = words(&["endpoint", "show", "--", &which.id]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| shown(&console, found))
}

fn shown(console: &Console, found: &Answer) -> Markup {
    let endpoint = found.first();
    html! {
        h1 #endpoint-name hx-swap-oob="true" { (member(endpoint, "name")) }
        p { (badge(string(endpoint, "condition"))) " " (meaning(string(endpoint, "condition"))) }
        dl.facts {
            @if !string(endpoint, "reason").is_empty() { div { dt { "Reason" } dd { (member(endpoint, "reason")) } } }
            div { dt { "Held deliveries" } dd { (held(endpoint)) } }
            div { dt { "Next attempt" } dd { (time(endpoint, "next_attempt_at")) } }
            div { dt { "Failures in a row" } dd { (count(at(endpoint, "circuit.failures"))) } }
            @for (path, name) in [("circuit.failing_since", "Failing since"), ("circuit.opened_at", "Circuit opened")] {
                @if !at(endpoint, path).is_null() { div { dt { (name) } dd { (time(endpoint, path)) } } }
            }
            @if !at(endpoint, "circuit.wait").is_null() {
                div { dt { "Left alone for" } dd { (member(endpoint, "circuit.wait")) } }
            }
        }
        (actions(console, endpoint))
        h3 { "Settings" }
        (details(endpoint))
    }
}

/// What a condition means for deliveries.
fn meaning(condition: &str) -> &'static str {
    match condition {
        "active" => "It gets its deliveries.",
        "paused" => "An operator paused it. Its deliveries are held until it is resumed.",
        "disabled" => "The gateway disabled it. Its deliveries are held until it is enabled.",
        "open" => {
            "Attempts failed in a row. Its deliveries are held, and one of them tries it from time to time."
        }
        "waiting" => "It asked for a wait. Its deliveries are held until then.",
        "slow" => "Its attempts hang. Its deliveries are held, and it gets one at a time.",
        _ => "",
    }
}

/// The actions that make sense in the condition of an endpoint.
fn actions(console: &Console, endpoint: &Value) -> Markup {
    let id = string(endpoint, "id");
    let of =
        |name: &str, action: &str| self::action(console, name, &url(action, &[("endpoint", id)]));
    // Its header has room for one signature.
    let overlap = match string(endpoint, "signature") {
        "hmac-sha256-hex" => "0s",
        _ => "",
    };
    let rotate = url("/actions/rotate", &[("endpoint", id), ("overlap", overlap)]);
    html! {
        @if !console.read_only {
            div.buttons {
                (of("Ping", "/actions/ping"))
                @match string(endpoint, "condition") {
                    "disabled" => (of("Enable", "/actions/enable")),
                    "paused" => (of("Resume", "/actions/resume")),
                    "active" => (of("Pause", "/actions/pause")),
                    _ => { (of("Resume", "/actions/resume")) (of("Pause", "/actions/pause")) }
                }
                (action(console, "Rotate the secret", &rotate))
            }
        }
    }
}

fn details(endpoint: &Value) -> Markup {
    let is_given = |path: &str| !at(endpoint, path).is_null();
    html! {
        dl.details {
            div { dt { "URL" } dd.id { (member(endpoint, "url")) } }
            @if is_given("description") { div { dt { "Description" } dd { (member(endpoint, "description")) } } }
            div { dt { "Events" } dd { (member(endpoint, "events")) } }
            div { dt { "Sources" } dd { (sources(endpoint)) } }
            div { dt { "Format" } dd { (member(endpoint, "format")) } }
            div { dt { "Signature" } dd {
                (member(endpoint, "signature"))
                @if is_given("signature_header") { ", in " code { (member(endpoint, "signature_header")) } }
                @if is_given("signature_prefix") { ", after " code { (member(endpoint, "signature_prefix")) } }
            } }
            div { dt { "Secrets" } dd { (secrets(endpoint)) } }
            div { dt { "Timeout" } dd { (member(endpoint, "timeout")) } }
            div { dt { "Waits between attempts" } dd { (member(endpoint, "retry")) } }
            div { dt { "Rate" } dd {
                @if is_given("rate") { "at most " (member(endpoint, "rate")) " per second" } @else { "not limited" }
            } }
            @if at(endpoint, "headers").as_object().is_some_and(|headers| !headers.is_empty()) {
                div { dt { "Further headers" } dd { (headers(endpoint)) } }
            }
            div { dt { "Id" } dd.id { (member(endpoint, "id")) } }
            div { dt { "Created" } dd { (time(endpoint, "created_at")) } }
            div { dt { "Changed" } dd { (time(endpoint, "updated_at")) } }
        }
    }
}

/// The secrets that sign, the newest first, with their ends.
fn secrets(endpoint: &Value) -> Markup {
    let secrets = at(endpoint, "secrets").as_array();
    html! {
        @for secret in secrets.into_iter().flatten() {
            div {
                @if at(secret, "until").is_null() { "one that has no end" }
                @else { "a previous one, which signs until " (time(secret, "until")) }
            }
        }
        @if secrets.is_none_or(Vec::is_empty) { "none: requests are not signed" }
    }
}

fn headers(endpoint: &Value) -> Markup {
    html! {
        @for (name, value) in at(endpoint, "headers").as_object().into_iter().flatten() {
            div { code { (text(name)) ": " (text(value.as_str().unwrap_or_default())) } }
        }
    }
}
