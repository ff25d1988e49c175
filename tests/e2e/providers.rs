//! Providers by configuration, over HTTP: ten presets and every custom recipe of the vectors, with the
//! signatures that `openssl` made, several secrets and forged variants; and every handshake. Most webhooks
//! were signed in the past. Their sources do not look at the age of a timestamp, which other tests do.
//!
//! Seen to fail: with webhooks that are too old, whose sources take any age.

use crate::support::eventually;
use crate::support::gateway::{Gateway, name};
use crate::support::inbox::{Queue, messages};
use crate::support::source::send;
use futures_util::stream::{self, StreamExt};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use testkit::cases::{Case, Tried, cases, source_with_handshake};
use tokio::sync::OnceCell;

const PRESETS: [&str; 10] = [
    "github",
    "gitlab",
    "sendgrid",
    "shopify",
    "slack",
    "square",
    "standard-webhooks",
    "stripe",
    "twilio",
    "zoom",
];

/// The requests that are on their way at once.
const AT_ONCE: usize = 8;

/// Each webhook with its source. Cases of equal sources share one.
static WEBHOOKS: LazyLock<Vec<Tried>> = LazyLock::new(|| {
    let presets = PRESETS.iter().flat_map(|preset| {
        let cases = cases(&format!("providers/{preset}.json")).into_iter();
        cases.map(|case| Tried::of(preset, String::new(), case))
    });
    let custom = cases("recipes.json").into_iter();
    let custom = custom.map(|case| Tried::custom(String::new(), case));
    let all = presets.chain(custom).filter(|tried| is_sent(&tried.case));
    shared(all.map(ageless).collect())
});

/// Each handshake with its source.
static HANDSHAKES: LazyLock<Vec<Tried>> = LazyLock::new(|| {
    let all = cases("handshakes.json").into_iter();
    // How any other request ends is no matter of the handshake.
    let all = all.filter(|case| case.expect["status"].is_u64() && is_sent(case));
    let tried = all.map(|case| Tried {
        name: String::new(),
        entry: source_with_handshake(&case),
        case,
    });
    shared(tried.map(ageless).collect())
});

/// Whether a request can be sent by HTTP as it is, and its answer does not depend on the clock.
fn is_sent(case: &Case) -> bool {
    let mut values = case.headers.iter().map(|(_, value)| value);
    let is_of_time = case.why == "beyond the tolerance" || case.name.contains("too old");
    values.all(|value| value.trim() == value && HeaderValue::from_str(value).is_ok()) && !is_of_time
}

/// The same with a source that takes timestamps of any age.
fn ageless(mut tried: Tried) -> Tried {
    let recipe = tried.entry["provider"].as_str().map(str::to_owned).unwrap();
    let preset = match &*recipe {
        "custom" => tried.entry.clone(),
        preset => testkit::cases::preset_of(preset),
    };
    let has_time = ["timestamp_header", "timestamp_path"]
        .iter()
        .any(|field| preset[*field].is_string());
    if has_time {
        tried.entry["timestamp_tolerance"] = json!("0");
    }
    tried
}

/// Gives equal sources one name.
fn shared(mut all: Vec<Tried>) -> Vec<Tried> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for tried in &mut all {
        let source = names.entry(tried.entry.to_string()).or_insert_with(name);
        tried.name.clone_from(source);
    }
    all
}

/// Creates all sources of these tests at once.
async fn prepare(gateway: &Gateway) {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let create = async {
        let all = WEBHOOKS.iter().chain(HANDSHAKES.iter());
        let all: Map<String, Value> = all
            .map(|tried| (tried.name.clone(), tried.entry.clone()))
            .collect();
        let _guard = gateway.change().await;
        gateway.edit_sources(|sources| sources.extend(all)).await;
    };
    PREPARED.get_or_init(|| create).await;
}

