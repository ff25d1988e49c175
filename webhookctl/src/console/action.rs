//! The dialogs of actions. `plan` says what an action will do; the dialog shows that with the count of a dry
//! run and the command, and asks. The form repeats the parameters, and the plan is made again from them.

use super::Console;
use super::html::{self, answer, at, command_line, loading, problem, string, text, url};
use super::jobs::Job;
use super::plan::{Field, Parameters, Plan};
use super::runner::{Answer, words};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// How many rows of a dry run are shown.
const SHOWN: usize = 5;

/// How many members of a result are shown at once.
const MEMBERS: usize = 8;

/// An action that is not planned, with the reason.
struct Refused(StatusCode, String);

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/actions/{name}", get(ask).post(start))
        .route("/actions/{name}/count", get(count))
        .route("/actions/{name}/command", get(command))
        .route("/replay", get(recipient))
        .route("/jobs/{id}", get(job))
}

/// The dialog: what will happen, and the question.
async fn ask(
    State(console): State<Console>,
    Path(name): Path<String>,
    Query(given): Query<Parameters>,
) -> Result<Markup, Refused> {
    let plan = plan(&console, &name, &given)?;
    let content = html! {
        p { (plan.effect) }
        @match &plan.dry_run {
            None => (form(&console, &name, &given, &plan, true)),
            Some(_) => {
                div hx-get=(of("count", &name, &given)) hx-trigger="load" aria-busy="true" { (loading()) }
            }
        }
    };
    Ok(dialog(&plan.title, &content))
}

/// The command, which changes with what the dialog asks for.
async fn command(
    State(console): State<Console>,
    Path(name): Path<String>,
    Query(given): Query<Parameters>,
) -> Result<Markup, Refused> {
    let plan = plan(&console, &name, &given)?;
    Ok(command_line(&console, &plan.command))
}

/// The question that comes before a replay: where to?
async fn recipient(State(console): State<Console>, Query(given): Query<Parameters>) -> Markup {
    let title = format!("Replay the event {}", given.id);
    let endpoints = console.runner.ask(&words(&["endpoint", "list"])).await;
    let content = html! {
        form hx-get="/actions/replay" hx-target="#action" {
            input type="hidden" name="id" value=(given.id);
            @if !given.source.is_empty() { input type="hidden" name="source" value=(given.source); }
            label { "Send it to"
                select name="to" autofocus {
                    option value="all" {
                        "everyone whose filters match: the events queue, subscriptions and endpoints"
                    }
                    option value="events" { "the events queue" }
                    @for endpoint in &endpoints.rows {
                        option value=(string(endpoint, "id")) {
                            "the endpoint " (html::member(endpoint, "name"))
                        }
                    }
                }
            }
            @if let Some(error) = &endpoints.error { (problem(error)) }
            div.buttons {
                button.go type="submit" { "Continue" }
                button type="button" data-closes { "Cancel" }
            }
        }
    };
    dialog(&title, &content)
}

/// The count of a dry run, and the question.
async fn count(
    State(console): State<Console>,
    Path(name): Path<String>,
    Query(given): Query<Parameters>,
) -> Result<Markup, Refused> {
    let plan = plan(&console, &name, &given)?;
    let Some(dry_run) = &plan.dry_run else {
        let why = "this action counts nothing".to_owned();
        return Err(Refused(StatusCode::NOT_FOUND, why));
    };
    let counted = console.runner.ask(dry_run).await;
    let (does, of) = (does(&counted), about(&counted).count());
    let content = html! {
        p.count {
            strong { (html::grouped(does as u64)) } " of " (html::grouped(of as u64)) " will be "
            (plan.done)
        }
        (rows(&counted))
        @for note in &counted.notes { p.note { (text(note)) } }
        @if let Some(error) = &counted.error { (problem(error)) }
        (form(&console, &name, &given, &plan, does > 0))
    };
    Ok(content)
}

