//! The presets as files: each is complete, in the table, and has the cases that the contributing guide asks
//! for.

use super::{Case, read};
use crate::providers::presets::{self, Evidence};
use crate::providers::recipe::{Authenticity, Caution, Recipe, Scheme};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

fn recipe_of(name: &str) -> Recipe {
    let fields = json!({"verify_token": "a-token"});
    let with_token = fields.as_object().unwrap();
    let recipe = Recipe::of_source(name, &Map::new());
    recipe.unwrap_or_else(|_| Recipe::of_source(name, with_token).unwrap())
}

/// The names of the files in a folder that end like this.
fn files(folder: &str, extension: &str) -> BTreeSet<String> {
    let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(extension).map(str::to_owned))
        .collect()
}

#[test]
fn the_table_has_each_file_of_the_folder_in_order() {
    let names: Vec<&str> = presets::all().map(|preset| preset.name()).collect();
    assert!(names.is_sorted());
    let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
    assert_eq!(names, files("src/providers/presets", ".json"));
    assert_eq!(names, files("tests/vectors/providers", ".json"));
}

#[test]
fn each_preset_says_all_that_an_operator_needs() {
    for preset in presets::all() {
        let name = preset.name();
        let json: Map<String, Value> = serde_json::from_str(preset.json()).unwrap();
        assert_eq!(json["name"], name);
        let about = preset.about().unwrap_or_else(|| panic!("{name}"));
        assert!(!about.title.is_empty() && !about.setup.is_empty(), "{name}");
        assert!(about.documentation.starts_with("https://"), "{name}");
        let says_url = about
            .setup
            .iter()
            .any(|text| text.contains("{payload_url}"));
        assert!(says_url, "{name}");
        let sentences = about.setup.iter().chain(&about.facts.notes);
        assert!(
            sentences
                .into_iter()
                .all(|text| text.ends_with(['.', ':', '}'])),
            "{name}"
        );
    }
}

#[test]
fn each_preset_has_an_authentic_case_a_rotation_and_a_forgery_of_each_signed_part() {
    for preset in presets::all() {
        let (name, recipe) = (preset.name(), recipe_of(preset.name()));
        let cases: Vec<Case> = read(&format!("providers/{name}.json"));
        let is_authentic = |case: &&Case| case.expect["verified"] == true;
        assert!(cases.iter().any(|case| is_authentic(&case)), "{name}");
        let second = |case: &Case| case.expect["secret"] == 1;
        assert!(cases.iter().any(second), "{name} has no rotation");
        let forged = cases.iter().filter(|case| !is_authentic(case));
        let forged: Vec<&str> = forged.map(|case| &*case.name).collect();
        let has = |text: &str| forged.iter().any(|name| name.contains(text));
        assert!(!forged.is_empty(), "{name}");
        if let Scheme::Signed(signing) = recipe.scheme() {
            assert!(has("body: one byte changed"), "{name}");
            for header in signing.template.headers() {
                let header = header.as_str();
                let changed = format!("{header} changed");
                let is_it = |name: &&&str| name.to_lowercase().starts_with(&changed);
                assert!(forged.iter().any(|name| is_it(&name)), "{name}: {header}");
            }
            let checks_age = signing
                .timestamp
                .iter()
                .any(|rule| rule.tolerance.is_some());
            assert!(!checks_age || has("too old"), "{name}");
            assert!(
                !signing.template.has_url() || has("the configured URL is another"),
                "{name}"
            );
        }
        let mut names = cases.iter().map(|case| &case.name);
        let has_published = names.any(|name| name.starts_with("published"));
        let evidence = preset.about().unwrap().evidence;
        assert!(
            has_published || evidence != Evidence::PublishedVector,
            "{name}"
        );
    }
}

#[test]
fn what_an_operator_should_know_of_a_preset_is_said() {
    let cautions = |name| recipe_of(name).cautions();
    assert_eq!(cautions("stripe"), []);
    assert_eq!(cautions("standard-webhooks"), []);
    let uncovered = |name: &'static str| Caution::Uncovered(name.parse().unwrap());
    let github = [uncovered("x-github-delivery"), uncovered("x-github-event")];
    assert_eq!(cautions("github"), github);
    assert_eq!(cautions("okta"), [Caution::BodyNotBound]);
    assert_eq!(cautions("cloudinary"), [Caution::WeakHash]);
    assert_eq!(recipe_of("gitlab").authenticity(), Authenticity::Token);
}

/// Nothing that no source uses is read: a preset is text until then.
#[test]
fn a_preset_is_found_by_its_exact_name_only() {
    assert_eq!(presets::find("github").unwrap().name(), "github");
    for name in ["", "GitHub", "github ", "custom", "../github"] {
        assert!(presets::find(name).is_none(), "{name}");
    }
}
