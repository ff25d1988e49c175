//! The actions. Each is a command. `Plan` says what it will do; the dialog shows that with the count of a dry
//! run and the command, and asks. The form repeats the parameters, and the plan is made again from them.

use super::Console;
use super::html::{self, answer, at, command_line, loading, problem, string, text, url};
use super::jobs::Job;
use super::runner::{Answer, words};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

/// How many rows of a dry run are shown.
const SHOWN: usize = 5;

/// The parameters of an action. Each action takes some of them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Parameters {
    /// The id of an event, delivery, webhook or message.
    id: String,
    /// The name of a source.
    source: String,
    /// The id or the name of an endpoint.
    endpoint: String,
    /// Where an event is replayed to: `all`, `events`, or the id of an endpoint.
    to: String,
    state: String,
    since: String,
    reason: String,
}

/// What an action will do.
#[derive(Debug)]
struct Plan {
    title: String,
    /// What happens, in one or two sentences.
    effect: &'static str,
    command: Vec<String>,
    /// The command that counts what the action will do, if it is about more than one thing.
    dry_run: Option<Vec<String>>,
}

/// An action that is not planned, with the reason.
struct Refused(StatusCode, String);

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/actions/{name}", get(ask).post(start))
        .route("/actions/{name}/count", get(count))
        .route("/replay", get(recipient))
        .route("/jobs/{id}", get(job))
}

impl Plan {
    /// The plan of an action, or what its parameters lack.
    fn of(name: &str, given: &Parameters) -> Result<Self, String> {
        let flag = |name: &str, value: &str| format!("--{name}={value}");
        let need = |name: &str, value: &str| match value.is_empty() {
            true => Err(format!("choose the {name} first")),
            false => Ok(value.to_owned()),
        };
        let endpoint = || need("endpoint", &given.endpoint);
        // What comes after `--` is no flag, whatever it begins with.
        let of_endpoint = |verb: &str| -> Result<Vec<String>, String> {
            Ok(words(&["endpoint", verb, "--", &endpoint()?]))
        };
        let named = |what: &str, name: &str| format!("{what} {name}");
        let plan = match name {
            "pause" => Self {
                title: named("Pause the endpoint", &given.endpoint),
                effect: "Its deliveries are held until it is resumed. Nothing is lost.",
                command: match given.reason.is_empty() {
                    true => of_endpoint("pause")?,
                    false => words(&[
                        "endpoint",
                        "pause",
                        &flag("reason", &given.reason),
                        "--",
                        &endpoint()?,
                    ]),
                },
                dry_run: None,
            },
            "resume" => Self {
                title: named("Resume the endpoint", &given.endpoint),
                effect: "Its held deliveries are sent now, the oldest first.",
                command: of_endpoint("resume")?,
                dry_run: None,
            },
            "enable" => Self {
                title: named("Enable the endpoint", &given.endpoint),
                effect: "Its failures are reset, and its held deliveries are sent now, the oldest first.",
                command: of_endpoint("enable")?,
                dry_run: None,
            },
            "ping" => Self {
                title: named("Ping the endpoint", &given.endpoint),
                effect: "It gets one signed test event, in any state. The answer is shown here.",
                command: of_endpoint("ping")?,
                dry_run: None,
            },
            "rotate" => Self {
                title: named("Rotate the secret of the endpoint", &given.endpoint),
                effect: "A new secret is made and shown once, here. The present ones keep signing for a day, \
                    unless the endpoint has room for one signature only.",
                command: of_endpoint("rotate-secret")?,
                dry_run: None,
            },
            "replay" => {
                let to = match &*need("recipient", &given.to)? {
                    "all" => "--all".to_owned(),
                    "events" => flag("queue", "events"),
                    endpoint => flag("endpoint", endpoint),
                };
                let mut command = words(&[
                    "event",
                    "replay",
                    &flag("id", &need("event", &given.id)?),
                    &to,
                ]);
                if !given.source.is_empty() {
                    command.push(flag("source", &given.source));
                }
                Self::counted(
                    named("Replay the event", &given.id),
                    "The event is sent again with the same id, marked as replayed.",
                    command,
                )
            }
            "resend" if !given.id.is_empty() => Self::counted(
                named("Resend the delivery", &given.id),
                "Its schedule begins again. The endpoint sees the same webhook-id as before.",
                words(&["delivery", "resend", "--", &given.id]),
            ),
            "resend" => Self::counted(
                format!(
                    "Resend the {} deliveries of {}",
                    given.state, given.endpoint
                ),
                "They are put on the queue, the oldest first, ten per second. Each endpoint sees the same \
                    webhook-id as before.",
                words(&[
                    "delivery",
                    "resend",
                    &flag("endpoint", &endpoint()?),
                    &flag("state", &need("state", &given.state)?),
                    &flag("since", &need("time", &given.since)?),
                ]),
            ),
            "release" => Self::counted(
                named("Release the webhook", &given.id),
                "It is accepted if the present code understands it. Otherwise it stays where it is.",
                words(&["quarantine", "release", "--", &need("webhook", &given.id)?]),
            ),
            "release-rejected" => Self::counted(
                named("Release the rejected requests of", &given.source),
                "Those that the present secrets verify are accepted. The others stay where they are.",
                words(&[
                    "quarantine",
                    "release",
                    "--rejected",
                    &flag("source", &need("source", &given.source)?),
                    &flag("since", &need("time", &given.since)?),
                ]),
            ),
            "redrive" if given.id.is_empty() => Self::counted(
                "Redrive all dead letters".to_owned(),
                "They go back to their queues. Unreadable ones stay where they are.",
                words(&["dead-letter", "redrive", "--all"]),
            ),
            "redrive" => Self::counted(
                named("Redrive the message", &given.id),
                "It goes back to its queue, and is deleted here once it is sent.",
                words(&["dead-letter", "redrive", "--", &given.id]),
            ),
            _ => return Err(format!("there is no action {name}")),
        };
        Ok(plan)
    }

