//! SHA-256, and the MAC that all four providers share: HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The bytes of a SHA-256 digest, of a MAC as of a body.
pub type Digest256 = [u8; 32];

/// HMAC-SHA256 of `body` with a key of any bytes ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)).
pub fn hmac_sha256(key: &[u8], body: &[u8]) -> Digest256 {
    hmac_sha256_of(key, &[body])
}

/// The same over parts that stand one after the other.
pub fn hmac_sha256_of(key: &[u8], parts: &[&[u8]]) -> Digest256 {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length (RFC 2104, section 2)"
    )]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256 of `body`: it tells two bodies apart, and is the key of those that carry no id.
pub fn sha256(body: &[u8]) -> Digest256 {
    Sha256::digest(body).into()
}
