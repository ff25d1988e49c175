//! How a webhook is authenticated.

use super::SecretError;
use crate::crypto::mac::Hash;
use crate::crypto::public_key::PublicKeyAlgorithm;
use crate::crypto::secret::{Secret, trimmed};
use crate::providers::path::Path;
use crate::providers::template::SignedTemplate;
use crate::providers::time::TimeFormat;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderName;
use http::header::AUTHORIZATION;
use jiff::SignedDuration;

/// Providers write Base64 with padding or without it.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);

/// What Standard Webhooks writes before a secret in Base64.
const STANDARD_WEBHOOKS_PREFIX: &str = "whsec_";

/// How a webhook is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// Not at all.
    Open,
    /// By a user and a password (RFC 7617).
    Basic,
    /// By a token that equals a secret.
    Token(TokenPlace),
    /// By a signature.
    Signed(Box<Signing>),
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// In a header, after a prefix.
    Header {
        /// The header.
        name: HeaderName,
        /// The prefix, such as `Bearer `.
        prefix: String,
    },
    /// At this path of the body; of several tokens all must equal one secret.
    Body(BodyPath),
}

/// A path into the JSON of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyPath(pub(in crate::providers) Path);

/// How a signature is made, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// What makes it.
    pub kind: Kind,
    /// How it is written.
    pub encoding: Encoding,
    /// The headers that it may be in.
    pub headers: Vec<HeaderName>,
    /// What stands before it.
    pub prefix: String,
    /// What separates the parts of the header.
    pub delimiter: Option<String>,
    /// Where the signed timestamp is.
    pub timestamp: Option<TimestampRule>,
    /// How a secret is written.
    pub secret_encoding: SecretEncoding,
    /// What is signed.
    pub template: SignedTemplate,
}

/// What makes a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An HMAC.
    Hmac(Hash),
    /// A plain hash of a text with the secret in it.
    Hash(Hash),
    /// A private key.
    PublicKey(PublicKeyAlgorithm),
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal of either case.
    Hex,
    /// Base64.
    Base64,
    /// Base64 with the alphabet of URLs.
    Base64Url,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEncoding {
    /// Its text is the key.
    Raw,
    /// Base64.
    Base64,
    /// Hexadecimal.
    Hex,
}

/// Where the signed timestamp is, and how old it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRule {
    /// Where it is.
    pub place: TimestampPlace,
    /// How it is written.
    pub format: TimeFormat,
    /// How far it may be from the clock; `None` if any time will do.
    pub tolerance: Option<SignedDuration>,
}

/// Where a signed timestamp is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimestampPlace {
    /// In a header.
    Header {
        /// The header.
        name: HeaderName,
        /// What stands before it.
        prefix: String,
    },
    /// At this path of the signed body.
    Body(BodyPath),
}

impl Encoding {
    /// Decodes a signature. `None` if it is not in this encoding.
    pub(in crate::providers) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64Url => BASE64_URL.decode(text).ok(),
        }
    }

    /// Decodes a signature of a known length into a buffer, which is some bytes longer than the signature.
    pub(in crate::providers) fn decode_into<'b>(
        self,
        text: &[u8],
        length: usize,
        buffer: &'b mut [u8],
    ) -> Option<&'b [u8]> {
        let decoded = match self {
            Self::Hex => {
                hex::decode_to_slice(text, buffer.get_mut(..length)?).ok()?;
                length
            }
            Self::Base64 => BASE64.decode_slice(text, buffer).ok()?,
            Self::Base64Url => BASE64_URL.decode_slice(text, buffer).ok()?,
        };
        buffer.get(..decoded).filter(|_| decoded == length)
    }
}

impl Signing {
    /// Whether the signature covers a header.
    pub fn covers(&self, header: &HeaderName) -> bool {
        let is_timestamp =
            self.timestamp_header() == Some(header) && !self.headers.contains(header);
        is_timestamp || self.template.covers(header)
    }

    fn timestamp_header(&self) -> Option<&HeaderName> {
        match &self.timestamp.as_ref()?.place {
            TimestampPlace::Header { name, .. } => Some(name),
            TimestampPlace::Body(_) => None,
        }
    }

    fn secret(&self, configured: &str) -> Result<Secret, SecretError> {
        let text = trimmed(configured);
        if let Kind::PublicKey(algorithm) = self.kind {
            let key = algorithm.key(text).ok_or(SecretError::NotAPublicKey)?;
            return Secret::from_bytes(key).ok_or(SecretError::Empty);
        }
        let key = match self.secret_encoding {
            SecretEncoding::Raw => text.as_bytes().to_vec(),
            SecretEncoding::Base64 => {
                let base64 = text.strip_prefix(STANDARD_WEBHOOKS_PREFIX).unwrap_or(text);
                let key = BASE64.decode(base64).or_else(|_| BASE64_URL.decode(base64));
                key.map_err(|_| SecretError::NotBase64)?
            }
            SecretEncoding::Hex => hex::decode(text).map_err(|_| SecretError::NotHex)?,
        };
        Secret::from_bytes(key).ok_or(SecretError::Empty)
    }
}

impl Scheme {
    /// The key that a configured text stands for.
    pub(super) fn secret(&self, configured: &str) -> Result<Secret, SecretError> {
        match self {
            Self::Signed(signing) => signing.secret(configured),
            Self::Basic => {
                let (user, password) = configured.split_once(':').ok_or(SecretError::NoPassword)?;
                let is_empty = trimmed(user).is_empty() && trimmed(password).is_empty();
                let secret = Secret::new(configured).filter(|_| !is_empty);
                secret.ok_or(SecretError::Empty)
            }
            Self::Open | Self::Token(_) => Secret::new(configured).ok_or(SecretError::Empty),
        }
    }

    /// All headers that it looks at.
    pub(super) fn headers(&self) -> Vec<&HeaderName> {
        match self {
            Self::Open | Self::Token(TokenPlace::Body(_)) => Vec::new(),
            Self::Basic => vec![&AUTHORIZATION],
            Self::Token(TokenPlace::Header { name, .. }) => vec![name],
            Self::Signed(signing) => {
                let names = signing.headers.iter().chain(signing.timestamp_header());
                names.chain(signing.template.headers()).collect()
            }
        }
    }
}
