//! One event: its steps and why each endpoint got it or not (`webhookctl event explain`), its deliveries, the
//! request as it came, and the CloudEvent (`webhookctl event show`). The payload may hold personal data: it is
//! read and shown only when asked for.

use crate::console::Console;
use crate::console::html::{
    action, answer, at, badge, dash, empty, member, page, panel, pretty, string, text, time, url,
};
use crate::console::runner::{Answer, words};
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The event, by its id or its key in the ledger.
#[derive(Debug, Clone, Default, Deserialize)]
struct Which {
    id: String,
    #[serde(default)]
    source: String,
}

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/event", get(event))
        .route("/panels/event/steps", get(steps))
        .route("/panels/event/deliveries", get(deliveries))
        .route("/panels/event/payload", get(payload))
}

impl Which {
    fn command(&self, verb: &str) -> Vec<String> {
        let mut command = words(&["event", verb]);
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
    let replay = url("/replay", &[("id", &which.id), ("source", &which.source)]);
    let body = html! {
        p.up { a href="/events" { "Events" } }
        div.title {
            h1.id { (text(&which.id)) }
            (action(&console, "Replay", &replay))
        }
        (panel("What happened", &which.url("/panels/event/steps")))
        (panel("Deliveries", &which.url("/panels/event/deliveries")))
        section.panel #payload {
            h2 { "Payload" }
            div {
                p.note { "A payload may hold personal data. It is read and shown only when you ask for it." }
                button type="button" hx-get=(which.url("/panels/event/payload")) hx-target="closest div" {
                    "Show the request and the CloudEvent"
                }
            }
        }
    };
    page(&console, "/events", "Event", &body)
}

async fn steps(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command("explain");
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let event = found.first();
        html! {
            (summary(event))
            ol.timeline {
                @for step in at(event, "steps").as_array().into_iter().flatten() {
                    li { (time(step, "at")) " " span { (member(step, "what")) } }
                }
            }
            h3 { "Endpoints" }
            (outcomes(event))
        }
    })
}

fn summary(event: &Value) -> Markup {
    html! {
        dl.facts {
            div { dt { "State" } dd { (badge(string(event, "state"))) } }
            div { dt { "Type" } dd { (member(event, "type")) } }
            div { dt { "Source" } dd { a href=(url("/source", &[("name", string(event, "source"))])) { (member(event, "source")) } } }
            div { dt { "Accepted" } dd { (time(event, "accepted_at")) } }
            div { dt { "Published" } dd { (time(event, "published_at")) } }
            div { dt { "Id" } dd.id { (member(event, "id")) } }
        }
    }
}

fn outcomes(event: &Value) -> Markup {
    let outcomes = at(event, "endpoints")
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if outcomes.is_empty() {
        return empty(
            "No endpoint is registered, or the event was not accepted.",
            html! {},
        );
    }
    html! {
        table {
            thead { tr { th { "Endpoint" } th { "State" } th { "Why" } th.number { "Attempts" } th { "Last answer" } th { "Next attempt" } } }
            tbody {
                @for outcome in outcomes {
                    tr {
                        td { a href=(url("/endpoint", &[("id", string(outcome, "endpoint"))])) { (member(outcome, "name")) } }
                        td { (badge(string(outcome, "state"))) }
                        td { (member(outcome, "reason")) }
                        td.number { (member(outcome, "attempts")) }
                        td { (member(outcome, "last")) }
                        td { (time(outcome, "next_attempt_at")) }
                    }
                }
            }
        }
    }
}

async fn deliveries(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command("show");
    let found = console.runner.ask(&command).await;
    answer(&console, &command, &found, |found| {
        let deliveries = at(found.first(), "deliveries").as_array();
        let deliveries = deliveries.map_or(&[][..], Vec::as_slice);
        if deliveries.is_empty() {
            return empty(
                "No endpoint has a delivery of this event. The endpoints above say why.",
                html! {},
            );
        }
        html! { @for delivery in deliveries { (one(&console, delivery)) } }
    })
}

/// A delivery, whose attempts are read when it is opened.
fn one(console: &Console, delivery: &Value) -> Markup {
    let id = string(delivery, "id");
    html! {
        details.delivery {
            summary hx-get=(url("/panels/delivery", &[("id", id)])) hx-target="next div" hx-trigger="click once" {
                (badge(string(delivery, "state"))) " "
                (member(delivery, "endpoint_name")) " "
                span.note { (member(delivery, "attempts")) " attempts" }
            }
            div { (crate::console::html::loading()) }
            (action(console, "Resend", &url("/actions/resend", &[("id", id)])))
        }
    }
}

async fn payload(State(console): State<Console>, Query(which): Query<Which>) -> Markup {
    let command = which.command("show");
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
        dl.headers {
            @for (name, value) in at(event, "headers").as_object().into_iter().flatten() {
                div { dt { (text(name)) } dd { (text(value.as_str().unwrap_or_default())) } }
            }
        }
        h3 { "Body" }
        @match (at(event, "body").as_str(), at(event, "body_base64").as_str()) {
            (Some(body), _) => {
                @if serde_json::from_str::<&RawValue>(body).is_ok() {
                    pre { (text(&pretty(body))) }
                    details { summary { "As it came" } pre { (text(body)) } }
                } @else { pre { (text(body)) } }
            }
            (_, Some(bytes)) => { p.note { "The body is not UTF-8. It is shown in Base64." } pre { (text(bytes)) } }
            _ => (dash()),
        }
        h3 { "CloudEvent" }
        @match made {
            Some(event) => pre { (text(&pretty(event))) },
            None => p.note { "There is none: the webhook was not accepted." },
        }
    }
}
