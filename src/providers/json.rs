//! Looks into a provider's JSON without taking it apart: members are found, their text stays as it was sent.

use super::NormalizeError;
use crate::raw::Text;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashSet, fmt};

/// How deep arrays and objects may stand in each other; what is deeper overflows the stack of many a
/// consumer.
pub(super) const MAX_DEPTH: usize = 128;

/// How many digits of a number may follow each other. Python reads no integer of more than 4,300.
pub(super) const MAX_DIGITS: usize = 1_000;

/// U+FEFF in UTF-8, which some senders put before a text and which is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The first bytes of a [gzip](https://www.rfc-editor.org/rfc/rfc1952#section-2.3) file.
pub(super) const GZIP: &[u8] = b"\x1f\x8b";

/// A JSON object whose values have been found, and found to be valid, but not read.
#[derive(Debug)]
pub(super) struct Object<'a> {
    text: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// The value as a text, if it is one.
pub(super) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(value.get()).ok()?;
    Some(text)
}

/// The value as a text, if it is a string or a number.
pub(super) fn scalar_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let number = value.get();
    match number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        true => Some(number.into()),
        false => text_of(value),
    }
}

/// The text of a body that every parser of JSON reads, if it is JSON.
pub(super) fn text(body: &[u8]) -> Result<&str, NormalizeError> {
    if body.starts_with(GZIP) {
        return Err(NormalizeError::Compressed);
    }
    let json = without_byte_order_mark(body);
    let skipped = body.len() - json.len();
    let text = std::str::from_utf8(json).map_err(|error| NormalizeError::NotUtf8 {
        offset: skipped + error.valid_up_to(),
    })?;
    let Extent { depth, digits } = extent(json);
    if depth > MAX_DEPTH {
        return Err(NormalizeError::TooDeep);
    }
    if digits > MAX_DIGITS {
        return Err(NormalizeError::TooManyDigits);
    }
    Ok(text)
}

/// `other` if the text is JSON, and otherwise the place where it is none.
pub(super) fn not_json(error: &serde_json::Error, other: NormalizeError) -> NormalizeError {
    match error.classify() {
        serde_json::error::Category::Data => other,
        _ => NormalizeError::NotJson {
            line: error.line(),
            column: error.column(),
        },
    }
}

pub(super) fn trimmed(json: &str) -> &str {
    json.trim_matches([' ', '\t', '\n', '\r'])
}

impl<'a> Object<'a> {
    /// The object that a body holds.
    pub(super) fn from_body(body: &'a [u8]) -> Result<Self, NormalizeError> {
        Self::from_text(text(body)?).map_err(|error| not_json(&error, NormalizeError::NotAnObject))
    }

    pub(super) fn from_text(text: &'a str) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_str(text)?;
        Ok(Self { text, members })
    }

    /// The text of the whole object, without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        trimmed(self.text)
    }

    /// The value of a member; of several with one name the last, as most parsers have it.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .rev()
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    /// The value of a member that is a string.
    pub(super) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(name)?)
    }

    /// The value of a member that is a string or a number: providers change their minds between the two.
    pub(super) fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        scalar_of(self.get(name)?)
    }

    /// The value of a member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Object<'a>> {
        Self::from_text(self.get(name)?.get()).ok()
    }

    /// How many members there are, those of equal names included.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// All members in the order they stand in, of several with one name the last.
    pub(super) fn members(&self) -> Vec<(&Cow<'a, str>, &'a RawValue)> {
        let mut seen = HashSet::with_capacity(self.members.len());
        let last_first = self.members.iter().rev();
        let mut members: Vec<_> = last_first
            .filter(|(name, _)| seen.insert(&**name))
            .map(|(name, value)| (name, *value))
            .collect();
        members.reverse();
        members
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Found;
        impl<'de> Visitor<'de> for Found {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Found)
    }
}

/// The bytes of a JSON text without a byte order mark before them.
pub(super) fn without_byte_order_mark(mut json: &[u8]) -> &[u8] {
    while let Some(rest) = json.strip_prefix(BYTE_ORDER_MARK) {
        json = rest;
    }
    json
}

/// What a JSON text asks of who parses it, outside of strings.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extent {
    /// How deep brackets stand in each other.
    depth: usize,
    /// How many digits follow each other, at most.
    digits: usize,
}

