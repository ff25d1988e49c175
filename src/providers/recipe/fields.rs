//! Reads the fields of a JSON object, one kind of value at a time.

use super::RecipeError;
use super::error::{contradiction, invalid, unknown};
use http::HeaderName;
use serde_json::{Map, Value};

/// A header list of more names is none.
const MAX_HEADERS: usize = 100;

/// The fields of a recipe or of an object in it. None of them is null.
pub(super) struct Fields<'a> {
    /// What the object is called in errors; empty for the recipe itself.
    path: &'static str,
    fields: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The fields, if each of them has one of the names.
    pub(super) fn of(
        path: &'static str,
        fields: &'a Map<String, Value>,
        names: &[&str],
    ) -> Result<Self, RecipeError> {
        let fields = Self { path, fields };
        let mut others = fields.fields.keys();
        match others.find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(unknown(&fields.name(name))),
            None => Ok(fields),
        }
    }

    /// The name of a field in errors.
    pub(super) fn name(&self, field: &str) -> String {
        match self.path {
            "" => field.to_owned(),
            path => format!("{path}.{field}"),
        }
    }

    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field)
    }

    /// A text that may be missing.
    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>, RecipeError> {
        let text = self.get(field).map(Value::as_str);
        text.map(|text| text.ok_or_else(|| invalid(&self.name(field), "a text")))
            .transpose()
    }

    /// A text that is not empty and may be missing.
    pub(super) fn some_text(&self, field: &str) -> Result<Option<&'a str>, RecipeError> {
        match self.text(field)? {
            Some("") => Err(invalid(&self.name(field), "a text that is not empty")),
            text => Ok(text),
        }
    }

    /// One of a few names that may be missing.
    pub(super) fn one_of<T: Copy>(
        &self,
        field: &str,
        names: &[(&str, T)],
        expected: &'static str,
    ) -> Result<Option<T>, RecipeError> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let named = names.iter().find(|(name, _)| value.as_str() == Some(name));
        match named {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(invalid(&self.name(field), expected)),
        }
    }

    /// The name of a header that may be missing.
    pub(super) fn header(&self, field: &str) -> Result<Option<HeaderName>, RecipeError> {
        let name = self.get(field).map(header);
        name.map(|name| name.ok_or_else(|| invalid(&self.name(field), "the name of a header")))
            .transpose()
    }

    /// Names of headers: one, or a list.
    pub(super) fn headers(&self, field: &str) -> Result<Vec<HeaderName>, RecipeError> {
        let names = match self.get(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(names)) => &names[..],
            Some(name) => std::slice::from_ref(name),
        };
        let headers: Option<Vec<_>> = names.iter().map(header).collect();
        let headers = headers.filter(|headers| (1..=MAX_HEADERS).contains(&headers.len()));
        headers.ok_or_else(|| {
            let expected = "the name of a header, or a list of up to 100 names";
            invalid(&self.name(field), expected)
        })
    }

    /// An error for the first of some fields that is there, as they go with something else only.
    pub(super) fn forbid(&self, fields: &[&str], because: &'static str) -> Result<(), RecipeError> {
        match fields.iter().find(|field| self.get(field).is_some()) {
            Some(field) => Err(contradiction(&self.name(field), because)),
            None => Ok(()),
        }
    }
}

fn header(name: &Value) -> Option<HeaderName> {
    HeaderName::from_bytes(name.as_str()?.as_bytes()).ok()
}
