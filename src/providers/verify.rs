//! Whether a request is authentic, by the recipe of its source and one of its secrets.

use super::document::Document;
use super::path::Path;
use super::recipe::{Kind, Recipe, Scheme, Signing, TimestampPlace, TokenPlace};
use super::template::{Values, only_value};
use super::time::TimeFormat;
use super::{Incoming, Verified};
use crate::crypto::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderName};
use jiff::{SignedDuration, Timestamp};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// The longest digest, and what the decoder of Base64 asks for beyond it.
const BUFFER_BYTES: usize = 72;

/// More signatures are not looked at: each takes time if it is made by a private key.
const MAX_SIGNATURES: usize = 100;

/// Why a request is not authentic. The sender learns none of it; the log names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The request lacks a header of the recipe, or has it without a value.
    #[error("the header {0} is missing")]
    Missing(HeaderName),
    /// There is more than one value, as two headers or as one that a proxy joined by a comma.
    #[error("the header {0} was sent more than once")]
    Repeated(HeaderName),
    /// A header is not what the provider sends: its prefix, if any, and a signature or a time.
    #[error("the header {0} is malformed")]
    Malformed(HeaderName),
    /// A signed header has the text that separates it from what follows.
    #[error("the header {0} has the text that follows it in what is signed")]
    Ambiguous(HeaderName),
    /// The body has no time where the recipe has it.
    #[error("the body has no time of the format that the recipe says")]
    NoTime,
    /// The body has no token where the recipe has it.
    #[error("the body has no token")]
    NoToken,
    /// The signature is of a form, and the body is none.
    #[error("the body is a form of too many fields")]
    TooManyFields,
    /// The signature is right, and the timestamp is not within the tolerance: the request is old, or a
    /// clock is wrong.
    #[error(
        "the signed timestamp is {skew:#} from the clock, beyond the tolerance of {tolerance:#}"
    )]
    Timestamp {
        /// The clock minus the timestamp: positive for a request of the past.
        skew: SignedDuration,
        /// What the recipe allows.
        tolerance: SignedDuration,
    },
    /// None of the source's secrets makes the signature, or equals the token.
    #[error("the signature matches none of the secrets")]
    Mismatch,
}

/// A timestamp in a header: the header, the value as it is written, and the time that it is.
type Told<'s> = (&'s HeaderName, &'s [u8], Timestamp);

impl Recipe {
    /// The webhook as authentic, if one of the secrets makes its signature or is its token.
    ///
    /// All secrets are tried and the comparison is constant in time: neither the one that matched nor how
    /// close a forgery came can be measured. The secrets are those of [`Recipe::secret`].
    pub fn verify<'a>(
        &self,
        incoming: &Incoming<'a>,
        secrets: &[Secret],
        payload_url: &str,
        now: Timestamp,
    ) -> Result<Verified<'a>, VerifyError> {
        let body = incoming.body;
        let secret = match self.scheme() {
            Scheme::Open => return Ok(Verified::without_signature(body)),
            Scheme::Basic => matching(secrets, &credentials(incoming)?)?,
            Scheme::Token(TokenPlace::Header { name, prefix }) => {
                let value = only_value(incoming.headers, name)?;
                let token = value.strip_prefix(prefix.as_bytes());
                let token = token.filter(|token| !token.is_empty());
                matching(
                    secrets,
                    token.ok_or_else(|| VerifyError::Malformed(name.clone()))?,
                )?
            }
            Scheme::Token(TokenPlace::Body(path)) => matching(secrets, &token(&path.0, body)?)?,
            Scheme::Signed(signing) => {
                signing.verify(incoming, secrets, self.url(payload_url), now)?
            }
        };
        Ok(Verified {
            body,
            secret: Some(secret),
        })
    }
}

impl Signing {
    fn verify(
        &self,
        incoming: &Incoming<'_>,
        secrets: &[Secret],
        url: &str,
        now: Timestamp,
    ) -> Result<usize, VerifyError> {
        self.check_signatures(incoming)?;
        let told = self.told_time(incoming)?;
        let told_text = told.map(|(name, value, _)| (name, value));
        let made_for = |url: &str| {
            let values = Values::of(incoming, url, told_text);
            let values = self.template.values(values)?;
            Ok(match self.kind {
                Kind::PublicKey(_) => self.verify_by_key(incoming, secrets, &values),
                Kind::Hmac(_) | Kind::Hash(_) => self.verify_digest(incoming, secrets, &values),
            })
        };
        let mut secret = made_for(url)?;
        // Some providers sign the URL with its port, whether it was entered with it or not.
        if secret.is_none() && self.template.has_url() {
            secret = made_for(&with_other_port(url))?;
        }
        let secret = secret.ok_or(VerifyError::Mismatch)?;
        // Only now, as the time of a forged request tells nothing.
        if let Some(rule) = &self.timestamp {
            let time = match (&rule.place, told) {
                (TimestampPlace::Body(path), _) => {
                    time_of_body(&path.0, rule.format, incoming.body)
                }
                (TimestampPlace::Header { .. }, told) => told.map(|(_, _, time)| time),
            };
            within(
                rule.tolerance,
                now.duration_since(time.ok_or(VerifyError::NoTime)?),
            )?;
        }
        Ok(secret)
    }

