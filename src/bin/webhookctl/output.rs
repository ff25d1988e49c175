//! What the operator sees: tables and sentences, or JSON, one object a line. Results go to standard output; notes
//! and errors to standard error.

use crate::Result;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::json;
use std::error::Error;
use std::io::{self, ErrorKind, Write};

/// What the name of a header has in it whose value is a credential.
const CREDENTIALS: [&str; 7] = [
    "auth",
    "cookie",
    "key",
    "password",
    "secret",
    "signature",
    "token",
];

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// As JSON, for programs.
    pub(crate) json: bool,
}

/// A result that is a row of a table, or an object of JSON.
pub(crate) trait Row: Serialize {
    /// The columns with their headers.
    fn cells(&self) -> Vec<(&'static str, String)>;
}

impl Output {
    /// A row each, under one header.
    pub(crate) fn list(self, rows: &[impl Row]) -> Result<()> {
        if self.json {
            return rows.iter().try_for_each(write_json);
        }
        let mut table = table();
        let Some(first) = rows.first() else {
            return Ok(());
        };
        table.set_header(first.cells().iter().map(|(name, _)| name.to_uppercase()));
        for row in rows {
            table.add_row(row.cells().iter().map(|(_, text)| printable(text)));
        }
        write_line(&table.trim_fmt())
    }

    /// One result, a line for each of its columns.
    pub(crate) fn one(self, row: &impl Row) -> Result<()> {
        if self.json {
            return write_json(row);
        }
        let mut table = table();
        for (name, text) in row.cells() {
            table.add_row([name.to_owned(), printable(&text)]);
        }
        write_line(&table.trim_fmt())
    }

    /// A sentence, or the object that says the same.
    pub(crate) fn say(self, text: &str, object: &impl Serialize) -> Result<()> {
        if self.json {
            write_json(object)
        } else {
            write_line(text)
        }
    }

    /// Lines of a text, which are no JSON.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        let lines: Vec<_> = text.lines().map(printable).collect();
        write_line(&lines.join("\n"))
    }

    /// What the operator should know beside the result.
    pub(crate) fn note(self, text: &str) {
        self.complain("note", text);
    }

    /// Why there is no result.
    pub(crate) fn error(self, text: &str) {
        self.complain("error", text);
    }

    fn complain(self, kind: &str, text: &str) {
        let line = if self.json {
            json!({ kind: text }).to_string()
        } else {
            format!("{kind}: {text}")
        };
        // There is nowhere left to tell of a standard error that is closed.
        writeln!(io::stderr(), "{line}").ok();
    }
}

/// Whether an error is only that nobody reads the output any more.
pub(crate) fn is_closed(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// What AWS refused, in its own words, or how the call failed.
pub(crate) fn explain<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error, error.message(), error.code()) {
        (_, Some(message), Some(code)) => format!("{message} ({code})"),
        (SdkError::DispatchFailure(_), ..) => {
            format!(
                "{}; check the credentials (AWS_PROFILE) and the network, or start the local stack by `make up`",
                chain(error)
            )
        }
        _ => chain(error),
    }
}

/// An error and its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The value of a header, unless it is a credential.
pub(crate) fn header_value<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    match CREDENTIALS.iter().any(|part| name.contains(part)) {
        true => "[redacted]",
        false => value,
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// A text from elsewhere cannot steer the terminal.
fn printable(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

fn write_json(object: &impl Serialize) -> Result<()> {
    write_line(&serde_json::to_string(object)?)
}

fn write_line(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
    }

    #[test]
    fn credentials_are_not_shown() {
        for name in [
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "X-Api-Key",
            "x-functions-key",
            "x-auth-token",
            "client-secret",
            "webhook-signature",
        ] {
            assert_eq!(header_value(name, "hunter2"), "[redacted]", "{name}");
        }
        for name in ["content-type", "webhook-id", "user-agent"] {
            assert_eq!(header_value(name, "text"), "text", "{name}");
        }
    }

    #[test]
    fn a_cause_is_named_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot connect")]
        struct Outer(#[source] io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Same(#[source] Outer);

        let error = Same(Outer(io::Error::other("refused")));
        assert_eq!(chain(&error), "cannot connect: refused");
    }

    #[test]
    fn only_a_closed_pipe_is_no_failure() {
        assert!(is_closed(&io::Error::from(ErrorKind::BrokenPipe)));
        assert!(!is_closed(&io::Error::from(ErrorKind::NotFound)));
    }
}
