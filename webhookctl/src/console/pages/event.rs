//! One event: its steps and why each endpoint got it or not (`webhookctl event explain`), its deliveries, the
//! request as it came, and the CloudEvent (`webhookctl event show`). The payload may hold personal data: it
//! is read and shown only when asked for.

use super::request::headers;
use crate::console::Console;
use crate::console::html::{
    action, answer, at, badge, body, command_line, copyable, dash, empty, list, loading, member,
    on_request, page, panel, pre, pretty, problem, prose, scroll, shell_line, string, text, time,
    url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Headers that the next sender sets itself.
const HOP: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "forwarded",
    "host",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
];

/// The event, by its id or its key in the ledger.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Which {
    id: String,
    source: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/event", get(event))
        .route("/panels/event/steps", get(steps))
        .route("/panels/event/deliveries", get(deliveries))
        .route("/panels/event/payload", get(payload))
        .route("/panels/event/commands", get(commands))
}

impl Which {
    fn command(&self, verb: &[&str]) -> Vec<String> {
        let mut command = words(&["event"]);
        command.extend(words(verb));
        if !self.source.is_empty() {
            command.push(format!("--source={}", self.source));
        }
        command.extend(words(&["--", &self.id]));
        command
    }

    fn url(&self, path: &str) -> String {
        url(path, &[("id", &self.id), ("source", &self.source)])
    }
}

async fn event(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let body = html! {
        p.up { a href="/events" { "Events" } }
        div.title {
            h1.id { (text(&which.id)) }
            (action(&console, "Replay", &which.url("/replay")))
        }
        (panel("What happened", &which.url("/panels/event/steps")))
        (panel("Deliveries", &which.url("/panels/event/deliveries")))
        section.panel #payload {
            h2 { "Payload" }
            p.note { "A payload may hold personal data. It is read and shown only when you ask for it." }
            (on_request("Show the request and the CloudEvent", &which.url("/panels/event/payload")))
        }
        section.panel {
            h2 { "As commands" }
            p.note { "Commands that show this webhook in a terminal, and send its body again." }
            (on_request("Show the commands", &which.url("/panels/event/commands")))
        }
    };
    page(&console, "/events", "Event", &body)
}

async fn steps(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command(&["explain"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let event = found.first();
        html! {
            (summary(event))
            (timeline(event))
            h3 { "Endpoints" }
            (outcomes(event))
        }
    })
}

fn summary(event: &Value) -> Markup {
    let source = string(event, "source");
    html! {
        dl.facts {
            div { dt { "State" } dd { (badge(string(event, "state"))) } }
            div { dt { "Type" } dd { (member(event, "type")) } }
            div { dt { "Source" } dd { a href=(url("/source", &[("name", source)])) { (text(source)) } } }
            div { dt { "Accepted" } dd { (time(event, "accepted_at")) } }
            div { dt { "Published" } dd { (time(event, "published_at")) } }
            div { dt { "Id" } dd.id { (member(event, "id")) } }
            @if string(event, "state") == "quarantined" {
                @let item = url("/quarantine/item", &[("id", string(event, "id")), ("source", source)]);
                div { dt { "Quarantined" } dd {
                    (member(event, "reason")) " " a href=(item) { "Release it" }
                } }
            }
            @if let Some(id) = at(event, "released_as").as_str() {
                @let released = url("/event", &[("id", id), ("source", source)]);
                div { dt { "Released as" } dd.id { a href=(released) { (text(id)) } } }
            }
            @if let Some(id) = at(event, "released_from").as_str() {
                @let item = url("/quarantine/item", &[("id", id), ("source", source)]);
                div { dt { "Was quarantined as" } dd.id { a href=(item) { (text(id)) } } }
            }
            @if !list(event, "copies").is_empty() {
                div { dt { "Copies" } dd { (list(event, "copies").len()) } }
            }
        }
    }
}

