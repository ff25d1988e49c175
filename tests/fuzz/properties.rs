//! I10 and I11: properties that hold for every input. The tests try the corpus, and the fuzzer tries new
//! inputs.

use aws_lambda_events::sqs::SqsEvent;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Map;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use url::Host;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::delivery::http::guard::{Policy, Target};
use webhook_gateway::event::{CloudEvent, EventMeta, Recording};
use webhook_gateway::ingress::Request;
use webhook_gateway::messages::Message;
use webhook_gateway::providers::handshake::{Facts, Reply};
use webhook_gateway::providers::recipe::{Authenticity, Recipe};
use webhook_gateway::providers::shape::{Difference, KnownHashes};
use webhook_gateway::providers::verify::VerifyError;
use webhook_gateway::providers::{Incoming, Provider, Verified};
use webhook_gateway::store::ledger::Change;

/// An invocation of either function, or a part of one, is read or rejected. A part that was read is written
/// back unchanged.
pub(crate) fn event(data: &[u8]) {
    // The runtime reads it in this way. Neither call may panic.
    if let Ok(event) = serde_json::from_slice::<&RawValue>(data) {
        let _ = Request::read(event.get());
    }
    let _ = serde_json::from_slice::<SqsEvent>(data);
    if let Ok(change) = serde_json::from_slice::<Change<'_>>(data) {
        let recorded = change.recorded();
        if let Some(Ok(record)) = recorded {
            assert!(!record.event.key.is_empty() || record.event.source.is_empty());
        }
    }
    if let Ok(message) = serde_json::from_slice::<Message>(data) {
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }
}

/// An authentic body is understood, always in the same way, or rejected. A body that is understood makes an
/// event in JSON, with characters that SQS accepts.
pub(crate) fn provider(data: &[u8]) {
    let Some((&which, body)) = data.split_first() else {
        return;
    };
    let provider = Provider::ALL[usize::from(which) % Provider::ALL.len()];
    let normalized = provider.normalize(Verified::recorded(body));
    let again = provider.normalize(Verified::recorded(body));
    assert_eq!(format!("{normalized:?}"), format!("{again:?}"));
    let Ok(normalized) = normalized else { return };
    assert!(!normalized.event_type.is_empty() && normalized.event_type.len() <= 512);
    assert!(normalized.id.as_ref().is_none_or(|id| !id.is_empty()));
    let event_meta = EventMeta {
        key: "source#id".to_owned(),
        id: "id".to_owned(),
        event_type: normalized.event_type.to_string(),
        source: "source".to_owned(),
        provider: provider.name().to_owned(),
        accepted_at: 1_795_341_600_000,
        conflict: true,
        replayed: true,
    };
    let event = CloudEvent::accepted(&event_meta, Authenticity::Signature, normalized)
        .encode()
        .unwrap();
    assert!(!event.contains(['\u{fffe}', '\u{ffff}']));
    serde_json::from_str::<&RawValue>(&event).unwrap();
    shape(body);
}

/// Any object is a recipe or is not one. By a recipe, no stranger's request is authentic, an answer to a
/// handshake is short and in one line, and what is understood makes the same event each time.
///
/// The input is a recipe, the query, lines of headers, and a body, each ended by a zero byte.
pub(crate) fn recipe(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (fields, query, lines, body) = (part(), part(), part(), part());
    let Ok(fields) = serde_json::from_slice(fields) else {
        return;
    };
    let Ok(recipe) = Recipe::from_fields(&fields) else {
        return;
    };
    let query = String::from_utf8_lossy(query);
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let secrets: Vec<Secret> = [SECRET, "a-user:of a long secret of this test"]
        .iter()
        .filter_map(|text| recipe.secret(text).ok())
        .collect();
    for method in ["GET", "POST"] {
        let incoming = Incoming {
            method,
            query: &query,
            headers: &headers,
            body,
        };
        let verified = recipe
            .verify(&incoming, &secrets, "", Timestamp::UNIX_EPOCH)
            .ok();
        if let Some(webhook) = verified {
            assert!(webhook.secret().is_none(), "a stranger knows the secret");
        }
        let facts = Facts {
            secrets: &secrets,
            waits: false,
            verified,
        };
        if let Some(Reply::Answer(answer)) = recipe.answer(&incoming, facts) {
            assert!(answer.body.len() <= 8 * 1_024);
            assert!(!answer.body.contains(char::is_control));
        }
    }
    understood(&recipe, &headers, body);
}

