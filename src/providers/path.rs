//! A path to a value in a JSON text: `$.data.items[0].id`.

use super::document::{self, Document};
use super::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A longer path is none; a text nests no deeper.
const MAX_STEPS: usize = super::json::MAX_DEPTH;

/// A path from the root of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The member of this name.
    Member(String),
    /// The item at this place, counted from 0.
    Item(usize),
    /// Every item.
    Each,
}

impl Path {
    /// Reads a path to one value.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let path = Self::parse_with_each(text)?;
        (!path.0.contains(&Step::Each)).then_some(path)
    }

    /// Reads a path in which `[*]` may stand for every item.
    pub(super) fn parse_with_each(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let step = if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, after) = name.split_at(end);
                rest = after;
                is_member_name(name).then(|| Step::Member(name.to_owned()))
            } else {
                let (place, after) = rest.strip_prefix('[')?.split_once(']')?;
                rest = after;
                let is_number = !place.is_empty() && place.bytes().all(|b| b.is_ascii_digit());
                match place {
                    "*" => Some(Step::Each),
                    place => place.parse().ok().filter(|_| is_number).map(Step::Item),
                }
            };
            steps.push(step?);
        }
        (1..=MAX_STEPS)
            .contains(&steps.len())
            .then_some(Self(steps))
    }

    /// The text or number at the path; `None` for anything else, and for a path that leads nowhere.
    pub(super) fn scalar<'a>(&self, document: &Document<'a>) -> Option<Cow<'a, str>> {
        match &self.values(document)?[..] {
            [value] => json::scalar_of(value),
            _ => None,
        }
    }

    /// All texts at the path; `None` if there is none, or if one of the values is missing or no text.
    pub(super) fn texts<'a>(&self, document: &Document<'a>) -> Option<Vec<Cow<'a, str>>> {
        let values = self.values(document)?.into_iter();
        let texts: Vec<_> = values.map(json::text_of).collect::<Option<_>>()?;
        (!texts.is_empty()).then_some(texts)
    }

    /// All values at the path, or `None` if one of them is missing.
    fn values<'a>(&self, document: &Document<'a>) -> Option<Vec<&'a RawValue>> {
        let (first, rest) = self.0.split_first()?;
        let mut values = match first {
            Step::Member(name) => vec![document.member(name)?],
            Step::Item(place) => vec![document.items()?.get(*place)?],
            Step::Each => document.items()?.all()?.to_vec(),
        };
        for step in rest {
            let mut next = Vec::with_capacity(values.len());
            for value in values {
                match step {
                    Step::Member(name) => next.push(document::member_of(value, name)?),
                    Step::Item(place) => next.push(document::items_of(value)?.get(*place)?),
                    Step::Each => next.extend(document::items_of(value)?.all()?),
                }
            }
            values = next;
        }
        Some(values)
    }
}

fn is_member_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || matches!(c, ']' | '{' | '}' | '|' | '?' | '*');
    !name.is_empty() && !name.contains(forbidden)
}