/// The steps, each with how long it was after the first. Subscriptions that got nothing for one reason
/// share a line.
fn timeline(event: &Value) -> Markup {
    let steps = list(event, "steps").iter();
    let is_grouped = |step: &&Value| is_grouped(event, "subscriptions", &step["nothing"][0]);
    let steps: Vec<_> = steps.filter(|step| !is_grouped(step)).collect();
    let first = steps.first().and_then(|step| moment(step));
    html! {
        ol.timeline {
            @for (place, step) in steps.iter().enumerate() {
                li {
                    div.when {
                        @match (place, moment(step).zip(first)) {
                            (1.., Some((at, first))) => (after(at, first)),
                            _ => (time(step, "at")),
                        }
                    }
                    div { (prose(string(step, "what"))) }
                }
            }
            (groups(event, "subscriptions", |group| html! { li { div.when { (dash()) } (group) } }))
        }
    }
}

fn moment(step: &Value) -> Option<Timestamp> {
    string(step, "at").parse().ok()
}

/// How long a step was after the first, with its time for whoever points at it.
fn after(at: Timestamp, first: Timestamp) -> Markup {
    let later = crate::time::rough(at.duration_since(first));
    html! { span title=(at) { "+" (later) } }
}

/// Whether something got nothing for a reason that others share.
fn is_grouped(event: &Value, of: &str, nothing: &Value) -> bool {
    let is_it = |group: &Value| group["of"] == of && group["nothing"] == *nothing;
    !nothing.is_null() && list(event, "groups").iter().any(is_it)
}

/// What got nothing for one reason, a part for each reason.
fn groups(event: &Value, of: &str, part: impl Fn(Markup) -> Markup) -> Markup {
    let groups = list(event, "groups").iter();
    html! {
        @for group in groups.filter(|group| group["of"] == of) {
            (part(html! {
                details.share {
                    summary {
                        (list(group, "names").len()) " " (of) ": nothing, because "
                        (prose(string(group, "reason")))
                    }
                    p.note { (member(group, "names")) }
                }
            }))
        }
    }
}

fn outcomes(event: &Value) -> Markup {
    let all = list(event, "endpoints");
    if all.is_empty() {
        let (says, next) = match string(event, "state") {
            "accepted" => (
                "No endpoint is registered.",
                html! { code {
                    "webhookctl endpoint create --name search --url https://search.example.com/hooks"
                } },
            ),
            _ => (
                "It is no event: only accepted events go to endpoints.",
                html! {},
            ),
        };
        return empty(says, next);
    }
    let own: Vec<_> = all
        .iter()
        .filter(|outcome| !is_grouped(event, "endpoints", &outcome["nothing"]))
        .collect();
    html! {
        @if !own.is_empty() { (scroll("Endpoints", &outcome_table(&own))) }
        (groups(event, "endpoints", |group| group))
    }
}

fn outcome_table(outcomes: &[&Value]) -> Markup {
    html! {
        table.wide {
            thead { tr {
                th { "Endpoint" } th { "State" } th { "Why" } th.number { "Attempts" } th { "Last answer" }
                th { "Next attempt" }
            } }
            tbody {
                @for outcome in outcomes {
                    @let endpoint = url("/endpoint", &[("id", string(outcome, "endpoint"))]);
                    tr {
                        td {
                            a href=(endpoint) {
                                @match at(outcome, "name").as_str() {
                                    Some(name) => (text(name)),
                                    None => (member(outcome, "endpoint")),
                                }
                            }
                            @if !at(outcome, "removed_at").is_null() { " (deleted)" }
                        }
                        td { (badge(string(outcome, "state"))) }
                        td {
                            @match string(outcome, "reason") {
                                "" => (dash()),
                                reason => (prose(reason)),
                            }
                        }
                        td.number { (member(outcome, "attempts")) }
                        td {
                            (member(outcome, "last"))
                            @if let Some(reason) = outcome["last_reason"].as_str() { " (" (text(reason)) ")" }
                        }
                        td { (time(outcome, "next_attempt_at")) }
                    }
                }
            }
        }
    }
}

