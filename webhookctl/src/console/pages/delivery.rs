//! One delivery: its attempts and its last request (`webhookctl delivery show`). The body may hold personal
//! data: it is shown only when asked for.

use crate::console::Console;
use crate::console::html::{
    action, answer, at, badge, body, grouped, member, page, panel, scroll, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use webhook_gateway::store::endpoints::endpoint_of;

#[derive(Debug, Deserialize)]
struct Which {
    id: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/delivery", get(delivery))
        .route("/panels/delivery", get(shown))
        .route("/panels/delivery/body", get(sent))
}

impl Which {
    fn command(&self) -> Vec<String> {
        words(&["delivery", "show", "--", &self.id])
    }

    fn url(&self, path: &str) -> String {
        url(path, &[("id", &self.id)])
    }
}

async fn delivery(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let body = html! {
        p.up {
            a href="/endpoints" { "Endpoints" }
            @if let Some(endpoint) = endpoint_of(&which.id) {
                " / " a href=(url("/endpoint", &[("id", endpoint)])) { (text(endpoint)) }
            }
        }
        div.title {
            h1.id { (text(&which.id)) }
            (action(&console, "Resend", &which.url("/actions/resend")))
        }
        (panel("Delivery", &which.url("/panels/delivery")))
    };
    page(&console, "/endpoints", "Delivery", &body)
}

async fn shown(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        details(&which, found.first())
    })
}

fn details(which: &Which, delivery: &Value) -> Markup {
    let event = [
        ("id", string(delivery, "event")),
        ("source", string(delivery, "source")),
    ];
    // A deleted endpoint has no name.
    let name = match string(delivery, "endpoint_name") {
        "" => "endpoint",
        _ => "endpoint_name",
    };
    let endpoint = url("/endpoint", &[("id", string(delivery, "endpoint"))]);
    html! {
        dl.facts {
            div { dt { "State" } dd {
                (badge(string(delivery, "state")))
                @if !string(delivery, "reason").is_empty() { div.note { (member(delivery, "reason")) } }
            } }
            div { dt { "Event" } dd.id { a href=(url("/event", &event)) { (member(delivery, "event")) } } }
            div { dt { "Type" } dd { (member(delivery, "type")) } }
            div { dt { "Endpoint" } dd { a href=(endpoint) { (member(delivery, name)) } } }
            div { dt { "Accepted" } dd { (time(delivery, "accepted_at")) } }
            div { dt { "Changed" } dd { (time(delivery, "updated_at")) } }
            div { dt { "Next attempt" } dd { (time(delivery, "next_attempt_at")) } }
        }
        h3 { "Attempts" }
        (attempts(delivery))
        h3 { "Last request" }
        (request(which, delivery))
    }
}

fn attempts(delivery: &Value) -> Markup {
    let attempts = at(delivery, "history")
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if attempts.is_empty() {
        return html! { p.note { "There was no attempt yet." } };
    }
    let table = html! {
        table.wide {
            thead { tr { th { "Time" } th { "Answer" } th.number { "Duration" } th { "Response" } } }
            tbody { @for attempt in attempts { (one(attempt)) } }
        }
    };
    scroll("Attempts", &table)
}

fn one(attempt: &Value) -> Markup {
    let status = at(attempt, "status");
    let state = match status.as_u64() {
        Some(200..=299) => "delivered",
        _ => "failed",
    };
    html! {
        tr {
            td { (time(attempt, "at")) }
            td {
                (badge(state)) " "
                @if status.is_null() { (member(attempt, "error")) } @else { (member(attempt, "status")) }
                @if !string(attempt, "reason").is_empty() { div.note { (member(attempt, "reason")) } }
            }
            td.number {
                @match at(attempt, "duration_ms").as_u64() {
                    Some(time) => { (grouped(time)) "\u{a0}ms" },
                    None => (member(attempt, "duration_ms")),
                }
            }
            td {
                @match string(attempt, "response") {
                    "" => (member(attempt, "response")),
                    response => {
                        pre.short tabindex="0" { (text(response)) }
                    }
                }
            }
        }
    }
}

fn request(which: &Which, delivery: &Value) -> Markup {
    let request = at(delivery, "request");
    if request.is_null() {
        return html! { p.note { "Nothing was sent yet." } };
    }
    html! {
        p { code { (member(request, "method")) " " (member(request, "url")) } }
        dl.headers {
            @for (name, value) in at(request, "headers").as_object().into_iter().flatten() {
                div { dt { (text(name)) } dd { (text(value.as_str().unwrap_or_default())) } }
            }
        }
        div {
            p.note { "The body may hold personal data. It is shown only when you ask for it." }
            button type="button" hx-get=(which.url("/panels/delivery/body")) hx-target="closest div" {
                "Show the body"
            }
        }
    }
}

async fn sent(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command();
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found: &Answer| {
        body(at(found.first(), "request"))
    })
}

#[cfg(test)]
mod tests {
    use crate::console::tests::{Answers, Page, local};
    use serde_json::{Value, json};

