//! `tests/vectors/providers/*.json` and `recipes.json`: requests, and what each says if it is authentic.

use super::{Case, read};
use crate::providers::recipe::{Dedupe, Recipe};
use crate::providers::{Verified, presets};
use serde_json::{Map, Value, json};

/// What is said of an authentic request, in the terms of the cases.
fn said(case: &Case, recipe: &Recipe, secret: Option<usize>) -> Value {
    let body = case.body();
    let headers = super::headers(&case.headers);
    let content = recipe.content(Verified::recorded(&body));
    let event = content
        .as_ref()
        .ok()
        .map(|content| recipe.event(content, &headers));
    let event = event.and_then(Result::ok);
    let field = |field: Option<&str>| field.map_or(Value::Null, Value::from);
    let id = event.as_ref().and_then(|event| event.id.as_deref());
    let dedupe = if id.is_some() {
        recipe.dedupe()
    } else {
        Dedupe::Body
    };
    json!({
        "verified": true,
        "secret": secret,
        "type": field(event.as_ref().map(|event| &*event.event_type)),
        "id": field(id),
        "time": field(event.as_ref().and_then(|event| event.time.as_deref())),
        "subject": field(event.as_ref().and_then(|event| event.subject.as_deref())),
        "actor": field(event.as_ref().and_then(|event| event.actor.as_deref())),
        "authenticity": recipe.authenticity().name(),
        "dedupe": dedupe.name(),
    })
}

/// What is wrong with a case, if anything.
fn fault(case: &Case, recipe: &Recipe) -> Option<String> {
    let verdict = case.verify(recipe);
    let expected = &case.expect;
    let got = match &verdict {
        Ok(secret) => said(case, recipe, *secret),
        Err(_) => json!({"verified": false}),
    };
    // A quarantined event has no fields to compare.
    let mut expected = expected.clone();
    if expected["verified"] == true && expected["type"].is_null() && got["type"].is_null() {
        for field in ["id", "time", "subject", "actor", "dedupe"] {
            expected[field] = got[field].clone();
        }
    }
    (got != expected).then(|| {
        format!(
            "{} ({}): {verdict:?}\n  {got}\n  {expected}",
            case.name, case.why
        )
    })
}

#[test]
fn each_preset_verifies_and_reads_its_cases() {
    let (mut faults, mut cases) = (Vec::new(), 0);
    for preset in presets::all() {
        let name = preset.name();
        // The verify token of a handshake is the source's.
        let handshake = preset.recipe_fields().get("handshake") == Some(&json!("hub"));
        let fields = if handshake {
            json!({"verify_token": "a-token"})
        } else {
            json!({})
        };
        let recipe = Recipe::of_source(name, fields.as_object().unwrap());
        let recipe = recipe.unwrap_or_else(|error| panic!("{name}: {error}"));
        let of_preset: Vec<Case> = read(&format!("providers/{name}.json"));
        let found = of_preset.iter().filter_map(|case| fault(case, &recipe));
        faults.extend(found.map(|fault| format!("{name}: {fault}")));
        cases += of_preset.len();
    }
    assert!(
        faults.is_empty(),
        "{} of {cases}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(cases > 1_300, "{cases}");
}

#[test]
fn each_recipe_verifies_and_reads_its_cases() {
    let cases: Vec<Case> = read("recipes.json");
    let mut faults = Vec::new();
    for case in &cases {
        let recipe = Recipe::from_fields(&case.recipe);
        let recipe = recipe.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        faults.extend(fault(case, &recipe));
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
    assert!(cases.len() > 200);
}

/// The cases of before there were recipes: each refusal has the same name.
#[test]
fn the_first_four_refuse_for_the_same_reasons_as_ever() {
    let mut cases = 0;
    for provider in crate::providers::Provider::ALL {
        let recipe = Recipe::of_source(provider.name(), &Map::new()).unwrap();
        let vectors: Vec<Value> = read(&format!("signature/{provider}.json"));
        for vector in vectors.iter().filter(|vector| vector.get("body").is_some()) {
            let request = json!({
                "name": vector["name"], "why": vector["why"], "secrets": vector["secrets"], "method": "POST",
                "url": "https://hooks.example.com/", "headers": vector["headers"], "body": vector.get("body"),
                "now": 0, "expect": null,
            });
            let case: Case = serde_json::from_value(request).unwrap();
            let got = match case.verify(&recipe) {
                Ok(position) => json!(position),
                Err(error) => json!(format!("{error:?}").split('(').next()),
            };
            let expected = match &vector["refusal"] {
                Value::Null => &vector["secret_position"],
                Value::String(refusal) if refusal == "NoSecret" => continue,
                refusal => refusal,
            };
            assert_eq!(got, *expected, "{provider}: {}", case.name);
            cases += 1;
        }
    }
    assert!(cases > 50, "{cases}");
}