    /// The signature texts of a request, in the order they stand in.
    fn signatures<'s>(&'s self, incoming: &'s Incoming<'_>) -> impl Iterator<Item = &'s [u8]> {
        let values = self
            .headers
            .iter()
            .filter_map(|name| incoming.headers.get(name));
        let parts = values.flat_map(|value| self.parts(value.as_bytes()));
        let signatures = parts.filter_map(|part| part.strip_prefix(self.prefix.as_bytes()));
        signatures.take(MAX_SIGNATURES)
    }

    /// The parts of a header's value: one, unless there is a delimiter.
    fn parts<'v>(&'v self, value: &'v [u8]) -> impl Iterator<Item = &'v [u8]> {
        let delimiter = self.delimiter.as_deref().map(str::as_bytes);
        let mut rest = Some(value);
        std::iter::from_fn(move || {
            let value = rest.take()?;
            let Some(delimiter) = delimiter else {
                return Some(value);
            };
            let at = value
                .windows(delimiter.len())
                .position(|window| window == delimiter);
            let part = match at {
                None => value,
                Some(at) => {
                    rest = value.get(at + delimiter.len()..);
                    value.get(..at).unwrap_or_default()
                }
            };
            Some(part.trim_ascii())
        })
    }

    /// An error unless a header has a signature that is well formed, and no header is sent twice.
    fn check_signatures(&self, incoming: &Incoming<'_>) -> Result<(), VerifyError> {
        let mut malformed = None;
        let mut missing = None;
        for name in &self.headers {
            let value = match only_value(incoming.headers, name) {
                Ok(value) => value,
                Err(VerifyError::Missing(name)) => {
                    missing.get_or_insert(name);
                    continue;
                }
                Err(VerifyError::Malformed(_)) => {
                    malformed.get_or_insert(name);
                    continue;
                }
                Err(repeated) => return Err(repeated),
            };
            let is_joined = self.delimiter.is_none()
                && value
                    .strip_prefix(self.prefix.as_bytes())
                    .unwrap_or(value)
                    .contains(&b',');
            if is_joined {
                return Err(VerifyError::Repeated(name.clone()));
            }
            malformed.get_or_insert(name);
        }
        let mut buffer = [0; BUFFER_BYTES];
        let mut signatures = self.signatures(incoming);
        if signatures.any(|signature| self.is_well_formed(signature, &mut buffer)) {
            return Ok(());
        }
        match (malformed, missing) {
            (Some(name), _) => Err(VerifyError::Malformed(name.clone())),
            (None, Some(name)) => Err(VerifyError::Missing(name)),
            (None, None) => Err(VerifyError::Mismatch),
        }
    }

    fn is_well_formed(&self, signature: &[u8], buffer: &mut [u8]) -> bool {
        match self.kind {
            Kind::Hmac(hash) | Kind::Hash(hash) => {
                let length = hash.digest_bytes();
                self.encoding
                    .decode_into(signature, length, buffer)
                    .is_some()
            }
            Kind::PublicKey(_) => {
                let signature = self.encoding.decode(signature);
                signature.is_some_and(|signature| !signature.is_empty())
            }
        }
    }

    /// The timestamp in a header, as it is written and as a time.
    fn told_time<'s>(&'s self, incoming: &Incoming<'s>) -> Result<Option<Told<'s>>, VerifyError> {
        let Some(rule) = &self.timestamp else {
            return Ok(None);
        };
        let TimestampPlace::Header { name, prefix } = &rule.place else {
            return Ok(None);
        };
        let value = only_value(incoming.headers, name)?;
        // A header with signatures in it is a list.
        let told = if self.headers.contains(name) {
            let parts = self.parts(value);
            let mut times = parts.filter_map(|part| part.strip_prefix(prefix.as_bytes()));
            let told = times.next();
            if times.next().is_some() {
                return Err(VerifyError::Repeated(name.clone()));
            }
            told
        } else {
            value.strip_prefix(prefix.as_bytes())
        };
        let malformed = || VerifyError::Malformed(name.clone());
        let told = told.ok_or_else(malformed)?;
        let time = rule.format.signed(told).ok_or_else(malformed)?;
        Ok(Some((name, told, time)))
    }

    fn verify_digest(
        &self,
        incoming: &Incoming<'_>,
        secrets: &[Secret],
        values: &Values<'_>,
    ) -> Option<usize> {
        let mut matched = u32::MAX;
        let mut buffer = [0; BUFFER_BYTES];
        for (position, secret) in last_first(secrets) {
            let key = secret.as_bytes();
            let feed = |sink: crate::crypto::mac::Sink<'_>| self.template.feed(values, key, sink);
            let (tag, length) = match self.kind {
                Kind::Hmac(hash) => (hash.hmac(key, feed), hash.digest_bytes()),
                Kind::Hash(hash) => (hash.digest(feed), hash.digest_bytes()),
                Kind::PublicKey(_) => return None,
            };
            for signature in self.signatures(incoming) {
                if let Some(signature) = self.encoding.decode_into(signature, length, &mut buffer) {
                    matched.conditional_assign(&position, tag.as_bytes().ct_eq(signature));
                }
            }
        }
        (matched != u32::MAX).then_some(matched as usize)
    }

    /// A public key is no secret: there is nothing to measure. Its algorithms take the text in one piece.
    fn verify_by_key(
        &self,
        incoming: &Incoming<'_>,
        keys: &[Secret],
        values: &Values<'_>,
    ) -> Option<usize> {
        let Kind::PublicKey(algorithm) = self.kind else {
            return None;
        };
        let mut message = Vec::new();
        self.template
            .feed(values, &[], &mut |piece| message.extend_from_slice(piece));
        let signatures = self
            .signatures(incoming)
            .filter_map(|text| self.encoding.decode(text));
        let signatures: Vec<_> = signatures.collect();
        keys.iter().position(|key| {
            let verifies =
                |signature: &Vec<u8>| algorithm.verifies(key.as_bytes(), &message, signature);
            signatures.iter().any(verifies)
        })
    }
}

