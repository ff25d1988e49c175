//! The dead letters: `webhookctl dead-letter list`. A message itself may hold personal data: it is read and
//! shown only when asked for (`webhookctl dead-letter show`).

use crate::console::Console;
use crate::console::html::{
    action, answer, at, badge, body, dash, empty, member, on_request, page, panel, scroll, string,
    text, time, url,
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
    id: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/dead-letters", get(dead_letters))
        .route("/panels/dead-letters", get(rows))
        .route("/dead-letter", get(dead_letter))
        .route("/panels/dead-letter", get(message))
}

async fn dead_letters(State(console): State<Console>) -> Markup {
    let body = html! {
        div.title {
            h1 { "Dead letters" }
            (action(&console, "Redrive all", "/actions/redrive"))
        }
        (panel("Messages that could not be handled", "/panels/dead-letters"))
    };
    page(&console, "/dead-letters", "Dead letters", &body)
}

async fn rows(State(console): State<Console>) -> Markup {
    let command = words(&["dead-letter", "list"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| table(&console, found))
}

fn table(console: &Console, found: &Answer) -> Markup {
    if found.rows.is_empty() {
        return empty(
            "There is none: every message was handled.",
            html! { p.note {
                "A message comes here if a subscribed queue refuses an event, or if a message of the "
                "delivery queue cannot be read or was received too often."
            } },
        );
    }
    let rows = html! {
        table.list.wide {
            thead { tr {
                th { "Sent" } th { "Reason" } th { "Detail" } th { "Event" } th { "Queue" } th { "Message" }
                @if !console.read_only { th { "Action" } }
            } }
            tbody { @for row in &found.rows { (line(console, row)) } }
        }
    };
    html! {
        (scroll("Dead letters", &rows))
        p.note { "Reading the queue hides its messages from other readers for a moment." }
    }
}

fn line(console: &Console, row: &Value) -> Markup {
    let id = string(row, "id");
    html! {
        tr data-key=(id) {
            td { (time(row, "sent_at")) }
            td { (badge(string(row, "reason"))) }
            td { (member(row, "detail")) }
            td.id { (event(row)) }
            td { (queue(row)) }
            td.id { a href=(url("/dead-letter", &[("id", id)])) { (text(id)) } }
            @if !console.read_only {
                // A message without a queue has no place to go back to.
                td {
                    @if row["queue"].is_string() {
                        (action(console, "Redrive", &url("/actions/redrive", &[("id", id)])))
                    } @else { (dash()) }
                }
            }
        }
    }
}

fn event(row: &Value) -> Markup {
    let query = [
        ("id", string(row, "event")),
        ("source", string(row, "source")),
    ];
    match at(row, "event").as_str() {
        Some(id) => html! { a href=(url("/event", &query)) { (text(id)) } },
        None => dash(),
    }
}

/// The name of the queue that a redrive sends the message to, and the endpoint that it is for.
fn queue(row: &Value) -> Markup {
    let name = string(row, "queue").rsplit('/').next().unwrap_or_default();
    html! {
        @if name.is_empty() { (dash()) } @else { (text(name)) }
        @if let Some(endpoint) = row["endpoint"].as_str() {
            p.note { "for " a href=(url("/endpoint", &[("id", endpoint)])) {
                (text(row["endpoint_name"].as_str().unwrap_or(endpoint)))
            } }
        }
    }
}

async fn dead_letter(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let of_it = |path| url(path, &[("id", &which.id)]);
    let body = html! {
        p.up { a href="/dead-letters" { "Dead letters" } }
        div.title {
            h1.id { (text(&which.id)) }
            (action(&console, "Redrive", &of_it("/actions/redrive")))
        }
        section.panel {
            h2 { "Message" }
            p.note { "A message may hold personal data. It is read and shown only when you ask for it." }
            (on_request("Show the message", &of_it("/panels/dead-letter")))
        }
    };
    page(&console, "/dead-letters", "Dead letter", &body)
}

async fn message(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = words(&["dead-letter", "show", "--", &which.id]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| shown(found.first()))
}

fn shown(letter: &Value) -> Markup {
    let attributes = letter["attributes"].as_object();
    html! {
        dl.facts {
            div { dt { "Reason" } dd { (badge(string(letter, "reason"))) } }
            div { dt { "Detail" } dd { (member(letter, "detail")) } }
            div { dt { "Event" } dd.id { (event(letter)) } }
            div { dt { "Queue" } dd { (queue(letter)) } }
            div { dt { "Sent" } dd { (time(letter, "sent_at")) } }
        }
        h3 { "Attributes" }
        dl.headers {
            @for (name, value) in attributes.into_iter().flatten() {
                div { dt { (text(name)) } dd { (text(value.as_str().unwrap_or_default())) } }
            }
        }
        h3 { "Body" }
        (body(letter))
    }
}

#[cfg(test)]
mod tests {
    use crate::console::samples::answers;
    use crate::console::tests::{Answers, Page, local};

    #[tokio::test]
    async fn a_message_is_listed_without_its_body_and_shown_when_asked_for() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/dead-letters").await;
            assert_eq!(seen.texts("tbody .badge"), ["refused"]);
            for to in [
                "/event?id=evt-1&amp;source=studio",
                "/dead-letter?id=m-1",
                "/endpoint?id=ep_1",
            ] {
                assert!(seen.html.contains(to), "{to}");
            }
            assert_eq!(seen.texts("tbody button"), ["Redrive…"]);
            page.get("/dead-letter?id=m-1").await;
            assert_eq!(page.ran.lock().unwrap().len(), 1);
            let seen = page.get("/panels/dead-letter?id=m-1").await;
            assert!(seen.texts("pre")[0].contains("\"secret\": \"body\""));
            let read_only = Page::with(answers(), true);
            let seen = read_only.get("/panels/dead-letters").await;
            assert!(!seen.html.contains("Redrive"));
        })
        .await;
    }

    #[tokio::test]
    async fn an_empty_queue_says_what_comes_there() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let empty = page.get("/panels/dead-letters").await.texts(".empty");
            assert!(empty[0].contains("every message was handled"));
        })
        .await;
    }
}
