//! The console in a browser, against the deployed gateway: every screen is accessible and loads nothing from
//! elsewhere, and an operator finds, follows and repairs by mouse and by keyboard.
//!
//! The tests need chromium and chromedriver; without them, the Makefile leaves them out and says so.

mod browser;

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::inbox::{Message, Queue};
use crate::support::source::{CREATIVE_FORCE, Source, product_reset};
use crate::support::unique;
use browser::{Scheme, Screen};
use serde_json::json;

/// Enter and Escape, as [WebDriver](https://www.w3.org/TR/webdriver/#keyboard-actions) writes keys.
const ENTER: char = '\u{e007}';
const ESCAPE: char = '\u{e00c}';

#[tokio::test]
async fn every_screen_is_accessible_fits_and_loads_nothing_from_elsewhere() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let event = source.event().await;
    let screen = Screen::open(&gateway, &[]).await;
    let event = format!("/event?id={event}&source={}", source.name);
    let endpoint = gateway.new_endpoint(&source, &[]).await;
    let endpoint = format!("/endpoint?id={}", endpoint.id);
    let source_page = format!("/source?name={}", source.name);
    let rejected = rejected(&gateway, &source, "", "hunter2").await;
    let item = format!("/quarantine/item?rejected=1&id={rejected}");
    let screens = [
        ("overview", "/"),
        ("events", "/events"),
        ("event", &event),
        ("endpoints", "/endpoints"),
        ("endpoint", &endpoint),
        ("quarantine", "/quarantine"),
        ("rejected", "/quarantine?rejected=1"),
        ("item", &item),
        ("sources", "/sources"),
        ("source", &source_page),
        ("dead-letters", "/dead-letters"),
        ("doctor", "/doctor"),
    ];
    for (name, path) in screens {
        for (scheme, mark) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            for width in [1280, 360] {
                screen.look(scheme, width).await;
                screen.goto(path).await;
                screen.picture(&format!("{name}-{mark}-{width}")).await;
                let violations = screen.violations().await;
                assert!(
                    violations.is_empty(),
                    "{name}, {mark}, {width}: {violations:#?}"
                );
                let wide = screen.too_wide().await;
                assert!(wide.is_empty(), "{name}, {width}: {wide:#?}");
                assert!(screen.is_in_order().await, "{name}, {width}");
            }
        }
    }
    screen.assert_quiet().await;
    screen.close().await;
}

#[tokio::test]
async fn an_event_is_found_followed_and_replayed_by_keyboard() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let event = published(&gateway, &source).await;
    let screen = Screen::open(&gateway, &[]).await;
    screen.goto("/events").await;
    screen.keys(&format!("/{}{ENTER}", source.name)).await;
    // The filter is in the URL: a link shows the same events to somebody else.
    screen.comes_to(&format!("source={}", source.name)).await;
    screen.shows("table.list", &event).await;
    screen.keys(&format!("j{ENTER}")).await;
    screen.comes_to("/event?").await;
    screen.shows(".timeline", "published").await;
    screen.keys("r").await;
    screen.shows("#action[open]", "Send it to").await;
    screen.press("Continue").await;
    screen.shows("#action[open]", "1 of 1").await;
    screen.focuses("Replay").await;
    screen.keys(&ENTER.to_string()).await;
    screen.shows("#action[open]", "Done.").await;
    screen.focuses("Close").await;
    eventually("the replayed event on the queue", || async {
        let messages = source.messages(Queue::Events);
        let mut messages = messages.iter().map(Message::json);
        messages.find(|message| message["id"] == *event && message["replayed"] == true)
    })
    .await;
    screen.assert_quiet().await;
    screen.close().await;
}

#[tokio::test]
async fn the_live_tail_shows_an_event_that_comes() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let first = published(&gateway, &source).await;
    let screen = Screen::open(&gateway, &[]).await;
    screen
        .goto(&format!("/events?source={}", source.name))
        .await;
    screen.shows("table.list", &first).await;
    screen.keys("t").await;
    let second = source.event().await;
    screen.shows("table.list", &second).await;
    screen.keys("t").await;
    assert_eq!(screen.texts("table.list tbody tr").await.len(), 2);
    screen.assert_quiet().await;
    screen.close().await;
}

/// Sends an event, and waits until it is published. Returns its id.
async fn published(gateway: &Gateway, source: &Source<'_>) -> String {
    let event = source.event().await;
    eventually("the published event", || async {
        let list = ["--json", "event", "list", "--source", &source.name];
        let listed = gateway.webhookctl(&list).await.json();
        listed.into_iter().find(|listed| listed["id"] == *event)
    })
    .await;
    event
}

