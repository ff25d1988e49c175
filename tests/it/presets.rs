//! Every case of every preset, with the real binary: `tests/vectors/providers`, made by `openssl` or
//! published by the providers. The cases include forged variants of each signed part, and sources with
//! several secrets.
//!
//! Each case is a source of its own, so that none is a duplicate of another one.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::aws::{Aws, Message};
use testkit::cases::{Tried, cases, event_of};
use testkit::cloudevents::assert_strict;
use testkit::function::{Answer, Function};
use testkit::webhook::{creative_force, request, sign, signed};
use webhook_gateway::providers::presets;

/// The most bytes of sources that one process gets: Secrets Manager takes 65,536.
const MAX_SOURCES: usize = 50_000;

/// All cases, in parts that fit into one document of sources.
fn parts() -> Vec<Vec<Tried>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for preset in presets::all() {
        let name = preset.name();
        for (number, case) in cases(&format!("providers/{name}.json"))
            .into_iter()
            .enumerate()
        {
            let tried = Tried::of(name, format!("{name}-{number}"), case);
            bytes += tried.name.len() + tried.entry.to_string().len() + 8;
            if bytes > MAX_SOURCES {
                bytes = 0;
                parts.push(Vec::new());
            }
            parts.last_mut().unwrap().push(tried);
        }
    }
    parts
}

/// The status of an answer.
async fn status(function: &mut Function, event: &Value) -> u16 {
    let Answer::Success(response) = function.invoke(event).await else {
        panic!("no response");
    };
    u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap()
}

/// What is wrong with the item of an authentic case.
fn item_fault(tried: &Tried, item: &Value) -> Option<String> {
    let recipe = tried.recipe();
    let text = |name: &str| item[name]["S"].as_str();
    let (key, id) = (text("pk").unwrap(), text("id").unwrap());
    let position = text("secret").map(|secret| secret.split(':').next().unwrap().to_owned());
    let expected = tried.case.expect["secret"].as_u64();
    let by_body = format!("{}#sha256:", tried.name);
    let is_key = match (tried.expected("dedupe"), tried.expected("id")) {
        (Some("id"), Some(id)) => key == format!("{}#{id}", tried.name),
        _ => key.starts_with(&by_body),
    };
    let is_id = match tried.expected("id") {
        Some(expected) => id == expected,
        None => id.starts_with("sha256:"),
    };
    let headers = item["headers"]["M"].as_object().unwrap();
    let shown = recipe.authenticating_headers().into_iter();
    let mut shown = shown.filter(|name| headers.contains_key(name.as_str()));
    let is_right = is_key
        && is_id
        && text("type") == tried.expected("type")
        && position == expected.map(|position| position.to_string())
        && shown.all(|name| recipe.event_headers().contains(&name));
    (!is_right).then(|| format!("{}: {item}", tried.case.name))
}

/// The text of `data` in an event.
fn data(event: &str) -> &str {
    let (_, data) = event.split_once(",\"data\":").unwrap();
    data.strip_suffix('}').unwrap()
}

/// Whether the data of an event is the body: to the letter, or the fields of a form.
fn is_data_of(tried: &Tried, event: &str) -> bool {
    let body = tried.case.body();
    let fields = || url::form_urlencoded::parse(&body).into_owned();
    match tried.recipe().body().to_string().as_str() {
        "any" => {
            let event: Value = serde_json::from_str(event).unwrap();
            event["data_base64"] == json!(testkit::base64(&body))
        }
        "form" => {
            let data: Map<String, Value> = serde_json::from_str(data(event)).unwrap();
            let names: BTreeSet<_> = fields().map(|(name, _)| name).collect();
            let has = |name: &str, value: &str| match &data[name] {
                Value::Array(values) => values.contains(&json!(value)),
                one => *one == json!(value),
            };
            names.len() == data.len() && fields().all(|(name, value)| has(&name, &value))
        }
        "json" if tried.name.starts_with("woodwing-") => {
            let body: BTreeMap<String, &serde_json::value::RawValue> =
                serde_json::from_slice(&body).unwrap();
            body.get("data")
                .is_none_or(|sent| sent.get() == data(event))
        }
        "json" => {
            std::str::from_utf8(&body)
                .unwrap()
                .trim()
                .trim_start_matches('\u{feff}')
                == data(event)
        }
        kind => {
            let field = kind.strip_prefix("form:").unwrap();
            let json = fields().find(|(name, _)| name == field).unwrap().1;
            json.trim() == data(event)
        }
    }
}

