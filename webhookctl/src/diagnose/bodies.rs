//! Bodies that may have been signed before something on the way changed them.

use super::{Finding, Outcome, Request, Suspect};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Of a larger body, only few changes are tried: each takes its memory.
const MAX_BYTES: usize = 256 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The finding that another body was signed, if one of the usual changes explains the request.
pub(super) fn changed(suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
    variants(&request.body).into_iter().find_map(|(body, what)| {
        let other = Request {
            body,
            ..request.clone()
        };
        let outcome = suspect.outcome(&other);
        matches!(outcome, Outcome::Verified(_)).then(|| Finding {
            causes: vec!["body"],
            what: format!("the body was changed on the way: the provider signed it {what}"),
            command: None,
            to_do: Some(
                "no setting of the gateway helps: find the proxy, the firewall or the script between the \
                 provider and the gateway, and let it pass the body on byte for byte"
                    .to_owned(),
            ),
        })
    })
}

/// Other bodies, each with what the provider signed.
fn variants(body: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let mut all = plain(body);
    if body.len() > MAX_BYTES {
        return all;
    }
    if let Ok(text) = std::str::from_utf8(body)
        && let Some(latin) = latin_1(text)
    {
        all.push((latin, "in Latin-1, not in UTF-8"));
    }
    if let Ok(decoded) = STANDARD.decode(body.trim_ascii()) {
        all.push((decoded, "without the Base64 that it came in"));
    }
    let json = std::str::from_utf8(body).ok();
    let json = json.filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    if let Some(text) = json {
        all.extend(as_json(text));
    }
    all.retain(|(other, _)| other != body);
    all
}

fn plain(body: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let ends = |with: &[u8]| [body, with].concat();
    let stripped = body.strip_prefix(BOM);
    let text = String::from_utf8_lossy(body);
    let unix = text.replace("\r\n", "\n");
    let trimmed = body.trim_ascii_end();
    let mut all = vec![
        (
            [BOM, body].concat(),
            "with a byte order mark at its beginning",
        ),
        (trimmed.to_vec(), "without the line end at its end"),
        (ends(b"\n"), "with a line end at its end"),
        (ends(b"\r\n"), "with a line end (CR LF) at its end"),
        (
            body.trim_ascii().to_vec(),
            "without the white space around it",
        ),
    ];
    all.extend(stripped.map(|body| {
        (
            body.to_vec(),
            "without the byte order mark at its beginning",
        )
    }));
    if std::str::from_utf8(body).is_ok() {
        let windows = unix.replace('\n', "\r\n");
        all.push((
            windows.into_bytes(),
            "with the line ends of Windows (CR LF)",
        ));
        all.push((unix.into_bytes(), "with the line ends of Unix (LF)"));
    }
    all
}

/// The text in Latin-1, if it has letters beyond ASCII and none beyond Latin-1.
fn latin_1(text: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    bytes.filter(|_| !text.is_ascii())
}

/// How JSON is laid out.
#[derive(Clone, Copy)]
enum Layout {
    Compact,
    Spaced,
    Indented(&'static str),
}

/// The same JSON as other programs write it.
fn as_json(text: &str) -> Vec<(Vec<u8>, &'static str)> {
    let sorted = serde_json::from_str::<Value>(text).ok().map(sorted);
    let sorted = sorted.map(|value| value.to_string());
    let texts = [(text, false), (sorted.as_deref().unwrap_or(text), true)];
    let mut all = Vec::new();
    for (text, is_sorted) in texts {
        for (layout, what) in [
            (Some(Layout::Compact), "as compact JSON"),
            (
                Some(Layout::Spaced),
                "as JSON with a space after each comma and colon",
            ),
            (
                Some(Layout::Indented("  ")),
                "as JSON that is indented by 2 spaces",
            ),
            (
                Some(Layout::Indented("    ")),
                "as JSON that is indented by 4 spaces",
            ),
            (
                Some(Layout::Indented("\t")),
                "as JSON that is indented by tabs",
            ),
            (None, "with other escapes in its JSON"),
        ] {
            let what = if is_sorted {
                "as JSON with sorted members"
            } else {
                what
            };
            let laid = match layout {
                Some(layout) => laid_out(text, layout),
                None => text.to_owned(),
            };
            for escaped in escapes(&laid) {
                all.push((escaped.into_bytes(), what));
            }
            all.push((format!("{laid}\n").into_bytes(), what));
            all.push((laid.into_bytes(), what));
        }
    }
    all
}

/// The same text with the escapes that other programs write.
fn escapes(json: &str) -> Vec<String> {
    let slashed = json.replace("\\/", "/").replace('/', "\\/");
    let ascii: String = json
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.to_string()
            } else {
                escaped(c)
            }
        })
        .collect();
    let plain = json.replace("\\/", "/");
    let both = ascii.replace("\\/", "/").replace('/', "\\/");
    let read = unescaped(json);
    [slashed, ascii, plain, both, read]
        .into_iter()
        .filter(|text| text != json)
        .collect()
}

