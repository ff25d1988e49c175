//! Templates of event fields: `com.github.{header:X-GitHub-Event}.{$.action?}`.
//!
//! A placeholder may name several places, `{$.event.type|$.type}`: the first one that holds something
//! counts. One with a question mark may be missing, and the literal before it goes with it.

use super::document::Document;
use super::form::Form;
use super::path::Path;
use super::template::{self, TemplateError, Token};
use super::{is_name, is_zeros};
use http::{HeaderMap, HeaderName};
use std::borrow::Cow;

/// A template of an event field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value {
        /// As it is written.
        placeholder: String,
        any_of: Vec<Place>,
        optional: bool,
    },
}

/// A place that a value is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Header(HeaderName),
    Json(Path),
    Field(String),
}

/// All places that values are read from.
pub(super) struct Places<'r, 'a> {
    pub(super) headers: &'r HeaderMap,
    pub(super) document: Option<&'r Document<'a>>,
    pub(super) form: Option<&'r Form<'a>>,
}

impl EventTemplate {
    /// Reads a template.
    pub(super) fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut parts: Vec<Part> = Vec::new();
        for token in template::tokens(template)? {
            let part = match token {
                Token::Literal(text) => Part::Literal(text.to_owned()),
                Token::Placeholder(placeholder) => value(placeholder)?,
            };
            let is_first = !parts.iter().any(|part| matches!(part, Part::Value { .. }));
            if is_first && matches!(part, Part::Value { optional: true, .. }) {
                return Err(TemplateError::Optional);
            }
            parts.push(part);
        }
        Ok(Self(parts))
    }

    /// All places that it names.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().flat_map(|part| match part {
            Part::Literal(_) => &[],
            Part::Value { any_of, .. } => &any_of[..],
        })
    }

    /// The text with all values in their places, or the placeholder that has none.
    pub(super) fn fill(&self, places: &Places<'_, '_>) -> Result<String, &str> {
        let mut filled = String::new();
        let mut literal = "";
        for part in &self.0 {
            match part {
                Part::Literal(text) => literal = text,
                Part::Value {
                    placeholder,
                    any_of,
                    optional,
                } => {
                    match any_of.iter().find_map(|place| place.read(places)) {
                        Some(value) => filled.extend([literal, &value]),
                        None if *optional => {}
                        None => return Err(placeholder),
                    }
                    literal = "";
                }
            }
        }
        filled.push_str(literal);
        Ok(filled)
    }
}

impl Place {
    /// The value, unless it names nothing: blank, all zeros as a GUID, or with control characters.
    fn read<'r>(&self, places: &Places<'r, '_>) -> Option<Cow<'r, str>> {
        let value = match self {
            Self::Header(name) => {
                let value = places.headers.get(name)?;
                std::str::from_utf8(value.as_bytes()).ok()?.into()
            }
            Self::Json(path) => path.scalar(places.document?)?,
            Self::Field(name) => places.form?.get(name)?.into(),
        };
        Some(value).filter(|value| is_name(value) && !is_zeros(value))
    }
}

fn value(placeholder: &str) -> Result<Part, TemplateError> {
    let required = placeholder.strip_suffix('?');
    let any_of = required.unwrap_or(placeholder).split('|').map(place);
    Ok(Part::Value {
        placeholder: format!("{{{placeholder}}}"),
        any_of: any_of
            .collect::<Option<_>>()
            .ok_or(TemplateError::Reference)?,
        optional: required.is_some(),
    })
}

fn place(name: &str) -> Option<Place> {
    if name.starts_with('$') {
        return Path::parse(name).map(Place::Json);
    }
    match name.strip_prefix("form:") {
        Some(field) => (!field.is_empty()).then(|| Place::Field(field.to_owned())),
        None => template::header(name).map(Place::Header),
    }
}
