//! What a webhook says by the recipe of its provider: the fields of the event, from headers, JSON and forms.

use super::document::Document;
use super::form::{Form, TooManyFields};
use super::reference::{EventTemplate, Places};
use super::time::{self, TimeFormat};
use super::{MAX_NAME_BYTES, NormalizeError, Normalized, delivery_id, identifier, is_name, json};
use http::HeaderMap;
use std::borrow::Cow;
use std::{fmt, str::FromStr};

/// What the types of the gateway's own events begin with.
const GATEWAY_TYPE: &str = "io.webhook-gateway.";

/// Where the fields of an event are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub(super) event_type: EventTemplate,
    pub(super) id: Option<EventTemplate>,
    pub(super) time: Option<EventTemplate>,
    pub(super) time_format: Option<TimeFormat>,
    pub(super) subject: Option<EventTemplate>,
    pub(super) actor: Option<EventTemplate>,
}

/// What a body is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// JSON.
    #[default]
    Json,
    /// A form; the data of the event is a JSON object of its fields.
    Form,
    /// A form with a field of this name, which holds JSON.
    FormField(String),
    /// Anything; it goes on as bytes.
    Any,
}

/// The content of a body, decoded: the events borrow from it.
#[derive(Debug)]
pub struct Content<'a> {
    json: Option<Cow<'a, [u8]>>,
    form: Option<Form<'a>>,
}

impl BodyKind {
    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        *self == Self::Json
    }

    /// Whether it is a form.
    pub fn is_form(&self) -> bool {
        matches!(self, Self::Form | Self::FormField(_))
    }

    /// Decodes a body, as far as that is no matter of JSON.
    ///
    /// `Err` says that the webhook is quarantined.
    pub fn content<'a>(&self, body: &'a [u8]) -> Result<Content<'a>, NormalizeError> {
        let form = match self {
            Self::Json => {
                let json = Some(body.into());
                return Ok(Content { json, form: None });
            }
            Self::Any => {
                return Ok(Content {
                    json: None,
                    form: None,
                });
            }
            Self::Form | Self::FormField(_) if body.starts_with(json::GZIP) => {
                return Err(NormalizeError::Compressed);
            }
            Self::Form | Self::FormField(_) => Form::parse(body),
        };
        let form = form.map_err(|TooManyFields| NormalizeError::TooManyFields)?;
        let json = match self {
            Self::FormField(field) => {
                let json = form.get(field).ok_or(NormalizeError::NoField)?;
                json.as_bytes().to_vec()
            }
            _ => serde_json::to_vec(&form).unwrap_or_default(),
        };
        Ok(Content {
            json: Some(json.into()),
            form: Some(form),
        })
    }
}

impl Content<'_> {
    /// The JSON, if the body is any. It need not be valid.
    pub(super) fn json(&self) -> Option<&[u8]> {
        self.json.as_deref()
    }
}

/// As in the configuration: `json`, `form`, `form:FIELD` or `any`.
impl fmt::Display for BodyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => formatter.write_str("json"),
            Self::Form => formatter.write_str("form"),
            Self::FormField(field) => write!(formatter, "form:{field}"),
            Self::Any => formatter.write_str("any"),
        }
    }
}

/// A text says of no body what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not json, form, form:FIELD or any")]
pub struct NotABodyKind;

impl FromStr for BodyKind {
    type Err = NotABodyKind;

    fn from_str(text: &str) -> Result<Self, NotABodyKind> {
        match text {
            "json" => Ok(Self::Json),
            "form" => Ok(Self::Form),
            "any" => Ok(Self::Any),
            _ => {
                let field = text.strip_prefix("form:").filter(|field| !field.is_empty());
                let field = field.ok_or(NotABodyKind)?;
                Ok(Self::FormField(field.to_owned()))
            }
        }
    }
}

impl Mapping {
    /// The event that a webhook is. Its data is the text of the content to the letter; `None` if that is no
    /// JSON.
    ///
    /// `Err` says that the webhook is quarantined: it is not as the recipe has it, or its type is not
    /// found. All other fields may be missing.
    pub fn event<'c>(
        &self,
        content: &'c Content<'_>,
        headers: &HeaderMap,
    ) -> Result<Normalized<'c>, NormalizeError> {
        let document = content.json.as_deref().map(Document::from_body);
        let document = document.transpose()?;
        let places = Places {
            headers,
            document: document.as_ref(),
            form: content.form.as_ref(),
        };
        let optional = |template: &Option<EventTemplate>| -> Option<Cow<'c, str>> {
            let filled = template.as_ref()?.fill(&places).ok()?;
            Some(filled.into())
        };
        let time = optional(&self.time).and_then(|told| time::rfc3339(told, self.time_format));
        Ok(Normalized {
            id: optional(&self.id).and_then(delivery_id),
            source: None,
            event_type: self.event_type(&places)?.into(),
            subject: optional(&self.subject).and_then(identifier),
            time,
            actor: optional(&self.actor).and_then(identifier),
            members: Vec::new(),
            data: document.as_ref().map(Document::text),
        })
    }

    fn event_type(&self, places: &Places<'_, '_>) -> Result<String, NormalizeError> {
        let filled = self.event_type.fill(places);
        let event_type = filled.map_err(|placeholder| NormalizeError::NoPart {
            placeholder: placeholder.to_owned(),
        })?;
        if event_type.len() > MAX_NAME_BYTES || !is_name(&event_type) {
            return Err(NormalizeError::NoType {
                member: "event.type",
            });
        }
        if event_type.starts_with(GATEWAY_TYPE) {
            return Err(NormalizeError::Foreign { member: "type" });
        }
        Ok(event_type)
    }

    /// All of its templates.
    pub(super) fn templates(&self) -> impl Iterator<Item = &EventTemplate> {
        let optional = [&self.id, &self.time, &self.subject, &self.actor];
        let optional = optional.into_iter().flatten();
        [&self.event_type].into_iter().chain(optional)
    }
}
