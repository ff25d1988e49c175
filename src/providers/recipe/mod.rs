//! A recipe: what is to be known of a provider to verify its webhooks and to read them, as data. It is made
//! of the preset of the provider and the fields of a source, and is valid once it is made.

mod answer;
mod caution;
mod error;
mod event;
mod fields;
mod read;
mod scheme;
mod timestamp;

pub use caution::Caution;
pub use error::{Problem, RecipeError, SecretError};
pub use read::OF_SIGNATURES;
pub use scheme::{
    BodyPath, Encoding, Kind, Scheme, SecretEncoding, Signing, TimestampPlace, TimestampRule,
    TokenPlace,
};

use super::Provider;
use super::handshake::Handshake;
use super::mapping::{BodyKind, Content, Mapping};
use super::reference::{EventTemplate, Place};
use super::{NormalizeError, Normalized, Verified, presets};
use crate::crypto::secret::{Secret, trimmed};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};
use std::str::FromStr;

/// The provider of a source that brings its own recipe.
pub const CUSTOM: &str = "custom";

/// A valid recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    scheme: Scheme,
    body: BodyKind,
    events: Events,
    handshake: Option<Handshake>,
    forwarded: Vec<(HeaderName, String)>,
    dedupe: Dedupe,
    public_url: Option<String>,
    response: Option<Response>,
}

/// Who says what a webhook means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// The code of a provider whose webhooks no template can read.
    Code(Provider),
    /// The templates of the recipe.
    Mapped(Mapping),
}

/// What an accepted webhook is proof of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Authenticity {
    /// The sender has the secret, and the content is unchanged.
    Signature,
    /// The sender has the secret. The content may be another one.
    Token,
    /// Nothing.
    #[default]
    None,
}

/// By what a webhook is known as the copy of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dedupe {
    /// By its id; without one by its body.
    Id,
    /// By the hash of its body.
    Body,
}

/// What an accepted webhook is answered with, where the provider insists on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// From 200 to 299.
    pub status: u16,
    /// The content type of the body.
    pub content_type: String,
    /// The body. If it is empty, a rejected webhook is answered without a body too.
    pub body: String,
}

impl Authenticity {
    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Token => "token",
            Self::None => "none",
        }
    }
}

impl FromStr for Authenticity {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Signature, Self::Token, Self::None];
        all.into_iter().find(|proof| proof.name() == name).ok_or(())
    }
}

impl Dedupe {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Body => "body",
        }
    }
}

impl Recipe {
    /// The recipe of a source: the preset of the provider with the fields of the source, or those alone.
    ///
    /// A field of the source replaces that of the preset, a member of `event` its member, and null removes
    /// it. An `auth` of another kind removes how the preset authenticates.
    pub fn of_source(provider: &str, fields: &Map<String, Value>) -> Result<Self, RecipeError> {
        let merged = Self::fields_of_source(provider, fields)?;
        let code = provider.parse().ok();
        read::recipe(&merged, code)
    }

    /// The fields that the recipe of a source is made of: those of the preset with those of the source in
    /// their places. None of them is null.
    pub fn fields_of_source(
        provider: &str,
        fields: &Map<String, Value>,
    ) -> Result<Map<String, Value>, RecipeError> {
        let preset = match provider {
            CUSTOM => Map::new(),
            name => presets::find(name)
                .ok_or_else(|| error::invalid("provider", "the name of a preset, or custom"))?
                .recipe_fields(),
        };
        Ok(read::merged(preset, fields))
    }

