//! That README defines what the tests refer to.

use super::text_of;
use std::collections::BTreeSet;
use std::path::Path;

/// The texts of the files in Rust below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

#[test]
fn each_promise_that_a_test_names_is_defined() {
    let readme = text_of("README.md");
    let rows = readme.lines().filter_map(|it| it.strip_prefix("| I"));
    let defined: BTreeSet<u8> = rows
        .map(|it| it.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(defined, (1..=12).collect());
    let tests = sources(&testkit::root().join("tests"));
    let headers = tests.iter().flat_map(|it| it.lines());
    let headers = headers.filter(|it| it.starts_with("//!"));
    let words = headers.flat_map(|it| it.split(|letter: char| !letter.is_alphanumeric()));
    let named: BTreeSet<u8> = words
        .filter_map(|it| it.strip_prefix('I')?.parse().ok())
        .collect();
    assert!(named.len() >= 9, "{named:?}");
    assert!(named.is_subset(&defined), "{named:?}");
}

#[test]
fn no_header_of_a_test_breaks_off() {
    for text in sources(&testkit::root().join("tests")) {
        let lines = text.lines().take_while(|it| it.starts_with("//!"));
        let last = lines.last().unwrap_or_default();
        assert!(!last.ends_with(':'), "{last}");
    }
}
