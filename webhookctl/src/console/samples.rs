//! The answers of commands in the tests of screens, as the commands print them.

use super::tests::Answers;
use serde_json::{Map, Value, json};

const AT: &str = "2026-09-21T14:13:20.000Z";
const LATER: &str = "2026-09-21T14:13:21.500Z";

pub(super) fn event() -> Value {
    json!({
        "id": "evt-1", "type": "io.acme.order.created", "source": "studio", "provider": "creads",
        "state": "accepted", "accepted_at": AT, "published_at": LATER, "key": "studio#evt-1",
        "place": "1790000001500_0123abcd.7",
        "deliveries": [
            {"endpoint": "ep_1", "name": "search", "delivery": "ep_1_1_d", "state": "delivered"},
            {"endpoint": "ep_2", "name": "crm", "delivery": "ep_2_1_d", "state": "held"},
        ],
    })
}

pub(super) fn copy() -> Value {
    json!({"at": AT, "id": "evt-1", "source": "studio", "provider": "creads", "state": "duplicate",
        "place": "1790000000000.1"})
}

pub(super) fn explained() -> Value {
    json!({
        "id": "evt-1", "type": "io.acme.order.created", "source": "studio", "provider": "creads",
        "state": "accepted", "accepted_at": AT, "published_at": LATER, "key": "studio#evt-1",
        "secret_position": 0, "reason": null, "released_as": null, "released_from": "sha256:0f:1",
        "copies": [LATER],
        "steps": [
            {"at": AT, "what": "received from the source studio (creads)"},
            {"at": LATER, "what": "published to the events queue"},
            {"at": null, "what": "subscription a: nothing, because", "nothing": ["type", "a"]},
            {"at": null, "what": "subscription b: nothing, because", "nothing": ["type", "b"]},
        ],
        "endpoints": [
            {"endpoint": "ep_1", "name": "search", "state": "delivered", "reason": null, "attempts": 2,
             "last": 200, "last_reason": null, "updated_at": LATER, "next_attempt_at": null},
            {"endpoint": "ep_2", "name": "crm", "state": "pending", "reason": "it waits", "attempts": 1,
             "last": "timeout", "last_reason": "there was no reply in time", "updated_at": LATER,
             "next_attempt_at": LATER},
            {"endpoint": "ep_3", "name": "hr", "state": "none", "reason": "it takes only", "attempts": 0,
             "last": null, "last_reason": null, "updated_at": null, "next_attempt_at": null,
             "nothing": "source"},
            {"endpoint": "ep_4", "name": "pay", "state": "none", "reason": "it takes only", "attempts": 0,
             "last": null, "last_reason": null, "updated_at": null, "next_attempt_at": null,
             "nothing": "source"},
        ],
        "groups": [
            {"of": "subscriptions", "nothing": "type", "reason": "none of their patterns matches x",
             "names": ["a", "b"]},
            {"of": "endpoints", "nothing": "source", "reason": "their sources do not include studio",
             "names": ["hr", "pay"]},
        ],
    })
}

pub(super) fn shown() -> Value {
    json!({
        "id": "evt-1", "type": "io.acme.order.created", "source": "studio", "provider": "creads",
        "state": "accepted", "accepted_at": AT, "key": "studio#evt-1", "reason": null,
        "released_as": null,
        "headers": {"content-type": "application/json", "host": "hooks.example.com", "x-topic": "it's"},
        "body": "{\"price\":1.50}", "event": {"specversion": "1.0", "data": {"price": 1.5}},
        "deliveries": [delivery()],
    })
}

pub(super) fn delivery() -> Value {
    json!({
        "id": "ep_1_1_d", "event": "evt-1", "type": "io.acme.order.created", "source": "studio",
        "endpoint": "ep_1", "endpoint_name": "search", "state": "exhausted", "reason": null,
        "attempts": 2, "last": 500, "accepted_at": AT, "updated_at": LATER, "next_attempt_at": null,
    })
}

pub(super) fn quarantined() -> Value {
    json!({"id": "sha256:0f:1", "source": "studio", "at": AT, "state": "quarantined",
        "reason": "the member id is missing", "released_as": null})
}

