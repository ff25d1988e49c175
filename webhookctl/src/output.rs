//! The output: tables and sentences, or JSON with one object on each line. Results go to standard output,
//! notes and errors to standard error. The console takes both as values instead.

use crate::Result;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, ErrorKind, Write};
use tokio::sync::mpsc::UnboundedSender;

/// A header whose name contains one of these has a credential as its value.
const CREDENTIALS: [&str; 7] = [
    "auth",
    "cookie",
    "key",
    "password",
    "secret",
    "signature",
    "token",
];

/// What is shown in the place of a credential.
pub(crate) const REDACTED: &str = "[redacted]";

/// How results are printed.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// As JSON, for programs.
    pub(crate) json: bool,
    /// Who takes the results and the notes instead of the standard streams.
    taker: Option<UnboundedSender<Line>>,
}

/// A result or a note of a command that the console runs.
#[derive(Debug)]
pub(crate) enum Line {
    /// The object that --json prints, as JSON.
    Result(String),
    Note(String),
}

/// The output was not written.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written: {0}")]
pub(crate) struct Unwritten(#[from] io::Error);

impl Output {
    /// Results and notes on the standard streams.
    pub(crate) fn standard(json: bool) -> Self {
        Self { json, taker: None }
    }

    /// The results that --json prints, and the notes, as values.
    pub(crate) fn to(taker: UnboundedSender<Line>) -> Self {
        Self {
            json: true,
            taker: Some(taker),
        }
    }

    /// Whether a program takes the lines as they come, and shows progress by them.
    pub(crate) fn is_taken(&self) -> bool {
        self.taker.is_some()
    }

    /// A table with one row for each object. A column is the path of a member, such as `circuit.failures`.
    pub(crate) fn list(&self, rows: &[impl Serialize], columns: &[&str]) -> Result<()> {
        if self.json {
            return rows.iter().try_for_each(|row| self.json(row));
        }
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = table();
        table.set_header(columns.iter().map(|column| heading(column).to_uppercase()));
        for row in rows {
            let row = serde_json::to_value(row)?;
            let cells = columns.iter().map(|column| cell(member(&row, column)));
            table.add_row(cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())));
        }
        write_line(&table.trim_fmt())
    }

    /// One result: a line for each of its columns that has a value.
    pub(crate) fn details(&self, row: &impl Serialize, columns: &[&str]) -> Result<()> {
        if self.json {
            return self.json(row);
        }
        let row = serde_json::to_value(row)?;
        let mut table = table();
        for column in columns {
            if let Some(cell) = cell(member(&row, column)) {
                table.add_row([heading(column), cell]);
            }
        }
        write_line(&table.trim_fmt())
    }

    /// A sentence or, for a program, the object that says the same.
    pub(crate) fn result(&self, text: &str, object: &impl Serialize) -> Result<()> {
        match self.json {
            true => self.json(object),
            false => self.text(text),
        }
    }

    /// An object as JSON, also without --json.
    pub(crate) fn json(&self, object: &impl Serialize) -> Result<()> {
        let Some(taker) = &self.taker else {
            return write_json(object);
        };
        // Whoever took the lines has gone when the page is closed; the command goes on.
        taker.send(Line::Result(encoded(object)?)).ok();
        Ok(())
    }

    /// The lines of a text that is not JSON.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        let lines: Vec<_> = text.lines().map(printable).collect();
        write_line(&lines.join("\n"))
    }

    /// Bytes, unchanged.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        Ok(write(&[bytes])?)
    }

    /// A sentence that the operator should read in addition to the result.
    pub(crate) fn note(&self, text: &str) {
        self.stderr("note", text);
    }

    /// Why there is no result.
    pub(crate) fn error(&self, text: &str) {
        self.stderr("error", text);
    }

    fn stderr(&self, kind: &str, text: &str) {
        if let Some(taker) = &self.taker {
            taker.send(Line::Note(text.to_owned())).ok();
            return;
        }
        let line = match self.json {
            true => encoded(&json!({ kind: text })).unwrap_or_default(),
            false => format!("{kind}: {}", indented(text)),
        };
        // If standard error is closed, there is no place left to report that.
        writeln!(io::stderr(), "{line}").ok();
    }
}

/// Whether an error only says that the reader of the output has gone, as `head` does.
pub(crate) fn is_closed(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<Unwritten>()
        .is_some_and(|Unwritten(error)| error.kind() == ErrorKind::BrokenPipe)
}

/// The message of an error and of its causes, each once.
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
        true => REDACTED,
        false => value,
    }
}

/// The column's name for a reader.
fn heading(column: &str) -> String {
    column.replace(['.', '_'], " ")
}

/// The member of an object that a path such as `circuit.failures` names.
fn member<'v>(row: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(row, |value, name| &value[name])
}