/// The request of a case.
fn request(gateway: &Gateway, tried: &Tried) -> RequestBuilder {
    let case = &tried.case;
    let source = match case.url.split_once('?') {
        Some((_, query)) if !query.is_empty() => format!("{}?{query}", tried.name),
        _ => tried.name.clone(),
    };
    let mut request = gateway.request(&case.method, &source);
    for (name, value) in &case.headers {
        request = request.header(name.parse::<HeaderName>().unwrap(), value);
    }
    request.body(case.body())
}

/// Looks at each case, and returns what is wrong.
async fn faults<F: Future<Output = Option<String>>>(
    all: &'static [Tried],
    fault: impl FnMut(&'static Tried) -> F,
) -> Vec<String> {
    let faults = stream::iter(all).map(fault).buffer_unordered(AT_ONCE);
    let faults: Vec<Option<String>> = faults.collect().await;
    faults.into_iter().flatten().collect()
}

/// What is wrong with the answer to a webhook.
async fn webhook_fault(gateway: &Gateway, tried: &Tried) -> Option<String> {
    let answer = eventually("a known source", || async {
        Some(send(request(gateway, tried)).await).filter(|answer| answer.status != 404)
    });
    let (status, expected) = (answer.await.status, tried.status());
    let (case, provider) = (&tried.case, &tried.entry["provider"]);
    (status != expected).then(|| {
        format!(
            "{provider} {} ({}): {status} is not {expected}",
            case.name, case.why
        )
    })
}

#[tokio::test]
async fn ten_presets_and_every_recipe_take_what_is_signed_by_any_of_their_secrets_and_no_forgery() {
    let gateway = Gateway::find().await;
    prepare(&gateway).await;
    let faults = faults(&WEBHOOKS, |tried| webhook_fault(&gateway, tried)).await;
    let (count, all) = (faults.len(), WEBHOOKS.len());
    assert!(
        faults.is_empty(),
        "{count} of {all}:\n{}",
        faults.join("\n")
    );
    // All schemes are there, and each with more than one secret.
    let rotated = WEBHOOKS
        .iter()
        .filter(|tried| tried.is_authentic() && tried.case.secrets.len() > 1);
    let schemes: BTreeSet<String> = rotated.map(|tried| format!("{:?}", kind(tried))).collect();
    assert_eq!(schemes.len(), 7, "{schemes:?}");
    // Cases of one source with one body are copies: the first that came is the event.
    let mut copies: BTreeMap<_, Vec<&Tried>> = BTreeMap::new();
    for tried in WEBHOOKS.iter().filter(|tried| tried.is_authentic()) {
        let copies = copies.entry((&tried.name, tried.case.body())).or_default();
        copies.push(tried);
    }
    for copies in copies.into_values() {
        published(&copies).await;
    }
}

/// The authentication of a source, and the algorithm if it has a public key.
fn kind(tried: &Tried) -> (String, Option<String>) {
    let preset = match tried.entry["provider"].as_str().unwrap() {
        "custom" => json!({}),
        preset => testkit::cases::preset_of(preset),
    };
    let text = |field: &str| {
        let value = tried.entry.get(field).or(preset.get(field));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    let auth = text("auth").unwrap_or("hmac".to_owned());
    let algorithm = text("algorithm").filter(|_| auth == "public-key");
    (auth, algorithm)
}

/// Waits for the event of an authentic webhook, which one of its copies has become.
async fn published(copies: &[&Tried]) {
    let what = copies
        .iter()
        .map(|tried| format!("{} {}", tried.entry["provider"], tried.case.name));
    let what = format!("the event of {}", what.collect::<Vec<_>>().join(" or "));
    let is_there = |tried: &&&Tried| {
        let queue = match tried.expected("type") {
            Some(_) => Queue::Events,
            None => Queue::Quarantine,
        };
        let mut messages = messages(queue, &tried.name).into_iter();
        messages.any(|message| is_event_of(tried, &message.json()))
    };
    eventually(&what, || async { copies.iter().find(is_there).map(|_| ()) }).await;
}

/// Whether an event, or what is quarantined, is that of a webhook.
fn is_event_of(tried: &Tried, event: &Value) -> bool {
    let told = event["id"].as_str().unwrap_or_default();
    let conflict = |id: &str| {
        told.strip_prefix(id)
            .is_some_and(|rest| rest.starts_with('#'))
    };
    let is_id = |id: &str| told == id || conflict(id);
    event["authenticity"] == tried.case.expect["authenticity"]
        && tried.expected("type").is_none_or(|expected| {
            event["type"] == expected && tried.expected("id").is_none_or(is_id)
        })
}

/// What is wrong with the answer to a handshake.
async fn handshake_fault(gateway: &Gateway, tried: &Tried) -> Option<String> {
    let expected = &tried.case.expect;
    let status = u16::try_from(expected["status"].as_u64().unwrap()).unwrap();
    // A function that does not know the source yet answers 404 or 405.
    let response = eventually(&tried.case.name, || async {
        let response = request(gateway, tried).send().await.unwrap();
        let is_unknown = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        Some(response).filter(|response| !is_unknown.contains(&response.status()))
    })
    .await;
    let answered = response.status().as_u16();
    let headers = response.headers().clone();
    let body = response.text().await.unwrap();
    let pairs = expected["headers"].as_array().into_iter().flatten();
    let mut pairs = pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let is_right = answered == status
        && pairs.all(|(name, value)| headers.get(name).is_some_and(|told| told == value))
        && expected.get("body").is_none_or(|text| *text == body)
        && expected
            .get("json")
            .is_none_or(|expected| *expected == json);
    (!is_right).then(|| {
        let (case, kind) = (&tried.case, &tried.case.handshake);
        format!(
            "{kind}: {} ({}): {answered} {body:?} {headers:?}",
            case.name, case.why
        )
    })
}

#[tokio::test]
async fn each_handshake_is_answered_over_its_methods() {
    let gateway = Gateway::find().await;
    prepare(&gateway).await;
    let faults = faults(&HANDSHAKES, |tried| handshake_fault(&gateway, tried)).await;
    let (count, all) = (faults.len(), HANDSHAKES.len());
    assert!(
        faults.is_empty(),
        "{count} of {all}:\n{}",
        faults.join("\n")
    );
    let answered = HANDSHAKES
        .iter()
        .filter(|tried| tried.case.expect["answered"] == true);
    let ways: BTreeSet<_> = answered
        .map(|tried| (tried.case.handshake.as_str(), tried.case.method.as_str()))
        .collect();
    let expected = [
        ("challenge", "GET"),
        ("echo-challenge", "POST"),
        ("header-echo", "GET"),
        ("hook-secret", "POST"),
        ("hub", "GET"),
        ("okta", "GET"),
        ("ping", "GET"),
        ("ping", "HEAD"),
        ("ping", "POST"),
        ("slack", "POST"),
        ("validation-token", "GET"),
        ("validation-token", "POST"),
        ("verification-token", "POST"),
        ("zoom", "POST"),
    ];
    assert_eq!(ways, BTreeSet::from(expected));
    assert!(
        HANDSHAKES
            .iter()
            .all(|tried| messages(Queue::Events, &tried.name).len() <= 1)
    );
}

#[tokio::test]
async fn a_header_is_echoed_over_head_and_options_too() {
    let gateway = Gateway::find().await;
    prepare(&gateway).await;
    let is_it = |tried: &&Tried| {
        tried.case.handshake == "header-echo" && tried.case.expect["answered"] == true
    };
    let tried = HANDSHAKES.iter().find(is_it).unwrap();
    for method in ["HEAD", "OPTIONS"] {
        let mut case = tried.case.clone();
        case.method = method.to_owned();
        let tried = Tried {
            name: tried.name.clone(),
            entry: tried.entry.clone(),
            case,
        };
        let fault = handshake_fault(&gateway, &tried).await;
        assert_eq!(fault, None, "{method}");
    }
}
