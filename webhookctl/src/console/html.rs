//! The parts that screens are made of. All text of webhooks and endpoints goes through `text`: maud escapes
//! it, and characters that hide or reorder others become U+FFFD.

use super::Console;
use super::runner::Answer;
use crate::output::printable;
use crate::settings::quoted;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;
use serde_json::value::RawValue;

/// The screens, in the order of the navigation: the path and the name.
const SCREENS: [(&str, &str); 7] = [
    ("/", "Overview"),
    ("/events", "Events"),
    ("/quarantine", "Quarantine"),
    ("/endpoints", "Endpoints"),
    ("/sources", "Sources"),
    ("/dead-letters", "Dead letters"),
    ("/doctor", "Doctor"),
];

/// The actions of the key `r`.
const KEY_R: [&str; 3] = ["Replay", "Resend", "Release"];

/// When a panel is loaded: with its page, after an action, and when the reader asks for it.
pub(super) const LOADED: &str = "load, changed from:body, click from:#refresh";

/// The deepest indent of JSON.
const MAX_INDENT: usize = 16;

/// htmx adds no style of its own, runs no text as code, and keeps no page in the browser.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,"historyCacheSize":0,"refreshOnHistoryMiss":true}"#;

/// A whole page. `path` is its screen in the navigation.
pub(super) fn page(console: &Console, path: &str, title: &str, body: &Markup) -> Markup {
    let token = format!(
        r#"{{"{}":"{}"}}"#,
        super::guard::FORM_TOKEN,
        console.session.form_token()
    );
    let content = html! {
        header.bar {
            a.brand href="/" { (icon()) "Webhook gateway" }
            nav aria-label="Screens" {
                @for (to, name) in SCREENS {
                    a href=(to) aria-current=[(to == path).then_some("page")] { (name) }
                }
            }
            span.stack title="The stack that this console shows" { (console.runner.stack()) }
            @if console.read_only { span.badge.neutral { "read-only" } }
            button.ghost type="button" data-opens="help" aria-label="Keyboard shortcuts" { "?" }
        }
        main tabindex="-1" { (body) }
        dialog #action aria-label="Action" {}
        (help())
        div #said .visually-hidden role="status" aria-live="polite" {}
    };
    document(title, &html! { body hx-headers=(token) { (content) } })
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                title { (text(title)) " · Webhook gateway" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/console.css";
                script src="/htmx.js" defer {}
                script src="/console.js" defer {}
            }
            (body)
        }
    }
}

/// The page of a request that is turned away.
pub(super) fn forbidden(why: &str) -> Markup {
    let body = html! {
        body { main.alone { h1 { "This page is closed" } p { (why) "." } } }
    };
    document("Closed", &body)
}