/// Starts the action.
async fn start(
    State(console): State<Console>,
    Path(name): Path<String>,
    Form(given): Form<Parameters>,
) -> Result<Markup, Refused> {
    let plan = plan(&console, &name, &given)?;
    let job = console
        .jobs
        .start(plan.title, plan.command, &console.runner);
    Ok(dialog(&job.title, &progress(&console, &job)))
}

/// How far an action is.
async fn job(State(console): State<Console>, Path(id): Path<String>) -> Response {
    match console.jobs.find(&id) {
        // The panels below show what the action changed.
        Some(job) if job.state().is_done => {
            ([("hx-trigger", "changed")], progress(&console, &job)).into_response()
        }
        Some(job) => progress(&console, &job).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            problem("this action is not known any more"),
        )
            .into_response(),
    }
}

/// The plan of an action, unless the console has no actions.
fn plan(console: &Console, name: &str, given: &Parameters) -> Result<Plan, Refused> {
    if console.read_only {
        let why = "this console is read-only: start it without --read-only to act";
        return Err(Refused(StatusCode::FORBIDDEN, why.to_owned()));
    }
    Plan::of(name, given).map_err(|why| Refused(StatusCode::UNPROCESSABLE_ENTITY, why))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        (status, dialog("Not possible", &problem(&why))).into_response()
    }
}

fn dialog(title: &str, content: &Markup) -> Markup {
    html! {
        h2 { (text(title)) }
        (content)
    }
}

/// The command, and the buttons that run it or not.
fn form(
    console: &Console,
    name: &str,
    given: &Parameters,
    plan: &Plan,
    is_possible: bool,
) -> Markup {
    let asked = plan.field.as_ref().map(|field| field.name);
    let fields = given.members().into_iter();
    let fields = fields.filter(|(name, value)| !value.is_empty() && asked != Some(name));
    html! {
        form hx-post={ "/actions/" (name) } hx-target="#action" hx-disabled-elt="find button.go" {
            @for (name, value) in fields {
                input type="hidden" name=(name) value=(value);
            }
            @if let Some(asked) = &plan.field { (field(name, asked, given)) }
            (command_line(console, &plan.command))
            div.buttons {
                @if is_possible {
                    button.go type="submit" autofocus[plan.field.is_none()] { (verb(&plan.title)) }
                }
                button type="button" data-closes { "Cancel" }
            }
        }
    }
}

/// A parameter to fill in. The command below it changes with it.
fn field(action: &str, field: &Field, given: &Parameters) -> Markup {
    let value = match field.name {
        "overlap" => &given.overlap,
        _ => &given.reason,
    };
    let url = format!("/actions/{action}/command");
    html! {
        label {
            (field.label)
            @if field.choices.is_empty() {
                input type="text" name=(field.name) value=(value) autocomplete="off" autofocus hx-get=(url)
                    hx-trigger="input changed delay:200ms" hx-include="closest form" hx-target="next .command"
                    hx-swap="outerHTML" hx-disabled-elt="unset";
            } @else {
                select name=(field.name) autofocus hx-get=(url) hx-include="closest form"
                    hx-target="next .command" hx-swap="outerHTML" hx-disabled-elt="unset" {
                    @for (choice, name) in field.choices {
                        option value=(choice) selected[choice == value] { (name) }
                    }
                }
            }
        }
    }
}

/// The first word of the title is what the button does.
fn verb(title: &str) -> &str {
    title.split(' ').next().unwrap_or(title)
}

fn of(part: &str, name: &str, given: &Parameters) -> String {
    url(&format!("/actions/{name}/{part}"), &given.members())
}

/// How many rows of a dry run stand for something that will be done.
fn does(counted: &Answer) -> usize {
    let is_kept = |row: &&Value| string(row, "outcome") != "kept";
    about(counted).filter(is_kept).count()
}