async fn deliveries(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command(&["show"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let deliveries = list(found.first(), "deliveries");
        if deliveries.is_empty() {
            let says = "No endpoint has a delivery of this event. The endpoints above say why.";
            return empty(says, html! {});
        }
        html! { @for delivery in deliveries { (one(&console, delivery)) } }
    })
}

/// A delivery, whose attempts are read when it is opened.
fn one(console: &Console, delivery: &Value) -> Markup {
    let id = string(delivery, "id");
    html! {
        details.delivery {
            summary hx-get=(url("/panels/delivery", &[("id", id)])) hx-target="next div"
                hx-trigger="click once" {
                (badge(string(delivery, "state"))) " "
                (member(delivery, "endpoint_name")) " "
                span.note {
                    (member(delivery, "attempts"))
                    @if delivery["attempts"] == 1 { " attempt" } @else { " attempts" }
                }
            }
            div { (loading()) }
            (action(console, "Resend", &url("/actions/resend", &[("id", id)])))
        }
    }
}

async fn payload(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command(&["show"]);
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, request)
}

fn request(found: &Answer) -> Markup {
    let event = found.first();
    let json = found.json.first().map_or("{}", String::as_str);
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(json).unwrap_or_default();
    let made = members
        .get("event")
        .map(|event| event.get())
        .filter(|json| *json != "null");
    html! {
        h3 { "Headers" }
        (headers(event))
        h3 { "Body" }
        (body(event))
        h3 { "CloudEvent" }
        @match made {
            Some(event) => (pre(&pretty(event))),
            None => p.note { "There is none: the webhook was not accepted." },
        }
    }
}

async fn commands(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let show = which.command(&["show"]);
    let found = console.runner.ask(&show).await;
    let event = found.first();
    let source = string(event, "source");
    if let Some(error) = &found.error {
        return html! { (problem(error)) (command_line(&console, &show)) };
    }
    let address = words(&["source", "url", "--", source]);
    let address = console.runner.ask(&address).await;
    let program = console.runner.program();
    let raw = shell_line(&program, &which.command(&["show", "--raw"]));
    let send = shell_line(&program, &send(event));
    let curl = |url| format!("{raw} | {}", shell_line(&[], &curl(event, url)));
    html! {
        (command_line(&console, &which.command(&["explain"])))
        (command_line(&console, &show))
        h3 { "Send the same body again, signed with the newest secret" }
        (copyable(&format!("{raw} | {send}"), "the command that sends it signed"))
        h3 { "Send the same body again with curl" }
        @match at(address.first(), "url").as_str() {
            Some(url) => (copyable(&curl(url), "the curl command")),
            None => (problem(address.error.as_deref().unwrap_or("its source has no Payload URL"))),
        }
        p.note {
            "Signatures are not kept: without one, a source that requires a signature answers 401. Within "
            "the dedupe window the gateway knows the webhook, answers 200 and drops the copy."
        }
    }
}

/// The headers to send again.
fn kept(event: &Value) -> impl Iterator<Item = (&str, &str)> {
    let headers = at(event, "headers").as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (&**name, value.as_str().unwrap_or_default()));
    headers.filter(|(name, _)| !HOP.contains(name) && !name.starts_with("x-amz"))
}

fn curl(event: &Value, url: &str) -> Vec<String> {
    let mut command = words(&["curl", "--include", "--data-binary", "@-"]);
    for (name, value) in kept(event) {
        // curl leaves out a header that ends with a colon.
        let header = match value.is_empty() {
            true => format!("{name};"),
            false => format!("{name}: {value}"),
        };
        command.extend(words(&["--header", &header]));
    }
    command.push(url.to_owned());
    command
}

fn send(event: &Value) -> Vec<String> {
    let mut command = words(&["send", &format!("--source={}", string(event, "source"))]);
    for (name, value) in kept(event) {
        command.push(match name {
            "content-type" => format!("--content-type={value}"),
            name => format!("--header={name}: {value}"),
        });
    }
    command.push("-".to_owned());
    command
}

#[cfg(test)]
mod tests {
    use crate::console::samples::{answers, explained, shown};
    use crate::console::tests::{Answers, Page, local};
    use serde_json::json;