pub(super) fn rejected() -> Value {
    json!({"id": "hr/2026-11-22/017/1790000000000", "source": "hr", "at": AT, "state": "rejected",
        "reason": "the signature matches none of the secrets", "released_as": null})
}

/// An item of the quarantine, with what a release would make of it.
pub(super) fn item(row: Value, outcome: &str, reason: Option<&str>) -> Value {
    let mut item = row;
    let id = item["id"].clone();
    item["headers"] = json!({"content-type": "application/json", "x-signature": "[redacted]"});
    item["body"] = json!("{\"secret\":\"body\"}");
    item["today"] = json!({"id": id, "outcome": outcome, "event": "evt-9", "type": "io.acme.a",
        "reason": reason, "was": null, "cloudevent": {"id": "evt-9"}});
    item
}

pub(super) fn diagnosed() -> Value {
    json!({
        "request": "hr/2026-11-22/017/1790000000000", "source": "hr", "at": AT, "reason": "no match",
        "findings": [{"causes": ["encoding"], "what": "the signature is in Base64, not in hex",
            "command": "webhookctl source update hr --set encoding=base64", "to_do": "tell the others"}],
        "left": ["the secret is another one"],
    })
}

pub(super) fn source() -> Value {
    json!({
        "name": "studio", "provider": "creads", "status": "signed", "secrets": 2,
        "authentication": "HMAC-SHA256 in X-Signature", "authenticity": "signature: of the body",
        "handshake": "a challenge is echoed", "not_covered_by_the_signature": ["x-event"],
        "cautions": ["the signature has no time"], "dedupe": "by the id", "dedupe_window": "1d",
        "silent_after": "2h", "origins": ["192.0.2.0/24"], "url": "https://hooks.example.com/webhooks/studio",
        "signed_url": "https://shop.example.com/hooks", "last_event_at": LATER, "silent_since": AT,
        "sources_changed_at": AT, "handshake_answered_at": AT, "verification_token": null,
        "secret_use": [
            {"position": 1, "last_matched_at": LATER, "what": "last matched 2h ago", "safe_to_remove": false},
            {"position": 2, "last_matched_at": AT, "what": "last matched 3d ago", "safe_to_remove": true},
        ],
    })
}

pub(super) fn dead_letter() -> Value {
    json!({"id": "m-1", "reason": "refused", "detail": "the queue is full",
        "queue": "https://sqs.example.com/1/search", "event": "evt-1", "source": "studio", "endpoint": "ep_1",
        "endpoint_name": "crm", "sent_at": AT})
}

pub(super) fn findings() -> Vec<Value> {
    let finding = |level, check, subject, what, to_do: Option<&str>| {
        let members = [
            ("level", level),
            ("check", check),
            ("subject", subject),
            ("what", what),
        ];
        let mut finding: Map<String, Value> = members
            .into_iter()
            .map(|(name, value): (&str, &str)| (name.to_owned(), value.into()))
            .collect();
        finding.insert("to_do".to_owned(), to_do.into());
        Value::Object(finding)
    };
    vec![
        finding("ok", "sources", "studio", "signed", None),
        finding(
            "warning",
            "queues",
            "quarantine",
            "3 messages",
            Some("`webhookctl quarantine list`"),
        ),
        finding("warning", "sources", "shop", "silent", Some("look at it")),
        finding(
            "wrong",
            "sources",
            "hr",
            "no secret",
            Some("`webhookctl source rotate-secret hr`"),
        ),
    ]
}

pub(super) fn reconciled() -> Vec<Value> {
    vec![
        json!({"since": AT, "until": LATER,
            "events": {"accepted": 3, "published": 1, "quarantined": 1, "in_flight": 0, "missing": 1},
            "deliveries": {"all": 1200, "delivered": 1199, "held": 0, "exhausted": 0, "skipped": 0,
                "in_flight": 0, "in_flight_or_missing": 0, "missing": 1}}),
        json!({"missing": "event", "id": "evt-1", "type": "io.acme.a", "source": "studio", "endpoint": null,
            "endpoint_name": null, "event": null, "accepted_at": AT,
            "why": "the journal has no publication of it"}),
        json!({"missing": "delivery", "id": "ep_1_1_d", "type": "io.acme.a", "source": "studio",
            "endpoint": "ep_1", "endpoint_name": "crm", "event": "evt-2", "accepted_at": AT,
            "why": "it has had no attempt"}),
    ]
}

