//! The official CloudEvents SDKs, with which a consumer may read the queues: the SDK for Python always, the
//! SDK for JavaScript in `make test-js`.

use crate::tool;
use serde::Deserialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable with which `make test-js` turns on the second SDK.
const JAVASCRIPT: &str = "CLOUDEVENTS_JAVASCRIPT";

/// An event that an SDK rejects.
#[derive(Deserialize)]
struct Refused {
    line: usize,
    error: String,
}

/// Asserts that the SDKs accept each message in their strict mode.
#[track_caller]
pub fn assert_strict(messages: &[String]) {
    let mut sdks: Vec<(PathBuf, &str)> = vec![(tool("python"), "strict.py")];
    if std::env::var_os(JAVASCRIPT).is_some() {
        sdks.push(("node".into(), "strict.mjs"));
    }
    for (program, script) in sdks {
        let refused = refused(&program, script, messages);
        let told = refused.iter().fold(String::new(), |mut text, refused| {
            let Refused { line, error } = refused;
            let message: String = messages[line - 1].chars().take(500).collect();
            writeln!(text, "{error}\n  {message:?}").unwrap();
            text
        });
        let (count, of) = (refused.len(), messages.len());
        assert!(
            refused.is_empty(),
            "{script} refuses {count} of {of}:\n{told}"
        );
    }
}

fn refused(program: &Path, script: &str, messages: &[String]) -> Vec<Refused> {
    let folder = crate::root().join("tests/cloudevents");
    let mut process = Command::new(program)
        .arg(folder.join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let lines: String = messages
        .iter()
        .map(|message| format!("{}\n", serde_json::json!(message)))
        .collect();
    // At the same time as the reading, because either side may have to wait for the other.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script} failed");
    let output = String::from_utf8(output.stdout).unwrap();
    let (count, refused) = output
        .lines()
        .collect::<Vec<_>>()
        .split_last()
        .map(|(count, refused)| (count.parse::<usize>().unwrap(), refused.to_vec()))
        .unwrap();
    assert_eq!(count, messages.len(), "{script} did not read all");
    refused
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
