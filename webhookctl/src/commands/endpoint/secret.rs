//! The signing secrets of an endpoint: made or read, checked, sealed, and rotated.

use crate::Result;
use crate::commands::source::read_secret;
use crate::stack::Stack;
use base64::{Engine, engine::general_purpose::STANDARD};
use webhook_gateway::aws::kms::Seal;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::delivery::signing::SECRET_PREFIX;
use webhook_gateway::store::endpoints::{Endpoint, Scheme, SealedSecret};

/// The most secrets that sign at the same time: each adds a signature to a header.
const MAX_SECRETS: usize = 8;

/// A new secret, generated or read.
pub(crate) struct NewSecret {
    text: String,
    is_generated: bool,
}

impl NewSecret {
    /// A secret from standard input or a generated one. It must fit the signature scheme.
    pub(crate) fn take(scheme: Scheme, from_stdin: bool) -> Result<Self> {
        let text = if from_stdin {
            read_secret()?
        } else {
            generate()?
        };
        check(scheme, &text)?;
        Ok(Self {
            text,
            is_generated: !from_stdin,
        })
    }

    /// The secret as it is stored: encrypted for one endpoint.
    pub(crate) async fn seal(&self, endpoint: &str, stack: &Stack) -> Result<SealedSecret> {
        let key = stack.secrets_key()?;
        let sealed = seal(stack).seal(key, endpoint, &self.text).await;
        Ok(SealedSecret {
            ciphertext: sealed?,
            until: None,
        })
    }

    /// Whether it was generated: the receiver does not have it yet.
    pub(crate) fn is_generated(&self) -> bool {
        self.is_generated
    }

    /// The secret to show, once. A secret from standard input is not shown: output ends up in the logs of
    /// scripts.
    pub(crate) fn shown(self) -> Option<String> {
        self.is_generated.then_some(self.text)
    }
}

/// Rejects a scheme that the secrets of an endpoint do not fit.
pub(crate) async fn check_all(endpoint: &Endpoint, now: i64, stack: &Stack) -> Result<()> {
    let seal = seal(stack);
    for secret in endpoint.secrets.iter().filter(|secret| signs(secret, now)) {
        let secret = seal.open(&endpoint.id, &secret.ciphertext).await;
        endpoint.signature.key(&secret?).map_err(|error| {
            format!(
                "{error}: run `webhookctl endpoint rotate-secret {}` first; it makes a secret that \
                fits both schemes",
                endpoint.id
            )
        })?;
    }
    Ok(())
}

/// Whether a secret signs at a time, in seconds.
pub(crate) fn signs(secret: &SealedSecret, now: i64) -> bool {
    secret.until.is_none_or(|until| until > now)
}

/// How long the previous secrets keep signing, in seconds.
pub(crate) fn overlap(scheme: Scheme, asked_for: Option<u64>) -> Result<u64> {
    const DAY: u64 = 24 * 3600;
    match (scheme, asked_for) {
        (Scheme::StandardWebhooks, asked_for) => Ok(asked_for.unwrap_or(DAY)),
        (Scheme::HmacSha256Hex, None | Some(0)) => Ok(0),
        (Scheme::HmacSha256Hex, Some(_)) => Err("the header of hmac-sha256-hex has room for one \
            signature: the new secret alone signs, at once. Omit --overlap, and let the receiver accept \
            both secrets before the rotation".into()),
    }
}

/// Puts a new secret before the present ones. These end after an overlap, or earlier if their end was set
/// before.
pub(crate) fn rotate(
    secrets: &mut Vec<SealedSecret>,
    new: SealedSecret,
    now: i64,
    overlap: u64,
) -> Result<()> {
    let end = now.saturating_add_unsigned(overlap);
    for secret in &mut *secrets {
        secret.until = Some(secret.until.map_or(end, |until| until.min(end)));
    }
    secrets.retain(|secret| signs(secret, now));
    secrets.insert(0, new);
    if secrets.len() > MAX_SECRETS {
        return Err(format!(
            "{MAX_SECRETS} secrets already sign: wait until one ends, or drop them all with --overlap 0s"
        )
        .into());
    }
    Ok(())
}