    /// A plan whose command has a dry run.
    fn counted(title: String, effect: &'static str, command: Vec<String>) -> Self {
        let mut dry_run = command.clone();
        dry_run.insert(2, "--dry-run".to_owned());
        Self {
            title,
            effect,
            command,
            dry_run: Some(dry_run),
        }
    }
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
                    option value="all" { "everyone whose filters match: the events queue, subscriptions and endpoints" }
                    option value="events" { "the events queue" }
                    @for endpoint in &endpoints.rows {
                        option value=(string(endpoint, "id")) { "the endpoint " (html::member(endpoint, "name")) }
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
    let does = does(&counted);
    let content = html! {
        p.count { strong { (html::grouped(does as u64)) } " of " (html::grouped(counted.rows.len() as u64)) " will be sent" }
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
    let fields = serde_json::to_value(given).unwrap_or_default();
    let fields = fields.as_object().into_iter().flatten();
    html! {
        form hx-post={ "/actions/" (name) } hx-target="#action" hx-disabled-elt="find button.go" {
            @for (name, value) in fields.filter(|(_, value)| !value.as_str().unwrap_or_default().is_empty()) {
                input type="hidden" name=(name) value=(value.as_str().unwrap_or_default());
            }
            (command_line(console, &plan.command))
            div.buttons {
                @if is_possible { button.go type="submit" autofocus { (verb(&plan.title)) } }
                button type="button" data-closes { "Cancel" }
            }
        }
    }
}

/// The first word of the title is what the button does.
fn verb(title: &str) -> &str {
    title.split(' ').next().unwrap_or(title)
}

fn of(part: &str, name: &str, given: &Parameters) -> String {
    let fields = serde_json::to_value(given).unwrap_or_default();
    let fields: Vec<_> = fields.as_object().into_iter().flatten().collect();
    let query: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    url(&format!("/actions/{name}/{part}"), &query)
}

/// How many rows of a dry run stand for something that will be done.
fn does(counted: &Answer) -> usize {
    let is_kept = |row: &&serde_json::Value| string(row, "outcome") != "kept";
    counted.rows.iter().filter(is_kept).count()
}

/// The first rows of a dry run.
fn rows(counted: &Answer) -> Markup {
    let left = counted.rows.len().saturating_sub(SHOWN);
    html! {
        ul.rows {
            @for row in counted.rows.iter().take(SHOWN) {
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

/// What an action printed so far; asked for again until it ends.
fn progress(console: &Console, job: &Job) -> Markup {
    let state = job.state();
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

/// The objects that a command printed, as lists of their members.
fn result(answer: &Answer) -> Markup {
    let left = answer.rows.len().saturating_sub(SHOWN);
    html! {
        @for row in answer.rows.iter().take(SHOWN) {
            dl.details {
                @for (name, _) in row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
                    div { dt { (text(&name.replace('_', " "))) } dd { (html::member(row, name)) } }
                }
            }
        }
        @if left > 0 { p.note { "and " (html::grouped(left as u64)) " more" } }
    }
}