/// What a template signs verifies with its secret, and with no other one. If the template has the body, no
/// other body verifies.
///
/// The input is a template, the value of its headers, a URL, and a body, each ended by a zero byte.
pub(crate) fn template(data: &[u8]) {
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (template, value, url, body) = (part(), part(), part(), part());
    let (Ok(template), Ok(url)) = (str::from_utf8(template), str::from_utf8(url)) else {
        return;
    };
    // What is signed cannot have the header that the signature, or its time, is written to.
    let named = template.to_ascii_lowercase();
    if named.contains("x-signature") || named.contains("x-time") {
        return;
    }
    let Some(recipe) = recipe_that_signs(template) else {
        return;
    };
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for name in recipe.authenticating_headers() {
        headers.insert(name, value.clone());
    }
    let now = Timestamp::UNIX_EPOCH;
    let [secret, other] = [SECRET, "another-secret"].map(|text| recipe.secret(text).unwrap());
    let Ok(made) = recipe.sign(&post(&headers, body), &secret, url, now) else {
        return;
    };
    for (name, value) in made {
        headers.insert(name, value);
    }
    let verify = |body, secrets: &[Secret]| {
        let verified = recipe.verify(&post(&headers, body), secrets, url, now);
        verified.map(|webhook| webhook.secret())
    };
    let secrets = [other, secret];
    assert_eq!(verify(body, &secrets), Ok(Some(1)), "{template:?}");
    assert!(verify(body, &secrets[..1]).is_err(), "{template:?}");
    if template.contains("{body}") {
        let longer = [body, b"x"].concat();
        assert!(verify(&longer, &secrets).is_err(), "{template:?}");
    }
}

fn post<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Incoming<'a> {
    Incoming {
        method: "POST",
        query: "",
        headers,
        body,
    }
}

/// The recipe of a source whose provider signs this template, if it is one.
fn recipe_that_signs(template: &str) -> Option<Recipe> {
    let mut fields = Map::new();
    let mut set = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
    set("signature_header", "X-Signature");
    set("signed", template);
    if template.contains("{timestamp}") {
        set("timestamp_header", "X-Time");
    }
    if template.contains("{secret}") {
        set("auth", "hash");
    }
    if template.contains("{form}") {
        set("body", "form");
    }
    fields.insert(
        "event".to_owned(),
        serde_json::json!({"type": "com.example"}),
    );
    Recipe::from_fields(&fields).ok()
}

/// A form is read as the URL Standard reads it: all fields are in the data of the event, in their order. Its
/// signature is the same in whatever order the fields stand.
pub(crate) fn form(body: &[u8]) {
    let recipe = recipe_that_signs("{form}").unwrap();
    let fields: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
    let mut headers = HeaderMap::new();
    match recipe.content(Verified::recorded(body)) {
        Err(_) => assert!(fields.len() > 1_000 || body.starts_with(b"\x1f\x8b")),
        Ok(content) => {
            let event = recipe.event(&content, &headers).unwrap();
            let data: Map<String, serde_json::Value> =
                serde_json::from_str(event.data.unwrap()).unwrap();
            for (name, value) in &data {
                let of_name = fields.iter().filter(|(field, _)| field == name);
                let values: Vec<&str> = of_name.map(|(_, value)| value.as_str()).collect();
                match &values[..] {
                    [one] => assert_eq!(value, one),
                    all => assert_eq!(value, &serde_json::json!(all)),
                }
            }
            let names: BTreeSet<&String> = fields.iter().map(|(name, _)| name).collect();
            assert_eq!(data.keys().collect::<BTreeSet<_>>(), names);
        }
    }
    let mut parts: Vec<&[u8]> = body.split(|byte| *byte == b'&').collect();
    parts.reverse();
    let reversed = parts.join(&b'&');
    let secret = recipe.secret(SECRET).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    match recipe.sign(&post(&headers, body), &secret, "", now) {
        Err(_) => assert!(fields.len() > 1_000),
        Ok(made) => {
            headers.extend(made);
            let verified = recipe.verify(&post(&headers, &reversed), &[secret], "", now);
            assert!(verified.is_ok());
        }
    }
}

