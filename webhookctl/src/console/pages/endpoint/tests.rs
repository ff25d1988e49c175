//! One endpoint, with the objects that `endpoint show` and `delivery list` print.

use crate::console::tests::{Answers, Page, Seen, local};
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{0}\u{1b}[2J&\"'";

fn endpoint(condition: &str) -> Value {
    json!({
        "id": "ep_1", "name": "search", "url": "https://hooks.example.com/in", "description": null,
        "state": "active", "reason": null, "condition": condition,
        "circuit": {"failures": 12, "failing_since": "2026-09-21T14:13:20Z", "opened_at": null, "wait": "2m"},
        "events": ["*"], "sources": [], "headers": {"Authorization": "[redacted]", "X-Env": "test"},
        "timeout": "20s", "retry": ["5s", "5m", "10h"], "rate": null, "format": "cloudevents",
        "signature": "standard-webhooks", "signature_header": null, "signature_prefix": null,
        "secrets": [{"until": null}, {"until": "2026-09-21T14:14:20Z"}],
        "created_at": "2026-09-21T14:13:20Z", "updated_at": "2026-09-21T14:13:21Z",
        "held": 1000, "more_held": true, "next_attempt_at": "2026-09-21T14:18:20.000Z",
    })
}

fn delivery(state: &str, last: Value) -> Value {
    json!({
        "id": "ep_1_1790000000000_d", "event": "evt 1", "type": "a.b", "source": "studio", "endpoint": "ep_1",
        "endpoint_name": "search", "state": state, "reason": null, "attempts": 2, "last": last,
        "accepted_at": "2026-09-21T14:13:20.000Z", "updated_at": "2026-09-21T14:13:27.000Z",
        "next_attempt_at": null,
    })
}

async fn shown(endpoint: Value, read_only: bool) -> Seen {
    let page = Page::with(
        Answers::from([("endpoint show", Ok(vec![endpoint]))]),
        read_only,
    );
    page.get("/panels/endpoint?id=ep_1").await
}

async fn listed(rows: Vec<Value>) -> Seen {
    let page = Page::with(Answers::from([("delivery list", Ok(rows))]), false);
    page.get("/panels/endpoint/deliveries?id=ep_1").await
}

#[tokio::test]
async fn an_endpoint_is_shown_with_its_condition_and_no_secret() {
    local(async {
        let seen = shown(endpoint("open"), false).await;
        // It takes the place of the id in the title.
        assert_eq!(seen.texts("h1#endpoint-name[hx-swap-oob]"), ["search"]);
        assert!(
            seen.html.contains("Attempts failed in a row."),
            "{}",
            seen.html
        );
        let facts = seen.texts(".facts dd");
        assert_eq!((&*facts[0], &*facts[2]), ("1\u{202f}000+", "12"));
        let secrets = seen.texts(".details dd div");
        assert_eq!(secrets[0], "the present one, which has no end");
        assert!(secrets[1].starts_with("a previous one, which signs until 2026-09-21T14:14:20Z"));
        assert!(
            seen.texts(".details code")
                .contains(&"Authorization: [redacted]".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn only_the_actions_that_make_sense_are_offered() {
    local(async {
        for (condition, expected) in [
            ("active", &["Ping…", "Pause…"][..]),
            ("paused", &["Ping…", "Resume…"]),
            ("disabled", &["Ping…", "Enable…"]),
            ("open", &["Ping…", "Resume…", "Pause…"]),
        ] {
            let buttons = shown(endpoint(condition), false)
                .await
                .texts(".buttons button");
            let (rotate, others) = buttons.split_last().unwrap();
            assert_eq!(
                (&**rotate, others),
                (
                    "Rotate the secret…",
                    &expected
                        .iter()
                        .map(|name| (*name).to_owned())
                        .collect::<Vec<_>>()[..]
                )
            );
        }
        let mut one = endpoint("active");
        one["signature"] = "hmac-sha256-hex".into();
        let seen = shown(one, false).await;
        assert!(
            seen.html
                .contains("/actions/rotate?endpoint=ep_1&amp;overlap=0s"),
            "{}",
            seen.html
        );
        assert!(
            shown(endpoint("active"), true)
                .await
                .texts("button:not(.copy)")
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn the_last_answers_are_counted_in_classes() {
    local(async {
        let seen = listed(vec![
            delivery("delivered", json!(204)),
            delivery("delivered", json!(200)),
            delivery("exhausted", json!(410)),
            delivery("exhausted", json!(404)),
            delivery("exhausted", json!(404)),
            delivery("pending", json!("timeout")),
            delivery("pending", json!("tls")),
            delivery("held", Value::Null),
            delivery("skipped", json!("a new word")),
        ])
        .await;
        assert_eq!(
            seen.texts(".counts:first-child tr"),
            ["pending2", "delivered2", "held1", "exhausted3", "skipped1"]
        );
        assert_eq!(
            seen.texts(".counts:last-child tr"),
            [
                "2xx2",
                "4xx 404 × 2, 410 × 13",
                "TLS1",
                "no attempt1",
                "other1",
                "timeout1"
            ]
        );
        // What is on its way is not resent.
        assert_eq!(seen.texts(".list tbody button").len(), 6);
        assert_eq!(
            seen.texts(".list a[href='/event?id=evt+1&source=studio']")
                .len(),
            9
        );
    })
    .await;
}

#[tokio::test]
async fn the_filter_is_in_the_url_and_no_value_becomes_a_flag() {
    local(async {
        let page = Page::with(Answers::new(), false);
        let shell = page.get("/endpoint?id=--x&state=held&since=7d").await;
        assert_eq!(
            shell.texts("option[selected]"),
            ["held", "last 7 days", "last 24 hours"]
        );
        let panel = "/panels/endpoint/deliveries?id=--x&amp;state=held&amp;since=7d";
        assert!(shell.html.contains(panel), "{}", shell.html);
        page.get("/panels/endpoint/deliveries?id=--x&state=held&since=7d")
            .await;
        page.get("/panels/endpoint/deliveries?id=ep_1").await;
        page.get("/panels/endpoint?id=--x").await;
        let expected = [
            "delivery list --endpoint=--x --state=held --since=7d --limit=100",
            "delivery list --endpoint=ep_1 --since=3d --limit=100",
            "endpoint show -- --x",
        ];
        assert_eq!(page.ran.lock().unwrap()[..], expected);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_cut_says_so() {
    local(async {
        let seen = listed(vec![delivery("delivered", json!(200)); 100]).await;
        assert!(
            seen.html.contains("These are the newest 100 deliveries."),
            "{}",
            seen.html
        );
        assert!(
            seen.html.contains("/endpoint?id=ep_1&amp;limit=1000"),
            "{}",
            seen.html
        );
        let seen = listed(vec![delivery("delivered", json!(200)); 99]).await;
        assert!(!seen.html.contains("These are the newest"), "{}", seen.html);
    })
    .await;
}

#[tokio::test]
async fn an_empty_list_and_an_error_say_what_to_do() {
    local(async {
        let seen = listed(Vec::new()).await;
        assert_eq!(seen.texts(".empty a"), ["Search the last 30 days"]);
        let error = Err("there is no endpoint ep_1: see `webhookctl endpoint list`");
        let page = Page::with(
            Answers::from([("endpoint show", error.clone()), ("delivery list", error)]),
            true,
        );
        for path in [
            "/panels/endpoint?id=ep_1",
            "/panels/endpoint/deliveries?id=ep_1",
        ] {
            let seen = page.get(path).await;
            assert_eq!(seen.texts(".problem").len(), 1, "{path}");
            assert!(seen.texts("h1, .empty").is_empty(), "{path}");
        }
        let shell = page.get("/endpoint?id=ep_1").await;
        assert!(shell.texts("[hx-get='/actions/resend']").is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_or_an_event_is_called_changes_nothing() {
    local(async {
        let mut one = endpoint("active");
        for member in [
            "name",
            "url",
            "description",
            "reason",
            "condition",
            "signature_header",
        ] {
            one[member] = HOSTILE.into();
        }
        one["headers"] = json!({HOSTILE: HOSTILE});
        one["events"] = json!([HOSTILE, "x".repeat(1_000_000)]);
        let mut row = delivery(HOSTILE, HOSTILE.into());
        for member in ["id", "event", "type", "source", "reason"] {
            row[member] = HOSTILE.into();
        }
        for seen in [shown(one, false).await, listed(vec![row]).await] {
            assert!(seen.texts("script, style, img").is_empty());
            assert!(seen.html.contains("&lt;script&gt;"));
            for steering in ['\u{202e}', '\u{0}', '\u{1b}'] {
                assert!(!seen.html.contains(steering), "{steering:?}");
            }
        }
    })
    .await;
}
