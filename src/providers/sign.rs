//! Makes the headers that a provider would send with a webhook: for tests, and for who tries a source.

use super::Incoming;
use super::recipe::{Encoding, Kind, Recipe, Scheme, Signing, TimestampPlace, TokenPlace};
use super::template::Values;
use super::verify::VerifyError;
use crate::crypto::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use jiff::Timestamp;

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Only the provider has the private key.
    #[error("only the provider can sign: the source has its public key and not its private key")]
    PublicKey,
    /// The token is part of the body.
    #[error("the token is in the body: write it into the payload")]
    InBody,
    /// A header is signed that the request does not have, or has in a form that cannot be signed.
    #[error("{0}: give the request this header")]
    Header(#[from] VerifyError),
    /// A secret has characters that no header has.
    #[error("the secret cannot be a header: {0}")]
    Secret(#[from] InvalidHeaderValue),
}

impl Recipe {
    /// The headers that make a request authentic, beside those that it has.
    pub fn sign(
        &self,
        incoming: &Incoming<'_>,
        secret: &Secret,
        payload_url: &str,
        now: Timestamp,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, SignError> {
        match self.scheme() {
            Scheme::Open => Ok(Vec::new()),
            Scheme::Basic => {
                let value = format!("Basic {}", STANDARD.encode(secret.as_bytes()));
                Ok(vec![(AUTHORIZATION, HeaderValue::try_from(value)?)])
            }
            Scheme::Token(TokenPlace::Header { name, prefix }) => {
                let value = [prefix.as_bytes(), secret.as_bytes()].concat();
                Ok(vec![(name.clone(), HeaderValue::from_bytes(&value)?)])
            }
            Scheme::Token(TokenPlace::Body(_)) => Err(SignError::InBody),
            Scheme::Signed(signing) => signing.sign(incoming, secret, self.url(payload_url), now),
        }
    }
}

impl Signing {
    fn sign(
        &self,
        incoming: &Incoming<'_>,
        secret: &Secret,
        url: &str,
        now: Timestamp,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, SignError> {
        let rule = self.timestamp.as_ref();
        let place = rule.and_then(|rule| match &rule.place {
            TimestampPlace::Header { name, prefix } => Some((name, prefix, rule.format.write(now))),
            TimestampPlace::Body(_) => None,
        });
        let told = place
            .as_ref()
            .map(|(name, _, time)| (*name, time.as_bytes()));
        let values = self.template.values(Values::of(incoming, url, told))?;
        let key = secret.as_bytes();
        let tag = match self.kind {
            Kind::Hmac(hash) => hash.hmac(key, |sink| self.template.feed(&values, key, sink)),
            Kind::Hash(hash) => hash.digest(|sink| self.template.feed(&values, key, sink)),
            Kind::PublicKey(_) => return Err(SignError::PublicKey),
        };
        let signature = match self.encoding {
            Encoding::Hex => hex::encode(tag.as_bytes()),
            Encoding::Base64 => STANDARD.encode(tag.as_bytes()),
            Encoding::Base64Url => URL_SAFE_NO_PAD.encode(tag.as_bytes()),
        };
        let mut headers = HeaderMap::new();
        let mut value = format!("{}{signature}", self.prefix);
        if let Some((name, prefix, time)) = place {
            let time = format!("{prefix}{time}");
            match (self.headers.contains(name), &self.delimiter) {
                (true, Some(delimiter)) => value = format!("{time}{delimiter}{value}"),
                _ => _ = headers.insert(name, HeaderValue::try_from(time)?),
            }
        }
        if let Some(name) = self.headers.first() {
            headers.insert(name, HeaderValue::try_from(value)?);
        }
        let pairs = headers.iter();
        Ok(pairs
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect())
    }
}