/// What is wrong with the published event of an authentic case.
fn event_fault(tried: &Tried, text: &str) -> Option<String> {
    let event: Value = serde_json::from_str(text).unwrap_or_default();
    let text_of = |name: &str| event[name].as_str();
    let time = tried.expected("time").or(text_of("recordedtime"));
    let is_right = text_of("type") == tried.expected("type")
        && tried
            .expected("id")
            .is_none_or(|id| text_of("id") == Some(id))
        && text_of("time") == time
        && text_of("subject") == tried.expected("subject")
        && text_of("actorid") == tried.expected("actor")
        && text_of("authenticity") == tried.expected("authenticity")
        && is_data_of(tried, text);
    (!is_right).then(|| format!("{}: {text}\n  {}", tried.case.name, tried.case.expect))
}

/// Sends a part to a process of its own. Returns what is wrong, and the texts of all events.
async fn tried(aws: &mut Aws, part: &[Tried]) -> (Vec<String>, Vec<String>) {
    let sources: Map<String, Value> = part
        .iter()
        .map(|tried| (tried.name.clone(), tried.entry.clone()))
        .collect();
    aws.put_sources(&Value::Object(sources)).await;
    let mut function = aws.ingress().await;
    let mut faults = Vec::new();
    for tried in part {
        let is = status(&mut function, &event_of(&tried.case, &tried.name)).await;
        if is != tried.status() {
            let (name, case) = (&tried.name, &tried.case);
            faults.push(format!("{name}: {} ({}): {is}", case.name, case.why));
        }
    }
    let recorded = aws.recorded().await;
    let of_source = |items: &[Value], name: &str| -> Vec<Value> {
        let items = items.iter();
        items
            .filter(|item| item["gatewaysource"]["S"] == name)
            .cloned()
            .collect()
    };
    aws.drain_stream(&mut function).await;
    let messages: Vec<Message> =
        [aws.drain("events").await, aws.drain("quarantine").await].concat();
    let mut texts = BTreeMap::new();
    for message in messages {
        let source = message.attributes["gatewaysource"]["StringValue"].clone();
        texts.insert(
            source.as_str().unwrap().to_owned(),
            aws.event(message).await,
        );
    }
    for tried in part {
        let items = of_source(&recorded, &tried.name);
        match (tried.is_authentic(), &*items, texts.get(&tried.name)) {
            (false, [], None) => {}
            (true, [item], Some(text)) if tried.expected("type").is_none() => {
                let event: Value = serde_json::from_str(text).unwrap();
                let is_right = item["state"]["S"] == "quarantined"
                    && event["authenticity"] == tried.case.expect["authenticity"]
                    && event["data_base64"] == json!(testkit::base64(&tried.case.body()));
                faults.extend((!is_right).then(|| format!("{}: {text}", tried.name)));
            }
            (true, [item], Some(text)) => {
                let found = [item_fault(tried, item), event_fault(tried, text)];
                let found = found.into_iter().flatten();
                faults.extend(found.map(|fault| format!("{}: {fault}", tried.name)));
            }
            (_, items, text) => faults.push(format!("{}: {items:?} {text:?}", tried.name)),
        }
    }
    (faults, texts.into_values().collect())
}

