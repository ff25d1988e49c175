use super::*;

fn seen(json: &str) -> KnownHashes {
    KnownHashes::default()
        .difference(json.as_bytes())
        .added
        .into_iter()
        .collect()
}

/// The path of the drift from one payload to the next.
fn drift(before: &str, after: &str) -> Option<String> {
    seen(before).difference(after.as_bytes()).path
}

#[test]
fn what_was_seen_is_no_drift_in_any_order_and_number() {
    let before = r#"{"a":1,"b":[{"c":"x","d":null}],"e":{"f":true}}"#;
    for after in [
        before,
        r#"{"e":{"f":false},"b":[],"a":2.5e9}"#,
        r#"{"b":[{"d":null},{"c":"é\n"},{}],"a":-1,"a":2}"#,
        "{}",
        r#"{"a":null,"b":null,"e":null}"#,
        r#"{"a":1,"b":[null]}"#,
    ] {
        assert_eq!(drift(before, after), None, "{after}");
    }
}

#[test]
fn the_first_new_path_in_the_document_is_told() {
    let before = r#"{"a":1,"b":[{"c":"x"}],"data":{"Object":{}},"n":null}"#;
    for (after, path) in [
        (r#"{"x":1,"y":2}"#, "$.x"),
        (r#"{"a":"1"}"#, "$.a"),
        (r#"{"a":{"x":1}}"#, "$.a"),
        (
            r#"{"b":[{"c":"x"},{"c":"x","New":{"deep":1}}]}"#,
            "$.b[*].New",
        ),
        (r#"{"b":[1]}"#, "$.b[*]"),
        (
            r#"{"data":{"Object":{"NewMember":null}}}"#,
            "$.data.Object.NewMember",
        ),
        (r#"{"n":{"m":1}}"#, "$.n.m"),
        (r#"{"a-b":1}"#, "$['a-b']"),
        (r#"{"Ada Lovelace":{"n":1}}"#, "$[*]"),
        (r#"{"a\u0027\\":1}"#, "$[*]"),
        (r#"{"1st":1}"#, "$[*]"),
        (r#"{"Zoë":1}"#, "$[*]"),
        (
            r#"{"a_name_that_is_longer_than_any_of_a_provider":1}"#,
            "$[*]",
        ),
        ("[]", "$"),
        ("null", ""),
    ] {
        assert_eq!(drift(before, after).unwrap_or_default(), path, "{after}");
    }
}

#[test]
fn a_value_where_null_was_is_remembered_and_no_drift() {
    let mut known = seen(r#"{"a":null}"#);
    let difference = known.difference(br#"{"a":"x"}"#);
    assert_eq!((difference.added.len(), difference.path), (1, None));
    known.extend(difference.added);
    assert_eq!(known.difference(br#"{"a":"x"}"#), Difference::default());
    assert_eq!(known.difference(br#"{"a":1}"#).path.as_deref(), Some("$.a"));
}

#[test]
fn members_that_are_named_by_data_are_one() {
    for (one, other) in [
        ("1", "22"),
        ("2026-11-22", "2026-11-23"),
        (
            "2692d87e-c388-49ea-b903-616bc1557746",
            "{2692D87E-C388-49EA-B903-616BC1557747}",
        ),
        ("559befeeab59f000", "ffffffffffffffffffffffff"),
        ("john@example.com", "jane@example.com"),
        (&"x".repeat(65), &"y".repeat(65)),
    ] {
        let json = |name: &str| format!(r#"{{"by":{{"{name}":{{"v":1}}}}}}"#);
        assert_eq!(drift(&json(one), &json(other)), None, "{one} {other}");
        let more = json(other).replace("\"v\"", "\"w\"");
        assert_eq!(drift(&json(one), &more).as_deref(), Some("$.by[*].w"));
    }
    for name in ["", "-", "decade", "face-b00c", "Id", "x1"] {
        assert!(!is_data(name), "{name}");
    }
}

#[test]
fn names_do_not_run_into_each_other() {
    assert_ne!(seen(r#"{"a":{"b":1}}"#), seen(r#"{"a.b":1}"#));
    assert_ne!(seen(r#"{"a":{"b":1}}"#), seen(r#"{"ab":{}}"#));
    assert_ne!(hash_of("a"), hash_of("b"));
}

#[test]
fn hashes_are_the_same_in_every_build() {
    // Kept in tables: FNV-1a of fe, "a"; computed elsewhere.
    assert_eq!(hash_of("a"), 0x0a9d_2b07_b6f9_23c0);
}

#[test]
fn hostile_payloads_are_looked_at_as_far_as_they_are_worth_it() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let (shallow, deepest) = (deep(MAX_DEPTH - 1), deep(MAX_DEPTH));
    assert_eq!(seen(&shallow).len(), MAX_DEPTH);
    assert_eq!(seen(&deepest).len(), MAX_DEPTH);
    assert_eq!(seen(&deep(127)), seen(&deepest));
    assert_eq!(seen(&deep(1_000_000)), seen(&deepest));

    let keys: Vec<_> = (0..100_000)
        .map(|number| format!("\"k{number}\":{number}"))
        .collect();
    let wide = seen(&format!("{{{}}}", keys.join(",")));
    assert_eq!(wide.len(), MAX_PATHS);
    assert_eq!(wide.difference(b"{\"new\":1}"), Difference::default());

    let same = format!("{{{}}}", vec!["\"a\":[{}]"; 100_000].join(","));
    assert_eq!(seen(&same).len(), 3);
    let long = format!("{{\"{}\":1}}", "x".repeat(1_000_000));
    assert_eq!(drift("{}", &long).as_deref(), Some("$[*]"));
    let nested = r#"{"a-long-name-in-quotes":"#.repeat(60) + "1" + &"}".repeat(60);
    assert_eq!(drift("{}", &nested).unwrap(), "$['a-long-name-in-quotes']");
    let known = nested.replace(":1", ":{}");
    let path = drift(&known, &nested.replace(":1", ":{\"n\":1}")).unwrap();
    assert_eq!(path.chars().count(), MAX_TEXT);
}

#[test]
fn what_cannot_be_walked_to_its_end_is_looked_at_as_far_as_it_is() {
    for end in ["1e999", r#""\ud800""#, "", "nul", "\"\u{1}\""] {
        let json = format!(r#"{{"a":1,"b":{end}"#);
        assert_eq!(drift("{}", &json).as_deref(), Some("$.a"), "{json}");
    }
    assert_eq!(
        KnownHashes::default().difference(b"\xff"),
        Difference::default()
    );
}