/// The secret that no input has.
const SECRET: &str = "bm8gaW5wdXQgaGFzIHRoaXMgc2VjcmV0IGluIGl0IQ==";

fn understood(recipe: &Recipe, headers: &HeaderMap, body: &[u8]) {
    let Ok(content) = recipe.content(Verified::recorded(body)) else {
        return;
    };
    let Ok(event) = recipe.event(&content, headers) else {
        return;
    };
    assert!(!event.event_type.is_empty() && event.event_type.len() <= 256);
    let fields = recipe.recorded_fields(&event, headers, recipe.authenticity());
    let event_meta = EventMeta {
        key: "source#id".to_owned(),
        id: event.id.as_deref().unwrap_or("id").to_owned(),
        event_type: event.event_type.to_string(),
        source: "source".to_owned(),
        provider: "custom".to_owned(),
        accepted_at: 1_795_341_600_000,
        conflict: true,
        replayed: true,
    };
    let recording = Recording {
        event: &event_meta,
        fields: &fields,
        content_type: "text/plain",
        body,
    };
    let content = recording.content().unwrap();
    let made = CloudEvent::recorded(recording, &content).unwrap();
    let text = made.encode().unwrap();
    assert!(!text.contains(['\u{fffe}', '\u{ffff}']));
    serde_json::from_str::<&RawValue>(&text).unwrap();
    assert_eq!(made.event_type(), event.event_type);
}

/// The shape of a body that was seen once is known completely.
fn shape(body: &[u8]) {
    let added = KnownHashes::default().difference(body).added;
    let seen: KnownHashes = added.into_iter().collect();
    assert!(!seen.is_empty());
    assert_eq!(seen.difference(body), Difference::default());
}

/// An allowed URL is HTTPS to a name of at least two labels that is not internal. So is the URL that the
/// gateway makes of it.
pub(crate) fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(target) = Target::parse(text, Policy::Public) else {
        return;
    };
    assert!(target.is_https());
    let Host::Domain(name) = target.host() else {
        panic!("an address is allowed: {text:?}");
    };
    let name = name.trim_end_matches('.');
    assert!(name.contains('.'), "{text:?}");
    assert!(name.parse::<std::net::IpAddr>().is_err(), "{text:?}");
    for internal in [
        "localhost",
        "local",
        "internal",
        "localtest.me",
        "creativeforce.io",
    ] {
        let is_below = name
            .strip_suffix(internal)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        assert!(!is_below, "{text:?}");
    }
    let made = format!("https://{name}:{}{}", target.port(), target.path());
    let again = Target::parse(&made, Policy::Public).unwrap();
    assert_eq!((again.port(), again.path()), (target.port(), target.path()));
}

/// Whatever a header has in it, it is a signature only if it is the only value and has 64 hexadecimal digits
/// after the prefix; and no header of a stranger is that of the provider.
pub(crate) fn signature(data: &[u8]) {
    let Some((&which, values)) = data.split_first() else {
        return;
    };
    let (provider, prefix) = match which % 2 {
        0 => ("creads", ""),
        _ => ("people-force", "sha256="),
    };
    let recipe = Recipe::of_source(provider, &Map::new()).unwrap();
    let names = recipe.authenticating_headers();
    let values: Vec<_> = values.split(|b| *b == b'\n').collect();
    let mut headers = HeaderMap::new();
    for value in values
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
    {
        headers.append(names[0].clone(), value);
    }
    let incoming = Incoming {
        method: "POST",
        query: "",
        headers: &headers,
        body: b"{}",
    };
    let secrets = [Secret::new("secret").unwrap()];
    match recipe.verify(&incoming, &secrets, "", Timestamp::UNIX_EPOCH) {
        Ok(_) => panic!("a stranger knows the secret"),
        Err(VerifyError::Mismatch) => {
            let mut sent = headers.values();
            let (Some(value), None) = (sent.next(), sent.next()) else {
                panic!("more than one value is taken");
            };
            let digits = value.as_bytes().strip_prefix(prefix.as_bytes()).unwrap();
            assert_eq!(hex::decode(digits).unwrap().len(), 32);
        }
        Err(_) => {}
    }
}
