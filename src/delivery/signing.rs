//! The request of an attempt: its body, its headers and its signatures. Pure: the same event, endpoint and
//! time make the same bytes. The sending is left to `sender`.

use crate::crypto::mac::{hmac_sha256, hmac_sha256_of};
use crate::crypto::secret::Secret;
use crate::store::endpoints::{Endpoint, Scheme};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header of the id, which is that of the delivery: stable over all attempts.
pub const ID: &str = "webhook-id";

/// The header of the time of the attempt, in seconds.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The header of the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// The user agent of each request.
pub(super) const USER_AGENT: &str = concat!("webhook-gateway/", env!("CARGO_PKG_VERSION"));

/// What a secret of [Standard
/// Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
/// begins with.
pub const SECRET_PREFIX: &str = "whsec_";

/// Headers that every request has, or that are between two machines only: no endpoint has its own.
const RESERVED: [&str; 17] = [
    ID,
    TIMESTAMP,
    SIGNATURE,
    "host",
    "content-type",
    "content-length",
    "content-encoding",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// The most headers of its own that an endpoint has.
const MAX_HEADERS: usize = 32;

/// The most bytes of their names and values together: common servers refuse a request with more.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Why a request cannot have the headers of an endpoint. The text shows no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is none.
    #[error("{0:?} is not a header's name, or its value is not printable ASCII")]
    Invalid(String),
    /// There are too many.
    #[error("there are {0} headers: an endpoint has at most {MAX_HEADERS} of its own")]
    Count(usize),
    /// They are too long.
    #[error(
        "the names and values of the headers have {0} bytes: an endpoint has at most {MAX_HEADER_BYTES}"
    )]
    Bytes(usize),
}

/// Whether a header is one that no endpoint has of its own.
pub fn is_reserved(name: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(name))
}

/// Whether an endpoint may have so many and so long headers of its own.
pub fn check_headers(headers: &[(String, String)]) -> Result<(), HeaderError> {
    if headers.len() > MAX_HEADERS {
        return Err(HeaderError::Count(headers.len()));
    }
    let bytes = headers.iter().map(|(name, value)| name.len() + value.len());
    match bytes.sum() {
        bytes if bytes > MAX_HEADER_BYTES => Err(HeaderError::Bytes(bytes)),
        _ => Ok(()),
    }
}

/// A secret is not one that a scheme signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not one of Standard Webhooks: `whsec_` and 24 to 64 bytes in Base64")]
pub struct UnusableSecret;

impl Scheme {
    /// The key that a secret stands for: Standard Webhooks decodes it, the four providers take it as it is.
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
/// Both schemes send the id and the time; the one of the providers has room for one signature, the newest
/// secret's.
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
            let start = format!("{id}.{timestamp}.");
            let signed = [start.as_bytes(), body];
            let signature =
                |key: &Vec<u8>| format!("v1,{}", STANDARD.encode(hmac_sha256_of(key, &signed)));
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

/// All headers, ours last. Of its own, an endpoint has none that could pass for ours or frame the body
/// otherwise.
pub fn headers(
    endpoint: &Endpoint,
    content_type: &str,
    signatures: &[(String, String)],
) -> Vec<(String, String)> {
    let ours = [("content-type", content_type), ("user-agent", USER_AGENT)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = endpoint
        .headers
        .iter()
        .filter(|(name, _)| !is_reserved(name));
    let own = own.cloned();
    own.chain(ours).chain(signatures.iter().cloned()).collect()
}

/// Headers as they are sent, unless one of them is none.
pub fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let invalid = || HeaderError::Invalid(name.clone());
        let value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?,
            value,
        );
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::endpoint;
    use serde_json::Value;

    const SECRETS: [&str; 2] = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    ];

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/standard_webhooks.json")).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
        let header = headers.iter().find(|(known, _)| known == name);
        &header.unwrap().1
    }

    #[test]
    fn the_published_signatures_are_made() {
        for case in vectors()["signed"].as_array().unwrap() {
            let secret = secret(case["secret"].as_str().unwrap());
            let id = case["msg_id"].as_str().unwrap();
            let timestamp = case["timestamp"].as_i64().unwrap();
            let body = case["payload"].as_str().unwrap().as_bytes();
            let headers = signatures(&endpoint(), &[secret], id, timestamp, body).unwrap();
            assert_eq!(header(&headers, SIGNATURE), case["expected"]);
            assert_eq!(header(&headers, ID), id);
            assert_eq!(header(&headers, TIMESTAMP), timestamp.to_string());
        }
    }

    #[test]
    fn each_secret_of_a_rotation_verifies_with_the_official_library() {
        let now = jiff::Timestamp::now().as_second();
        let body = br#"{"a":1}"#;
        let secrets = SECRETS.map(secret);
        let headers = signatures(&endpoint(), &secrets, "ep_1_2_3", now, body).unwrap();
        let map: http::HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect();
        for secret in SECRETS {
            let webhook = standardwebhooks::Webhook::new(secret).unwrap();
            webhook.verify(body, &map).unwrap();
            assert!(webhook.verify(br#"{"a":2}"#, &map).is_err());
        }
        let other = standardwebhooks::Webhook::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert!(other.unwrap().verify(body, &map).is_err());
    }

    #[test]
    fn an_endpoint_has_as_many_headers_as_receivers_take_and_no_more() {
        let headers = |count, length| {
            let value = "a".repeat(length - "X-0000".len());
            let header = |number| (format!("X-{number:04}"), value.clone());
            (0..count).map(header).collect::<Vec<_>>()
        };
        for (count, length) in [(0, 10), (32, 256), (1, 8192)] {
            assert_eq!(check_headers(&headers(count, length)), Ok(()));
        }
        assert_eq!(check_headers(&headers(33, 10)), Err(HeaderError::Count(33)));
        for (count, length) in [(1, 8193), (32, 257)] {
            let bytes = Err(HeaderError::Bytes(count * length));
            assert_eq!(check_headers(&headers(count, length)), bytes);
        }
    }

    #[test]
    fn a_reserved_header_is_reserved_in_any_case() {
        for name in ["Transfer-Encoding", "CONTENT-LENGTH", "Webhook-Id", "host"] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(!is_reserved("authorization") && !is_reserved("x-te"));
    }

    #[test]
    fn only_secrets_of_the_standard_sign_by_it() {
        for case in vectors()["secrets"].as_array().unwrap() {
            let text = case["secret"].as_str().unwrap();
            let is_usable = Secret::new(text)
                .is_some_and(|secret| Scheme::StandardWebhooks.key(&secret).is_ok());
            assert_eq!(is_usable, case["usable"], "{text}");
        }
    }

    #[test]
    fn the_providers_way_takes_the_secret_as_it_is() {
        let mut endpoint = endpoint();
        endpoint.signature = Scheme::HmacSha256Hex;
        endpoint.signature_header = Some("X-Signature".to_owned());
        endpoint.signature_prefix = Some("sha256=".to_owned());
        let secrets = ["key", "older"].map(secret);
        let body = b"The quick brown fox jumps over the lazy dog";
        let headers = signatures(&endpoint, &secrets, "1", 2, body).unwrap();
        // https://en.wikipedia.org/wiki/HMAC#Examples
        let expected = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert_eq!(header(&headers, "X-Signature"), expected);
        assert!(headers.iter().all(|(name, _)| name != SIGNATURE));
    }
}
