//! The overview, with the objects that `status` and `doctor` print.

use crate::console::tests::{Answers, Page, Seen, local};
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{0}\u{1b}[2J&\"'";

/// A series of 24 hours, the same object in each.
fn hours(hour: &Value) -> Value {
    let at = |place: usize| format!("2026-09-21T{place:02}:00:00.000Z");
    let hours = (0..24).map(|place| {
        let mut hour = hour.clone();
        hour["at"] = at(place).into();
        hour
    });
    hours.collect()
}

fn source(name: &str, rejected: u64) -> Value {
    let of = |rejected: u64| json!({"accepted": 2, "duplicates": 1, "quarantined": 0, "rejected": rejected});
    json!({
        "kind": "source", "name": name, "provider": "creative-force",
        "last_event_at": "2026-09-21T14:13:20.000Z", "silent_after": null, "silent_since": null,
        "hour": of(rejected), "day": of(24 * rejected), "hours": hours(&of(rejected)),
    })
}

fn endpoint(name: &str, condition: &str) -> Value {
    let of = json!({"delivered": 9, "failed": 1, "success": 0.9, "p50_ms": 40, "p99_ms": 900});
    let tried = json!({"delivered": 1000, "failed": 1, "success": 0.999_001});
    json!({
        "kind": "endpoint", "id": "ep_1", "name": name, "condition": condition, "hour": tried, "day": tried,
        "p50_ms": 40, "p99_ms": 1900, "held": 10000, "more_held": true,
        "next_attempt_at": "2026-09-21T14:18:20.000Z", "hours": hours(&of),
    })
}

fn gateway() -> Value {
    json!({
        "kind": "gateway", "first_attempt": {"p50_ms": 80, "p99_ms": 400},
        "hours": hours(&json!({"p50_ms": 80, "p99_ms": 400})),
    })
}

async fn status(rows: Vec<Value>) -> Seen {
    let page = Page::with(Answers::from([("status", Ok(rows))]), false);
    page.get("/panels/status").await
}

async fn attention(rows: Vec<Value>) -> Seen {
    let page = Page::with(Answers::from([("doctor", Ok(rows))]), false);
    page.get("/panels/attention").await
}

#[tokio::test]
async fn the_page_is_there_before_aws_answers() {
    local(async {
        let page = Page::with(Answers::new(), false);
        let seen = page.get("/").await;
        assert_eq!(seen.texts("h1"), ["Overview"]);
        assert_eq!(seen.texts("#refresh"), ["Refresh"]);
        for panel in ["/panels/status", "/panels/attention"] {
            let selector = format!("[hx-get='{panel}'][hx-trigger*='click from:#refresh']");
            assert_eq!(seen.texts(&selector).len(), 1, "{panel}");
        }
        assert!(
            !seen.html.contains("every "),
            "nothing is read again by itself"
        );
        assert!(page.ran.lock().unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sources_and_endpoints_have_their_numbers_and_charts() {
    local(async {
        let mut silent = source("hr", 0);
        silent["silent_after"] = "2h".into();
        let watched = silent.clone();
        silent["silent_since"] = "2026-09-21T10:00:00.000Z".into();
        let rows = vec![
            source("studio", 1),
            silent,
            watched,
            endpoint("search", "open"),
            gateway(),
        ];
        let seen = status(rows).await;
        assert_eq!(
            seen.texts("h2"),
            [
                "Requests by outcome",
                "Latency of first attempts",
                "Sources, 24 hours",
                "Endpoints, 24 hours"
            ]
        );
        // The charts sum all sources.
        assert_eq!(
            seen.texts(".legend strong"),
            ["144", "72", "0", "24"].map(String::from)
        );
        assert_eq!(seen.texts("svg[role=img] > title").len(), 6);
        let cells = seen.texts("[aria-label='Rows of Sources'] tbody tr:first-child td.number");
        assert_eq!(cells, ["2", "1", "0", "24"]);
        let silence = seen.texts("[aria-label='Rows of Sources'] tbody td:nth-child(3)");
        assert_eq!(silence[0], "not watched");
        assert!(silence[1].starts_with("silentsince"), "{silence:?}");
        assert_eq!(silence[2], "watched, 2h");
        let cells = seen.texts("[aria-label='Rows of Endpoints'] tbody td");
        assert_eq!(cells[..2], ["search", "open"]);
        assert_eq!(cells[2], "99.9\u{a0}%last hour 99.9\u{a0}%");
        assert_eq!(
            cells[3..6],
            ["40\u{a0}ms", "1\u{202f}900\u{a0}ms", "10\u{202f}000+"]
        );
        assert_eq!(seen.texts("[href='/endpoint?id=ep_1']"), ["search"]);
        assert_eq!(seen.texts("p.inline time").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn without_counts_the_rest_is_shown_with_the_reason() {
    local(async {
        let without = |mut row: Value| {
            let members = row.as_object_mut().unwrap();
            for member in ["hour", "day", "hours", "p50_ms", "p99_ms"] {
                members.remove(member);
            }
            row
        };
        let seen = status(vec![
            without(source("studio", 1)),
            without(endpoint("search", "active")),
        ])
        .await;
        assert_eq!(
            seen.texts("h2"),
            ["Sources, 24 hours", "Endpoints, 24 hours"]
        );
        assert_eq!(
            seen.texts("[aria-label='Rows of Sources'] td.number")[0],
            "–"
        );
        let page = Page::with(
            Answers::from([("status", Err("the metrics cannot be read: denied"))]),
            false,
        );
        let seen = page.get("/panels/status").await;
        assert_eq!(
            seen.texts(".problem"),
            ["Problem: the metrics cannot be read: denied"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_stack_without_anything_says_how_to_begin() {
    local(async {
        let seen = status(Vec::new()).await;
        let next = seen.texts(".empty code");
        assert!(next[0].starts_with("webhookctl source create"), "{next:?}");
        assert!(
            next[1].starts_with("webhookctl endpoint create"),
            "{next:?}"
        );
        assert!(seen.texts("figure").is_empty());
    })
    .await;
}

#[tokio::test]
async fn alarms_and_findings_stand_worst_first() {
    local(async {
        let finding = |level: &str, check: &str, subject: &str| {
            json!({"level": level, "check": check, "subject": subject, "what": "`so`", "to_do": "run `x`"})
        };
        let seen = attention(vec![
            finding("ok", "version", "1"),
            finding("warning", "sources", "hr"),
            finding("wrong", "queues", "events"),
            finding("wrong", "alarms", "Age"),
            finding("ok", "sources", "studio"),
        ])
        .await;
        assert_eq!(seen.texts(".findings strong"), ["Age", "events", "hr"]);
        assert_eq!(seen.texts(".findings .badge"), ["wrong", "wrong", "warning"]);
        assert_eq!(seen.texts(".findings li:first-child code"), ["so", "x"]);
        assert!(seen.html.contains("2 checks are ok."), "{}", seen.html);
        assert_eq!(seen.texts("a[href='/doctor']").len(), 1);

        let seen = attention(vec![finding("ok", "version", "1")]).await;
        assert!(seen.texts("p.note")[0].starts_with("Nothing needs attention. 1 check is ok."));
        let page = Page::with(Answers::from([("doctor", Err("AWS is out of reach"))]), false);
        let seen = page.get("/panels/attention").await;
        assert_eq!(seen.texts(".problem"), ["Problem: AWS is out of reach"]);
        assert!(!seen.html.contains("Nothing needs attention"));
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_markup_changes_nothing() {
    local(async {
        let mut finding = json!({"level": "wrong", "check": "alarms", "to_do": HOSTILE});
        finding["subject"] = HOSTILE.into();
        finding["what"] = "`x".repeat(500_000).into();
        let rows = vec![source(HOSTILE, 1), endpoint(HOSTILE, HOSTILE)];
        for seen in [status(rows).await, attention(vec![finding]).await] {
            assert!(seen.texts("script, style, img").is_empty(), "{}", seen.html);
            assert!(seen.html.contains("&lt;script&gt;"), "{}", seen.html);
            for steering in ['\u{202e}', '\u{0}', '\u{1b}'] {
                assert!(!seen.html.contains(steering), "{steering:?}");
            }
        }
    })
    .await;
}
