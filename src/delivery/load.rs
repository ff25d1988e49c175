//! The recorded bodies of events that are to be sent: from the ledger, or from the payload bucket if the
//! ledger has only a claim.

use super::attempt::Attempts;
use super::lifecycle::SkipReason;
use crate::aws::error::AwsError;
use crate::event::EventMeta;
use crate::providers::recorded::RecordedFields;
use crate::store::ledger::{RecordedBody, StoredBody};
use crate::store::payloads::{Object, PayloadError};
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::timeout;

/// How long a download may take to begin, and then to end: the other events of the batch wait for it.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes that are loaded at the same time, counted once for each delivery, whose request is a copy:
/// it may be twice as long, and the function has 256 MB.
const MAX_BYTES: usize = 40 * 1024 * 1024;

/// The most objects that are opened at the same time. How large they are is not known before.
const MAX_OBJECTS: usize = 10;

/// What was recorded of an event.
#[derive(Debug)]
pub(super) enum Loaded {
    /// All of it.
    Webhook(Box<Webhook>),
    /// It is not there any more.
    Gone(SkipReason),
    /// It was not read, by the gateway's own fault.
    Failed,
    /// It was not read, as others take up the memory. It is to be loaded after them.
    Later,
}

/// A webhook as it was recorded; a ping has none.
#[derive(Debug, Default)]
pub(super) struct Webhook {
    /// The exact bytes of its body.
    pub(super) body: Vec<u8>,
    /// The content type that it came with.
    pub(super) content_type: String,
    /// What else its event is made of.
    pub(super) fields: RecordedFields,
}

/// What was recorded of some events.
#[derive(Debug)]
pub(super) struct Loads(HashMap<Name, Loaded>);

/// The key of an event, and when it was accepted: keys come back.
type Name = (String, i64);

fn name(event: &EventMeta) -> Name {
    (event.key.clone(), event.accepted_at)
}

/// The content type of a body, and what else its event is made of.
type CameWith = (String, RecordedFields);

/// A body that was found, and is perhaps still to be read.
enum Found {
    Bytes(Vec<u8>),
    Object(Object),
}

impl Found {
    fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Object(object) => object.bytes,
        }
    }
}

impl Loads {
    /// What was recorded of an event.
    pub(super) fn get(&self, event: &EventMeta) -> Option<&Loaded> {
        self.0.get(&name(event))
    }

    /// Whether an event is to be loaded after the others.
    pub(super) fn is_later(&self, event: &EventMeta) -> bool {
        matches!(self.get(event), Some(Loaded::Later))
    }
}

impl Attempts {
    /// Reads what was recorded of these events, one for each delivery, by their names; each of them is in the
    /// answer. As many as fit into the memory are read, the first at least.
    pub(super) async fn load(&self, events: &[EventMeta]) -> Result<Loads, AwsError> {
        let keys: BTreeSet<_> = events.iter().map(|event| &*event.key).collect();
        let stored = self.ledger.bodies(&keys).await?;
        // Endpoints share their events: each is downloaded once.
        let mut deliveries: Vec<(&EventMeta, usize)> = Vec::new();
        for event in events {
            match deliveries
                .iter_mut()
                .find(|(known, _)| name(known) == name(event))
            {
                Some((_, count)) => *count += 1,
                None => deliveries.push((event, 1)),
            }
        }
        let mut objects = 0;
        let finds = deliveries.iter().map(|(event, _)| {
            let stored = stored.get(&event.key).filter(|stored| stored.is_of(event));
            let is_object =
                stored.is_some_and(|stored| matches!(stored.body, StoredBody::InBucket(_)));
            objects += usize::from(is_object);
            let is_later = is_object && objects > MAX_OBJECTS;
            async move {
                match stored.cloned() {
                    _ if is_later => Err(Loaded::Later),
                    None => Err(Loaded::Gone(SkipReason::EventForgotten)),
                    Some(stored) => self.find(stored).await,
                }
            }
        });
        let found = join_all(finds).await;
        let mut budget = MAX_BYTES;
        let mut loads = Vec::new();
        for ((event, count), found) in deliveries.into_iter().zip(found) {
            let found = found.and_then(|(found, rest)| {
                let bytes = found.bytes().saturating_mul(count);
                let fits = bytes <= budget || budget == MAX_BYTES;
                budget = budget.saturating_sub(if fits { bytes } else { 0 });
                fits.then_some((found, rest)).ok_or(Loaded::Later)
            });
            loads.push(async move {
                let loaded = match found {
                    Ok((found, rest)) => read(found, rest, &event.key).await,
                    Err(loaded) => loaded,
                };
                (name(event), loaded)
            });
        }
        Ok(Loads(join_all(loads).await.into_iter().collect()))
    }

    /// Finds a body, and what it came with.
    async fn find(&self, stored: RecordedBody) -> Result<(Found, CameWith), Loaded> {
        let rest = (stored.content_type, stored.fields);
        let key = match stored.body {
            StoredBody::Inline(bytes) => return Ok((Found::Bytes(bytes), rest)),
            StoredBody::InBucket(key) => key,
        };
        let object = downloaded(self.payloads.open(&key), &key).await?;
        Ok((Found::Object(object), rest))
    }
}

async fn read(found: Found, (content_type, fields): CameWith, key: &str) -> Loaded {
    let bytes = match found {
        Found::Bytes(bytes) => Ok(bytes),
        Found::Object(object) => downloaded(object.read(), key).await,
    };
    match bytes {
        Ok(body) => Loaded::Webhook(Box::new(Webhook {
            body,
            content_type,
            fields,
        })),
        Err(loaded) => loaded,
    }
}

/// Waits for a part of a download, but not for too long.
async fn downloaded<T>(
    part: impl Future<Output = Result<T, PayloadError>>,
    key: &str,
) -> Result<T, Loaded> {
    match timeout(DOWNLOAD_TIMEOUT, part).await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(error)) if error.is_final() => {
            Err(Loaded::Gone(SkipReason::NoBody(error.to_string())))
        }
        Ok(Err(error)) => {
            tracing::error!(key, %error, "payload is not readable");
            Err(Loaded::Failed)
        }
        Err(_) => {
            tracing::error!(key, "payload is not read in {DOWNLOAD_TIMEOUT:?}");
            Err(Loaded::Failed)
        }
    }
}
