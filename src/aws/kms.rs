//! The signing secrets of endpoints, encrypted under the stack's KMS key: sealed by the operator's tool,
//! opened by `delivery`. A sealed secret opens only as that of the endpoint that it was sealed for.

use crate::aws::error::AwsError;
use crate::crypto::secret::Secret;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// What the ciphertext is bound to, by name.
const CONTEXT: &str = "endpoint";

/// KMS, and the secrets that it has opened.
#[derive(Debug)]
pub struct Seal {
    client: Client,
    /// By endpoint, and there by ciphertext.
    opened: Mutex<HashMap<String, Opened>>,
}

/// What was opened of an endpoint.
type Opened = HashMap<String, Arc<OnceCell<Secret>>>;

/// Why a secret was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// KMS did not do it, and may do it later.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// KMS does not decrypt it until somebody changes the endpoint, the key or a permission.
    #[error(transparent)]
    Denied(AwsError),
    /// What is stored is no secret: the operator has to rotate it.
    #[error("the stored secret is not usable: rotate it by `webhookctl endpoint rotate-secret`")]
    Unusable,
}

impl SealError {
    /// Whether the secret cannot be opened until somebody changes the endpoint, the key or a permission.
    /// Otherwise KMS was out of reach or too busy, and the same call may succeed later.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Unusable)
    }
}

impl From<SdkError<DecryptError>> for SealError {
    fn from(error: SdkError<DecryptError>) -> Self {
        use DecryptError as E;
        let is_denied = match error.as_service_error() {
            Some(
                E::DisabledException(_)
                | E::IncorrectKeyException(_)
                | E::InvalidCiphertextException(_)
                | E::InvalidGrantTokenException(_)
                | E::InvalidKeyUsageException(_)
                | E::KmsInvalidStateException(_)
                | E::NotFoundException(_),
            ) => true,
            // The SDK has no type for it, as it can be the answer to any call.
            Some(error) => error.code() == Some("AccessDeniedException"),
            None => false,
        };
        let error = AwsError::from(error).context("the secret cannot be decrypted");
        match is_denied {
            true => Self::Denied(error),
            false => Self::Aws(error),
        }
    }
}