fn help() -> Markup {
    let keys = [
        ("/", "go to the filter"),
        ("j", "next row"),
        ("k", "previous row"),
        ("Enter", "open the row"),
        ("t", "start or stop the live tail"),
        ("r", "replay, resend or release"),
        ("Esc", "close this"),
        ("?", "show this"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keyboard shortcuts" }
            dl.keys {
                @for (key, does) in keys { div { dt { kbd { (key) } } dd { (does) } } }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// The mark of the gateway: one line in, two out.
fn icon() -> Markup {
    html! {
        svg.mark viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" {
            path d="M1 8h6m0 0 4-4h4M7 8l4 4h4" fill="none" stroke="currentColor" stroke-width="2"
                stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

/// A part of a page that is loaded on its own: a slow answer of AWS does not hold up the rest. It is loaded
/// again after an action.
pub(super) fn panel(title: &str, url: &str) -> Markup {
    html! {
        section.panel {
            h2 { (title) }
            div hx-get=(url) hx-trigger=(LOADED) aria-busy="true" data-panel { (loading()) }
        }
    }
}

/// The button that loads the panels of a page again.
pub(super) fn refresh() -> Markup {
    html! { button #refresh type="button" { "Refresh" } }
}

pub(super) fn loading() -> Markup {
    html! { p.loading role="status" { span.spinner aria-hidden="true" {} "Asking AWS…" } }
}

/// The answer of a command: `render` for its rows, then its notes and its error, and the command itself.
pub(super) fn answer(
    console: &Console,
    command: &[String],
    answer: &Answer,
    render: impl FnOnce(&Answer) -> Markup,
) -> Markup {
    html! {
        @if answer.error.is_none() || !answer.rows.is_empty() { (render(answer)) }
        @for note in &answer.notes { p.note { (prose(note)) } }
        @if let Some(error) = &answer.error { (problem(error)) }
        (command_line(console, command))
    }
}

/// A value with a button that copies it, which is no command.
pub(super) fn copyable_value(value: &str, what: &str) -> Markup {
    html! { div.value { (copyable(value, what)) } }
}

/// A part of a page that is read only when a button asks for it.
pub(super) fn on_request(button: &str, url: &str) -> Markup {
    html! {
        div.asked {
            button type="button" hx-get=(url) hx-target="next .answer" hx-indicator="closest .asked"
                hx-disabled-elt="this" { (button) }
            div.waits { (loading()) }
            div.answer aria-live="polite" {}
        }
    }
}

/// An error, with what to do.
pub(super) fn problem(error: &str) -> Markup {
    html! { p.problem role="alert" { strong { "Problem: " } (text(error)) } }
}

/// The command that gives the same answer in a terminal, with a button that copies it.
pub(super) fn command_line(console: &Console, command: &[String]) -> Markup {
    copyable(
        &shell_line(&console.runner.program(), command),
        "the command",
    )
}

/// A line with a button that copies it. `what` names it.
pub(super) fn copyable(line: &str, what: &str) -> Markup {
    html! {
        p.command {
            code { (text(line)) }
            button.copy type="button" data-copy=(printable(line)) aria-label={ "Copy " (what) } { "Copy" }
        }
    }
}

/// A command line as a shell takes it.
pub(super) fn shell_line(program: &[String], command: &[String]) -> String {
    let words = program.iter().chain(command).map(|word| quoted(word));
    words.collect::<Vec<_>>().join(" ")
}

/// A table that may be wider than the screen: it scrolls, also by keyboard.
pub(super) fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label={ "Rows of " (label) } { (table) } }
}

/// What a screen says when it has nothing to show: what that means, and what to do next.
pub(super) fn empty(says: &str, next: Markup) -> Markup {
    html! { div.empty { p { (says) } (next) } }
}

/// The spans of time that are offered, with their names.
const SPANS: [(&str, &str); 5] = [
    ("1h", "last hour"),
    ("1d", "last 24 hours"),
    ("3d", "last 3 days"),
    ("7d", "last 7 days"),
    ("30d", "last 30 days"),
];

/// The choice of a span of time. One that is not offered stays as it is.
pub(super) fn since_field(label: &str, since: &str) -> Markup {
    let is_offered = SPANS.iter().any(|(span, _)| *span == since);
    html! {
        label { (label)
            select name="since" {
                @if !is_offered { option value=(since) selected { "since " (text(since)) } }
                @for (span, name) in SPANS { option value=(span) selected[span == since] { (name) } }
            }
        }
    }
}

/// A text from elsewhere. Line ends and tabs are all that it may do.
pub(super) fn text(text: &str) -> Markup {
    let text = text.replace("\r\n", "\n");
    let parts = text.split_inclusive(['\n', '\t']);
    let parts = parts.map(|part| match part.strip_suffix(['\n', '\t']) {
        Some(content) => printable(content) + &part[content.len()..],
        None => printable(part),
    });
    html! { (parts.collect::<String>()) }
}

/// The text of a member; a dash if it has none.
pub(super) fn member(row: &Value, path: &str) -> Markup {
    let value = at(row, path);
    match value {
        Value::Null => dash(),
        Value::String(value) if value.is_empty() => dash(),
        Value::String(value) => text(value),
        Value::Array(values) if values.is_empty() => dash(),
        Value::Array(values) => {
            let words = values.iter().map(word).collect::<Vec<_>>();
            text(&words.join(", "))
        }
        value => text(&word(value)),
    }
}

/// The elements of a member; none if it is no array.
pub(super) fn list<'v>(row: &'v Value, path: &str) -> &'v [Value] {
    at(row, path).as_array().map_or(&[], Vec::as_slice)
}

/// The member that a path such as `circuit.failures` names.
pub(super) fn at<'v>(row: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(row, |value, name| &value[name])
}

/// The member as text; empty if it is none.
pub(super) fn string<'v>(row: &'v Value, path: &str) -> &'v str {
    at(row, path).as_str().unwrap_or_default()
}

pub(super) fn dash() -> Markup {
    html! { span.none { "–" } }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members =
                members.map(|(name, value)| format!("{}: {}", name.replace('_', " "), word(value)));
            members.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}

/// A sentence of this tool, in which a command stands between backticks.
pub(super) fn prose(sentence: &str) -> Markup {
    html! {
        @for (place, part) in sentence.split('`').enumerate() {
            @if place % 2 == 1 { code { (text(part)) } } @else { (text(part)) }
        }
    }
}

/// The body of a request, in lines if it is JSON: the member `body`, or `body_base64` if it is not UTF-8.
pub(super) fn body(row: &Value) -> Markup {
    match (at(row, "body").as_str(), at(row, "body_base64").as_str()) {
        (Some(""), _) => html! { p.note { "It is empty." } },
        (Some(body), _) if serde_json::from_str::<&RawValue>(body).is_ok() => html! {
            (pre(&pretty(body)))
            details { summary { "As it came" } (pre(body)) }
        },
        (Some(body), _) => pre(body),
        (_, Some(bytes)) => html! {
            p.note { "The body is not UTF-8. It is shown in Base64." }
            (pre(bytes))
        },
        _ => dash(),
    }
}

/// A text with its line ends, which scrolls if it is long.
pub(super) fn pre(content: &str) -> Markup {
    html! { pre tabindex="0" { (text(content)) } }
}

