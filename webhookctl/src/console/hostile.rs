//! Hostile content changes nothing on any screen: every text that any command prints is replaced by one that
//! tries to.

use super::samples::answers;
use super::tests::{Answers, Page, Seen, local};
use axum::http::StatusCode;
use scraper::{Html, Selector};
use serde_json::Value;

/// The panels, with the screens that have text from elsewhere themselves.
const PANELS: [&str; 34] = [
    "/panels/events",
    "/panels/events?state=duplicate&source=x",
    "/panels/events?state=rejected",
    "/panels/source-names",
    "/event?id=ID",
    "/panels/event/steps?id=ID",
    "/panels/event/deliveries?id=ID",
    "/panels/event/payload?id=ID",
    "/panels/event/commands?id=ID",
    "/panels/quarantine",
    "/panels/quarantine?rejected=1",
    "/quarantine/item?id=ID",
    "/panels/quarantine/item?id=ID",
    "/panels/quarantine/item?id=ID&rejected=1",
    "/panels/quarantine/request?id=ID",
    "/panels/diagnose?source=ID",
    "/panels/sources",
    "/panels/source?name=ID",
    "/panels/source/rejected?name=ID",
    "/panels/dead-letters",
    "/panels/dead-letter?id=ID",
    "/panels/doctor",
    "/panels/reconcile?since=1d",
    "/panels/status",
    "/panels/attention",
    "/panels/endpoints",
    "/endpoint?id=ID",
    "/panels/endpoint?id=ID",
    "/panels/endpoint/deliveries?id=ID",
    "/delivery?id=ID",
    "/panels/delivery?id=ID",
    "/panels/delivery/body?id=ID",
    "/replay?id=ID",
    "/actions/pause?endpoint=ID",
];

/// What tries to be markup, to act, to leave its place, to hide or to reorder.
const MARKUP: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\
    <a href=javascript:alert(1)>x</a></textarea></pre><!--\
    \u{202e}\u{2066}\u{0}\u{1b}[2J\u{200b}\u{feff}\u{85}`; rm -rf ~`&lt;";

/// The elements that no screen has, except the page's own scripts.
const FOREIGN: &str =
    "script:not([src]), img, iframe, object, embed, style, base, textarea, [style], [srcdoc]";

/// The same object with every text replaced. Names stay, and so do those of commands.
fn poisoned(value: &Value, text: &str) -> Value {
    match value {
        Value::String(_) => Value::from(text),
        Value::Array(values) => values.iter().map(|value| poisoned(value, text)).collect(),
        Value::Object(members) => {
            let poison = |(name, value): (&String, &Value)| (name.clone(), poisoned(value, text));
            let mut poisoned: serde_json::Map<_, _> = members.iter().map(poison).collect();
            // The names of headers and attributes come from elsewhere too.
            for of_names in ["headers", "attributes"] {
                if let Some(headers) = poisoned.get_mut(of_names) {
                    *headers = serde_json::json!({ text: text });
                }
            }
            poisoned.into()
        }
        value => value.clone(),
    }
}

/// The same answers, with every text replaced.
fn poison(answers: Answers, text: &str) -> Answers {
    let answers = answers.into_iter().map(|(command, answer)| {
        let rows = answer.unwrap_or_default();
        let rows = rows.iter().map(|row| poisoned(row, text)).collect();
        (command, Ok(rows))
    });
    answers.collect()
}

fn query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn assert_harmless(path: &str, seen: &Seen) {
    let html = Html::parse_document(&seen.html);
    let found = |selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        html.select(&selector)
            .map(|element| element.html())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(FOREIGN), [""; 0], "{path}");
    let all = Selector::parse("*").unwrap();
    for element in html.select(&all) {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{path}: {name}={value}");
            let is_address = matches!(
                name,
                "href" | "src" | "action" | "hx-get" | "hx-post" | "data-tail"
            );
            assert!(
                !is_address || value.starts_with('/'),
                "{path}: {name}={value}"
            );
        }
    }
    let is_steering = |c: char| {
        let is_bidi = [
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2066}'..='\u{2069}',
        ];
        is_bidi.iter().any(|span| span.contains(&c))
            || c == '\u{feff}'
            || c.is_control() && !matches!(c, '\n' | '\t')
    };
    let text: String = html.root_element().text().collect();
    assert_eq!(text.find(is_steering), None, "{path}");
}

#[tokio::test]
async fn hostile_content_is_only_text_on_every_screen() {
    local(async {
        let page = Page::with(poison(answers(), MARKUP), false);
        for path in PANELS {
            let path = path.replace("ID", &query(MARKUP));
            let seen = page.get(&path).await;
            assert_eq!(seen.status, StatusCode::OK, "{path}");
            assert_harmless(&path, &seen);
        }
    })
    .await;
}

#[tokio::test]
async fn megabytes_of_hostile_text_are_shown_as_text() {
    let requests = [
        "/panels/quarantine/request?id=x",
        "/panels/quarantine/request?id=x&rejected=1",
        "/panels/dead-letter?id=x",
    ];
    local(async {
        for (megabytes, paths) in [(4, &["/panels/event/payload?id=x"][..]), (1, &requests[..])] {
            let long = "<b>\u{202e}ü".repeat(megabytes * 140_000);
            let mut answers = answers();
            let rows = answers.values_mut().flatten().flatten();
            for row in rows.filter(|row| row["body"].is_string()) {
                row["body"] = Value::from(&*long);
            }
            let page = Page::with(answers, false);
            for path in paths {
                let seen = page.get(path).await;
                let shown = seen.texts("pre").swap_remove(0);
                let is_whole = shown.len() > megabytes << 20;
                assert!(is_whole && shown.starts_with("<b>\u{fffd}ü"), "{path}");
                assert!(!seen.html.contains("<b>"), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_error_of_aws_is_told_with_its_command_on_every_screen() {
    local(async {
        let denied = "the table is denied: <b>denied</b>";
        let failing = answers().into_keys().map(|command| (command, Err(denied)));
        let page = Page::with(failing.collect(), false);
        // The names in a field are only an offer.
        let told = PANELS
            .iter()
            .filter(|path| path.starts_with("/panels/") && !path.ends_with("-names"));
        for path in told.filter(|path| **path != "/panels/status") {
            let seen = page.get(&path.replace("ID", "x")).await;
            assert_eq!(seen.status, StatusCode::OK, "{path}");
            let problems = seen.texts(".problem");
            assert!(
                problems.iter().any(|text| text.contains("<b>denied</b>")),
                "{path}: {problems:?}"
            );
            assert!(
                seen.texts(".command code")[0].starts_with("webhookctl "),
                "{path}"
            );
        }
    })
    .await;
}