    const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{0}\u{1b}[2J&\"'";

    fn delivery() -> Value {
        json!({
            "id": "ep_1_1790000000000_d", "event": "evt-1", "type": "a.b", "source": "studio",
            "endpoint": "ep_1", "endpoint_name": "search", "state": "exhausted", "reason": null,
            "attempts": 2, "last": "timeout", "accepted_at": "2026-09-21T14:13:20.000Z",
            "updated_at": "2026-09-21T14:13:27.000Z", "next_attempt_at": null,
            "history": [
                {"at": "2026-09-21T14:13:21.000Z", "status": 500, "error": null, "reason": null,
                    "duration_ms": 1030, "response": "it is\n down"},
                {"at": "2026-09-21T14:13:26.000Z", "status": null, "error": "timeout",
                    "reason": "there was no reply in time", "duration_ms": 20000, "response": null},
            ],
            "request": {
                "method": "POST", "url": "https://example.com/hook", "body": "{\"a\":1.50,\"name\":\"Jörg\"}",
                "headers": {"content-type": "application/cloudevents+json", "authorization": "[redacted]"},
            },
        })
    }

    fn page(delivery: Value) -> Page {
        Page::with(
            Answers::from([("delivery show", Ok(vec![delivery]))]),
            false,
        )
    }

    #[tokio::test]
    async fn the_attempts_are_shown_and_the_body_only_when_asked_for() {
        local(async {
            let page = page(delivery());
            let seen = page.get("/panels/delivery?id=ep_1_1790000000000_d").await;
            let rows = seen.texts("tbody tr");
            assert!(
                rows[0].contains("failed 500") && rows[0].contains("it is\n down"),
                "{rows:?}"
            );
            assert!(
                rows[1].contains("timeout") && rows[1].contains("no reply in time"),
                "{rows:?}"
            );
            assert_eq!(seen.texts("td.number")[0], "1\u{202f}030\u{a0}ms");
            let mut headers = seen.texts(".headers dt");
            headers.sort();
            assert_eq!(headers, ["authorization", "content-type"]);
            assert!(!seen.html.contains("Jörg"), "{}", seen.html);
            let body = page
                .get("/panels/delivery/body?id=ep_1_1790000000000_d")
                .await;
            assert!(
                body.texts("pre")[0].contains("\"a\": 1.50"),
                "{}",
                body.html
            );
            let shell = page.get("/delivery?id=ep_1_1790000000000_d").await;
            assert_eq!(shell.texts(".up a"), ["Endpoints", "ep_1"]);
            assert_eq!(shell.texts("button[data-key-r]"), ["Resend…"]);
            let ran = page.ran.lock().unwrap();
            assert_eq!(ran[0], "delivery show -- ep_1_1790000000000_d");
        })
        .await;
    }

    #[tokio::test]
    async fn what_an_endpoint_answered_changes_nothing_on_the_page() {
        local(async {
            let mut hostile = delivery();
            for path in [
                "/type",
                "/reason",
                "/endpoint_name",
                "/event",
                "/history/0/response",
                "/request/url",
                "/request/body",
            ] {
                *hostile.pointer_mut(path).unwrap() = HOSTILE.into();
            }
            hostile["history"][1]["response"] = "x".repeat(1_000_000).into();
            hostile["request"]["headers"] = json!({HOSTILE: HOSTILE});
            let page = page(hostile);
            for path in [
                "/panels/delivery?id=ep_1_1_d",
                "/panels/delivery/body?id=ep_1_1_d",
            ] {
                let seen = page.get(path).await;
                assert!(seen.texts("script, style, img").is_empty(), "{path}");
                assert!(seen.html.contains("&lt;script&gt;"), "{path}");
                for steering in ['\u{202e}', '\u{0}', '\u{1b}'] {
                    assert!(!seen.html.contains(steering), "{path} {steering:?}");
                }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn bytes_nothing_sent_and_no_aws_are_told() {
        local(async {
            let mut bytes = delivery();
            bytes["request"]["body"] = Value::Null;
            bytes["request"]["body_base64"] = "/wA=".into();
            let seen = page(bytes).get("/panels/delivery/body?id=a").await;
            assert_eq!(seen.texts("pre"), ["/wA="]);
            assert!(seen.html.contains("not UTF-8"), "{}", seen.html);

            let mut unsent = delivery();
            unsent["request"] = Value::Null;
            unsent["history"] = json!([]);
            let seen = page(unsent).get("/panels/delivery?id=a").await;
            assert!(seen.html.contains("Nothing was sent yet"), "{}", seen.html);

            let error = Err("there is no delivery a");
            let page = Page::with(Answers::from([("delivery show", error)]), true);
            let seen = page.get("/panels/delivery?id=a").await;
            assert_eq!(seen.texts(".problem"), ["Problem: there is no delivery a"]);
            assert!(seen.texts("h3").is_empty());
            assert!(
                page.get("/delivery?id=a")
                    .await
                    .texts("button[data-key-r]")
                    .is_empty()
            );
        })
        .await;
    }
}
