//! The payload bucket: bodies too large for the ledger or the journal, and events too large for a message.
//!
//! A body is named by its hash: writing it again changes nothing but its age, and reading it proves that it
//! is unchanged. A rejected request is named by its place in the journal, of which there are few however many
//! come. An event belongs to one message on one queue: a consumer that deletes the object with the message,
//! as the libraries for such messages do, takes it from no other queue.

use crate::aws::error::AwsError;
use crate::aws::sqs::{MAX_BYTES, Message};
use crate::crypto::mac::{Digest256, sha256};
use crate::store::ledger::StoredBody;
use aws_config::SdkConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::{Client, Config};
use serde::Deserialize;
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// A larger body is stored here: an item of DynamoDB has at most 400 KB, and the rest of it is small.
const MAX_INLINE_BYTES: usize = 256 * 1024;

/// What the keys of bodies begin with; the hash follows.
const BODIES: &str = "bodies/";

/// The bucket for payloads.
#[derive(Debug, Clone)]
pub struct Payloads {
    /// For the client, which is made when it is first needed: most copies of a function never need it.
    config: Config,
    client: OnceLock<Client>,
    bucket: String,
}

/// Why an object was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// S3 did not take it or did not give it, for now.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no such object, and there will be none.
    #[error("the payload {0} is not in the bucket")]
    Gone(String),
    /// Somebody has changed the object.
    #[error("the payload {0} is not the one that was stored: its hash is another")]
    Altered(String),
}

impl PayloadError {
    /// Whether another try is pointless.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Altered(_))
    }
}

fn not_stored(error: impl Into<AwsError>) -> AwsError {
    error.into().context("the payload was not stored")
}

impl Payloads {
    /// The bucket of this name.
    pub fn new(aws: &SdkConfig, bucket: String) -> Self {
        Self {
            config: Config::new(aws),
            client: OnceLock::new(),
            bucket,
        }
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::from_conf(self.config.clone()))
    }

    /// The raw body of a webhook, stored here if it is too large for the ledger.
    pub async fn store_if_large(
        &self,
        body: Vec<u8>,
        digest: &Digest256,
    ) -> Result<StoredBody, PayloadError> {
        if body.len() <= MAX_INLINE_BYTES {
            return Ok(StoredBody::Inline(body));
        }
        let key = format!("{BODIES}{}", hex::encode(digest));
        Ok(StoredBody::InBucket(self.put(key, body).await?))
    }

    /// The key of the body of a request that was rejected, by its place.
    pub fn rejected_key(place: &str) -> String {
        format!("rejected/{place}")
    }

    /// Stores the raw body of a request that was rejected, over the one that had its place before: by one
    /// call, without another try.
    pub async fn put_rejected(&self, place: &str, body: Vec<u8>) -> Result<(), PayloadError> {
        let request = self.client().put_object().bucket(&self.bucket);
        let request = request
            .key(Self::rejected_key(place))
            .body(ByteStream::from(body));
        let once = Config::builder().retry_config(RetryConfig::disabled());
        // To hash it once more for the signature takes a small function as long as all the rest.
        let request = request
            .customize()
            .config_override(once)
            .disable_payload_signing();
        request.send().await.map_err(not_stored)?;
        Ok(())
    }

    /// The message itself, or one that points to it if it is too large for SQS, for this queue alone.
    pub async fn offload_if_large(
        &self,
        message: &Arc<Message>,
        queue: &str,
    ) -> Result<Arc<Message>, PayloadError> {
        if message.size() <= MAX_BYTES {
            return Ok(Arc::clone(message));
        }
        Ok(Arc::new(self.pointing(message, queue).await?))
    }

    /// Stores the body of a message for a queue, and gives the message that stands for it there: the pointer
    /// of the [Amazon SQS Extended
    /// Client](https://github.com/awslabs/payload-offloading-java-common-lib-for-aws).
    pub async fn pointing(&self, message: &Message, queue: &str) -> Result<Message, PayloadError> {
        let body = self
            .put_event(queue, message.body.clone().into_bytes())
            .await?;
        Ok(Message {
            body,
            offloaded_bytes: Some(message.body.len()),
            attributes: message.attributes.clone(),
            group: message.group.clone(),
            delay: message.delay,
        })
    }

    /// The same pointer for another queue, with an object of its own. A text that is no pointer into this
    /// bucket stays as it is.
    pub async fn pointing_anew(&self, body: &str, queue: &str) -> Result<String, PayloadError> {
        match self.key_of(body) {
            Some(key) => self.put_event(queue, self.get(&key).await?).await,
            None => Ok(body.to_owned()),
        }
    }

    /// The event that the body of a message is, or that it points to in this bucket.
    pub async fn event_of(&self, body: String) -> Result<Vec<u8>, PayloadError> {
        match self.key_of(&body) {
            Some(key) => self.get(&key).await,
            None => Ok(body.into_bytes()),
        }
    }

    /// The key that the body of a message points to, if it is a pointer into this bucket.
    fn key_of(&self, body: &str) -> Option<String> {
        let pointer = pointed_to(body)?;
        (pointer.bucket == self.bucket).then_some(pointer.key)
    }

    async fn put_event(&self, queue: &str, event: Vec<u8>) -> Result<String, PayloadError> {
        let name = uuid::Uuid::new_v4().simple();
        let key = format!("events/{}/{name}", queue_path(queue));
        let key = self.put(key, event).await?;
        Ok(json!([POINTER, {"s3BucketName": self.bucket, "s3Key": key}]).to_string())
    }

    async fn put(&self, key: String, bytes: Vec<u8>) -> Result<String, PayloadError> {
        let request = self.client().put_object().bucket(&self.bucket).key(&key);
        request
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(not_stored)?;
        Ok(key)
    }

    /// The bytes under a key.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, PayloadError> {
        self.open(key).await?.read().await
    }

    /// The object under a key, of which no more than the size is read yet.
    pub async fn open(&self, key: &str) -> Result<Object, PayloadError> {
        let answer = self
            .client()
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let answer = answer.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => PayloadError::Gone(key.to_owned()),
            _ => AwsError::from(error)
                .context("the payload was not read")
                .into(),
        })?;
        let bytes = answer.content_length().unwrap_or_default();
        Ok(Object {
            bytes: usize::try_from(bytes).unwrap_or_default(),
            key: key.to_owned(),
            body: answer.body,
        })
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    /// How many bytes it has.
    pub bytes: usize,
    key: String,
    body: ByteStream,
}

