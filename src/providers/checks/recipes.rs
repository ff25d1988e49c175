//! `tests/vectors/recipes-refused.json`: objects that are no recipes, and the field that is to blame.

use super::read;
use crate::providers::recipe::Recipe;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Refused {
    name: String,
    recipe: Map<String, Value>,
    field: String,
}

#[test]
fn what_is_no_recipe_is_refused_by_the_name_of_its_field() {
    let cases: Vec<Refused> = read("recipes-refused.json");
    assert!(cases.len() >= 50);
    for Refused {
        name,
        recipe,
        field,
    } in cases
    {
        let error = Recipe::from_fields(&recipe).expect_err(&name);
        assert_eq!(error.field, field, "{name}: {error}");
    }
}
