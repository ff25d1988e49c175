//! What the headers of a request show: texts that may be signatures, and times.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

/// What separates the parts of a header at some provider.
const DELIMITERS: [&str; 3] = [",", ";", " "];

/// The lengths of digests: of SHA-512, SHA-256 and SHA-1.
const DIGESTS: [usize; 3] = [64, 32, 20];

/// A text that may be a signature, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) header: HeaderName,
    pub(super) delimiter: Option<String>,
    pub(super) prefix: String,
    pub(super) encoding: &'static str,
    /// How many bytes it has.
    pub(super) bytes: usize,
}

/// A time, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) header: HeaderName,
    /// What separates it from signatures in the same header.
    pub(super) delimiter: Option<String>,
    pub(super) prefix: String,
    pub(super) format: &'static str,
}

/// All that may be signatures. Some delimiters of recipes are tried beside the usual ones.
pub(super) fn signatures(headers: &HeaderMap, delimiters: &[&str]) -> Vec<Signature> {
    let mut found = Vec::new();
    for (header, delimiter, part) in parts(headers, delimiters) {
        for (prefix, encoding, bytes) in split(part) {
            let signature = Signature {
                header: header.clone(),
                delimiter: delimiter.map(str::to_owned),
                prefix: prefix.to_owned(),
                encoding,
                bytes,
            };
            if !found.contains(&signature) {
                found.push(signature);
            }
        }
    }
    found
}

/// All that may be times.
pub(super) fn times(headers: &HeaderMap, delimiters: &[&str]) -> Vec<Time> {
    let mut found = Vec::new();
    for (header, delimiter, part) in parts(headers, delimiters) {
        let (prefix, text) = match (delimiter, part.split_once('=')) {
            (Some(_), Some((name, text))) => (format!("{name}="), text),
            // A part without a name cannot be told from signatures.
            (Some(_), None) => continue,
            (None, _) => (String::new(), part),
        };
        if let Some(format) = format(text) {
            found.push(Time {
                header: header.clone(),
                delimiter: delimiter.map(str::to_owned),
                prefix,
                format,
            });
        }
    }
    found
}

/// The values of headers, whole and in parts.
fn parts<'h>(
    headers: &'h HeaderMap,
    delimiters: &[&'h str],
) -> Vec<(&'h HeaderName, Option<&'h str>, &'h str)> {
    let mut all = Vec::new();
    for (header, value) in headers {
        let Ok(value) = value.to_str() else {
            continue;
        };
        all.push((header, None, value));
        for delimiter in delimiters.iter().copied() {
            // The recipe's own delimiter needs no second part.
            all.extend(
                value
                    .split(delimiter)
                    .map(|part| (header, Some(delimiter), part.trim())),
            );
        }
        for delimiter in DELIMITERS {
            if value.contains(delimiter) && !delimiters.contains(&delimiter) {
                let parts = value.split(delimiter).map(str::trim);
                all.extend(parts.map(|part| (header, Some(delimiter), part)));
            }
        }
    }
    all
}

/// The prefix, the encoding and the length of a text that ends with a digest.
fn split(text: &str) -> Vec<(&str, &'static str, usize)> {
    let mut found = Vec::new();
    if uuid::Uuid::try_parse(text).is_ok() {
        return found;
    }
    for bytes in DIGESTS {
        if let Some((prefix, digits)) = tail(text, 2 * bytes)
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return vec![(prefix, "hex", bytes)];
        }
        let bare = text.trim_end_matches('=');
        let pad = text.len() - bare.len();
        let length = (bytes * 4).div_ceil(3);
        if pad != 0 && pad != (3 - bytes % 3) % 3 {
            continue;
        }
        if let Some((prefix, digest)) = tail(bare, length) {
            if STANDARD_NO_PAD.decode(digest).is_ok() {
                found.push((prefix, "base64", bytes));
            }
            if URL_SAFE_NO_PAD.decode(digest).is_ok() {
                found.push((prefix, "base64url", bytes));
            }
        }
    }
    found
}

/// A text before and after a place, which is no place within a word.
fn tail(text: &str, length: usize) -> Option<(&str, &str)> {
    let at = text.len().checked_sub(length)?;
    let (before, after) = text.split_at_checked(at)?;
    let ends_word = |c: char| !c.is_ascii_alphanumeric();
    (before.is_empty() || before.ends_with(ends_word)).then_some((before, after))
}

fn format(text: &str) -> Option<&'static str> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        9..=10 if is_number => Some("seconds"),
        12..=13 if is_number => Some("milliseconds"),
        _ => text.parse::<Timestamp>().ok().map(|_| "rfc3339"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_signature_is_seen_with_what_stands_around_it() {
        let (hex, base64) = ("ab".repeat(32), STANDARD.encode([0xfb; 32]));
        for (value, expected) in [
            (hex.clone(), (None, "", "hex", 32)),
            (format!("sha256={hex}"), (None, "sha256=", "hex", 32)),
            (format!("sha256 {hex}"), (None, "sha256 ", "hex", 32)),
            (
                format!("sha1={}", "ab".repeat(20)),
                (None, "sha1=", "hex", 20),
            ),
            (base64.clone(), (None, "", "base64", 32)),
            (format!("sha256={base64}"), (None, "sha256=", "base64", 32)),
            (
                format!("t=1764244800,v1={hex},v0={hex}"),
                (Some(","), "v1=", "hex", 32),
            ),
            (
                format!("v1,{base64} v1,{base64}"),
                (Some(" "), "v1,", "base64", 32),
            ),
            (STANDARD.encode([7; 64]), (None, "", "base64", 64)),
        ] {
            let headers: HeaderMap = [(
                HeaderName::from_static("x-signature"),
                value.parse().unwrap(),
            )]
            .into_iter()
            .collect();
            let found = signatures(&headers, &[]);
            let (delimiter, prefix, encoding, bytes) = expected;
            let is_there = found.iter().any(|one| {
                (
                    one.delimiter.as_deref(),
                    &*one.prefix,
                    one.encoding,
                    one.bytes,
                ) == (delimiter, prefix, encoding, bytes)
            });
            assert!(is_there, "{value}: {found:?}");
        }
    }

    #[test]
    fn other_headers_are_no_signatures() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("content-type", "application/json"),
            ("user-agent", "GitHub-Hookshot/044aadd"),
            ("x-time", "1764244800"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        assert_eq!(signatures(&headers, &[]), []);
        let times = times(&headers, &[]);
        assert_eq!(times.len(), 1, "{times:?}");
        assert_eq!(
            (times[0].format, times[0].header.as_str()),
            ("seconds", "x-time")
        );
    }

    #[test]
    fn a_time_is_seen_in_any_format_and_among_signatures() {
        for (text, expected) in [
            ("1764244800", Some("seconds")),
            ("1764244800000", Some("milliseconds")),
            ("2025-11-27T12:00:00Z", Some("rfc3339")),
            ("17642", None),
            ("yesterday", None),
        ] {
            assert_eq!(format(text), expected, "{text}");
        }
        let name = HeaderName::from_static("stripe-signature");
        let headers: HeaderMap = [(name, "t=1764244800,v1=ab".parse().unwrap())]
            .into_iter()
            .collect();
        let times = times(&headers, &[]);
        assert!(
            times
                .iter()
                .any(|time| time.prefix == "t=" && time.delimiter.as_deref() == Some(","))
        );
    }
}