/// Takes any bytes, valid or not, in one pass.
fn extent(json: &[u8]) -> Extent {
    let mut extent = Extent::default();
    let (mut open, mut digits) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_digit() {
            digits += 1;
            extent.digits = extent.digits.max(digits);
            continue;
        }
        digits = 0;
        match byte {
            b'[' | b'{' => {
                open += 1;
                extent.depth = extent.depth.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    extent
}

/// Goes on to what follows the string whose opening quote was the last byte.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', bytes.as_slice()) {
        if bytes.nth(at) == Some(&b'"') {
            return;
        }
        // What is escaped is no end.
        bytes.next();
    }
    *bytes = [].iter();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        Object::from_body(text.as_bytes()).unwrap()
    }

    #[test]
    fn members_keep_their_text() {
        let found = object(r#"{"n": 1.50e+2 , "s":"a\/b", "o": {"x" : [1 ,2]}}"#);
        assert_eq!(found.get("n").unwrap().get(), "1.50e+2");
        assert_eq!(found.get("o").unwrap().get(), r#"{"x" : [1 ,2]}"#);
        assert_eq!(found.string("s").unwrap(), "a/b");
        assert_eq!(found.scalar("n").unwrap(), "1.50e+2");
        assert_eq!(found.string("n"), None);
        assert_eq!(found.object("o").unwrap().get("x").unwrap().get(), "[1 ,2]");
    }

    #[test]
    fn the_text_is_all_but_the_white_space_around_it() {
        assert_eq!(object(" \r\n\t{ } \n").text(), "{ }");
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let found = object(r#"{"a":1,"b":2,"a":3}"#);
        assert_eq!(found.scalar("a").unwrap(), "3");
        let members: Vec<_> = found
            .members()
            .into_iter()
            .map(|(name, value)| (&**name, value.get()))
            .collect();
        assert_eq!((members, found.len()), (vec![("b", "2"), ("a", "3")], 3));
    }

    #[test]
    fn what_is_no_object_is_refused_for_its_own_reason() {
        let refusal = |body: &[u8]| Object::from_body(body).unwrap_err();
        assert_eq!(
            refusal(b"{\"a\":\"\xff\"}"),
            NormalizeError::NotUtf8 { offset: 6 }
        );
        assert_eq!(refusal(b""), NormalizeError::NotJson { line: 1, column: 0 });
        assert_eq!(
            refusal(b"{\"a\":1,\n}"),
            NormalizeError::NotJson { line: 2, column: 1 }
        );
        assert_eq!(
            refusal(b"{} {}"),
            NormalizeError::NotJson { line: 1, column: 4 }
        );
        for other in ["[]", "1", "\"a\"", "null", "true"] {
            assert_eq!(
                refusal(other.as_bytes()),
                NormalizeError::NotAnObject,
                "{other}"
            );
        }
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit_and_no_further() {
        let nested = |depth: usize| {
            format!(
                r#"{{"a":{}1{}}}"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(Object::from_body(nested(MAX_DEPTH).as_bytes()).is_ok());
        let refusal = Object::from_body(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert_eq!(refusal, NormalizeError::TooDeep);
        assert!(Object::from_body(nested(2_000_000).as_bytes()).is_err());
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        for (json, expected) in [
            (r#"{"a":"[[[["}"#, 1),
            (r#"{"a":"\"[[[["}"#, 1),
            (r#"{"a":"\\","b":[[]]}"#, 3),
            (r#"["\\\"]"]"#, 1),
            (r#""unterminated \"#, 0),
            ("]]]][", 1),
        ] {
            assert_eq!(extent(json.as_bytes()).depth, expected, "{json}");
        }
    }

    #[test]
    fn a_number_has_digits_up_to_the_limit_and_no_further() {
        let number = |digits: usize| format!(r#"{{"a":[1,-{}.5]}}"#, "9".repeat(digits));
        assert!(Object::from_body(number(MAX_DIGITS).as_bytes()).is_ok());
        let refusal = Object::from_body(number(MAX_DIGITS + 1).as_bytes()).unwrap_err();
        assert_eq!(refusal, NormalizeError::TooManyDigits);
        let text = format!(r#"{{"a":"{}"}}"#, "9".repeat(MAX_DIGITS + 1));
        assert!(Object::from_body(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_no_part_of_it() {
        for marks in ["\u{feff}", "\u{feff}\u{feff}"] {
            assert_eq!(object(&format!("{marks} {{ }}")).text(), "{ }");
        }
        for elsewhere in [" \u{feff}{}", "{\u{feff}}", "{}\u{feff}"] {
            assert!(Object::from_body(elsewhere.as_bytes()).is_err());
        }
        let refusal = Object::from_body(b"\xef\xbb\xbf{\xff").unwrap_err();
        assert_eq!(refusal, NormalizeError::NotUtf8 { offset: 4 });
    }

    #[test]
    fn a_compressed_body_is_named_as_such() {
        let refusal = Object::from_body(b"\x1f\x8b\x08\0").unwrap_err();
        assert_eq!(refusal, NormalizeError::Compressed);
    }
}
