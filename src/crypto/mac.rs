//! The digests that webhooks are signed with: HMAC and plain hashes, fed piece by piece.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The bytes of a SHA-256 digest, of a MAC as of a body.
pub type Digest256 = [u8; 32];

/// The bytes of the longest digest.
const MAX_BYTES: usize = 64;

/// A hash function that providers sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1. HMAC-SHA1 is not broken, but a plain hash with it is weak.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// What takes the pieces of a signed text, one after the other.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(&[u8]);

/// A digest of any hash function.
pub(crate) struct Tag {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl Tag {
    fn of(digest: &[u8]) -> Self {
        let mut bytes = [0; MAX_BYTES];
        let length = digest.len().min(MAX_BYTES);
        for (byte, digested) in bytes.iter_mut().zip(digest) {
            *byte = *digested;
        }
        Self { bytes, length }
    }

    /// The bytes of the digest.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Hash {
    /// How many bytes a digest has.
    pub(crate) fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The HMAC of what `feed` gives, with a key of any bytes.
    pub(crate) fn hmac(self, key: &[u8], feed: impl FnOnce(Sink<'_>)) -> Tag {
        match self {
            Self::Sha1 => keyed::<Hmac<Sha1>>(key, feed),
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, feed),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, feed),
        }
    }

    /// The plain digest of what `feed` gives.
    pub(crate) fn digest(self, feed: impl FnOnce(Sink<'_>)) -> Tag {
        match self {
            Self::Sha1 => unkeyed::<Sha1>(feed),
            Self::Sha256 => unkeyed::<Sha256>(feed),
            Self::Sha512 => unkeyed::<Sha512>(feed),
        }
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], feed: impl FnOnce(Sink<'_>)) -> Tag {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length (RFC 2104, section 2)"
    )]
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key of any length");
    feed(&mut |piece| mac.update(piece));
    Tag::of(&mac.finalize().into_bytes())
}

fn unkeyed<D: Digest>(feed: impl FnOnce(Sink<'_>)) -> Tag {
    let mut digest = D::new();
    feed(&mut |piece| digest.update(piece));
    Tag::of(&digest.finalize())
}

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