    /// The recipe that an object is.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, RecipeError> {
        read::recipe(&read::merged(Map::new(), fields), None)
    }

    /// How a webhook is authenticated.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The handshake of the provider, if it has one.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// What the body is.
    pub fn body(&self) -> &BodyKind {
        &self.body
    }

    /// Who says what a webhook means.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// What an accepted webhook is answered with, where the provider insists on it.
    pub fn response(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// What an accepted webhook is proof of.
    pub fn authenticity(&self) -> Authenticity {
        match &self.scheme {
            Scheme::Open => Authenticity::None,
            Scheme::Basic | Scheme::Token(_) => Authenticity::Token,
            Scheme::Signed(signing) if signing.template.binds_body() => Authenticity::Signature,
            Scheme::Signed(_) => Authenticity::Token,
        }
    }

    /// Whether the signature covers a header.
    pub fn covers(&self, header: &HeaderName) -> bool {
        match &self.scheme {
            Scheme::Signed(signing) => signing.covers(header),
            _ => false,
        }
    }

    /// Whether the deliveries of the provider have ids.
    pub fn has_ids(&self) -> bool {
        match &self.events {
            Events::Code(provider) => {
                matches!(provider, Provider::CreativeForce | Provider::WoodWing)
            }
            Events::Mapped(mapping) => mapping.id.is_some(),
        }
    }

    /// Whether the signature covers all that a field of the event is made of.
    pub(super) fn covers_all(&self, template: &EventTemplate) -> bool {
        template.places().all(|place| match place {
            Place::Header(name) => self.covers(name),
            Place::Json(_) | Place::Field(_) => self.authenticity() == Authenticity::Signature,
        })
    }

    /// By what a webhook is known as a copy, if it has an id; otherwise it is by its body.
    pub fn dedupe(&self) -> Dedupe {
        self.dedupe
    }

    /// What `{url}` stands for, given the Payload URL of the source. It is never what a request says.
    pub fn url<'u>(&'u self, payload_url: &'u str) -> &'u str {
        self.public_url.as_deref().unwrap_or(payload_url)
    }

    /// Whether the URL is signed, and must be the same to the letter at the provider.
    pub fn signs_url(&self) -> bool {
        matches!(&self.scheme, Scheme::Signed(signing) if signing.template.has_url())
    }

    /// The key that a configured text stands for.
    pub fn secret(&self, configured: &str) -> Result<Secret, SecretError> {
        if self.handshake.as_ref().and_then(Handshake::verify_token) == Some(trimmed(configured)) {
            return Err(SecretError::VerifyToken);
        }
        self.scheme.secret(configured)
    }

    /// The headers that authenticate a request or decide its handshake. A rejected request is kept with them.
    pub fn authenticating_headers(&self) -> Vec<&HeaderName> {
        let mut names = self.scheme.headers();
        names.extend(self.handshake.as_ref().and_then(Handshake::header));
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        names
    }

    /// Whether a rejected request is kept without what authenticates it: a password, or a token after it, may
    /// be that of another service, and even its hash could be guessed.
    pub fn is_kept_without_credentials(&self) -> bool {
        self.scheme.headers().contains(&&AUTHORIZATION)
    }

    /// The headers that the event is made of. A webhook is recorded with them.
    pub fn event_headers(&self) -> Vec<&HeaderName> {
        let mut names: Vec<&HeaderName> = self.forwarded.iter().map(|(name, _)| name).collect();
        if let Events::Mapped(mapping) = &self.events {
            let places = mapping.templates().flat_map(EventTemplate::places);
            names.extend(places.filter_map(|place| match place {
                Place::Header(name) => Some(name),
                Place::Json(_) | Place::Field(_) => None,
            }));
        }
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        names
    }

    /// The headers that decide the id or the type of an event without being covered by the signature.
    pub fn uncovered_headers(&self) -> Vec<&HeaderName> {
        let Events::Mapped(mapping) = &self.events else {
            return Vec::new();
        };
        let templates = [Some(&mapping.event_type), mapping.id.as_ref()];
        let places = templates
            .into_iter()
            .flatten()
            .flat_map(EventTemplate::places);
        let names = places.filter_map(|place| match place {
            Place::Header(name) if !self.covers(name) => Some(name),
            _ => None,
        });
        let mut names: Vec<_> = names.collect();
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        names
    }

    /// The content of a webhook, which its event borrows from. `Err` says that it is quarantined.
    pub fn content<'a>(&self, webhook: Verified<'a>) -> Result<Content<'a>, NormalizeError> {
        self.body.content(webhook.body())
    }

    /// What a webhook says. `Err` says that it is quarantined.
    pub fn event<'c>(
        &self,
        content: &'c Content<'_>,
        headers: &HeaderMap,
    ) -> Result<Normalized<'c>, NormalizeError> {
        match &self.events {
            Events::Code(provider) => {
                let body = content.json().unwrap_or_default();
                provider.normalize(Verified::recorded(body))
            }
            Events::Mapped(mapping) => mapping.event(content, headers),
        }
    }

    /// The extension attributes that forwarded headers become. Values that no attribute may have are left
    /// out.
    pub fn extensions<'h>(&'h self, headers: &'h HeaderMap) -> Vec<(&'h str, &'h str)> {
        let mut extensions = Vec::new();
        for (header, name) in &self.forwarded {
            let value = headers.get(header).map(|value| value.as_bytes());
            let value = value.and_then(|value| std::str::from_utf8(value).ok());
            if let Some(value) = value.filter(|value| super::is_name(value)) {
                extensions.push((name.as_str(), value));
            }
        }
        extensions
    }
}
