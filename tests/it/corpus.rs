//! The fuzzer's finds and its starting points, tried in every test run.

#[path = "../fuzz/properties.rs"]
mod properties;

fn corpus(target: &str, property: fn(&[u8])) {
    let folder = testkit::root().join("tests/fuzz/corpus");
    let mut tried = 0;
    for file in std::fs::read_dir(folder.join(target)).unwrap() {
        property(&std::fs::read(file.unwrap().path()).unwrap());
        tried += 1;
    }
    assert!(tried > 0, "the corpus of {target} is empty");
}

#[test]
fn no_event_breaks_the_decoders() {
    corpus("event", properties::event);
}

#[test]
fn no_body_breaks_the_providers() {
    corpus("provider", properties::provider);
}

#[test]
fn no_recipe_and_no_request_breaks_another() {
    corpus("recipe", properties::recipe);
}

#[test]
fn no_url_breaks_the_guard() {
    corpus("url", properties::url);
}

#[test]
fn no_header_breaks_the_signatures() {
    corpus("signature", properties::signature);
}

#[test]
fn no_template_signs_for_another_secret_or_body() {
    corpus("template", properties::template);
}

#[test]
fn no_form_is_read_in_another_way_than_the_url_standard_says() {
    corpus("form", properties::form);
}
