//! What CloudEvents 1.0 allows as the [name and
//! value](https://github.com/cloudevents/spec/blob/ce%40v1.0.2/cloudevents/spec.md#context-attributes) of an
//! attribute, as strictly as the strictest of its SDKs.

use super::is_text;
use iri_string::types::{UriReferenceStr, UriStr};
use mime::Mime;
use serde_json::value::RawValue;

/// The attributes that only the gateway gives. Those that came with an event are left out, as a provider must
/// not speak for the gateway or for another source.
pub(crate) const OWN: [&str; 9] = [
    "provider",
    "gatewaysource",
    "recordedtime",
    "conflict",
    "replayed",
    "partitionkey",
    "actorid",
    "reason",
    "authenticity",
];

/// More than the 20 that the specification recommends, as a documented name of WoodWing's has 33.
const MAX_NAME_BYTES: usize = 64;

/// A longer content type is none.
const MAX_MEDIA_TYPE_BYTES: usize = 256;

/// Attributes of CloudEvents 0.3, by which the JavaScript SDK refuses or changes an event, and the name of
/// one of its methods, which an attribute takes the place of.
const NOT_EXTENSIONS: [&str; 3] = ["schemaurl", "datacontentencoding", "validate"];

/// Whether an extension may have this name.
pub(super) fn is_extension_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(allowed)
        && !NOT_EXTENSIONS.contains(&name)
}

/// Whether an extension may have this value: a text, a boolean, or an integer of 32 bits.
pub(super) fn is_extension_value(value: &RawValue) -> bool {
    let json = value.get();
    let text = || serde_json::from_str::<String>(json).is_ok_and(|text| is_text(&text));
    matches!(json, "true" | "false") || json.parse::<i32>().is_ok() || text()
}

/// Whether a text is a URI, or a reference to one.
pub(super) fn is_uri_reference(text: &str) -> bool {
    UriReferenceStr::new(text).is_ok()
}

/// Whether a text is a URI.
pub(super) fn is_uri(text: &str) -> bool {
    UriStr::new(text).is_ok()
}

/// Whether a text is the type of some content.
pub(crate) fn is_media_type(text: &str) -> bool {
    let allowed = |b: u8| b == b' ' || b.is_ascii_graphic();
    text.len() <= MAX_MEDIA_TYPE_BYTES
        && text.bytes().all(allowed)
        && text.parse().is_ok_and(|mime: Mime| mime.subtype() != "")
}

/// Whether a text is a point in time as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) writes it.
pub(super) fn is_rfc3339(text: &str) -> bool {
    let is_like = |text: &str, form: &str| {
        let is_like = |(b, like): (u8, u8)| match like {
            b'0' => b.is_ascii_digit(),
            like => b == like,
        };
        text.len() == form.len() && text.bytes().zip(form.bytes()).all(is_like)
    };
    let Some((date_and_time, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    // The form, as jiff also takes what other standards write. SDKs know neither the year 0 nor leap seconds.
    is_like(date_and_time, "0000-00-00T00:00:00")
        && (offset == "Z" || is_like(offset, "+00:00") || is_like(offset, "-00:00"))
        && offset.get(1..3).is_none_or(|hours| hours <= "23")
        && !date_and_time.starts_with("0000")
        && !date_and_time.ends_with("60")
        && text.parse::<jiff::Timestamp>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_3339_is_a_time() {
        for time in [
            "2022-09-05T18:33:55.526+03:00",
            "2021-12-01T19:28:11Z",
            "2021-12-01T19:28:11.123456789-23:59",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(is_rfc3339(time), "{time}");
        }
        for other in [
            "2022-09-05",
            "2022-09-05 18:33:55Z",
            "2022-09-05T18:33:55",
            "2022-09-05T18:33Z",
            "2022-09-05T18:33:55z",
            "2022-09-05T18:33:55+03",
            "2022-09-05T18:33:55+0300",
            "2022-09-05T18:33:55+24:00",
            "2022-09-05T18:33:55+03:60",
            "2022-09-05T18:33:55.Z",
            "2022-09-05T18:33:55,5Z",
            "2022-09-05T18:33:55.5.5Z",
            "2022-09-05T18:33:55Z[UTC]",
            "2022-09-05T18:33:55+03:00[Europe/Kyiv]",
            "+002022-09-05T18:33:55Z",
            "0000-09-05T18:33:55Z",
            "2016-12-31T23:59:60Z",
            "2023-02-29T10:11:12Z",
            "2022-09-05T24:00:00Z",
            "２022-09-05T18:33:55Z",
            "2022-09-05T18:33:5é",
            "yesterday",
            "",
        ] {
            assert!(!is_rfc3339(other), "{other}");
        }
    }

    #[test]
    fn only_a_text_a_boolean_or_an_integer_of_32_bits_is_the_value_of_an_extension() {
        let is_value = |json: &str| is_extension_value(serde_json::from_str(json).unwrap());
        for value in [
            "\"\"",
            "\"é\"",
            "true",
            "false",
            "0",
            "-2147483648",
            "2147483647",
        ] {
            assert!(is_value(value), "{value}");
        }
        for other in [
            "null",
            "1.0",
            "1e2",
            "2147483648",
            "-2147483649",
            "[]",
            "{}",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "\"\\uffff\"",
            "\"\u{fdd0}\"",
        ] {
            assert!(!is_value(other), "{other}");
        }
    }

    #[test]
    fn only_letters_and_digits_name_an_extension() {
        let longest = "a".repeat(MAX_NAME_BYTES);
        for name in ["x", "0", "comwoodwingstudioregistrationname", &longest] {
            assert!(is_extension_name(name), "{name}");
        }
        let longer = format!("{longest}a");
        for other in ["", &longer, "X", "a-b", "a_b", "é", "validate"] {
            assert!(!is_extension_name(other), "{other}");
        }
    }

    #[test]
    fn a_media_type_has_a_type_and_a_subtype() {
        for text in [
            "application/json",
            "text/plain; charset=utf-8",
            "image/svg+xml",
        ] {
            assert!(is_media_type(text), "{text}");
        }
        for other in [
            "",
            " ",
            "json",
            "text/",
            "/plain",
            "text/plain\t",
            "text/plain, text/plain",
            "é/é",
        ] {
            assert!(!is_media_type(other), "{other}");
        }
    }
}
