//! The request of an attempt: its body, its headers and its signatures. Pure: the same event, endpoint and time make
//! the same bytes. The sending is left to `sender`.

use crate::endpoints::{Endpoint, Scheme};
use crate::secret::Secret;
use crate::signature::hmac_sha256;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The header of the id, which is that of the delivery: stable over all attempts.
pub const ID: &str = "webhook-id";

/// The header of the time of the attempt, in seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The header of the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// What a secret of [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
/// begins with.
pub const SECRET_PREFIX: &str = "whsec_";

/// A secret is not one that a scheme signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not one of Standard Webhooks: `whsec_` and 24 to 64 bytes in Base64")]
pub struct UnusableSecret;

impl Scheme {
    /// The key that a secret stands for: Standard Webhooks decodes it, the four vendors take it as it is.
    pub fn key(self, secret: &Secret) -> Result<Vec<u8>, UnusableSecret> {
        let secret = secret.as_bytes();
        match self {
            Self::HmacSha256Hex => Ok(secret.to_vec()),
            Self::StandardWebhooks => {
                let digits = secret
                    .strip_prefix(SECRET_PREFIX.as_bytes())
                    .unwrap_or(secret);
                let key = STANDARD.decode(digits).map_err(|_| UnusableSecret)?;
                (24..=64)
                    .contains(&key.len())
                    .then_some(key)
                    .ok_or(UnusableSecret)
            }
        }
    }
}

/// The headers that sign a body, for these secrets, the newest first.
///
/// Both schemes send the id and the time; the one of the vendors has room for one signature, the newest secret's.
pub fn signatures(
    endpoint: &Endpoint,
    secrets: &[Secret],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> Result<Vec<(String, String)>, UnusableSecret> {
    let keys = secrets.iter().map(|secret| endpoint.signature.key(secret));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let mut headers = vec![
        (ID.to_owned(), id.to_owned()),
        (TIMESTAMP.to_owned(), timestamp.to_string()),
    ];
    match endpoint.signature {
        Scheme::StandardWebhooks => {
            let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
            let signature =
                |key: &Vec<u8>| format!("v1,{}", STANDARD.encode(hmac_sha256(key, &signed)));
            let signatures: Vec<_> = keys.iter().map(signature).collect();
            headers.push((SIGNATURE.to_owned(), signatures.join(" ")));
        }
        Scheme::HmacSha256Hex => {
            let header = endpoint.signature_header.clone().unwrap_or_default();
            let prefix = endpoint.signature_prefix.as_deref().unwrap_or_default();
            let signature =
                |key: &Vec<u8>| format!("{prefix}{}", hex::encode(hmac_sha256(key, body)));
            headers.extend(keys.first().map(|key| (header, signature(key))));
        }
    }
    Ok(headers)
}