/// A point in time. The browser shows it in its own time zone, with the age.
pub(super) fn time(row: &Value, path: &str) -> Markup {
    match at(row, path).as_str() {
        Some(at) => html! { time datetime=(at) { (text(at)) } },
        None => dash(),
    }
}

/// A count, with the digits in groups.
pub(super) fn count(value: &Value) -> Markup {
    match value.as_u64() {
        Some(count) => html! { (grouped(count)) },
        None => dash(),
    }
}

/// A number with a thin space between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A state as a word in a frame. The frame's colour repeats what the word says.
pub(super) fn badge(state: &str) -> Markup {
    html! { span.badge.(kind(state)) { (text(state)) } }
}

/// The class of a state's colour.
fn kind(state: &str) -> &'static str {
    match state {
        "accepted" | "delivered" | "active" | "signed" | "ok" | "released" | "sent" => "good",
        "duplicate" | "pending" | "on-its-way" | "paused" | "none" | "skipped" | "forgotten" => {
            "neutral"
        }
        "conflict" | "held" | "quarantined" | "waiting" | "slow" | "warning" | "unsigned"
        | "kept" => "attention",
        _ => "bad",
    }
}

/// The signs of the states of a delivery, with their meanings.
pub(super) const SIGNS: [(&str, &str, &str); 6] = [
    ("delivered", "✓", "delivered"),
    ("on-its-way", "→", "on its way"),
    ("pending", "↻", "waits for its next attempt"),
    ("held", "‖", "held"),
    ("exhausted", "×", "attempts used up"),
    ("skipped", "–", "skipped"),
];

/// A state of a delivery in one sign. `of` names the delivery.
pub(super) fn dot(of: &str, state: &str) -> Markup {
    let sign = SIGNS.iter().find(|(name, ..)| *name == state);
    let sign = sign.map_or("?", |(_, sign, _)| sign);
    let says = printable(&format!("{of}: {state}"));
    html! {
        span.dot.(kind(state)) title=(says) {
            span aria-hidden="true" { (sign) }
            span.visually-hidden { (says) ". " }
        }
    }
}

/// A button that opens the dialog of an action. Without actions there is none.
pub(super) fn action(console: &Console, name: &str, url: &str) -> Markup {
    html! {
        @if !console.read_only {
            button type="button" hx-get=(url) hx-target="#action" data-key-r[KEY_R.contains(&name)] {
                (name) "…"
            }
        }
    }
}

/// A path with a query: `url("/event", &[("id", id)])`.
pub(super) fn url(path: &str, query: &[(&str, &str)]) -> String {
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        serializer.append_pair(name, value);
    }
    match serializer.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// JSON with a line for each member. Every token stays as it is: `1.50` is still `1.50`.
pub(super) fn pretty(json: &str) -> String {
    let mut shown = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut is_string = false;
    let mut is_escaped = false;
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if is_string {
            is_string = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            shown.push(c);
            continue;
        }
        match c {
            '"' => {
                is_string = true;
                shown.push(c);
            }
            '{' | '[' => {
                shown.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                match rest.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => shown.push(end),
                    None => {
                        depth += 1;
                        line(&mut shown, depth);
                    }
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut shown, depth);
                shown.push(c);
            }
            ',' => {
                shown.push(c);
                line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => shown.push(c),
        }
    }
    shown
}

/// Begins a line. Deep nesting is indented no further: its lines would be longer than the body.
fn line(shown: &mut String, depth: usize) {
    shown.push('\n');
    shown.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_comes_from_elsewhere_is_escaped_and_steers_nothing() {
        let hostile = "<script>alert(1)</script>\u{202e}\u{0}\u{1b}[2J&\"'";
        let shown = text(hostile).into_string();
        assert!(
            !shown.contains('<') && !shown.contains('\u{202e}'),
            "{shown}"
        );
        assert!(shown.contains("&lt;script&gt;"), "{shown}");
        let row = json!({"a": {"b": hostile}, "c": [hostile], "d": {"<": "<"}});
        for path in ["a.b", "c", "a", "d"] {
            let shown = member(&row, path).into_string();
            assert!(
                !shown.contains('<') || shown.starts_with("<span"),
                "{shown}"
            );
        }
    }

    #[test]
    fn json_is_laid_out_and_no_token_changes() {
        let json = r#"{"a":[1.50,1e999,"x,{\\\"]"], "b" : {}, "c":[ ],"d":null}"#;
        let expected = "{\n  \"a\": [\n    1.50,\n    1e999,\n    \"x,{\\\\\\\"]\"\n  ],\n  \"b\": {},\n  \
            \"c\": [],\n  \"d\": null\n}";
        assert_eq!(pretty(json), expected);
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(pretty(&deep).len() < 60 * deep.len());
    }

    #[test]
    fn digits_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(grouped(number).replace('\u{202f}', " "), expected);
        }
    }

    #[test]
    fn a_query_has_only_what_is_given() {
        assert_eq!(url("/events", &[("source", ""), ("type", "")]), "/events");
        assert_eq!(
            url("/event", &[("id", "a b&c=d#e"), ("source", "")]),
            "/event?id=a+b%26c%3Dd%23e"
        );
    }
}