fn seal(stack: &Stack) -> Seal {
    Seal::new(stack.kms())
}

/// A new secret, which fits both schemes.
pub(crate) fn generate() -> Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(format!("{SECRET_PREFIX}{}", STANDARD.encode(random)))
}

fn check(scheme: Scheme, text: &str) -> Result<()> {
    let secret = Secret::new(text).ok_or("the secret is empty")?;
    scheme.key(&secret)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(ciphertext: &str, until: Option<i64>) -> SealedSecret {
        SealedSecret {
            ciphertext: ciphertext.to_owned(),
            until,
        }
    }

    #[test]
    fn a_generated_secret_is_fresh_and_fits_both_schemes() {
        let secret = generate().unwrap();
        assert_ne!(secret, generate().unwrap());
        let key = STANDARD.decode(&secret["whsec_".len()..]).unwrap();
        assert_eq!(key.len(), 32);
        for scheme in [Scheme::StandardWebhooks, Scheme::HmacSha256Hex] {
            assert!(check(scheme, &secret).is_ok());
        }
    }

    #[test]
    fn a_secret_that_no_request_could_be_signed_with_is_refused() {
        assert!(check(Scheme::HmacSha256Hex, "short").is_ok());
        for wrong in ["short", "whsec_c2hvcnQ=", "whsec_!"] {
            let refused = check(Scheme::StandardWebhooks, wrong).unwrap_err();
            assert!(!refused.to_string().contains(wrong), "{refused}");
        }
        assert!(check(Scheme::HmacSha256Hex, " ").is_err());
    }

    #[test]
    fn only_a_generated_secret_is_shown() {
        let shown = |is_generated| {
            let text = "s".to_owned();
            NewSecret { text, is_generated }.shown()
        };
        assert_eq!(shown(true).as_deref(), Some("s"));
        assert_eq!(shown(false), None);
    }

    #[test]
    fn the_previous_secrets_end_after_the_overlap_and_never_later_than_they_were_to() {
        let mut secrets = vec![
            sealed("c", None),
            sealed("b", Some(1010)),
            sealed("a", Some(1000)),
        ];
        rotate(&mut secrets, sealed("d", None), 1000, 100).unwrap();
        let expected = [
            sealed("d", None),
            sealed("c", Some(1100)),
            sealed("b", Some(1010)),
        ];
        assert_eq!(secrets, expected);

        rotate(&mut secrets, sealed("e", None), 1000, 0).unwrap();
        assert_eq!(secrets, [sealed("e", None)]);
    }

    #[test]
    fn no_request_has_more_signatures_than_a_header_takes() {
        let mut secrets = vec![sealed("a", None); MAX_SECRETS - 1];
        assert!(rotate(&mut secrets, sealed("b", None), 1000, 100).is_ok());
        assert!(rotate(&mut secrets.clone(), sealed("c", None), 1000, 100).is_err());
        assert!(rotate(&mut secrets, sealed("c", None), 1000, 0).is_ok());
    }

    #[test]
    fn only_standard_webhooks_has_room_for_two_signatures() {
        let overlap = |scheme, asked_for| overlap(scheme, asked_for).ok();
        assert_eq!(overlap(Scheme::StandardWebhooks, None), Some(86_400));
        assert_eq!(overlap(Scheme::StandardWebhooks, Some(0)), Some(0));
        assert_eq!(overlap(Scheme::HmacSha256Hex, None), Some(0));
        assert_eq!(overlap(Scheme::HmacSha256Hex, Some(0)), Some(0));
        assert_eq!(overlap(Scheme::HmacSha256Hex, Some(1)), None);
    }
}
