//! The recorded bodies of events that are to be sent: from the ledger, and where that has only a claim, from the
//! payload bucket. What is made of them is left to `body`.

use super::Delivery;
use super::plan::FORGOTTEN;
use crate::ledger::{ReadError, StoredBody};
use crate::payloads::PayloadError;
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::timeout;

/// How long a download may take: the other events of the batch wait for it.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What was recorded of an event.
#[derive(Debug)]
pub(super) enum Loaded {
    /// The exact bytes, and the content type that they came with.
    Body {
        bytes: Vec<u8>,
        content_type: String,
    },
    /// It is not there any more.
    Gone(String),
    /// It was not read, by our fault.
    Failed,
}

impl Delivery {
    /// Reads what was recorded of the events under these keys; each of them is in the answer.
    pub(super) async fn load(
        &self,
        keys: BTreeSet<&str>,
    ) -> Result<HashMap<String, Loaded>, ReadError> {
        let mut stored = self.ledger.bodies(&keys).await?;
        let loads = keys.into_iter().map(|key| {
            let stored = stored.remove(key);
            async move {
                let loaded = match stored {
                    None => Loaded::Gone(FORGOTTEN.to_owned()),
                    Some(stored) => self.download(stored.body, stored.content_type).await,
                };
                (key.to_owned(), loaded)
            }
        });
        let loads: Vec<_> = loads.collect();
        Ok(join_all(loads).await.into_iter().collect())
    }

    async fn download(&self, body: StoredBody, content_type: String) -> Loaded {
        let key = match body {
            StoredBody::Inline(bytes) => {
                return Loaded::Body {
                    bytes,
                    content_type,
                };
            }
            StoredBody::Claimed(key) => key,
        };
        match timeout(DOWNLOAD_TIMEOUT, self.payloads.get(&key)).await {
            Ok(Ok(bytes)) => Loaded::Body {
                bytes,
                content_type,
            },
            Ok(Err(error @ PayloadError::Gone(_))) => Loaded::Gone(error.to_string()),
            Ok(Err(error)) => {
                tracing::error!(key, %error, "payload is not readable");
                Loaded::Failed
            }
            Err(_) => {
                tracing::error!(key, "payload is not read in {DOWNLOAD_TIMEOUT:?}");
                Loaded::Failed
            }
        }
    }
}
