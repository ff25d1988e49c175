//! The condition and the settings of an endpoint: `webhookctl endpoint show`. Of its secrets there are only
//! the ends.

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
    let is_given = |path: &str| !at(endpoint, path).is_null();
    html! {
        h1 #endpoint-name hx-swap-oob="true" { (member(endpoint, "name")) }
        p { (badge(string(endpoint, "condition"))) " " (meaning(string(endpoint, "condition"))) }
        dl.facts {
            @if is_given("reason") { (fact("Reason", &member(endpoint, "reason"))) }
            (fact("Held deliveries", &held(endpoint)))
            (fact("Next attempt", &time(endpoint, "next_attempt_at")))
            (fact("Failures in a row", &count(at(endpoint, "circuit.failures"))))
            @if is_given("circuit.failing_since") {
                (fact("Failing since", &time(endpoint, "circuit.failing_since")))
            }
            @if is_given("circuit.opened_at") {
                (fact("Circuit opened", &time(endpoint, "circuit.opened_at")))
            }
            @if is_given("circuit.wait") { (fact("Left alone for", &member(endpoint, "circuit.wait"))) }
        }
        (actions(console, endpoint))
        h3 { "Settings" }
        (details(endpoint))
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
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
    let shown = |name: &str, path: &str| fact(name, &member(endpoint, path));
    html! {
        dl.details {
            (shown("URL", "url"))
            @if is_given("description") { (shown("Description", "description")) }
            (shown("Events", "events"))
            (fact("Sources", &sources(endpoint)))
            (shown("Format", "format"))
            (fact("Signature", &signature(endpoint)))
            (fact("Secrets", &secrets(endpoint)))
            (shown("Timeout", "timeout"))
            (shown("Waits between attempts", "retry"))
            @if is_given("rate") { (shown("Attempts per second, at most", "rate")) }
            @if at(endpoint, "headers").as_object().is_some_and(|headers| !headers.is_empty()) {
                (fact("Further headers", &headers(endpoint)))
            }
            (fact("Created", &time(endpoint, "created_at")))
            (fact("Changed", &time(endpoint, "updated_at")))
            (shown("Id", "id"))
        }
    }
}

fn signature(endpoint: &Value) -> Markup {
    let (header, prefix) = (
        string(endpoint, "signature_header"),
        string(endpoint, "signature_prefix"),
    );
    html! {
        (member(endpoint, "signature"))
        @if !header.is_empty() { ", in " code { (text(header)) } }
        @if !prefix.is_empty() { ", after " code { (text(prefix)) } }
    }
}

/// The secrets that sign, the newest first, with their ends.
fn secrets(endpoint: &Value) -> Markup {
    let secrets = at(endpoint, "secrets").as_array();
    html! {
        @for secret in secrets.into_iter().flatten() {
            div.inline {
                @if at(secret, "until").is_null() { "the present one, which has no end" }
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
