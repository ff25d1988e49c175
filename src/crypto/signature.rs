//! Signatures of webhooks: the MAC over the exact raw body, in hexadecimal. Each provider has its own header
//! and prefix.

use crate::crypto::mac::{Digest256, hmac_sha256};
use crate::crypto::secret::Secret;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Why a request is not authentic. The sender learns none of it; the log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The request has no signature header.
    #[error("the signature header is missing")]
    Missing,
    /// There is more than one signature, as two headers or as one that a proxy joined by a comma.
    #[error("the signature header was sent more than once")]
    Repeated,
    /// The header is not what the provider sends: its prefix, if any, and 64 hexadecimal digits.
    #[error("the signature header is malformed")]
    Malformed,
    /// None of the source's secrets makes this signature over this body.
    #[error("the signature matches none of the secrets")]
    Mismatch,
}

/// Reads the only signature among the values of a header: `prefix`, then 64 hexadecimal digits of either
/// case.
pub fn parse<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
    prefix: &str,
) -> Result<Digest256, VerifyError> {
    let value = values.next().ok_or(VerifyError::Missing)?;
    if values.next().is_some() || value.contains(&b',') {
        return Err(VerifyError::Repeated);
    }
    let digits = value
        .strip_prefix(prefix.as_bytes())
        .ok_or(VerifyError::Malformed)?;
    let mut signature = Digest256::default();
    hex::decode_to_slice(digits, &mut signature).map_err(|_| VerifyError::Malformed)?;
    Ok(signature)
}

/// The position of the secret that makes `signature` over `body`.
///
/// All secrets are tried and the comparison is constant in time: neither the one that matched nor how close a
/// forgery came can be measured.
pub fn verify(
    secrets: &[Secret],
    signature: &Digest256,
    body: &[u8],
) -> Result<usize, VerifyError> {
    let mut matched = u32::MAX;
    for (position, secret) in (0..u32::MAX).zip(secrets) {
        let equal = hmac_sha256(secret.as_bytes(), body).ct_eq(signature);
        matched.conditional_assign(&position, equal);
    }
    match matched {
        u32::MAX => Err(VerifyError::Mismatch),
        position => Ok(position as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn read(values: &[&str], prefix: &str) -> Result<Digest256, VerifyError> {
        parse(values.iter().map(|value| value.as_bytes()), prefix)
    }

    #[test]
    fn the_only_value_is_read_in_either_case() {
        let (lower, upper) = ("ab".repeat(32), "AB".repeat(32));
        assert_eq!(read(&[&lower], ""), Ok([0xab; 32]));
        assert_eq!(read(&[&upper], ""), Ok([0xab; 32]));
        assert_eq!(
            read(&[&format!("sha256={lower}")], "sha256="),
            Ok([0xab; 32])
        );
    }

    #[test]
    fn anything_but_one_signature_is_refused_for_its_own_reason() {
        let good = "ab".repeat(32);
        let joined = format!("{good},{good}");
        let prefixed = format!("sha256={good}");
        let shouted = format!("SHA256={good}");
        let spaced = format!(" {good}");
        let cases: [(&[&str], &str, VerifyError); 12] = [
            (&[], "", VerifyError::Missing),
            (&[&good, &good], "", VerifyError::Repeated),
            (&[&joined], "", VerifyError::Repeated),
            (&[""], "", VerifyError::Malformed),
            (&[&good[..62]], "", VerifyError::Malformed),
            (&[&good[..63]], "", VerifyError::Malformed),
            (
                &[&joined[..64].replace('a', "g")],
                "",
                VerifyError::Malformed,
            ),
            (&[&prefixed], "", VerifyError::Malformed),
            (&[&good], "sha256=", VerifyError::Malformed),
            (&[&shouted], "sha256=", VerifyError::Malformed),
            (&[&spaced], "", VerifyError::Malformed),
            (&["é"], "", VerifyError::Malformed),
        ];
        for (values, prefix, refusal) in cases {
            assert_eq!(
                read(values, prefix),
                Err(refusal),
                "{values:?} after {prefix:?}"
            );
        }
    }

    #[test]
    fn the_secret_that_matches_is_named_by_its_position() {
        let secrets = [secret("current"), secret("previous"), secret("oldest")];
        for (position, made_with) in secrets.iter().enumerate() {
            let signature = hmac_sha256(made_with.as_bytes(), b"body");
            assert_eq!(verify(&secrets, &signature, b"body"), Ok(position));
        }
    }

    #[test]
    fn nothing_matches_without_the_right_secret_and_the_exact_body() {
        let secrets = [secret("current"), secret("previous")];
        let signature = hmac_sha256(secrets[0].as_bytes(), b"body");
        assert_eq!(
            verify(&secrets[1..], &signature, b"body"),
            Err(VerifyError::Mismatch)
        );
        assert_eq!(
            verify(&secrets, &signature, b"body\n"),
            Err(VerifyError::Mismatch)
        );
        assert_eq!(verify(&[], &signature, b"body"), Err(VerifyError::Mismatch));
        assert_eq!(
            verify(&secrets, &[0; 32], b"body"),
            Err(VerifyError::Mismatch)
        );
    }
}
