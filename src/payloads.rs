//! The payload bucket: bodies too large for the ledger or the journal, and events too large for a message.
//!
//! Objects are named by their content, so that writing one again changes nothing but its age; those of rejected requests
//! by their place in the journal, which are few however many come.

use crate::causes::Causes;
use crate::ledger::StoredBody;
use crate::queues::{MAX_BYTES, Message};
use crate::signature::{Digest256, sha256};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::{get_object::GetObjectError, put_object::PutObjectError};
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::{Client, Config};
use std::sync::Arc;

/// A larger body is stored here: an item of DynamoDB has at most 400 KB, and the rest of it is small.
const MAX_INLINE_BYTES: usize = 256 * 1024;

/// The bucket for payloads.
#[derive(Debug, Clone)]
pub struct Payloads {
    client: Client,
    bucket: String,
}

/// Why an object was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// S3 did not take it.
    #[error("the payload was not stored: {}", Causes(.0))]
    Put(#[from] Box<SdkError<PutObjectError>>),
    /// S3 did not give it, for now.
    #[error("the payload was not read: {}", Causes(.0))]
    Get(#[from] Box<SdkError<GetObjectError>>),
    /// The answer broke off.
    #[error("the payload was not read to its end: {}", Causes(.0))]
    Stream(#[from] ByteStreamError),
    /// There is no such object, and there will be none.
    #[error("the payload {0} is not in the bucket")]
    Gone(String),
}

impl Payloads {
    /// The bucket of this name.
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// The raw body of a webhook, stored here if it is too large for the ledger.
    pub async fn storing(
        &self,
        body: Vec<u8>,
        digest: &Digest256,
    ) -> Result<StoredBody, PayloadError> {
        if body.len() <= MAX_INLINE_BYTES {
            return Ok(StoredBody::Inline(body));
        }
        let key = format!("bodies/{}", hex::encode(digest));
        Ok(StoredBody::Claimed(self.put(key, body).await?))
    }

    /// The key of the body of a request that was rejected, by its place.
    pub fn rejected_key(place: &str) -> String {
        format!("rejected/{place}")
    }

    /// Stores the raw body of a request that was rejected, over the one that had its place before: by one call, without
    /// another try.
    pub async fn put_rejected(&self, place: &str, body: Vec<u8>) -> Result<(), PayloadError> {
        let request = self.client.put_object().bucket(&self.bucket);
        let request = request
            .key(Self::rejected_key(place))
            .body(ByteStream::from(body));
        let once = Config::builder().retry_config(RetryConfig::disabled());
        // To hash it once more for the signature takes a small function as long as all the rest.
        let request = request
            .customize()
            .config_override(once)
            .disable_payload_signing();
        request.send().await.map_err(Box::new)?;
        Ok(())
    }

    /// Stores an event, and gives the message that stands for it: the pointer of the
    /// [Amazon SQS Extended Client](https://github.com/awslabs/payload-offloading-java-common-lib-for-aws).
    async fn put_event(&self, event: String) -> Result<String, PayloadError> {
        let key = format!("events/{}", hex::encode(sha256(event.as_bytes())));
        let key = self.put(key, event.into_bytes()).await?;
        let pointer = serde_json::json!({"s3BucketName": self.bucket, "s3Key": key});
        Ok(format!(
            r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{pointer}]"#
        ))
    }

    /// The message itself, or one that points to it if it is too large for SQS.
    pub async fn fitting(&self, mut message: Message) -> Result<Arc<Message>, PayloadError> {
        if message.size() > MAX_BYTES {
            message.offloaded_bytes = Some(message.body.len());
            message.body = self.put_event(message.body).await?;
        }
        Ok(Arc::new(message))
    }

    async fn put(&self, key: String, bytes: Vec<u8>) -> Result<String, PayloadError> {
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        request
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(Box::new)?;
        Ok(key)
    }

    /// The bytes under a key.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, PayloadError> {
        self.open(key).await?.read().await
    }

    /// The object under a key, of which no more than the size is read yet.
    pub async fn open(&self, key: &str) -> Result<Object, PayloadError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => PayloadError::Gone(key.to_owned()),
            _ => Box::new(error).into(),
        })?;
        let bytes = answer.content_length().unwrap_or_default();
        Ok(Object {
            bytes: usize::try_from(bytes).unwrap_or_default(),
            body: answer.body,
        })
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    /// How many bytes it has.
    pub bytes: usize,
    body: ByteStream,
}

impl Object {
    /// Reads it to its end.
    pub async fn read(mut self) -> Result<Vec<u8>, PayloadError> {
        // Not collected by the SDK, which holds all of it twice.
        let mut bytes = Vec::with_capacity(self.bytes);
        while let Some(part) = self.body.try_next().await? {
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}