#[tokio::test]
async fn each_case_of_each_preset_is_answered_recorded_and_published_as_it_says() {
    let mut aws = Aws::start().await;
    let parts = parts();
    let cases: usize = parts.iter().map(Vec::len).sum();
    let (mut faults, mut events) = (Vec::new(), Vec::new());
    for part in &parts {
        let (wrong, texts) = tried(&mut aws, part).await;
        faults.extend(wrong);
        events.extend(texts);
    }
    assert!(
        faults.is_empty(),
        "{} of {cases}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(
        cases > 1_300 && events.len() > 350,
        "{cases} {}",
        events.len()
    );
    assert_strict(&events);
}

/// A webhook of GitHub with this delivery and this type, both of which are not signed.
fn github(delivery: Option<&str>, event: &str) -> Value {
    let body = r#"{"action":"opened","repository":{"full_name":"octocat/Hello-World"}}"#;
    let signature = format!("sha256={}", sign("a-secret-of-the-source", body.as_bytes()));
    let mut headers = vec![
        ("x-hub-signature-256", &*signature),
        ("x-github-event", event),
    ];
    headers.extend(delivery.map(|delivery| ("x-github-delivery", delivery)));
    request("POST", "code", body, &headers)
}

#[tokio::test]
async fn a_captured_body_is_a_duplicate_whatever_its_unsigned_headers_say_and_however_late() {
    let mut aws = Aws::start().await;
    let source = json!({"provider": "github", "secrets": ["a-secret-of-the-source"]});
    aws.put_sources(&json!({"code": source})).await;
    let mut function = aws.ingress().await;
    let mut answers = Vec::new();
    for (delivery, event, passed) in [
        (Some("d-1"), "issues", 0),
        (Some("d-1"), "issues", 0),
        (Some("d-2"), "issues", 0),
        (Some("d-3"), "push", 601),
        (None, "issues", 20 * 86_400),
    ] {
        for mut item in aws.recorded().await {
            let until: i64 = item["dedupe_until"]["N"].as_str().unwrap().parse().unwrap();
            item["dedupe_until"] = json!({"N": (until - passed).to_string()});
            aws.put_item(&item).await;
        }
        let Answer::Success(response) = function.invoke(&github(delivery, event)).await else {
            panic!("no response");
        };
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["id"], "d-1");
        answers.push(body["status"].clone());
    }
    assert_eq!(answers[0], "accepted");
    assert!(
        answers[1..].iter().all(|answer| answer == "duplicate"),
        "{answers:?}"
    );
    aws.drain_stream(&mut function).await;
    assert_eq!(aws.drain_event_ids().await, ["d-1"]);
}

#[tokio::test]
async fn a_source_with_an_invalid_field_is_disabled_alone_and_says_its_name() {
    let aws = Aws::start().await;
    let secret = testkit::webhook::SECRET;
    let invalid = [
        ("encodng", json!("hex")),
        ("encoding", json!("base65")),
        ("timestamp_header", json!("X-Time")),
        ("event", json!({"typ": "a.b"})),
        ("secrets", json!(["whsec_"])),
    ];
    let mut sources = json!({"studio": {"provider": "creative-force", "secrets": [secret]}});
    for (number, (field, value)) in invalid.iter().enumerate() {
        let mut entry = json!({"provider": "github", "secrets": ["s"]});
        if *field == "secrets" {
            entry["secret_encoding"] = json!("base64");
        }
        entry[*field] = value.clone();
        sources[format!("bad-{number}")] = entry;
    }
    aws.put_sources(&sources).await;
    let mut function = aws.ingress().await;
    for (number, (field, _)) in invalid.iter().enumerate() {
        let event = request("POST", &format!("bad-{number}"), "{}", &[]);
        assert_eq!(status(&mut function, &event).await, 503, "{field}");
    }
    assert_eq!(
        status(&mut function, &signed("studio", &creative_force("p-1", ""))).await,
        200
    );
    let lines = function.output().await;
    for (field, _) in &invalid {
        let names = |line: &&String| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["status"] == 503
                && line["reason"]
                    .as_str()
                    .unwrap_or_default()
                    .starts_with(field)
        };
        assert!(lines.iter().any(|line| names(&line)), "{field}: {lines:#?}");
    }
}