/// The rows of a dry run that are about one thing each.
fn about(counted: &Answer) -> impl Iterator<Item = &Value> {
    let rows = counted.rows.iter();
    rows.filter(|row| !string(row, "id").is_empty())
}

/// The first rows of a dry run.
fn rows(counted: &Answer) -> Markup {
    let left = about(counted).count().saturating_sub(SHOWN);
    html! {
        ul.rows {
            @for row in about(counted).take(SHOWN) {
                li {
                    code { (html::member(row, "id")) }
                    @for path in ["type", "outcome", "reason"] {
                        @if !at(row, path).is_null() { " " (html::member(row, path)) }
                    }
                }
            }
            @if left > 0 { li { "and " (html::grouped(left as u64)) " more" } }
        }
    }
}

/// What an action printed so far; asked for again until it ends. A new secret is shown once.
fn progress(console: &Console, job: &Job) -> Markup {
    let state = job.state();
    if state.is_done && state.answer.rows.iter().any(has_secret) {
        console.jobs.forget(&job.id);
    }
    let again = (!state.is_done).then(|| format!("/jobs/{}", job.id));
    html! {
        div.job hx-get=[again] hx-trigger=[(!state.is_done).then_some("load delay:500ms")] hx-swap="outerHTML"
            aria-busy=(!state.is_done) {
            @if !state.is_done { p.loading role="status" { span.spinner aria-hidden="true" {} "Running…" } }
            @else if state.answer.error.is_none() { p.done role="status" { "Done." } }
            (answer(console, &job.command, &state.answer, result))
            div.buttons { button type="button" data-closes { "Close" } }
        }
    }
}

/// The objects that a command printed, as lists of their members in the order of the command.
fn result(answer: &Answer) -> Markup {
    let left = answer.rows.len().saturating_sub(SHOWN);
    html! {
        @for (row, json) in answer.rows.iter().zip(&answer.json).take(SHOWN) {
            @if has_secret(row) { (new_secret(string(row, "secret"))) }
            @let members = members(row, json);
            @let most = if has_secret(row) { 2 } else { MEMBERS };
            @let (shown, further) = members.split_at(most.min(members.len()));
            (details(row, shown))
            @if !further.is_empty() { details { summary { "Further members" } (details(row, further)) } }
        }
        @if left > 0 { p.note { "and " (html::grouped(left as u64)) " more" } }
    }
}

fn details(row: &Value, members: &[String]) -> Markup {
    html! {
        dl.details {
            @for name in members {
                div { dt { (text(&name.replace('_', " "))) } dd { (html::member(row, name)) } }
            }
        }
    }
}