fn escaped(c: char) -> String {
    let units = c.encode_utf16(&mut [0; 2]).to_vec();
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// The text with characters beyond ASCII in the place of their escapes.
fn unescaped(json: &str) -> String {
    let mut text = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        // A pair of surrogates is two escapes.
        let length = [12, 6].into_iter().find(|length| {
            let escape = after.get(..*length).map(|escape| format!("\"{escape}\""));
            let read = escape.and_then(|json| serde_json::from_str::<String>(&json).ok());
            after.starts_with("\\u")
                && read.is_some_and(|read| read.chars().count() == 1 && !read.is_ascii())
        });
        let escape = after.get(..length.unwrap_or(2)).unwrap_or(after);
        let read =
            length.and_then(|_| serde_json::from_str::<String>(&format!("\"{escape}\"")).ok());
        text.push_str(read.as_deref().unwrap_or(escape));
        rest = after.get(escape.len()..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The members of every object in alphabetical order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)));
            Value::Object(members.collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        value => value,
    }
}

/// Valid JSON in another layout. Names, texts and numbers stay as they are written.
fn laid_out(json: &str, layout: Layout) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 4);
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    let mut tokens = json.chars().peekable();
    let line = |text: &mut String, depth: usize| {
        if let Layout::Indented(indent) = layout {
            text.push('\n');
            text.push_str(&indent.repeat(depth));
        }
    };
    while let Some(c) = tokens.next() {
        if in_text {
            text.push(c);
            in_text = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let skips_space = |c: &char| c.is_ascii_whitespace();
        match c {
            '"' => {
                in_text = true;
                text.push(c);
            }
            '{' | '[' => {
                text.push(c);
                while tokens.next_if(skips_space).is_some() {}
                let end = if c == '{' { '}' } else { ']' };
                match tokens.next_if_eq(&end) {
                    Some(end) => text.push(end),
                    None => {
                        depth += 1;
                        line(&mut text, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
                text.push_str(if matches!(layout, Layout::Spaced) {
                    " "
                } else {
                    ""
                });
            }
            ':' => text.push_str(if matches!(layout, Layout::Compact) {
                ":"
            } else {
                ": "
            }),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_as_other_programs_write_it() {
        let json = "{ \"a\" : [1, {\"b\":\"x, \\\"y: {\"}, [ ], {}] ,\"c\":1.50 }";
        let of = |layout| laid_out(json, layout);
        assert_eq!(
            of(Layout::Compact),
            r#"{"a":[1,{"b":"x, \"y: {"},[],{}],"c":1.50}"#
        );
        assert_eq!(
            of(Layout::Spaced),
            r#"{"a": [1, {"b": "x, \"y: {"}, [], {}], "c": 1.50}"#
        );
        let value: Value = serde_json::from_str(r#"{"a":[1,{"b":"x"},[],{}],"c":null}"#).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(laid_out(&value.to_string(), Layout::Indented("  ")), pretty);
    }

    #[test]
    fn escapes_are_written_and_read() {
        let escaped = r#"{"a":"caf\u00e9 \ud83d\ude00 \u0041 \\u00e9 \n"}"#;
        assert_eq!(unescaped(escaped), r#"{"a":"café 😀 \u0041 \\u00e9 \n"}"#);
        let all = escapes(r#"{"url":"https://é"}"#);
        for expected in [
            r#"{"url":"https:\/\/é"}"#,
            r#"{"url":"https://\u00e9"}"#,
            r#"{"url":"https:\/\/\u00e9"}"#,
        ] {
            assert!(all.contains(&expected.to_owned()), "{all:?}");
        }
    }

    #[test]
    fn each_change_is_taken_back() {
        for (came, signed, what) in [
            ("\u{feff}{}", "{}", "without the byte order mark"),
            ("{}", "\u{feff}{}", "with a byte order mark"),
            ("{\n}", "{\r\n}", "Windows"),
            ("{\r\n}", "{\n}", "Unix"),
            ("{}\n", "{}", "without the line end"),
            ("{}", "{}\n", "with a line end"),
            (
                r#"{"a":1,"b":[2]}"#,
                r#"{"a": 1, "b": [2]}"#,
                "a space after each",
            ),
            (r#"{"a": 1, "b": [2]}"#, r#"{"a":1,"b":[2]}"#, "compact"),
            (r#"{"a":"é/"}"#, r#"{"a":"\u00e9\/"}"#, "JSON"),
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#, "sorted"),
            ("e30=", "{}", "Base64"),
        ] {
            let found = variants(came.as_bytes());
            let found = found.iter().find(|(body, _)| body == signed.as_bytes());
            assert!(
                found.is_some_and(|(_, told)| told.contains(what)),
                "{came}: {found:?}"
            );
        }
        let latin = variants("é".as_bytes());
        assert!(
            latin
                .iter()
                .any(|(body, what)| body == b"\xe9" && what.contains("Latin-1"))
        );
        // Bytes that are no text have variants too.
        assert!(!variants(b"\xff\n").is_empty());
    }
}
