//! The signing secrets of endpoints, encrypted under the stack's KMS key: sealed by the operator's tool, opened by
//! `delivery`. A sealed secret opens only as that of the endpoint that it was sealed for.

use crate::causes::Causes;
use crate::secret::Secret;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::{decrypt::DecryptError, encrypt::EncryptError};
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
    opened: Mutex<HashMap<String, Arc<OnceCell<Secret>>>>,
}

/// Why a secret was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// KMS did not encrypt it.
    #[error("the secret was not encrypted: {}", Causes(.0))]
    Encrypt(#[from] Box<SdkError<EncryptError>>),
    /// KMS did not decrypt it.
    #[error("the secret cannot be decrypted: {}", Causes(.0))]
    Decrypt(#[from] Box<SdkError<DecryptError>>),
    /// What is stored is no secret: the operator has to rotate it.
    #[error("the stored secret is not usable: rotate it by `webhookctl endpoint rotate-secret`")]
    Unusable,
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
        let answer = request.send().await.map_err(Box::new)?;
        let ciphertext = answer.ciphertext_blob.ok_or(SealError::Unusable)?;
        Ok(STANDARD.encode(ciphertext))
    }

    /// Decrypts a secret of an endpoint; once, as what was opened stays in memory.
    pub async fn open(&self, endpoint: &str, ciphertext: &str) -> Result<Secret, SealError> {
        let mut opened = self.opened.lock().await;
        let secret = Arc::clone(opened.entry(ciphertext.to_owned()).or_default());
        drop(opened);
        let decrypted = secret.get_or_try_init(|| self.decrypt(endpoint, ciphertext));
        decrypted.await.cloned()
    }

    async fn decrypt(&self, endpoint: &str, ciphertext: &str) -> Result<Secret, SealError> {
        let bytes = STANDARD
            .decode(ciphertext)
            .map_err(|_| SealError::Unusable)?;
        let request = self.client.decrypt().ciphertext_blob(Blob::new(bytes));
        let request = request.encryption_context(CONTEXT, endpoint);
        let answer = request.send().await.map_err(Box::new)?;
        let plaintext = answer.plaintext.map(Blob::into_inner).unwrap_or_default();
        let secret = str::from_utf8(&plaintext).ok().and_then(Secret::new);
        secret.ok_or(SealError::Unusable)
    }
}
