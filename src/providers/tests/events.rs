//! What a mapping makes of hostile and of odd content: strict CloudEvents in any case.

use super::{headers, recipe};
use crate::providers::recipe::{Recipe, RecipeError};
use crate::providers::{NormalizeError, Verified};
use serde_json::{Value, json};

/// The fields of an event, or why there is none.
#[derive(Debug, PartialEq)]
struct Said {
    event_type: String,
    id: Option<String>,
    time: Option<String>,
    subject: Option<String>,
    data: Option<String>,
}

fn say(recipe: &Recipe, body: &[u8], pairs: &[(&str, &str)]) -> Result<Said, NormalizeError> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let headers = headers(&pairs.collect::<Vec<_>>());
    let content = recipe.content(Verified::recorded(body))?;
    let event = recipe.event(&content, &headers)?;
    let owned = |field: Option<std::borrow::Cow<'_, str>>| field.map(|text| text.into_owned());
    Ok(Said {
        event_type: event.event_type.into_owned(),
        id: owned(event.id),
        time: owned(event.time),
        subject: owned(event.subject),
        data: event.data.map(str::to_owned),
    })
}

fn mapped(event: Value) -> Recipe {
    recipe(json!({"event": event})).unwrap()
}

fn with_body(kind: &str, event: Value) -> Result<Recipe, RecipeError> {
    recipe(json!({"event": event, "body": kind}))
}

/// The type that a template makes of a body.
fn type_of(template: &str, body: &str) -> Result<String, NormalizeError> {
    let recipe = mapped(json!({"type": template}));
    say(&recipe, body.as_bytes(), &[("X-Kind", "push")]).map(|said| said.event_type)
}

fn subject_of(template: &str, body: &str) -> Option<String> {
    let recipe = mapped(json!({"type": "a", "subject": template}));
    say(&recipe, body.as_bytes(), &[]).unwrap().subject
}

