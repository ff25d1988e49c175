//! The documents are complete: they define each promise that a test names, each link leads somewhere, and
//! README fits on a few screens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use testkit::template::text_of;

/// The most lines that README may have.
const README_LINES: usize = 180;

/// The files with this extension below a folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    found
}

/// The texts of the tests.
fn tests() -> Vec<String> {
    let files = files(&testkit::root().join("tests"), "rs").into_iter();
    files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// The documents that people read.
fn documents() -> Vec<PathBuf> {
    let mut documents = files(&testkit::root().join("docs"), "md");
    documents.extend(["README.md", "SECURITY.md"].map(|name| testkit::root().join(name)));
    documents
}

/// A document without its blocks of code, in which a bracket is no link.
fn prose(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("```").step_by(2).collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let prose = prose(path);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
            _ => None,
        });
        kept.collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn each_promise_that_a_test_names_is_defined() {
    let architecture = text_of("docs/architecture.md");
    let rows = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| I"));
    let defined: BTreeSet<u8> = rows
        .map(|row| row.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(defined, (1..=12).collect());
    let tests = tests();
    let headers = tests.iter().flat_map(|text| text.lines());
    let headers = headers.filter(|line| line.starts_with("//!"));
    let words = headers.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric()));
    let named: BTreeSet<u8> = words
        .filter_map(|word| word.strip_prefix('I')?.parse().ok())
        .collect();
    assert_eq!(named, defined, "each promise is checked by a test");
}

#[test]
fn no_header_of_a_test_breaks_off() {
    for text in tests() {
        let lines = text.lines().take_while(|line| line.starts_with("//!"));
        let last = lines.last().unwrap_or_default();
        assert!(!last.ends_with(':'), "{last}");
    }
}

#[test]
fn each_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for document in documents() {
        let prose = prose(&document);
        let links = prose.split("](").skip(1);
        for link in links.filter_map(|rest| Some(rest.split_once(')')?.0)) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let leads = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            if !leads {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn readme_is_short() {
    let lines = text_of("README.md").lines().count();
    assert!(lines <= README_LINES, "README has {lines} lines");
}
