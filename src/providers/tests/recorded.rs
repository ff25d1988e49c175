//! The event that is made of a recorded webhook is the one that came.

use super::{headers, recipe};
use crate::providers::Verified;
use crate::providers::recipe::Recipe;
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
        let fields = json!({"event": event, "body": kind, "forward_headers": ["X-Shop"]});
        let recipe = recipe(fields).unwrap();
        let pairs = [
            ("x-kind", "k"),
            ("x-id", "7"),
            ("x-at", "0"),
            ("x-shop", "s"),
        ];
        let headers = headers(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let content = recipe.content(Verified::recorded(body)).unwrap();
        let event = recipe.event(&content, &headers).unwrap();
        let fields = recipe.recorded_fields(&event, &headers).unwrap();
        let json = serde_json::to_string(&fields).unwrap();
        let fields: RecordedFields = serde_json::from_str(&json).unwrap();
        let content = fields.content(Verified::recorded(body)).unwrap();
        let again = fields.event(Some("7"), "a.k", &content).unwrap();
        assert_eq!(format!("{again:?}"), format!("{event:?}"), "{json}");
        assert_eq!(fields.extensions().collect::<Vec<_>>(), [("xshop", "s")]);
        assert_eq!(json.contains("\"body\""), kind != "json", "{json}");
    }
    for wrong in [r#"{"body":"xml"}"#, r#"{"body":"form:"}"#] {
        assert!(serde_json::from_str::<RecordedFields>(wrong).is_err());
    }
    let creads = Recipe::of_source("creads", &Map::new()).unwrap();
    let body = br#"{"event":"resource.created","resource_type":"Work"}"#;
    let content = creads.content(Verified::recorded(body)).unwrap();
    let event = creads.event(&content, &HeaderMap::new()).unwrap();
    assert_eq!(event.event_type, "com.creads.work.created");
    assert_eq!(creads.recorded_fields(&event, &HeaderMap::new()), None);
}
