//! The shape of a payload: its paths, and the kind of value at each. No value is kept, and no name, but for
//! the path of what is new.
//!
//! A path with a kind is a hash: a payload with a known shape is walked through without an allocation for
//! each path. Elements of an array have one path, and so have the members of an object that are named by
//! data: ids, addresses.

use super::json::without_byte_order_mark;
use crate::raw::Text;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// So many paths of one shape are told apart; further ones are taken for known.
const MAX_PATHS: usize = 2_000;

/// So deep a payload is looked into.
const MAX_DEPTH: usize = 64;

/// A longer name is not one that a provider gave.
const MAX_NAME_BYTES: usize = 64;

/// So much of a path is reported.
const MAX_TEXT: usize = 200;

/// A longer name is not reported.
const MAX_TOLD_BYTES: usize = 40;

/// [FNV-1a](https://www.rfc-editor.org/rfc/rfc9923): the hashes are stored, and must not change from one
/// build to the next.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// What stands before a part of what is hashed: no byte of UTF-8.
const MEMBER: u8 = 0xfe;
const KIND: u8 = 0xff;

/// What was seen of something, by hash, in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHashes(Vec<u64>);

/// What of a payload was not seen before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// All of it.
    pub added: BTreeSet<u64>,
    /// The path of the first that is no mere value where there was null before, as
    /// [JSONPath](https://www.rfc-editor.org/rfc/rfc9535).
    pub path: Option<String>,
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// Where a value stands.
struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    name: &'p str,
    depth: usize,
    hash: u64,
}

struct Walk<'s> {
    seen: &'s KnownHashes,
    difference: Difference,
}

/// A value that is to be walked through.
struct Node<'w, 's, 'p> {
    walk: &'w mut Walk<'s>,
    place: &'p Place<'p>,
}

/// The name of all members that are named by data, and of all elements.
const ANY: &str = "*";

impl KnownHashes {
    /// Whether this was seen.
    pub fn contains(&self, hash: u64) -> bool {
        self.0.binary_search(&hash).is_ok()
    }

    /// How much was seen.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what was seen.
    pub fn extend(&mut self, added: impl IntoIterator<Item = u64>) {
        self.0.extend(added);
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// What of a payload was not seen. One that is not JSON to its end is looked at as far as it is.
    pub fn difference(&self, json: &[u8]) -> Difference {
        let mut walk = Walk {
            seen: self,
            difference: Difference::default(),
        };
        let root = Place {
            parent: None,
            name: ANY,
            depth: 0,
            hash: FNV_OFFSET,
        };
        let node = Node {
            walk: &mut walk,
            place: &root,
        };
        // What serde_json does not take, such as a number beyond a double, ends the walk.
        let json = without_byte_order_mark(json);
        node.deserialize(&mut serde_json::Deserializer::from_slice(json))
            .ok();
        walk.difference
    }
}

impl FromIterator<u64> for KnownHashes {
    fn from_iter<I: IntoIterator<Item = u64>>(hashes: I) -> Self {
        let mut seen = Self::default();
        seen.extend(hashes);
        seen
    }
}

/// The hash of a name.
pub fn hash_of(name: &str) -> u64 {
    hash(FNV_OFFSET, MEMBER, name.as_bytes())
}

fn hash(mut hash: u64, tag: u8, bytes: &[u8]) -> u64 {
    for byte in std::iter::once(&tag).chain(bytes) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    }
    hash
}

impl Kind {
    const OTHERS: [Self; 5] = [
        Self::Boolean,
        Self::Number,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    /// This kind of value at a place.
    fn at(self, place: &Place<'_>) -> u64 {
        hash(place.hash, KIND, &[self as u8])
    }
}

impl Walk<'_> {
    fn see(&mut self, kind: Kind, place: &Place<'_>) {
        let Difference { added, path } = &mut self.difference;
        let value = kind.at(place);
        let is_full = self.seen.len() + added.len() >= MAX_PATHS;
        if self.seen.contains(value) || is_full || !added.insert(value) {
            return;
        }
        let seen = |kind: Kind| self.seen.contains(kind.at(place));
        let is_valued = Kind::OTHERS.into_iter().any(seen);
        // Null is of every kind.
        let is_drift = match kind {
            Kind::Null => !is_valued,
            _ => is_valued || !seen(Kind::Null),
        };
        if is_drift && path.is_none() {
            *path = Some(place.to_string());
        }
    }
}

impl<'p> Place<'p> {
    fn member(&'p self, name: &'p str) -> Self {
        let name = if is_data(name) { ANY } else { name };
        Self {
            parent: Some(self),
            name,
            depth: self.depth + 1,
            hash: hash(self.hash, MEMBER, name.as_bytes()),
        }
    }

    /// The names from below the root on.
    fn names(&self) -> Vec<&str> {
        let Some(parent) = self.parent else {
            return Vec::new();
        };
        let mut names = parent.names();
        names.push(self.name);
        names
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = |name: &str| match name {
            name if !is_told(name) => "[*]".to_owned(),
            name if name.contains('-') => format!("['{name}']"),
            name => format!(".{name}"),
        };
        let steps = self.names().into_iter().map(step);
        let path: String = std::iter::once("$".to_owned()).chain(steps).collect();
        path.chars()
            .take(MAX_TEXT)
            .try_for_each(|c| formatter.write_char(c))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.place.depth < MAX_DEPTH {
            return deserializer.deserialize_any(self);
        }
        // Passed over without going deeper into the stack.
        deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ())
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.walk.see(Kind::Null, self.place);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.walk.see(Kind::Boolean, self.place);
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.walk.see(Kind::Number, self.place);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.walk.see(Kind::Number, self.place);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.walk.see(Kind::Number, self.place);
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.walk.see(Kind::String, self.place);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { walk, place } = self;
        walk.see(Kind::Array, place);
        let element = place.member(ANY);
        loop {
            let node = Node {
                walk,
                place: &element,
            };
            if elements.next_element_seed(node)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { walk, place } = self;
        walk.see(Kind::Object, place);
        while let Some(Text(name)) = members.next_key()? {
            let member = place.member(&name);
            members.next_value_seed(Node {
                walk,
                place: &member,
            })?;
        }
        Ok(())
    }
}

/// Whether a name may stand in a log: it looks like one that a provider gave. A name with a space, for
/// example, may be that of a person.
pub fn is_told(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let is_allowed = |b: u8| is_letter(b) || b.is_ascii_digit() || b == b'-';
    name.len() <= MAX_TOLD_BYTES
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(is_allowed)
}

/// Whether a member is named by data: by an id, a number, a date or an address, or by more than a name has.
fn is_data(name: &str) -> bool {
    if name.len() > MAX_NAME_BYTES || name.contains('@') {
        return true;
    }
    let is_of_id = |byte: u8| byte.is_ascii_hexdigit() || b"-{}".contains(&byte);
    if !name.bytes().all(is_of_id) {
        return false;
    }
    let digits = name.bytes().filter(u8::is_ascii_hexdigit).count();
    let has_letters = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    digits >= 16 || (digits > 0 && !has_letters)
}

#[cfg(test)]
mod tests;
