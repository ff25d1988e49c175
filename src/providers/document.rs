//! A JSON text that paths lead into: an object or an array. Its text stays as it was sent.

use super::NormalizeError;
use super::json::{self, Object};
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// No path leads to a later item of an array: 6 MB have millions, and each takes memory of its own.
const MAX_ITEMS: usize = 10_000;

/// A JSON text that is an object or an array. Its outermost values have been found, and found to be valid.
#[derive(Debug)]
pub(super) enum Document<'a> {
    Object(Object<'a>),
    Array(Array<'a>),
}

/// A JSON array whose first values have been found. All have been found to be valid.
#[derive(Debug)]
pub(super) struct Array<'a> {
    text: &'a str,
    items: Items<'a>,
}

/// The first items of an array.
#[derive(Debug)]
pub(super) struct Items<'a> {
    first: Vec<&'a RawValue>,
    /// Whether there are no others.
    are_all: bool,
}

impl<'a> Items<'a> {
    /// The item at a place, counted from 0.
    pub(super) fn get(&self, place: usize) -> Option<&'a RawValue> {
        self.first.get(place).copied()
    }

    /// All items, or `None` if there are more than [`MAX_ITEMS`].
    pub(super) fn all(&self) -> Option<&[&'a RawValue]> {
        self.are_all.then_some(&self.first)
    }
}

impl<'a> Document<'a> {
    /// The object or array that a text holds.
    pub(super) fn from_body(body: &'a [u8]) -> Result<Self, NormalizeError> {
        let text = json::text(body)?;
        if !json::trimmed(text).starts_with('[') {
            return Object::from_text(text)
                .map(Self::Object)
                .map_err(|error| json::not_json(&error, NormalizeError::NotADocument));
        }
        let items = serde_json::from_str(text);
        let items = items.map_err(|error| json::not_json(&error, NormalizeError::NotADocument))?;
        Ok(Self::Array(Array { text, items }))
    }

    /// The whole text, without the white space around it.
    pub(super) fn text(&self) -> &'a str {
        match self {
            Self::Object(object) => object.text(),
            Self::Array(array) => json::trimmed(array.text),
        }
    }

    /// The value of a member, if it is an object.
    pub(super) fn member(&self, name: &str) -> Option<&'a RawValue> {
        match self {
            Self::Object(object) => object.get(name),
            Self::Array(_) => None,
        }
    }

    /// The items, if it is an array.
    pub(super) fn items(&self) -> Option<&Items<'a>> {
        match self {
            Self::Object(_) => None,
            Self::Array(array) => Some(&array.items),
        }
    }
}

/// The value of a member, if the value is an object that has it.
pub(super) fn member_of<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    Object::from_text(value.get()).ok()?.get(name)
}

/// The items of a value, if it is an array.
pub(super) fn items_of(value: &RawValue) -> Option<Items<'_>> {
    serde_json::from_str(value.get()).ok()
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Found;
        impl<'de> Visitor<'de> for Found {
            type Value = Items<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut first = Vec::new();
                let mut are_all = true;
                while let Some(item) = array.next_element()? {
                    match first.len() {
                        MAX_ITEMS => are_all = false,
                        _ => first.push(item),
                    }
                }
                Ok(Items { first, are_all })
            }
        }
        deserializer.deserialize_seq(Found)
    }
}
