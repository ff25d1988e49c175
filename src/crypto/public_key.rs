//! Signatures by a provider's private key, verified with its public key.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a PEM file has around its Base64.
const PEM_LINE: &str = "-----";

/// What Standard Webhooks writes before a public key.
const STANDARD_WEBHOOKS_PREFIX: &str = "whpk_";

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyAlgorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256; a signature is DER.
    EcdsaP256Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for keys from 2048 bits.
    RsaSha256,
}

impl PublicKeyAlgorithm {
    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Self::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// The bytes of a key as a provider shows it: Base64 or PEM of its `SubjectPublicKeyInfo`, and for
    /// Ed25519 also the 32 bytes of the key in Base64 or hexadecimal. `None` if it is no key of this
    /// algorithm.
    pub(crate) fn key(self, text: &str) -> Option<Vec<u8>> {
        let text = text.trim().trim_start_matches(STANDARD_WEBHOOKS_PREFIX);
        let is_hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let key = if is_hex {
            hex::decode(text).ok()?
        } else {
            let lines = text.lines().map(str::trim);
            let base64: String = lines.filter(|line| !line.starts_with(PEM_LINE)).collect();
            STANDARD.decode(base64).ok()?
        };
        ParsedPublicKey::new(self.verification(), &key).ok()?;
        Some(key)
    }

    /// Whether a key made the signature of the message. A key that is none made no signature.
    pub(crate) fn verifies(self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        ParsedPublicKey::new(self.verification(), key)
            .is_ok_and(|key| key.verify_sig(message, signature).is_ok())
    }
}
