//! Whatever a provider sends, the official CloudEvents SDKs accept the messages on the queues in their strict
//! mode. The tests try all vectors, the hostile bodies in `tests/vectors/cloudevents`, and generated bodies.
//!
//! Seen to fail: with the members of WoodWing's events copied as they are and an empty content type, 1,175 of
//! 5,619 events of the first test, and 176 of 816 of the second.

use super::{names, normalize, read, signature_header};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use testkit::aws::{Aws, Message};
use testkit::cloudevents::assert_strict;
use testkit::function::Answer;
use testkit::webhook::{SECRET, request, sign};
use webhook_gateway::event::{CloudEvent, EventMeta};
use webhook_gateway::providers::recipe::Authenticity;
use webhook_gateway::providers::{Provider, Verified};

/// Content types that senders invent.
const CONTENT_TYPES: [&str; 8] = [
    "application/json",
    "",
    " ",
    "json",
    "text/plain; charset=\"é\"",
    "application/json, application/json",
    "a/b;",
    "multipart/form-data; boundary=x",
];

/// The parts of a generated body: valid, unusual and invalid names and values.
const NAMES: [&str; 40] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
    "data_base64",
    "datacontenttype",
    "dataschema",
    "provider",
    "gatewaysource",
    "recordedtime",
    "conflict",
    "replayed",
    "partitionkey",
    "actorid",
    "reason",
    "validate",
    "emit",
    "constructor",
    "schemaurl",
    "datacontentencoding",
    "x",
    "ext1",
    "aaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaa",
    "X",
    "a-b",
    "a_b",
    "é",
    "",
    "PayloadId",
    "EventGroupName",
    "Action",
    "EventDatetimeUtc",
    "action",
    "event",
    "resource_type",
    "resource_gid",
];
const VALUES: [&str; 56] = [
    "\"1.0\"",
    "\"1\"",
    "\"urn:x\"",
    "\"com.woodwing.studio/object/created\"",
    "\"2021-12-01T19:28:11Z\"",
    "{}",
    "[]",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "1.5",
    "1e2",
    "1e400",
    "-0",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"a\\nb\"",
    "\"\\ud800\"",
    "\"\\uffff\"",
    "\"\u{fffe}\"",
    "\"\u{7f}\"",
    "\"\u{85}\"",
    "\"\u{fdd0}\"",
    "\"é 😀\"",
    "\"a b\"",
    "\"%\"",
    "\"%41\"",
    "\"http://h:p/\"",
    "\"http://[::1]/\"",
    "\"urn:webhook:hr\"",
    "\"URN:%57ebhook\"",
    "\"/a\"",
    "\"text/plain\"",
    "\"text\"",
    "\"a/b; c\"",
    "\"AAEC\"",
    "\"AAE\"",
    "\"never\"",
    "\"2021-12-01\"",
    "\"0000-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59-23:59\"",
    "\"2016-12-31T23:59:60Z\"",
    "{\"a\":{\"b\":[1,null]}}",
    "[[[]]]",
    "-62135596800001",
    "253402300799999",
    "\"product\"",
    "\"ProductReset\"",
    "\"resource.created\"",
    "\"employee_create\"",
];

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c): each run tries the same bodies.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A provider's body that is valid except for some members.
    fn body(&mut self, provider: Provider) -> Vec<u8> {
        let id = self.next();
        let right = match provider {
            Provider::CreativeForce => {
                format!(
                    r#""PayloadId":"{id}","EventGroupName":"product","Action":"ProductReset","EventDatetimeUtc":1595204418000"#
                )
            }
            Provider::WoodWing => {
                format!(
                    r#""specversion":"1.0","id":"{id}","source":"urn:x","type":"com.woodwing.studio/object/created","data":{{}}"#
                )
            }
            Provider::Creads => {
                format!(
                    r#""event":"resource.created","resource_type":"Project","resource_gid":"{id}""#
                )
            }
            Provider::PeopleForce => {
                format!(
                    r#""action":"employee_create","data":{{"id":{id},"meta":{{"updated_at":{}}}}}"#,
                    self.one_of(&VALUES)
                )
            }
        };
        let mut body = format!("{{{right}");
        for _ in 0..self.below(4) {
            body.push_str(&format!(
                ",\"{}\":{}",
                self.one_of(&NAMES),
                self.one_of(&VALUES)
            ));
        }
        body.push('}');
        let mut body = body.into_bytes();
        // Now and then it changes a byte.
        if self.below(8) == 0 {
            let place = self.below(body.len());
            body[place] = u8::try_from(self.below(256)).unwrap();
        }
        body
    }
}