    #[tokio::test]
    async fn the_steps_are_a_timeline_and_those_that_got_nothing_share_a_line() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/event/steps?id=evt-1&source=studio").await;
            let steps = seen.texts(".timeline > li");
            assert_eq!(steps.len(), 3, "{steps:?}");
            assert!(steps[1].starts_with("+1s"), "{steps:?}");
            assert!(
                steps[2].contains("2 subscriptions: nothing, because"),
                "{steps:?}"
            );
            assert_eq!(seen.texts("table tbody tr").len(), 2);
            let groups = seen.texts("details.share summary");
            assert!(groups[1].starts_with("2 endpoints: nothing"), "{groups:?}");
            // The webhook that was quarantined, and the released event.
            let item = "/quarantine/item?id=sha256%3A0f%3A1&amp;source=studio";
            assert!(seen.html.contains(item), "{}", seen.html);
            let mut quarantined = explained();
            quarantined["state"] = json!("released");
            quarantined["released_as"] = json!("evt-9");
            let page = Page::with(
                Answers::from([("event explain", Ok(vec![quarantined]))]),
                false,
            );
            let seen = page.get("/panels/event/steps?id=x").await;
            assert!(seen.html.contains("/event?id=evt-9&amp;source=studio"));
        })
        .await;
    }

    #[tokio::test]
    async fn the_payload_is_read_only_when_it_is_asked_for() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/event?id=evt-1").await;
            assert!(page.ran.lock().unwrap().is_empty());
            assert!(seen.texts("button").contains(&"Replay…".to_owned()));
            for hidden in ["steps", "deliveries", "commands"] {
                let seen = page.get(&format!("/panels/event/{hidden}?id=evt-1")).await;
                assert!(!seen.html.contains("price"), "{hidden}");
            }
            let seen = page.get("/panels/event/payload?id=evt-1").await;
            assert_eq!(seen.texts("pre")[0], "{\n  \"price\": 1.50\n}");
            let read_only = Page::with(answers(), true);
            let seen = read_only.get("/event?id=evt-1").await;
            assert!(!seen.texts("button").contains(&"Replay…".to_owned()));
        })
        .await;
    }

    #[tokio::test]
    async fn a_body_that_is_not_utf_8_is_shown_in_base64() {
        local(async {
            let mut bytes = shown();
            bytes["body"] = json!(null);
            bytes["body_base64"] = json!("/wA=");
            let page = Page::with(Answers::from([("event show", Ok(vec![bytes]))]), false);
            let seen = page.get("/panels/event/payload?id=evt-1").await;
            assert_eq!(seen.texts("pre")[0], "/wA=");
        })
        .await;
    }

    #[tokio::test]
    async fn the_same_body_is_sent_again_by_a_command_or_by_curl() {
        local(async {
            let page = Page::with(answers(), false);
            let seen = page.get("/panels/event/commands?id=-x&source=studio").await;
            let raw = "webhookctl event show --raw --source=studio -- -x";
            assert_eq!(
                seen.texts(".command code"),
                [
                    "webhookctl event explain --source=studio -- -x".to_owned(),
                    "webhookctl event show --source=studio -- -x".to_owned(),
                    format!(
                        "{raw} | webhookctl send --source=studio --content-type=application/json \
                        '--header=x-topic: it'\\''s' -"
                    ),
                    format!(
                        "{raw} | curl --include --data-binary @- \
                        --header 'content-type: application/json' --header 'x-topic: it'\\''s' \
                        https://hooks.example.com/webhooks/studio"
                    ),
                ]
            );
            assert!(seen.html.contains("answers 401"));
        })
        .await;
    }

    #[tokio::test]
    async fn an_event_without_endpoints_says_what_to_do() {
        local(async {
            let mut alone = explained();
            alone["endpoints"] = json!([]);
            let page = Page::with(Answers::from([("event explain", Ok(vec![alone]))]), false);
            let seen = page.get("/panels/event/steps?id=evt-1").await;
            assert!(seen.texts(".empty")[0].contains("webhookctl endpoint create"));
        })
        .await;
    }
}
