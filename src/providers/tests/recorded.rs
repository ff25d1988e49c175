//! The event that is made of a recorded webhook is the one that came.

use super::{headers, recipe};
use crate::providers::Verified;
use crate::providers::recipe::{Authenticity, Recipe};
use crate::providers::recorded::RecordedFields;
use http::HeaderMap;
use serde_json::{Map, json};

#[test]
fn the_same_event_is_made_of_what_was_recorded() {
    let event = json!({
        "type": "a.{header:X-Kind}", "id": "{header:X-Id}", "time": "{header:X-At}",
        "subject": "b/{header:X-Id}",
    });
    for (kind, body) in [
        ("json", &br#" {"b":1.50, "a":"\u00e9"}"#[..]),
        ("form", b"a=1&a=2&b=%C3%A9"),
        ("form:p", b"p=%7B%22a%22%3A+1.0%7D"),
        ("any", b"\xff\0"),
    ] {
        let fields = json!({"event": event, "body": kind, "forward_headers": ["X-Shop", "X-Area"]});
        let recipe = recipe(fields).unwrap();
        let pairs = [
            ("x-kind", "k"),
            ("x-id", "7"),
            ("x-at", "0"),
            ("x-shop", "s"),
            ("x-area", "a"),
        ];
        let headers = headers(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let content = recipe.content(Verified::recorded(body)).unwrap();
        let event = recipe.event(&content, &headers).unwrap();
        let fields = recipe.recorded_fields(&event, &headers, Authenticity::Token);
        let content = fields.content(Verified::recorded(body)).unwrap();
        let again = fields.event(Some("7"), "a.k", &content).unwrap();
        assert_eq!(format!("{again:?}"), format!("{event:?}"), "{fields:?}");
        assert_eq!(fields.authenticity, Authenticity::Token);
        assert_eq!(fields.body.to_string(), kind);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(fields.extensions, [pair("xarea", "a"), pair("xshop", "s")]);
    }
    let creads = Recipe::of_source("creads", &Map::new()).unwrap();
    let body = br#"{"event":"resource.created","resource_type":"Work"}"#;
    let content = creads.content(Verified::recorded(body)).unwrap();
    let event = creads.event(&content, &HeaderMap::new()).unwrap();
    assert_eq!(event.event_type, "com.creads.work.created");
    let signature = Authenticity::Signature;
    let fields = creads.recorded_fields(&event, &HeaderMap::new(), signature);
    assert_eq!(fields, RecordedFields::proof(signature));
}