impl Object {
    /// Reads it to its end, and proves that it is unchanged if its key names its hash.
    pub async fn read(mut self) -> Result<Vec<u8>, PayloadError> {
        // Not collected by the SDK, which holds all of it twice.
        let mut bytes = Vec::with_capacity(self.bytes);
        let broken = |error| AwsError::other(error).context("the payload was not read to its end");
        while let Some(part) = self.body.try_next().await.map_err(broken)? {
            bytes.extend_from_slice(&part);
        }
        match hash_in(&self.key) {
            Some(hash) if hash != sha256(&bytes) => Err(PayloadError::Altered(self.key)),
            _ => Ok(bytes),
        }
    }
}

/// The hash of the body that a key names.
fn hash_in(key: &str) -> Option<Digest256> {
    let mut hash = Digest256::default();
    let digits = key.strip_prefix(BODIES)?;
    hex::decode_to_slice(digits, &mut hash).ok().map(|()| hash)
}

/// The class that a pointer names first.
const POINTER: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";

/// Where a pointer points to.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Pointer {
    #[serde(rename = "s3BucketName")]
    bucket: String,
    #[serde(rename = "s3Key")]
    key: String,
}

fn pointed_to(body: &str) -> Option<Pointer> {
    let (class, pointer): (String, Pointer) = serde_json::from_str(body).ok()?;
    (class == POINTER).then_some(pointer)
}

/// The account and the name of a queue, which end its URL.
fn queue_path(url: &str) -> &str {
    let name = url.rfind('/').unwrap_or_default();
    let account = url[..name].rfind('/').map_or(0, |at| at + 1);
    &url[account..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_event_is_that_of_one_queue() {
        for (url, place) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/search",
                "123456789012/search",
            ),
            (
                "http://127.0.0.1:4566/000000000000/search",
                "000000000000/search",
            ),
            (
                "https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/1/a",
                "1/a",
            ),
        ] {
            assert_eq!(queue_path(url), place);
        }
        // Whatever a hand has written into the table, it is a key.
        for odd in ["", "search", "/", "a/b", "é/ü"] {
            queue_path(odd);
        }
    }

    #[test]
    fn only_a_pointer_is_a_pointer() {
        let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",
            {"s3BucketName":"b","s3Key":"k"}]"#;
        let expected = Pointer {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        };
        assert_eq!(pointed_to(pointer), Some(expected));
        for other in [
            "",
            "{}",
            "[]",
            r#"["another.Class",{"s3BucketName":"b","s3Key":"k"}]"#,
        ] {
            assert_eq!(pointed_to(other), None, "{other}");
        }
    }
}
