//! Bodies of HTML forms (`application/x-www-form-urlencoded`).

use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use url::form_urlencoded;

/// A form of more fields is none: a body of 6 MB could have millions, and each takes memory of its own.
pub(super) const MAX_FIELDS: usize = 1_000;

/// The fields of a form in their order, decoded. Bytes that are no text became U+FFFD.
#[derive(Debug)]
pub(super) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A form has more fields than [`MAX_FIELDS`].
#[derive(Debug)]
pub(super) struct TooManyFields;

impl<'a> Form<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, TooManyFields> {
        let fields: Vec<_> = form_urlencoded::parse(body).take(MAX_FIELDS + 1).collect();
        match fields.len() {
            ..=MAX_FIELDS => Ok(Self(fields)),
            _ => Err(TooManyFields),
        }
    }

    /// The value of a field; of several with one name the last, as in JSON.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut last_first = self.0.iter().rev();
        last_first
            .find(|(field, _)| field == name)
            .map(|(_, value)| &**value)
    }

    /// As Twilio signs it: the fields sorted by name, each name before its value, nothing between. Of a
    /// field that is repeated, each value stands once, and they are sorted too.
    pub(super) fn sorted(&self) -> String {
        let mut fields: Vec<_> = self.0.iter().collect();
        fields.sort();
        fields.dedup();
        let pairs = fields.into_iter();
        pairs
            .flat_map(|(name, value)| [&**name, &**value])
            .collect()
    }
}

/// A JSON object of the fields, in the order they first stand in. A field that is repeated is an array.
impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
        let mut fields: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in &self.0 {
            let position = *positions.entry(name).or_insert(fields.len());
            match fields.get_mut(position) {
                Some((_, values)) => values.push(value),
                None => fields.push((name, vec![value])),
            }
        }
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (name, values) in &fields {
            match &values[..] {
                [value] => map.serialize_entry(name, value)?,
                values => map.serialize_entry(name, values)?,
            }
        }
        map.end()
    }
}