#[tokio::test]
async fn an_endpoint_is_paused_and_resumed_by_mouse() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    let endpoint = gateway.new_endpoint(&source, &[]).await;
    let screen = Screen::open(&gateway, &[]).await;
    screen.goto(&format!("/endpoint?id={}", endpoint.id)).await;
    for (verb, condition) in [("Pause", "paused"), ("Resume", "active")] {
        screen.press(&format!("{verb}…")).await;
        screen
            .shows(
                "#action[open]",
                &format!("webhookctl endpoint {}", verb.to_lowercase()),
            )
            .await;
        screen.press(verb).await;
        screen.shows("#action[open]", "Done.").await;
        screen.press("Close").await;
        screen.shows("main .badge", condition).await;
        endpoint
            .comes_to(condition, |shown| shown["condition"] == condition)
            .await;
    }
    // Escape leaves everything as it is.
    screen.press("Pause…").await;
    screen
        .shows("#action[open]", "webhookctl endpoint pause")
        .await;
    screen.keys(&ESCAPE.to_string()).await;
    eventually("the closed dialog", || async {
        screen.texts("dialog[open]").await.is_empty().then_some(())
    })
    .await;
    endpoint
        .comes_to("active", |shown| shown["condition"] == "active")
        .await;
    screen.assert_quiet().await;
    screen.close().await;
}

#[tokio::test]
async fn a_rejected_request_is_looked_at_and_released_by_mouse() {
    let gateway = Gateway::find().await;
    let source = gateway.source(CREATIVE_FORCE, &[]).await;
    source.event().await;
    let secret = unique();
    let id = rejected(&gateway, &source, HOSTILE, &secret).await;
    let screen = Screen::open(&gateway, &[]).await;
    screen
        .goto(&format!("/quarantine?rejected=1&source={}", source.name))
        .await;
    screen.press(&id).await;
    screen.comes_to("/quarantine/item").await;
    screen.shows("main", "Nothing has changed").await;
    // What the request has is text.
    screen.press("Show the request").await;
    screen.shows("main pre", "<img src=x onerror=").await;
    assert_eq!(screen.run("return window.pwned").await, json!(null));
    let rotate = ["source", "rotate-secret", &source.name, "--secret-stdin"];
    let guard = gateway.change().await;
    let rotated = gateway.webhookctl_with(&rotate, &secret).await;
    drop(guard);
    assert!(rotated.is_success(), "{rotated:?}");
    screen.press("Try today's secrets again").await;
    screen.shows("main", "It is in order").await;
    screen.press("Release…").await;
    screen.shows("#action[open]", "1 of 1").await;
    screen.press("Release").await;
    screen.shows("#action[open]", "Done.").await;
    screen.press("Close").await;
    eventually("the released event on the queue", || async {
        let messages = source.messages(Queue::Events);
        let mut messages = messages.iter().map(|message| message.body.clone());
        messages.find(|body| body.contains("onerror"))
    })
    .await;
    screen.assert_quiet().await;
    screen.close().await;
}

/// Markup, and characters that hide and reorder others.
const HOSTILE: &str =
    "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>\u{202e}\u{200b}";

/// Sends a webhook that is rejected for its secret, and waits until it is kept. Returns its id.
async fn rejected(gateway: &Gateway, source: &Source<'_>, note: &str, secret: &str) -> String {
    let body = product_reset(&unique(), note);
    let answer = source
        .known(|| source.signed_with(secret, body.as_bytes()))
        .await;
    assert_eq!(answer.status, 401);
    eventually("the rejected request", || async {
        let list = [
            "--json",
            "quarantine",
            "list",
            "--rejected",
            "--source",
            &source.name,
        ];
        let mut kept = gateway.webhookctl(&list).await.json();
        Some(kept.pop()?["id"].as_str()?.to_owned())
    })
    .await
}

#[tokio::test]
async fn the_link_opens_the_console_once() {
    let gateway = Gateway::find().await;
    let screen = Screen::open(&gateway, &["--read-only"]).await;
    // The token is not in the address bar.
    assert_eq!(screen.path().await, "/");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let again = client.get(&screen.link).send().await.unwrap();
    assert_eq!(again.status(), 403);
    screen.goto("/events").await;
    assert!(
        screen
            .texts("main button")
            .await
            .iter()
            .all(|text| !text.ends_with('…'))
    );
    screen.close().await;
}