/// All bodies of the vectors.
fn vectors() -> Vec<(Provider, Vec<u8>)> {
    let mut bodies = Vec::new();
    for provider in Provider::ALL {
        let (folder, payloads) = (
            format!("tests/vectors/normalize/{provider}"),
            format!("tests/payloads/{provider}"),
        );
        for (folder, suffix) in [(folder, ".in.json"), (payloads, ".json")] {
            let files = names(&folder, suffix).into_iter();
            bodies.extend(files.map(|name| (provider, read(&format!("{folder}/{name}{suffix}")))));
        }
        bodies.extend(normalize::refused_bodies(provider).map(|body| (provider, body)));
    }
    bodies
}

/// The bodies of an attacker who tries to break WoodWing's events.
fn hostile() -> Vec<(Provider, Vec<u8>)> {
    let lines = String::from_utf8(read("tests/vectors/cloudevents/woodwing.ndjson")).unwrap();
    let lines = lines.split_terminator('\n');
    lines
        .map(|line| (Provider::WoodWing, line.as_bytes().to_vec()))
        .collect()
}

fn generated(seed: u64, count: usize) -> Vec<(Provider, Vec<u8>)> {
    let mut random = Random(seed);
    let each = |_| {
        let provider = random.one_of(&[
            Provider::WoodWing,
            Provider::WoodWing,
            Provider::CreativeForce,
            Provider::Creads,
            Provider::PeopleForce,
        ]);
        (provider, random.body(provider))
    };
    (0..count).map(each).collect()
}

/// The event of a body on a queue, understood or quarantined.
fn event(provider: Provider, body: &[u8], content_type: &str) -> String {
    let meta = EventMeta {
        key: "a_Source.1-#given-by-the-gateway".to_owned(),
        id: "given-by-the-gateway".to_owned(),
        event_type: "a.b".to_owned(),
        source: "a_Source.1-".to_owned(),
        provider: provider.name().to_owned(),
        accepted_at: 1_795_341_600_250,
        conflict: true,
        replayed: true,
    };
    let proof = Authenticity::Signature;
    match provider.normalize(Verified::recorded(body)) {
        Ok(normalized) => CloudEvent::accepted(&meta, proof, normalized)
            .encode()
            .unwrap(),
        Err(error) => CloudEvent::quarantined(&meta, proof, &error.to_string(), content_type, body)
            .encode()
            .unwrap(),
    }
}

#[test]
fn every_body_becomes_an_event_that_the_sdks_take() {
    let bodies = [vectors(), hostile(), generated(1, 5_000)].concat();
    let content_types = CONTENT_TYPES.iter().cycle();
    let events: Vec<_> = bodies
        .iter()
        .zip(content_types)
        .map(|((provider, body), content_type)| event(*provider, body, content_type))
        .collect();
    assert_strict(&events);
}

#[tokio::test]
async fn every_message_of_the_function_is_an_event_that_the_sdks_take() {
    let mut aws = Aws::start().await;
    let sources: Map<_, _> = Provider::ALL
        .iter()
        .map(|provider| {
            (
                provider.name().to_owned(),
                json!({"provider": provider.name(), "secrets": [SECRET]}),
            )
        })
        .collect();
    aws.put_sources(&Value::Object(sources)).await;
    let mut function = aws.ingress().await;
    let bodies = [vectors(), hostile(), generated(2, 200)].concat();
    for ((provider, body), content_type) in bodies.iter().zip(CONTENT_TYPES.iter().cycle()) {
        let prefix = if *provider == Provider::PeopleForce {
            "sha256="
        } else {
            ""
        };
        let signature = format!("{prefix}{}", sign(SECRET, body));
        let headers = [
            (signature_header(*provider), &*signature),
            ("content-type", content_type),
        ];
        let mut event = request("POST", provider.name(), "", &headers);
        event["body"] = json!(STANDARD.encode(body));
        event["isBase64Encoded"] = json!(true);
        let answer = function.invoke(&event).await;
        let Answer::Success(response) = &answer else {
            panic!("{}: {answer:?}", String::from_utf8_lossy(body));
        };
        assert_eq!(
            response["statusCode"],
            200,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    aws.drain_stream(&mut function).await;
    let messages: Vec<Message> =
        [aws.drain("events").await, aws.drain("quarantine").await].concat();
    assert_eq!(messages.len(), aws.recorded().await.len());
    let mut texts = Vec::new();
    for message in messages {
        texts.push(aws.event(message).await);
    }
    assert_strict(&texts);
}
