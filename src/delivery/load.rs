//! The recorded bodies of events that are to be sent: from the ledger, and where that has only a claim, from the
//! payload bucket. What is made of them is left to `body`.

use super::Delivery;
use super::plan::FORGOTTEN;
use crate::event::EventRef;
use crate::ledger::{ReadError, StoredBody};
use crate::payloads::PayloadError;
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap};
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

/// What was recorded of some events.
#[derive(Debug)]
pub(super) struct Loads(HashMap<Name, Loaded>);

/// The key of an event, and when it was accepted: keys come back.
type Name = (String, i64);

fn name(event: &EventRef) -> Name {
    (event.key.clone(), event.accepted_at)
}

impl Loads {
    /// What was recorded of an event.
    pub(super) fn get(&self, event: &EventRef) -> Option<&Loaded> {
        self.0.get(&name(event))
    }
}

impl Delivery {
    /// Reads what was recorded of these events, by their names; each of them is in the answer.
    pub(super) async fn load(&self, events: &[EventRef]) -> Result<Loads, ReadError> {
        let keys = events.iter().map(|event| &*event.key).collect();
        let stored = self.ledger.bodies(&keys).await?;
        // Endpoints share their events: each is downloaded once.
        let names: BTreeMap<_, _> = events.iter().map(|event| (name(event), event)).collect();
        let loads = names.into_iter().map(async |(name, event)| {
            let stored = stored.get(&event.key).filter(|stored| stored.is_of(event));
            let loaded = match stored.cloned() {
                None => Loaded::Gone(FORGOTTEN.to_owned()),
                Some(stored) => self.download(stored.body, stored.content_type).await,
            };
            (name, loaded)
        });
        Ok(Loads(join_all(loads).await.into_iter().collect()))
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