/// The members that have a value, in the order in which they were printed, without a secret.
fn members(row: &Value, json: &str) -> Vec<String> {
    let Names(names) = serde_json::from_str(json).unwrap_or_default();
    let has_value = |name: &String| match &row[name] {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let names = names.into_iter().filter(|name| name != "secret");
    names.filter(has_value).collect()
}

fn has_secret(row: &Value) -> bool {
    !string(row, "secret").is_empty()
}

/// A secret that was just made.
fn new_secret(secret: &str) -> Markup {
    html! {
        div.secret {
            p { strong { "The new secret" } }
            p.command.plain {
                code { (text(secret)) }
                // With the focus on Close, Enter would lose the secret.
                button.copy type="button" data-copy=(secret) aria-label="Copy the secret" autofocus { "Copy" }
            }
            p { "It is not shown again. Give it to the receiver before you close this." }
        }
    }
}

/// The names of an object's members, in their order.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names::default())
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            self.0.push(name);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::{Answers, Page, Seen, local};
    use axum::http::StatusCode;
    use serde_json::json;

    /// The end of an action, which is asked for until it is there.
    async fn ended(page: &Page, begun: &Seen) -> Seen {
        let job = begun.html.split("/jobs/").nth(1).unwrap();
        let id = job.split('"').next().unwrap();
        loop {
            let seen = page.get(&format!("/jobs/{id}")).await;
            if !seen.html.contains("Running…") {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_pause_takes_a_reason_and_shows_its_command() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let asked = page.get("/actions/pause?endpoint=ep_1").await;
            assert_eq!(asked.texts("label").len(), 1);
            assert_eq!(
                asked.texts(".command code"),
                ["webhookctl endpoint pause -- ep_1"]
            );
            let seen = page
                .get("/actions/pause/command?endpoint=ep_1&reason=until+Monday")
                .await;
            let expected = "webhookctl endpoint pause '--reason=until Monday' -- ep_1";
            assert_eq!(seen.texts("code"), [expected]);
            let begun = page.post("/actions/pause", "endpoint=ep_1&reason=-x").await;
            assert_eq!(begun.status, StatusCode::OK);
            ended(&page, &begun).await;
            assert_eq!(
                page.ran.lock().unwrap()[..],
                ["endpoint pause --reason=-x -- ep_1"]
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_rotation_takes_an_overlap() {
        local(async {
            let page = Page::with(Answers::new(), false);
            let asked = page.get("/actions/rotate?endpoint=ep_1&overlap=0s").await;
            assert_eq!(asked.texts("option[selected]").len(), 1);
            assert!(asked.texts("input[name=overlap]").is_empty());
            let expected = "webhookctl endpoint rotate-secret --overlap=0s -- ep_1";
            assert_eq!(asked.texts(".command code"), [expected]);
            let asked = page.get("/actions/rotate?endpoint=ep_1").await;
            assert_eq!(
                asked.texts(".command code"),
                ["webhookctl endpoint rotate-secret -- ep_1"]
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_new_secret_is_shown_once() {
        local(async {
            let row = json!({"name": "search", "secret": "whsec_abc"});
            let page = Page::with(
                Answers::from([("endpoint rotate-secret", Ok(vec![row]))]),
                false,
            );
            let begun = page.post("/actions/rotate", "endpoint=ep_1").await;
            let seen = ended(&page, &begun).await;
            assert_eq!(seen.texts(".secret code"), ["whsec_abc"]);
            assert!(seen.html.contains("It is not shown again"), "{}", seen.html);
            assert_eq!(seen.texts("[autofocus]"), ["Copy"]);
            assert_eq!(seen.texts(".details dd"), ["search"]);
            let again = ended(&page, &begun).await;
            assert_eq!(again.status, StatusCode::NOT_FOUND);
            assert!(!again.html.contains("whsec_abc"), "{}", again.html);
        })
        .await;
    }

    #[tokio::test]
    async fn many_deliveries_are_counted_before_they_are_resent() {
        local(async {
            let rows = vec![
                json!({"id": "ep_1_1_a", "type": "a.b"}),
                json!({"id": "ep_1_2_b", "type": "a.b"}),
            ];
            let page = Page::with(
                Answers::from([("delivery resend --dry-run", Ok(rows))]),
                false,
            );
            let given = "endpoint=ep_1&state=exhausted&since=1d";
            let counted = page.get(&format!("/actions/resend/count?{given}")).await;
            assert_eq!(counted.texts(".count"), ["2 of 2 will be sent"]);
            assert_eq!(counted.texts("button.go"), ["Resend"]);
            let ran = page.ran.lock().unwrap();
            let expected = "delivery resend --dry-run --endpoint=ep_1 --state=exhausted --since=1d";
            assert_eq!(ran[..], [expected]);
        })
        .await;
    }

    #[test]
    fn members_stand_in_the_order_of_the_command() {
        let json =
            r#"{"state": "ok", "no": null, "error": "", "list": [], "attempts": 0, "a": 1e999}"#;
        let row = json!({"state": "ok", "error": "", "list": [], "attempts": 0, "a": "1e999"});
        assert_eq!(members(&row, json), ["state", "attempts", "a"]);
        assert!(members(&row, "[]").is_empty());
    }
}
