//! The structure of the library: which module may use which, by the rules in docs/architecture.md. Also the
//! form of all Rust files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A file of the library, without comments and without its tests.
struct Source {
    /// Below `src`, such as `store/ledger/mod.rs`.
    path: String,
    code: String,
}

/// All files of the library.
fn sources() -> Vec<Source> {
    let root = testkit::root().join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 50);
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap();
        if name == "test" || name == "tests" {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, sources);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // Tests stand last in each file, and may use what they like.
        let end = ["mod ", "pub(crate) mod ", "pub(super) mod "]
            .iter()
            .filter_map(|module| text.find(&format!("\n#[cfg(test)]\n{module}")))
            .min();
        let lines = text[..end.unwrap_or(text.len())].lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        sources.push(Source {
            path: path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            code: lines.map(|line| format!("{line}\n")).collect(),
        });
    }
}

/// The module that a path is in: a top-level file or folder, but the files and folders in `aws`, `crypto` and
/// `store` each by itself.
fn module(path: &[String]) -> String {
    match path {
        [first, second, ..] if ["aws", "crypto", "store"].contains(&&**first) => {
            format!("{first}/{second}")
        }
        [first, ..] => first.clone(),
        [] => "lib".to_owned(),
    }
}

impl Source {
    /// The path of the module that the file is.
    fn path(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs");
        let path = path.trim_end_matches("/mod");
        path.split('/').map(str::to_owned).collect()
    }

    /// The paths that the file names from the root of the library, `super` resolved.
    fn paths(&self) -> Vec<Vec<String>> {
        let own = self.path();
        let mut paths = named(&self.code, "crate::", &[]);
        let mut supers = String::new();
        for depth in 1..own.len() {
            supers += "super::";
            paths.extend(named(&self.code, &supers, &own[..own.len() - depth]));
        }
        paths
    }

    /// The other modules that it uses.
    fn uses(&self) -> BTreeSet<String> {
        let own = module(&self.path());
        let modules = self.paths().into_iter().map(|path| module(&path));
        modules.filter(|used| *used != own).collect()
    }
}

/// The paths that begin with a prefix, which stands for `base`.
fn named(code: &str, prefix: &str, base: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let is_part = code[..at]
            .ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
        let rest = &code[at + prefix.len()..];
        if is_part || rest.starts_with("super::") {
            continue;
        }
        let heads = match rest.strip_prefix('{') {
            Some(group) => heads(group),
            None => vec![rest],
        };
        for head in heads {
            let end = head.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let names = head[..end.unwrap_or(head.len())].split("::");
            // Types and functions are no modules.
            let names = names.take_while(|name| name.starts_with(|c: char| c.is_lowercase()));
            let path: Vec<_> = base
                .iter()
                .cloned()
                .chain(names.map(str::to_owned))
                .collect();
            paths.push(path);
        }
    }
    paths
}

/// The beginnings of the paths in a group, up to its closing brace.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut heads) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(group[begin..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(group[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    heads
}

/// Uses that are against the rules, and are to go.
const PENDING: [(&str, &str); 1] = [("metrics", "delivery")];

/// Which module uses which others.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let mut graph = BTreeMap::<_, BTreeSet<_>>::new();
    for source in sources() {
        if source.path != "lib.rs" && !source.path.starts_with("bin/") {
            let uses = graph.entry(module(&source.path())).or_default();
            uses.extend(source.uses());
        }
    }
    for (module, used) in PENDING {
        graph.get_mut(module).unwrap().remove(used);
    }
    let modules: BTreeSet<_> = graph.keys().cloned().collect();
    for uses in graph.values_mut() {
        uses.retain(|used| modules.contains(used));
    }
    graph
}

#[test]
fn only_the_functions_know_the_functions_and_neither_knows_the_other() {
    let functions = ["delivery", "ingress"];
    for (module, uses) in graph() {
        let used: Vec<_> = functions
            .iter()
            .filter(|name| uses.contains(**name))
            .collect();
        assert!(used.is_empty(), "{module} uses {used:?}");
    }
}

#[test]
fn what_only_decides_knows_neither_aws_nor_tokio() {
    let pure = [
        "crypto/",
        "providers/",
        "delivery/http/guard/",
        "delivery/lifecycle.rs",
        "delivery/signing.rs",
    ];
    for source in sources() {
        if pure.iter().any(|prefix| source.path.starts_with(prefix)) {
            // The library of cryptography talks to nobody.
            let code = source.code.replace("aws_lc_rs", "");
            for word in ["aws_", "tokio"] {
                assert!(!code.contains(word), "{} names {word}", source.path);
            }
        }
    }
}

#[test]
fn only_aws_the_stores_and_the_binaries_name_the_sdks() {
    for source in sources() {
        let may = ["aws/", "store/", "bin/"];
        if !may.iter().any(|prefix| source.path.starts_with(prefix)) {
            let named = source.code.contains("aws_sdk_");
            assert!(!named, "{} names an SDK", source.path);
        }
    }
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut graph = graph();
    assert!(graph["store/ledger"].contains("aws/dynamodb"), "{graph:?}");
    loop {
        // Whatever uses nothing that is left is in no circle.
        let ends: Vec<_> = graph.iter().filter(|(_, uses)| uses.is_empty()).collect();
        let ends: BTreeSet<_> = ends.into_iter().map(|(module, _)| module.clone()).collect();
        if ends.is_empty() {
            break;
        }
        graph.retain(|module, _| !ends.contains(module));
        graph
            .values_mut()
            .for_each(|uses| uses.retain(|used| !ends.contains(used)));
    }
    assert!(graph.is_empty(), "in or above a circle: {graph:#?}");
}

/// The most columns of a line.
const COLUMNS: usize = 110;

/// All Rust files in these folders, with their paths.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let folders = folders.iter();
    let mut folders: Vec<_> = folders.map(|folder| testkit::root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap();
            if path.is_dir() && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.display().to_string(), text));
            }
        }
    }
    assert!(files.len() > 200);
    files
}

/// Addresses, and JSON without spaces in a raw string, cannot be broken.
fn has_long_word(line: &str) -> bool {
    line.split_whitespace()
        .any(|word| word.chars().count() > 60)
}

#[test]
fn no_line_is_too_long() {
    for (path, text) in files(&["src", "tests", "webhookctl"]) {
        for (line, number) in text.lines().zip(1..) {
            let columns = line.chars().count();
            let may = columns <= COLUMNS || has_long_word(line);
            assert!(may, "{path}:{number} has {columns} columns");
        }
    }
}

#[test]
fn no_closure_has_a_parameter_without_a_name() {
    for (path, text) in files(&["src", "tests", "webhookctl"]) {
        for (line, number) in text.lines().zip(1..) {
            // The names between two bars.
            let is_unnamed = line.split('|').skip(1).any(|part| {
                part.split(',').any(|parameter| {
                    let name = parameter.split(':').next().unwrap_or_default();
                    name.trim_matches([' ', '&', '(', ')']) == "it" || name.trim() == "mut it"
                })
            });
            assert!(!is_unnamed, "{path}:{number} names a parameter `it`");
        }
    }
}
