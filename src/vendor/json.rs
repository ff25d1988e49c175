//! Looks into a vendor's JSON without taking it apart: members are found, their text stays as it was sent.
//! What the members mean is left to the vendors.

use super::NormalizeError;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// How deep arrays and objects may stand in each other; what is deeper overflows the stack of many a consumer.
pub(super) const MAX_DEPTH: usize = 128;

/// A JSON object whose values have been found, and found to be valid, but not read.
#[derive(Debug)]
pub(super) struct Object<'a> {
    text: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// The object that a body holds.
    pub(super) fn from_body(body: &'a [u8]) -> Result<Self, NormalizeError> {
        let text = std::str::from_utf8(body).map_err(|error| NormalizeError::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        if depth(body) > MAX_DEPTH {
            return Err(NormalizeError::TooDeep);
        }
        Self::from_text(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => NormalizeError::NotAnObject,
            _ => NormalizeError::NotJson {
                line: error.line(),
                column: error.column(),
            },
        })
    }

    fn from_text(text: &'a str) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_str(text)?;
        Ok(Self { text, members })
    }

    /// The text of the whole object, without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        self.text.trim_matches([' ', '\t', '\n', '\r'])
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
        serde_json::from_str(self.get(name)?.get())
            .ok()
            .map(|Text(text)| text)
    }

    /// The value of a member that is a string or a number: vendors change their minds between the two.
    pub(super) fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        self.string(name).or_else(|| {
            let value = self.get(name)?.get();
            value
                .starts_with(|c: char| c == '-' || c.is_ascii_digit())
                .then_some(value.into())
        })
    }

    /// The value of a member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Object<'a>> {
        Self::from_text(self.get(name)?.get()).ok()
    }

    /// All members in the order they stand in, each name once.
    pub(super) fn members(&self) -> impl Iterator<Item = (&Cow<'a, str>, &'a RawValue)> {
        let last = |(index, (name, _)): &(usize, &(Cow<'a, str>, &'a RawValue))| {
            !self.members[index + 1..]
                .iter()
                .any(|(later, _)| later == name)
        };
        self.members
            .iter()
            .enumerate()
            .filter(last)
            .map(|(_, (name, value))| (name, *value))
    }
}

/// A string that is borrowed where it has no escapes; serde borrows no `Cow` by itself.
#[derive(serde::Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

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

/// How deep brackets stand in each other, outside of strings. Takes any bytes, valid or not, in one pass.
fn depth(json: &[u8]) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Goes on to what follows the string whose opening quote was the last byte.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
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
            .map(|(name, value)| (&**name, value.get()))
            .collect();
        assert_eq!(members, [("b", "2"), ("a", "3")]);
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
            assert_eq!(depth(json.as_bytes()), expected, "{json}");
        }
    }
}
