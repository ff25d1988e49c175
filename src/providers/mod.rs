//! The providers: how each signs a webhook and what it says in it, as pure functions over the raw bytes.
//!
//! A [`Recipe`](recipe::Recipe) describes any provider as data, and a [preset](presets) has the recipe of a
//! known one. Verifying is the only way to a [`Verified`] body, and normalizing takes nothing else.

pub(crate) mod attribute;
mod creads;
mod creative_force;
mod document;
mod form;
pub mod handshake;
mod json;
pub mod mapping;
mod path;
mod people_force;
pub mod presets;
pub mod recipe;
pub mod recorded;
mod reference;
pub mod shape;
pub mod sign;
pub mod template;
pub mod time;
pub mod verify;
mod woodwing;

pub use creative_force::payload_url_problem;

use crate::crypto::mac::sha256;
use http::HeaderMap;
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, str::FromStr};

/// Longer identifiers, types and subjects are none: they would crowd out the body in the ledger's item.
const MAX_NAME_BYTES: usize = 256;

/// A longer text is not split into words: no name has so many, and each of them takes memory of its own.
const MAX_SPELLED_BYTES: usize = 4 * MAX_NAME_BYTES;

/// A provider whose webhooks are read in code, as no template says what they mean. How they are authenticated
/// is a [preset](presets), as of any other provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Creative Force, photo studio production.
    CreativeForce,
    /// WoodWing Studio Server, publishing.
    WoodWing,
    /// Creads Partners, freelance creation.
    Creads,
    /// PeopleForce, human resources.
    PeopleForce,
}

/// A request as it came in, of which nothing is proven yet.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Its method, such as `POST`.
    pub method: &'a str,
    /// What follows the question mark of its URL, as it was sent.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The exact bytes of its body.
    pub body: &'a [u8],
}

/// The raw body of a webhook that is authentic: what [`Recipe::verify`](recipe::Recipe::verify) made, or what
/// was recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    body: &'a [u8],
    secret: Option<usize>,
}

impl<'a> Verified<'a> {
    /// A body whose source asks for no signature.
    pub(crate) fn without_signature(body: &'a [u8]) -> Self {
        Self { body, secret: None }
    }

    /// A body that was verified before it was recorded, and is read back.
    pub fn recorded(body: &'a [u8]) -> Self {
        Self { body, secret: None }
    }

    /// The exact bytes that were signed.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The position of the secret that matched, if the body was signed.
    pub fn secret(&self) -> Option<usize> {
        self.secret
    }
}

/// Shows how long the body is, and nothing of it.
impl fmt::Debug for Verified<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Verified({} bytes)", self.body.len())
    }
}

/// What a webhook says, in the terms of CloudEvents 1.0.
#[derive(Debug)]
pub struct Normalized<'a> {
    /// What the provider calls this delivery; `None` for a provider that has no such thing.
    pub id: Option<Cow<'a, str>>,
    /// The provider's own `source`, where it sends CloudEvents.
    pub source: Option<Cow<'a, str>>,
    /// What happened, such as `io.creativeforce.product.reset`.
    pub event_type: Cow<'a, str>,
    /// What it happened to, such as `product/7a782d57-b0bf-4743-8f02-2b1a1e229869`.
    pub subject: Option<Cow<'a, str>>,
    /// When, by the provider's clock; RFC 3339.
    pub time: Option<Cow<'a, str>>,
    /// Who did it.
    pub actor: Option<Cow<'a, str>>,
    /// Further members of an event that came as a CloudEvent, as far as CloudEvents allows them.
    pub members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The payload as it was sent, if there is one: JSON, to the letter.
    pub data: Option<&'a str>,
}

/// Why an authentic webhook is not understood, and therefore quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormalizeError {
    /// The body is a gzip file.
    #[error("the body is compressed with gzip: the sender must send it uncompressed")]
    Compressed,
    /// The body is not text.
    #[error("the body is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where the valid text ends.
        offset: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON at line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 before the first character.
        column: usize,
    },
    /// Arrays and objects stand too deep in each other.
    #[error("the body nests deeper than {} levels", json::MAX_DEPTH)]
    TooDeep,
    /// No parser takes each of its numbers.
    #[error("the body has a number of more than {} digits", json::MAX_DIGITS)]
    TooManyDigits,
    /// No event has so many attributes.
    #[error("the body has more than {} members", woodwing::MAX_MEMBERS)]
    TooManyMembers,
    /// The body is JSON, but none of the provider's payloads.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// The body is JSON, but a text, a number or the like.
    #[error("the body is JSON, but neither an object nor an array")]
    NotADocument,
    /// The form has more fields than a form has.
    #[error("the body is a form of more than {} fields", form::MAX_FIELDS)]
    TooManyFields,
    /// The form does not have the field that should hold the JSON.
    #[error("the body is a form without the field of the JSON")]
    NoField,
    /// A part of the type is missing.
    #[error("the type of the event is not known: {placeholder} is missing or not usable")]
    NoPart {
        /// As it stands in the recipe.
        placeholder: String,
    },
    /// The member that identifies the delivery is missing, empty, or not a string.
    #[error("{member} is not a usable id")]
    NoId {
        /// Its name in the provider's payload.
        member: &'static str,
    },
    /// A member that tells what happened is missing, empty, too long, or not a string.
    #[error("{member} does not say what happened")]
    NoType {
        /// Its name in the provider's payload.
        member: &'static str,
    },
    /// A member that CloudEvents 1.0 requires is missing or not as it requires.
    #[error("the body is not a CloudEvent: {member} is missing or not valid")]
    NotACloudEvent {
        /// Its name.
        member: &'static str,
    },
    /// A member says what only another source, or the gateway, may say.
    #[error("the {member} of the event does not belong to the provider")]
    Foreign {
        /// Its name.
        member: &'static str,
    },
}

