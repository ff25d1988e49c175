//! What is recorded with a webhook beside its body, so that the same event can be made of it at any time: the
//! recipe of its source may be another one by then, and most headers are gone.

use super::document::Document;
use super::mapping::{BodyKind, Content};
use super::recipe::{Authenticity, Events, Recipe};
use super::{NormalizeError, Normalized, Verified};
use http::HeaderMap;

/// What is recorded with a webhook. Of a provider whose webhooks are read in code, it is the authenticity
/// only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedFields {
    /// What the webhook is proof of.
    pub authenticity: Authenticity,
    /// What its body is.
    pub body: BodyKind,
    /// The subject of the event.
    pub subject: Option<String>,
    /// Its time, in RFC 3339.
    pub time: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// The forwarded headers, by the names of their attributes and sorted by them.
    pub extensions: Vec<(String, String)>,
}

impl Recipe {
    /// What is to be recorded with an event of the recipe.
    pub fn recorded_fields(
        &self,
        event: &Normalized<'_>,
        headers: &HeaderMap,
        authenticity: Authenticity,
    ) -> RecordedFields {
        if let Events::Code(_) = self.events() {
            return RecordedFields::proof(authenticity);
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut extensions: Vec<_> = self.extensions(headers).into_iter().map(owned).collect();
        extensions.sort();
        RecordedFields {
            authenticity,
            body: self.body().clone(),
            subject: event.subject.as_deref().map(str::to_owned),
            time: event.time.as_deref().map(str::to_owned),
            actor: event.actor.as_deref().map(str::to_owned),
            extensions,
        }
    }
}

impl RecordedFields {
    /// The authenticity, and nothing else.
    pub fn proof(authenticity: Authenticity) -> Self {
        Self {
            authenticity,
            ..Self::default()
        }
    }

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
}
