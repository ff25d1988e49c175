//! `tests/vectors/normalize`: a webhook's body in `<case>.in.json`, or in the payload of the same name, and
//! its event in `<case>.out.json`, written by hand. `refused.json` has the bodies that become no event, and
//! the reasons.

use super::{Body, assert_none, names, parse, read};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use webhook_gateway::event::{CloudEvent, EventMeta};
use webhook_gateway::providers::recipe::Authenticity;
use webhook_gateway::providers::{NormalizeError, Provider, Verified};

/// All results of `told`.
const REFUSALS: [&str; 11] = [
    "Compressed",
    "NotUtf8",
    "NotJson",
    "TooDeep",
    "TooManyDigits",
    "TooManyMembers",
    "NotAnObject",
    "NoId",
    "NoType",
    "NotACloudEvent",
    "Foreign",
];

/// The event's members, with their values as written.
type Members<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Refused {
    name: String,
    #[serde(flatten)]
    body: Body,
    #[serde(flatten)]
    refusal: Map<String, Value>,
}

/// Add a new variant to `REFUSALS` as well, and then to a provider's file.
fn told(error: &NormalizeError) -> Value {
    match error {
        NormalizeError::NotUtf8 { offset } => json!({"refusal": "NotUtf8", "offset": offset}),
        NormalizeError::NotJson { line, column } => {
            json!({"refusal": "NotJson", "line": line, "column": column})
        }
        NormalizeError::Compressed => json!({"refusal": "Compressed"}),
        NormalizeError::TooDeep => json!({"refusal": "TooDeep"}),
        NormalizeError::TooManyDigits => json!({"refusal": "TooManyDigits"}),
        NormalizeError::TooManyMembers => json!({"refusal": "TooManyMembers"}),
        NormalizeError::NotAnObject => json!({"refusal": "NotAnObject"}),
        NormalizeError::NoId { member } => json!({"refusal": "NoId", "member": member}),
        NormalizeError::NoType { member } => json!({"refusal": "NoType", "member": member}),
        NormalizeError::NotACloudEvent { member } => {
            json!({"refusal": "NotACloudEvent", "member": member})
        }
        NormalizeError::Foreign { member } => json!({"refusal": "Foreign", "member": member}),
        NormalizeError::NotADocument
        | NormalizeError::TooManyFields
        | NormalizeError::NoField
        | NormalizeError::NoPart { .. } => {
            panic!("code does not refuse what a recipe refuses: {error}")
        }
    }
}

fn folder(provider: Provider) -> String {
    format!("tests/vectors/normalize/{provider}")
}

fn refused(provider: Provider) -> Vec<Refused> {
    parse(&format!("{}/refused.json", folder(provider)))
}

/// The bodies that become no event.
pub(super) fn refused_bodies(provider: Provider) -> impl Iterator<Item = Vec<u8>> {
    let vectors = refused(provider).into_iter();
    vectors.map(move |vector| vector.body.bytes(provider))
}

/// The body of a case.
fn body(provider: Provider, case: &str) -> Vec<u8> {
    if names(&folder(provider), ".in.json").contains(case) {
        read(&format!("{}/{case}.in.json", folder(provider)))
    } else {
        read(&format!("tests/payloads/{provider}/{case}.json"))
    }
}

/// The event of a body.
fn event(provider: Provider, body: Vec<u8>) -> Result<String, NormalizeError> {
    let normalized = provider.normalize(Verified::recorded(&body))?;
    let source = match provider {
        Provider::CreativeForce => "studio",
        Provider::WoodWing => "content",
        Provider::Creads => "partners",
        Provider::PeopleForce => "hr",
    };
    let id = normalized.id.as_deref().unwrap_or("given-by-the-gateway");
    let meta = EventMeta {
        key: format!("{source}#{id}"),
        id: id.to_owned(),
        event_type: normalized.event_type.to_string(),
        source: source.to_owned(),
        provider: provider.name().to_owned(),
        accepted_at: 1_795_341_600_250,
        conflict: false,
        replayed: false,
    };
    let event = CloudEvent::accepted(&meta, Authenticity::Signature, normalized);
    Ok(event.encode().unwrap())
}

/// The errors of an event.
fn problem(event: &str, expected: &str) -> Option<String> {
    let (is, should): (Members<'_>, Members<'_>) = (
        serde_json::from_str(event).unwrap(),
        serde_json::from_str(expected).unwrap(),
    );
    // The event is compact. Therefore a duplicate member shows in its length.
    let length: usize = is
        .iter()
        .map(|(name, value)| name.len() + value.get().len() + 4)
        .sum();
    if event.len() != length + 1 {
        return Some(format!("a member twice: {event}"));
    }
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    let refused_by_sqs =
        |c: char| matches!(c, '\0'..' ' | '\u{fffe}' | '\u{ffff}') && !"\t\n\r".contains(c);
    if event.contains(refused_by_sqs) {
        return Some(format!("not for SQS: {event:?}"));
    }
    let names: BTreeSet<_> = is.keys().chain(should.keys()).collect();
    names.into_iter().find_map(|name| {
        let (is, should) = (text(&is, name), text(&should, name));
        // The payload has the same text as before, everything else the same value.
        let same = match name.as_str() {
            "data" => is == should,
            _ => is.map(value) == should.map(value),
        };
        (!same).then(|| format!("{name} is {is:?}, not {should:?}"))
    })
}

fn text<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    members.get(name).map(|value| value.get())
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_webhook_becomes_its_event() {
    let mut failures = Vec::new();
    for provider in Provider::ALL {
        for case in names(&folder(provider), ".out.json") {
            let expected = read(&format!("{}/{case}.out.json", folder(provider)));
            let expected = String::from_utf8(expected).unwrap();
            let problem = match event(provider, body(provider, &case)) {
                Ok(event) => problem(&event, &expected),
                Err(error) => Some(error.to_string()),
            };
            failures.extend(problem.map(|problem| format!("{provider}/{case}: {problem}")));
        }
    }
    assert_none(&failures);
}

#[test]
fn what_is_not_understood_is_refused_for_its_own_reason() {
    let mut failures = Vec::new();
    for provider in Provider::ALL {
        for vector in refused(provider) {
            let result = event(provider, vector.body.bytes(provider));
            let expected = Value::Object(vector.refusal);
            if result.as_ref().map_err(told) != Err(expected.clone()) {
                failures.push(format!(
                    "{provider}/{}: {result:?}, not {expected}",
                    vector.name
                ));
            }
        }
    }
    assert_none(&failures);
}

#[test]
fn every_payload_has_a_vector_and_so_has_every_refusal() {
    let mut found = BTreeSet::new();
    for provider in Provider::ALL {
        let events = names(&folder(provider), ".out.json");
        let bodies = names(&folder(provider), ".in.json");
        let payloads = names(&format!("tests/payloads/{provider}"), ".json");
        let refused = refused(provider);
        assert!(!events.is_empty() && !refused.is_empty(), "{provider}");
        assert!(
            bodies.is_subset(&events),
            "{provider} has a body without event"
        );
        for payload in &payloads {
            let is_refused = refused.iter().any(
                |case| matches!(&case.body, Body::Payload(name) if *name == format!("{payload}.json")),
            );
            assert!(
                events.contains(payload) != is_refused,
                "{provider}/{payload} has no vector"
            );
        }
        found.extend(
            refused
                .into_iter()
                .map(|case| case.refusal["refusal"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(found, REFUSALS.map(str::to_owned).into());
}
