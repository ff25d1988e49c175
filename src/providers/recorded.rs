//! What is recorded with a webhook that a recipe reads, so that the same event can be made of it at any
//! time: the recipe of its source may be another one by then, and most headers are gone.

use super::NormalizeError;
use super::document::Document;
use super::mapping::{BodyKind, Content};
use super::recipe::{Events, Recipe};
use super::{Normalized, Verified};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// The fields of an event beside its id and its type, and what its body is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedFields {
    #[serde(default, skip_serializing_if = "BodyKind::is_json")]
    body: BodyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// The forwarded headers, by the names of their attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<(String, String)>,
}

impl Recipe {
    /// What is to be recorded with an event of the recipe; `None` if code reads the body again.
    pub fn recorded_fields(
        &self,
        event: &Normalized<'_>,
        headers: &HeaderMap,
    ) -> Option<RecordedFields> {
        if let Events::Code(_) = self.events() {
            return None;
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Some(RecordedFields {
            body: self.body().clone(),
            subject: event.subject.as_deref().map(str::to_owned),
            time: event.time.as_deref().map(str::to_owned),
            actor: event.actor.as_deref().map(str::to_owned),
            extensions: self.extensions(headers).into_iter().map(owned).collect(),
        })
    }
}

impl RecordedFields {
    /// The content of the recorded body, which the event borrows from.
    pub fn content<'a>(&self, webhook: Verified<'a>) -> Result<Content<'a>, NormalizeError> {
        self.body.content(webhook.body())
    }

    /// The event, of the id and the type that were recorded with it.
    pub fn event<'c>(
        &'c self,
        id: Option<&'c str>,
        event_type: &'c str,
        content: &'c Content<'_>,
    ) -> Result<Normalized<'c>, NormalizeError> {
        let data = content.json().map(Document::from_body).transpose()?;
        Ok(Normalized {
            id: id.map(Into::into),
            source: None,
            event_type: event_type.into(),
            subject: self.subject.as_deref().map(Into::into),
            time: self.time.as_deref().map(Into::into),
            actor: self.actor.as_deref().map(Into::into),
            members: Vec::new(),
            data: data.as_ref().map(Document::text),
        })
    }

    /// The extension attributes of forwarded headers.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.extensions.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