fn time_of(format: Value, time: &str) -> Option<String> {
    let recipe = mapped(json!({"type": "a", "time": "{$.at}", "time_format": format}));
    say(&recipe, format!(r#"{{"at":{time}}}"#).as_bytes(), &[])
        .unwrap()
        .time
}

#[test]
fn an_optional_part_goes_with_the_literal_before_it() {
    let template = "com.example.{header:X-Kind}.{$.action?}-{$.no?}/{$.more?}!";
    for (body, expected) in [
        ("{}", "com.example.push!"),
        (r#"{"action":"opened"}"#, "com.example.push.opened!"),
        (r#"{"more":1}"#, "com.example.push/1!"),
        (r#"{"action":null,"more":""}"#, "com.example.push!"),
        (
            r#"{"action":"a","no":"b","more":"c"}"#,
            "com.example.push.a-b/c!",
        ),
    ] {
        assert_eq!(type_of(template, body).unwrap(), expected, "{body}");
    }
}

#[test]
fn of_several_places_the_first_that_holds_something_counts() {
    let template = "{$.event.type|$.type|header:X-Kind}";
    for (body, expected) in [
        (r#"{"event":{"type":"a"},"type":"b"}"#, "a"),
        (r#"{"event":{"type":""},"type":"b"}"#, "b"),
        (r#"{"event":[],"type":7}"#, "7"),
        ("{}", "push"),
    ] {
        assert_eq!(type_of(template, body).unwrap(), expected, "{body}");
    }
}

#[test]
fn a_type_that_is_missing_or_hostile_quarantines_and_says_why() {
    let no_part = |placeholder: &str| NormalizeError::NoPart {
        placeholder: placeholder.to_owned(),
    };
    for body in [
        "{}",
        r#"{"a":null}"#,
        r#"{"a":true}"#,
        r#"{"a":[]}"#,
        r#"{"a":""}"#,
        r#"{"a":" "}"#,
        r#"{"a":"x\n"}"#,
        r#"{"a":"\ufffe"}"#,
        "[]",
    ] {
        assert_eq!(
            type_of("com.example.{$.a}", body),
            Err(no_part("{$.a}")),
            "{body}"
        );
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(257));
    assert_eq!(
        type_of("{$.a}", &long),
        Err(NormalizeError::NoType {
            member: "event.type"
        })
    );
    let longest = format!(r#"{{"a":"{}"}}"#, "x".repeat(256));
    assert_eq!(type_of("{$.a}", &longest).unwrap().len(), 256);
    // No provider speaks for the gateway.
    let gateways = r#"{"a":"io.webhook-gateway.event.quarantined"}"#;
    assert_eq!(
        type_of("{$.a}", gateways),
        Err(NormalizeError::Foreign { member: "type" })
    );
    assert_eq!(
        type_of("io.webhook-{$.a}", r#"{"a":"gateway.x"}"#),
        Err(NormalizeError::Foreign { member: "type" })
    );
}

#[test]
fn a_field_that_names_nothing_is_none() {
    let zeros = r#"{"id":"00000000-0000-0000-0000-000000000000"}"#;
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(257));
    for body in [
        zeros,
        &long,
        "{}",
        r#"{"id":{}}"#,
        r#"{"id":"\u0000"}"#,
        r#"{"id":"\ud800"}"#,
    ] {
        assert_eq!(subject_of("{$.id}", body), None, "{body}");
    }
    for (body, expected) in [
        (r#"{"id":"a b"}"#, "order/a b"),
        (
            r#"{"id":12345678901234567890123}"#,
            "order/12345678901234567890123",
        ),
        (r#"{"id":-1.50e+2}"#, "order/-1.50e+2"),
        (r#"{"id":1,"id":2}"#, "order/2"),
        (r#"{"id":"\u00e9"}"#, "order/é"),
    ] {
        assert_eq!(
            subject_of("order/{$.id}", body).unwrap(),
            expected,
            "{body}"
        );
    }
}

#[test]
fn a_long_id_is_hashed_as_ever() {
    let recipe = mapped(json!({"type": "a", "id": "{header:X-Id}"}));
    let id = |value: &str| say(&recipe, b"{}", &[("X-Id", value)]).unwrap().id;
    assert_eq!(id(&"x".repeat(512)).unwrap().len(), 512);
    assert!(id(&"x".repeat(513)).unwrap().starts_with("sha256:"));
    assert_eq!(id("{00000000-0000-0000-0000-000000000000}"), None);
    assert_eq!(id("a\tb"), None);
}

#[test]
fn paths_lead_through_objects_and_arrays() {
    let body = r#"{"a":{"b":[{"c":"x"},[1,2]]},"x-y_z":{"@t":"u"}, "é":"v"}"#;
    for (path, expected) in [
        ("$.a.b[0].c", Some("x")),
        ("$.a.b[1][1]", Some("2")),
        ("$.x-y_z.@t", Some("u")),
        ("$.é", Some("v")),
        ("$.a.b[2]", None),
        ("$.a.b.c", None),
        ("$.a[0]", None),
        ("$[0]", None),
        ("$.a.b[18446744073709551615]", None),
    ] {
        let found = subject_of(&format!("{{{path}}}"), body);
        assert_eq!(found.as_deref(), expected, "{path}");
    }
    assert_eq!(subject_of("{$[1].a}", r#"[0,{"a":"x"}]"#).unwrap(), "x");
    for none in [
        "$",
        "$.",
        "$..a",
        "$.a[",
        "$.a[]",
        "$.a[-1]",
        "$.a[+1]",
        "$.a[ 1]",
        "$.a[99999999999999999999]",
        "$a",
        "a",
        "$.a]",
    ] {
        let template = json!({"type": "a", "subject": format!("{{{none}}}")});
        assert!(recipe(json!({"event": template})).is_err(), "{none}");
    }
}

#[test]
fn a_time_of_any_format_becomes_rfc_3339() {
    for (time, expected) in [
        ("1764244769", "2025-11-27T11:59:29Z"),
        ("\"1764244769\"", "2025-11-27T11:59:29Z"),
        ("1764244769.25", "2025-11-27T11:59:29.25Z"),
        ("1764244769123", "2025-11-27T11:59:29.123Z"),
        ("1764244769123456", "2025-11-27T11:59:29.123456Z"),
        ("1764244769123456789", "2025-11-27T11:59:29.123456789Z"),
        (
            "\"2025-11-27T13:59:29.1+02:00\"",
            "2025-11-27T13:59:29.1+02:00",
        ),
        ("\"2025-11-27T13:59:29.100+0200\"", "2025-11-27T11:59:29.1Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("99999999999", "5138-11-16T09:46:39Z"),
        ("100000000000", "1973-03-03T09:46:40Z"),
        ("99999999999999", "5138-11-16T09:46:39.999Z"),
        ("100000000000000", "1973-03-03T09:46:40Z"),
        ("99999999999999999", "5138-11-16T09:46:39.999999Z"),
        ("100000000000000000", "1973-03-03T09:46:40Z"),
    ] {
        assert_eq!(
            time_of(Value::Null, time).as_deref(),
            Some(expected),
            "{time}"
        );
    }
    for time in [
        "null",
        "-1",
        "1e9",
        "99999999999999999999",
        "\"2025-11-27\"",
        "\"2025-11-27 11:59:29Z\"",
        "\"2025-11-27T11:59:29\"",
        "\"2025-11-27T11:59:29Z[UTC]\"",
        "\"2025-11-27T11:59:29+02\"",
        "\"0001-01-01T00:00:00+2300\"",
        "\"2025-11-27T11:59:29+2\"",
        "\"1764244769.\"",
        "\"1764244769.5.5\"",
        "\"é\"",
        "\"+\u{e9}0\"",
    ] {
        assert_eq!(time_of(Value::Null, time), None, "{time}");
    }
    let in_seconds = time_of(json!("seconds"), "100000000000");
    assert_eq!(in_seconds.unwrap(), "5138-11-16T09:46:40Z");
    let in_milliseconds = time_of(json!("milliseconds"), "1000");
    assert_eq!(in_milliseconds.unwrap(), "1970-01-01T00:00:01Z");
}

#[test]
fn the_data_is_the_body_to_the_letter() {
    let recipe = mapped(json!({"type": "a"}));
    let data = |body: &str| say(&recipe, body.as_bytes(), &[]).unwrap().data.unwrap();
    for body in [
        r#"{"b":1.50, "a":1e400,"a":"\u00e9\/"}"#,
        "[1 ,2]",
        "{}",
        "[]",
    ] {
        assert_eq!(data(&format!(" \r\n{body}\t")), body);
    }
    assert_eq!(data("\u{feff}[1]"), "[1]");
}

#[test]
fn what_no_consumer_could_read_is_quarantined() {
    let recipe = mapped(json!({"type": "a"}));
    let refusal = |body: &[u8]| say(&recipe, body, &[]).unwrap_err();
    assert_eq!(refusal(b"\x1f\x8b\x08"), NormalizeError::Compressed);
    assert_eq!(refusal(b"\"\xff\""), NormalizeError::NotUtf8 { offset: 1 });
    assert_eq!(refusal("[".repeat(129).as_bytes()), NormalizeError::TooDeep);
    assert_eq!(
        refusal("1".repeat(1_001).as_bytes()),
        NormalizeError::TooManyDigits
    );
    for scalar in ["1", "\"a\"", "null", "true"] {
        assert_eq!(
            refusal(scalar.as_bytes()),
            NormalizeError::NotADocument,
            "{scalar}"
        );
    }
    for (body, line, column) in [
        ("", 1, 0),
        ("[1", 1, 2),
        ("{\n", 2, 0),
        ("[1]]", 1, 4),
        ("{}x", 1, 3),
    ] {
        assert_eq!(
            refusal(body.as_bytes()),
            NormalizeError::NotJson { line, column },
            "{body}"
        );
    }
    assert!(
        say(
            &recipe,
            format!("[{}]", "[".repeat(127) + &"]".repeat(127)).as_bytes(),
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_form_becomes_an_object_of_its_fields() {
    let recipe = with_body("form", json!({"type": "a.{form:kind}", "id": "{form:id}"})).unwrap();
    let body = "kind=x&a=1&b=%C3%A9+%22&a=2&c&=e&kind=y";
    let said = say(&recipe, body.as_bytes(), &[]).unwrap();
    assert_eq!((&*said.event_type, said.id), ("a.y", None));
    let data = said.data.unwrap();
    assert_eq!(
        data,
        r#"{"kind":["x","y"],"a":["1","2"],"b":"é \"","c":"","":"e"}"#
    );
    let many = vec!["kind=a"; 1_001].join("&");
    let refused = say(&recipe, many.as_bytes(), &[]);
    assert_eq!(refused, Err(NormalizeError::TooManyFields));
    assert_eq!(
        say(&recipe, b"\x1f\x8b", &[]),
        Err(NormalizeError::Compressed)
    );
    let hostile = say(&recipe, b"kind=%00%FF", &[]);
    assert!(matches!(hostile, Err(NormalizeError::NoPart { .. })));
}

#[test]
fn json_in_a_field_of_a_form_is_read_as_any() {
    let event = json!({"type": "{$.t}", "subject": "{form:user}"});
    let recipe = with_body("form:payload", event).unwrap();
    let said = say(
        &recipe,
        b"user=ada&payload=%7B%22t%22%3A%20%22x%22%7D%0A",
        &[],
    )
    .unwrap();
    assert_eq!(
        (&*said.event_type, said.subject.as_deref()),
        ("x", Some("ada"))
    );
    assert_eq!(said.data.as_deref(), Some(r#"{"t": "x"}"#));
    assert_eq!(say(&recipe, b"user=ada", &[]), Err(NormalizeError::NoField));
    let deep = format!("payload={}", "[".repeat(129));
    assert_eq!(
        say(&recipe, deep.as_bytes(), &[]),
        Err(NormalizeError::TooDeep)
    );
}

#[test]
fn any_body_is_no_json_for_events_and_is_taken_as_it_is() {
    let recipe = with_body("any", json!({"type": "a.{header:X-Kind}"})).unwrap();
    for body in [&b"<a/>"[..], b"\xff\0", b"", b"\x1f\x8b"] {
        let said = say(&recipe, body, &[("X-Kind", "b")]).unwrap();
        assert_eq!((&*said.event_type, said.data), ("a.b", None));
    }
}

#[test]
fn a_forwarded_header_becomes_an_extension_attribute() {
    let recipe =
        recipe(json!({"forward_headers": ["X-Shop-Domain", "X_Other.1", "X-None"]})).unwrap();
    let pairs = [
        ("x-shop-domain", "a.example"),
        ("x_other.1", "b\tc"),
        ("x-none", ""),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = headers(&pairs);
    assert_eq!(recipe.extensions(&headers), [("xshopdomain", "a.example")]);
    let names: Vec<&str> = recipe
        .event_headers()
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["x-none", "x-shop-domain", "x_other.1"]);
}

#[test]
fn ten_headers_are_forwarded_and_no_more() {
    let names = |count: usize| -> Vec<String> { (0..count).map(|n| format!("X-{n}")).collect() };
    let of = |count| recipe(json!({"forward_headers": names(count)}));
    assert_eq!(of(10).unwrap().event_headers().len(), 10);
    assert_eq!(of(0).unwrap().event_headers().len(), 0);
    assert_eq!(of(11).unwrap_err().field, "forward_headers");
}