/// A value as a cell of a table; `None` for one that is empty.
fn cell(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let cells = values
                .iter()
                .map(|value| cell(value).unwrap_or_else(|| "-".to_owned()));
            cells.collect::<Vec<_>>().join(" ")
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .filter_map(|(name, value)| Some(format!("{}: {}", heading(name), cell(value)?)));
            members.collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    (!text.is_empty()).then(|| printable(&text.replace(['\n', '\r', '\t'], " ")))
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// A text without the characters that steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| if is_steering(c) { '\u{fffd}' } else { c };
    text.chars().map(harmless).collect()
}

/// The same with every line after the first indented: no line of a foreign text can pass for a note or an
/// error of the tool.
fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n  ")
}

/// Whether a character steers a terminal, reorders other characters or hides them: the control characters,
/// including U+0080 to U+009F, the format characters (Cf), and the line separators.
fn is_steering(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || is_format
}

/// JSON on one line, with the characters that steer a terminal escaped.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escape(writer, fragment)
    }

    /// JSON that is already encoded. White space is all that stands between its values, and its strings
    /// contain no line end.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        escape(writer, &fragment.replace(['\n', '\r', '\t'], " "))
    }
}

fn escape(writer: &mut (impl Write + ?Sized), mut text: &str) -> io::Result<()> {
    while let Some((at, c)) = text.char_indices().find(|(_, c)| is_steering(*c)) {
        writer.write_all(&text.as_bytes()[..at])?;
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        text = &text[at + c.len_utf8()..];
    }
    writer.write_all(text.as_bytes())
}

fn encoded(object: &impl Serialize) -> Result<String> {
    let mut json = Vec::new();
    object.serialize(&mut Serializer::with_formatter(&mut json, Escaping))?;
    Ok(String::from_utf8(json)?)
}

fn write_json(object: &impl Serialize) -> Result<()> {
    write_line(&encoded(object)?)
}

fn write_line(text: &str) -> Result<()> {
    Ok(write(&[text.as_bytes(), b"\n"])?)
}

/// Writes and flushes: bytes that are still buffered when the process ends would be lost without an error.
pub(crate) fn write(parts: &[&[u8]]) -> std::result::Result<(), Unwritten> {
    let mut stdout = io::stdout().lock();
    for part in parts {
        stdout.write_all(part)?;
    }
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn a_cell_is_what_the_object_has() {
        let row = json!({
            "text": "a\n\u{1b}b", "none": null, "empty": [], "all": ["a", 1, null], "yes": true,
            "circuit": {"state": "open", "wait": null, "opened_at": 5},
        });
        for (column, expected) in [
            ("text", Some("a \u{fffd}b")),
            ("none", None),
            ("empty", None),
            ("missing.path", None),
            ("all", Some("a 1 -")),
            ("yes", Some("true")),
            ("circuit", Some("state: open, opened at: 5")),
            ("circuit.opened_at", Some("5")),
        ] {
            assert_eq!(cell(member(&row, column)).as_deref(), expected, "{column}");
        }
        assert_eq!(heading("circuit.opened_at"), "circuit opened at");
    }

    #[test]
    fn a_text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
        for c in
            "\u{7f}\u{9b}\u{ad}\u{61c}\u{200b}\u{202e}\u{2028}\u{2066}\u{feff}\u{e0041}".chars()
        {
            assert_eq!(printable(&c.to_string()), "\u{fffd}", "{c:?}");
        }
        let harmless = "Jörg, 日本語, \u{e9}\u{301}, 👍 \u{a0}";
        assert_eq!(printable(harmless), harmless);
        assert_eq!(
            indented("a\u{1b}\nnote: all is well"),
            "a\u{fffd}\n  note: all is well"
        );
    }

    #[test]
    fn json_has_the_same_values_on_one_line_and_steers_nothing() {
        let text = "\u{1b}[2J \u{7f} \u{9b}31m \u{202e}abc \u{e0041} \u{2028} \" \\ 日本語";
        let raw =
            RawValue::from_string("{\r\n\t\"a\u{9b}\": \"\u{2066}\u{e0041}\\n\"\n}".to_owned());
        let object = json!({"text": text, text: [text]});
        let encoded = encoded(&(&object, &raw.unwrap())).unwrap();
        assert!(!encoded.contains(is_steering), "{encoded:?}");
        let raw = json!({"a\u{9b}": "\u{2066}\u{e0041}\n"});
        let read: Value = serde_json::from_str(&encoded).unwrap();
        assert_eq!(read, json!([object, raw]));
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
        let unwritten = |kind| Unwritten(io::Error::from(kind));
        assert!(is_closed(&unwritten(ErrorKind::BrokenPipe)));
        assert!(!is_closed(&unwritten(ErrorKind::StorageFull)));
        assert!(!is_closed(&io::Error::from(ErrorKind::BrokenPipe)));
    }
}