/// An endpoint as `endpoint list` and `endpoint show` print it.
fn endpoint() -> Value {
    json!({
        "id": "ep_1", "name": "search", "url": "https://hooks.example.com/in", "description": "index",
        "state": "active", "reason": "too slow", "condition": "open",
        "circuit": {"failures": 12, "failing_since": AT, "opened_at": AT, "wait": "2m"},
        "events": ["*"], "sources": ["studio"], "headers": {"X-Env": "test"}, "timeout": "20s",
        "retry": ["5s"], "rate": null, "format": "cloudevents", "signature": "standard-webhooks",
        "signature_header": "x-sig", "signature_prefix": "v1", "secrets": [{"until": null}, {"until": LATER}],
        "created_at": AT, "updated_at": LATER, "held": 3, "more_held": true, "next_attempt_at": LATER,
    })
}

/// A delivery as `delivery show` prints it.
fn attempts() -> Value {
    let mut shown = delivery();
    shown["history"] = json!([
        {"at": AT, "status": 500, "error": null, "reason": null, "duration_ms": 30, "response": "down"},
        {"at": LATER, "status": null, "error": "timeout", "reason": "no reply", "duration_ms": 20000,
         "response": null},
    ]);
    shown["request"] = json!({"method": "POST", "url": "https://hooks.example.com/in",
        "headers": {"webhook-id": "ep_1_1_d"}, "body": "{\"price\":1.50}"});
    shown
}

/// The rows of `status`.
fn status() -> Vec<Value> {
    let received = json!({"accepted": 2, "duplicates": 1, "quarantined": 0, "rejected": 1});
    let tried = json!({"delivered": 9, "failed": 1, "success": 0.9});
    vec![
        json!({"kind": "source", "name": "studio", "provider": "creads", "last_event_at": AT,
            "silent_after": "2h", "silent_since": LATER, "hour": received, "day": received, "hours": []}),
        json!({"kind": "endpoint", "id": "ep_1", "name": "search", "condition": "open", "hour": tried,
            "day": tried, "p50_ms": 40, "p99_ms": 900, "held": 3, "more_held": true, "next_attempt_at": LATER,
            "hours": []}),
    ]
}

/// What the commands of all screens print.
pub(super) fn answers() -> Answers {
    let mut letter = dead_letter();
    letter["attributes"] = json!({"ce-id": "evt-1"});
    letter["body"] = json!("{\"secret\":\"body\"}");
    Answers::from([
        ("event list", Ok(vec![event()])),
        ("event list --limit 50 --source", Ok(vec![copy()])),
        ("event explain", Ok(vec![explained()])),
        ("event show", Ok(vec![shown()])),
        ("source list", Ok(vec![source()])),
        ("source show", Ok(vec![source()])),
        (
            "source url",
            Ok(vec![
                json!({"url": "https://hooks.example.com/webhooks/studio", "problem": null}),
            ]),
        ),
        ("source diagnose", Ok(vec![diagnosed()])),
        (
            "quarantine list --limit 100 --since",
            Ok(vec![quarantined()]),
        ),
        ("quarantine list", Ok(vec![rejected()])),
        (
            "quarantine show",
            Ok(vec![item(quarantined(), "kept", Some("no id"))]),
        ),
        (
            "quarantine show --rejected",
            Ok(vec![item(rejected(), "would-be-released", None)]),
        ),
        ("dead-letter list", Ok(vec![dead_letter()])),
        ("dead-letter show", Ok(vec![letter])),
        ("delivery list", Ok(vec![delivery()])),
        ("delivery show", Ok(vec![attempts()])),
        ("endpoint list", Ok(vec![endpoint()])),
        ("endpoint show", Ok(vec![endpoint()])),
        ("status", Ok(status())),
        ("doctor", Ok(findings())),
        ("reconcile", Ok(reconciled())),
    ])
}