/// The secrets with their positions, the last one first: of several that match, the first one counts.
fn last_first(secrets: &[Secret]) -> impl Iterator<Item = (u32, &Secret)> {
    let positions = secrets.iter().enumerate().rev();
    positions.filter_map(|(position, secret)| Some((u32::try_from(position).ok()?, secret)))
}

/// The URL without its port, or with that of its scheme if it has none.
fn with_other_port(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A colon may also be within the brackets of an address.
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    match authority.rsplit_once(':').filter(|(_, port)| is_port(port)) {
        Some((host, _)) => format!("{scheme}://{host}{path}"),
        None if scheme == "http" => format!("{scheme}://{authority}:80{path}"),
        None => format!("{scheme}://{authority}:443{path}"),
    }
}

/// The time at a path of a JSON body.
fn time_of_body(path: &Path, format: TimeFormat, body: &[u8]) -> Option<Timestamp> {
    let document = Document::from_body(body).ok()?;
    format.signed(path.scalar(&document)?.as_bytes())
}

fn within(tolerance: Option<SignedDuration>, skew: SignedDuration) -> Result<(), VerifyError> {
    match tolerance {
        Some(tolerance) if skew.abs() > tolerance => {
            Err(VerifyError::Timestamp { skew, tolerance })
        }
        _ => Ok(()),
    }
}

/// The position of the secret that equals the token.
fn matching(secrets: &[Secret], token: &[u8]) -> Result<usize, VerifyError> {
    let mut matched = u32::MAX;
    for (position, secret) in last_first(secrets) {
        matched.conditional_assign(&position, secret.as_bytes().ct_eq(token));
    }
    match matched {
        u32::MAX => Err(VerifyError::Mismatch),
        position => Ok(position as usize),
    }
}

/// User and password as the client sent them.
fn credentials(incoming: &Incoming<'_>) -> Result<Vec<u8>, VerifyError> {
    let value = only_value(incoming.headers, &AUTHORIZATION)?;
    let malformed = || VerifyError::Malformed(AUTHORIZATION);
    let (scheme, encoded) = value.split_at_checked(6).ok_or_else(malformed)?;
    let is_basic = scheme.eq_ignore_ascii_case(b"basic ");
    let decoded = STANDARD.decode(encoded.trim_ascii()).ok();
    decoded
        .filter(|text| is_basic && text.contains(&b':'))
        .ok_or_else(malformed)
}

/// The token of a body. If it has several, they must be equal: no item may come without its token.
fn token(path: &Path, body: &[u8]) -> Result<Vec<u8>, VerifyError> {
    let document = Document::from_body(body).map_err(|_| VerifyError::NoToken)?;
    let tokens = path.texts(&document).ok_or(VerifyError::NoToken)?;
    let (first, others) = tokens.split_first().ok_or(VerifyError::NoToken)?;
    let are_equal = others
        .iter()
        .all(|other| bool::from(other.as_bytes().ct_eq(first.as_bytes())));
    match are_equal {
        true if first.is_empty() => Err(VerifyError::NoToken),
        true => Ok(first.as_bytes().to_vec()),
        false => Err(VerifyError::Mismatch),
    }
}