impl Seal {
    /// KMS by this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            opened: Mutex::default(),
        }
    }

    /// Encrypts a secret for an endpoint, under the key of this ARN; in Base64.
    pub async fn seal(&self, key: &str, endpoint: &str, secret: &str) -> Result<String, SealError> {
        let request = self
            .client
            .encrypt()
            .key_id(key)
            .plaintext(Blob::new(secret));
        let request = request.encryption_context(CONTEXT, endpoint);
        let unsealed = |error| AwsError::from(error).context("the secret was not encrypted");
        let answer = request.send().await.map_err(unsealed)?;
        let ciphertext = answer.ciphertext_blob.ok_or(SealError::Unusable)?;
        Ok(STANDARD.encode(ciphertext))
    }

    /// Decrypts a secret of an endpoint; once, as what was opened stays in memory, for this endpoint alone.
    pub async fn open(&self, endpoint: &str, ciphertext: &str) -> Result<Secret, SealError> {
        let mut opened = self.opened.lock().await;
        let of_endpoint = opened.entry(endpoint.to_owned()).or_default();
        let secret = Arc::clone(of_endpoint.entry(ciphertext.to_owned()).or_default());
        drop(opened);
        let decrypted = secret.get_or_try_init(|| self.decrypt(endpoint, ciphertext));
        decrypted.await.cloned()
    }

    /// Forgets what was opened of an endpoint but for the secrets that it has now.
    pub async fn retain(&self, endpoint: &str, ciphertexts: &[&str]) {
        let mut opened = self.opened.lock().await;
        if let Some(of_endpoint) = opened.get_mut(endpoint) {
            of_endpoint.retain(|ciphertext, _| ciphertexts.contains(&&**ciphertext));
            if of_endpoint.is_empty() {
                opened.remove(endpoint);
            }
        }
    }

    async fn decrypt(&self, endpoint: &str, ciphertext: &str) -> Result<Secret, SealError> {
        let bytes = STANDARD
            .decode(ciphertext)
            .map_err(|_| SealError::Unusable)?;
        let request = self.client.decrypt().ciphertext_blob(Blob::new(bytes));
        let request = request.encryption_context(CONTEXT, endpoint);
        let answer = request.send().await?;
        let plaintext = answer.plaintext.map(Blob::into_inner).unwrap_or_default();
        let secret = str::from_utf8(&plaintext).ok().and_then(Secret::new);
        secret.ok_or(SealError::Unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kms::Config;
    use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_kms::operation::decrypt::DecryptOutput;
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, create_mock_http_client, mock};

    /// A KMS that opens everything, and tells whose it was.
    fn kms() -> (Seal, Rule) {
        let rule = mock!(Client::decrypt)
            .match_requests(|request| request.encryption_context().is_some())
            .then_output(|| {
                let plaintext = Blob::new("hunter2");
                DecryptOutput::builder().plaintext(plaintext).build()
            });
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(create_mock_http_client())
            .interceptor(MockResponseInterceptor::new().with_rule(&rule));
        (Seal::new(Client::from_conf(config.build())), rule)
    }

    #[tokio::test]
    async fn a_secret_is_opened_once_for_each_endpoint() {
        let (seal, kms) = kms();
        for (endpoint, ciphertext, calls) in [
            ("ep_1", "YQ==", 1),
            ("ep_1", "YQ==", 1),
            ("ep_2", "YQ==", 2),
            ("ep_1", "Yg==", 3),
            ("ep_1", "YQ==", 3),
            ("ep_2", "YQ==", 3),
        ] {
            let secret = seal.open(endpoint, ciphertext).await.unwrap();
            assert_eq!(secret.as_bytes(), b"hunter2");
            assert_eq!(kms.num_calls(), calls, "{endpoint} {ciphertext}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_kms_that_is_out_of_reach() {
        use aws_sdk_kms::config::http::HttpResponse;
        use aws_sdk_kms::types::error::{
            DisabledException, InvalidCiphertextException, KeyUnavailableException,
            KmsInternalException, KmsInvalidStateException, NotFoundException,
        };
        let generic = |code: &str| {
            let metadata = aws_sdk_kms::error::ErrorMetadata::builder().code(code);
            DecryptError::generic(metadata.build())
        };
        let is_refusal = |error: DecryptError| {
            let raw = HttpResponse::new(400.try_into().unwrap(), "".into());
            SealError::from(SdkError::service_error(error, raw)).is_refusal()
        };
        for refusal in [
            DecryptError::DisabledException(DisabledException::builder().build()),
            DecryptError::InvalidCiphertextException(InvalidCiphertextException::builder().build()),
            DecryptError::KmsInvalidStateException(KmsInvalidStateException::builder().build()),
            DecryptError::NotFoundException(NotFoundException::builder().build()),
            generic("AccessDeniedException"),
        ] {
            assert!(is_refusal(refusal));
        }
        for passing in [
            DecryptError::KmsInternalException(KmsInternalException::builder().build()),
            DecryptError::KeyUnavailableException(KeyUnavailableException::builder().build()),
            generic("ThrottlingException"),
            generic("ExpiredTokenException"),
        ] {
            assert!(!is_refusal(passing));
        }
        let timeout = SdkError::<DecryptError>::timeout_error("slow");
        assert!(!SealError::from(timeout).is_refusal());
        assert!(SealError::Unusable.is_refusal());
    }

    #[tokio::test]
    async fn a_secret_that_an_endpoint_has_no_more_is_forgotten_and_no_other() {
        let (seal, kms) = kms();
        for (endpoint, ciphertext) in [("ep_1", "YQ=="), ("ep_1", "Yg=="), ("ep_2", "YQ==")] {
            seal.open(endpoint, ciphertext).await.unwrap();
        }
        seal.retain("ep_1", &["Yg=="]).await;
        seal.open("ep_1", "Yg==").await.unwrap();
        seal.open("ep_2", "YQ==").await.unwrap();
        assert_eq!(kms.num_calls(), 3);
        seal.open("ep_1", "YQ==").await.unwrap();
        assert_eq!(kms.num_calls(), 4);
        seal.retain("ep_1", &[]).await;
        seal.retain("ep_2", &[]).await;
        assert!(seal.opened.lock().await.is_empty());
    }
}