impl Provider {
    /// All providers, in the order they are listed in.
    pub const ALL: [Self; 4] = [
        Self::CreativeForce,
        Self::WoodWing,
        Self::Creads,
        Self::PeopleForce,
    ];

    /// The name in the configuration, in logs and in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreativeForce => "creative-force",
            Self::WoodWing => "woodwing",
            Self::Creads => "creads",
            Self::PeopleForce => "people-force",
        }
    }

    /// What the webhook says.
    ///
    /// An unknown type or member is no error: it goes on under the name that the provider's rules give it.
    pub fn normalize(self, webhook: Verified<'_>) -> Result<Normalized<'_>, NormalizeError> {
        let payload = json::Object::from_body(webhook.body)?;
        match self {
            Self::CreativeForce => creative_force::normalize(&payload),
            Self::WoodWing => woodwing::normalize(&payload),
            Self::Creads => creads::normalize(&payload),
            Self::PeopleForce => people_force::normalize(&payload),
        }
    }

    /// The event types that the provider documents.
    pub fn event_types(self) -> Vec<String> {
        match self {
            Self::CreativeForce => creative_force::event_types(),
            Self::WoodWing => woodwing::event_types(),
            Self::Creads => creads::event_types(),
            Self::PeopleForce => people_force::event_types(),
        }
    }
}

impl Provider {
    /// Whether an event happens to its subject once: a resource is created once and deleted once, but it may
    /// be changed back and forth. An equal body of an event that happens once is a copy, however late it
    /// comes.
    ///
    /// An event that names no resource is not known to happen once. Providers with ids need no such guess.
    pub fn happens_once(self, event: &Normalized<'_>) -> bool {
        let is_once: fn(&str) -> bool = match self {
            Self::CreativeForce | Self::WoodWing => |_| false,
            Self::Creads => creads::happens_once,
            Self::PeopleForce => people_force::happens_once,
        };
        event.subject.is_some() && is_once(&event.event_type)
    }

    /// The path of the member that makes an event type one which the provider does not document.
    pub fn type_path(self, event_type: &str) -> &'static str {
        match self {
            Self::CreativeForce => creative_force::type_path(event_type),
            Self::WoodWing => woodwing::TYPE_PATH,
            Self::Creads => creads::type_path(event_type),
            Self::PeopleForce => people_force::TYPE_PATH,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// There is no provider of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no provider {0:?}")]
pub struct UnknownProvider(pub String);

/// Whose code reads the webhooks of a provider; `None` if they are read by what was recorded with them.
pub fn code_of(provider: &str) -> Result<Option<Provider>, UnknownProvider> {
    match provider.parse() {
        Ok(code) => Ok(Some(code)),
        Err(_) if provider == recipe::CUSTOM || presets::find(provider).is_some() => Ok(None),
        Err(unknown) => Err(unknown),
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        let named = Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name);
        named.ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// The identifier, unless it is none: blank, all zeros as a GUID, too long, or with characters that
/// [CloudEvents](https://github.com/cloudevents/spec/blob/ce%40v1.0.2/cloudevents/spec.md#type-system)
/// forbids.
fn identifier(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let usable = text.len() <= MAX_NAME_BYTES && is_name(&text) && !is_zeros(&text);
    usable.then_some(text)
}

/// The id of a delivery, unless it is none.
///
/// One too long for a table's key is replaced by its hash: still the same for the same delivery.
fn delivery_id(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    const MAX_BYTES: usize = 512;
    match text.len() {
        ..=MAX_BYTES if !is_name(&text) || is_zeros(&text) => None,
        ..=MAX_BYTES => Some(text),
        _ => Some(format!("sha256:{}", hex::encode(sha256(text.as_bytes()))).into()),
    }
}

/// Whether a text is the GUID of all zeros, by which providers say that there is none.
fn is_zeros(text: &str) -> bool {
    let guid = text.strip_prefix("urn:uuid:").unwrap_or(text);
    guid.trim_matches(['{', '}']) == "00000000-0000-0000-0000-000000000000"
}

/// Whether a text can name something: not blank, and no control or non-characters in it.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && is_text(text)
}

/// Whether a text has no control or non-characters.
fn is_text(text: &str) -> bool {
    let forbidden = |c: char| {
        c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || (u32::from(c) & 0xfffe) == 0xfffe
    };
    !text.contains(forbidden)
}

/// The words of a name in any spelling, in lower case: `Checked-in`, `checkedIn` and `CHECKED_IN` have the
/// same. A text that is too long for a name has none.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if name.len() > MAX_SPELLED_BYTES {
        return words;
    }
    let mut within = false;
    let characters: Vec<char> = name.chars().collect();
    for (index, &c) in characters.iter().enumerate() {
        if !c.is_alphanumeric() {
            within = false;
            continue;
        }
        let previous = index.checked_sub(1).map(|before| characters[before]);
        let next_is_lower = characters
            .get(index + 1)
            .is_some_and(|next| next.is_lowercase());
        let starts =
            c.is_uppercase() && previous.is_some_and(|p| !p.is_uppercase() || next_is_lower);
        match words.last_mut().filter(|_| within && !starts) {
            Some(word) => word.extend(c.to_lowercase()),
            None => words.push(c.to_lowercase().collect()),
        }
        within = true;
    }
    words
}

#[cfg(test)]
mod tests;
