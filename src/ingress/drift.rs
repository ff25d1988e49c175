//! Drift: what a provider sends and never sent before, be it an event type that its document does not name, or a member
//! or kind of value that no payload of the type had. It is told once, by a line, and then remembered.
//!
//! What is known costs a walk through the payload and no call. What is not is kept until all is published, as this is no
//! reason to wait; the first payload of a type is what later ones are compared with.

use super::Ingress;
use crate::aws::error::AwsError;
use crate::event::EventRef;
use crate::metrics::DriftLine;
use crate::providers::Provider;
use crate::providers::shape::{Seen, hash_of, is_told};
use crate::store::journal::Of;
use std::collections::{BTreeSet, HashMap};
use tokio::sync::Mutex;

/// So many types of a provider that it does not document are remembered; of others nothing is told.
const MAX_TYPES: usize = 500;

/// What is kept of a batch, at most; what is more waits for the next like it.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What this copy of the function knows to have been seen, by provider.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Provider, OfProvider>>);

#[derive(Debug, Default)]
struct OfProvider {
    /// The types that the provider does not document, once they were read.
    types: Option<Seen>,
    /// By type.
    shapes: HashMap<String, Seen>,
}

/// An event that may have something new about it.
#[derive(Debug)]
struct Unseen {
    source: String,
    provider: Provider,
    event_type: String,
    body: Vec<u8>,
}

/// The events of a batch that may have something new about them.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    unseen: Vec<Unseen>,
    bytes: usize,
}

impl Sightings {
    /// Keeps an event, if there is room.
    fn keep(&mut self, unseen: Unseen) {
        let bytes = self.bytes + unseen.body.len();
        if bytes <= MAX_BYTES {
            self.bytes = bytes;
            self.unseen.push(unseen);
        }
    }

    /// Keeps the events of another part of the batch, as far as there is room.
    pub(super) fn extend(&mut self, other: Self) {
        other.unseen.into_iter().for_each(|it| self.keep(it));
    }
}

impl Ingress {
    /// Keeps an event for later, unless all of it is known.
    pub(super) async fn sight(
        &self,
        provider: Provider,
        event: &EventRef,
        body: Vec<u8>,
        sightings: &mut Sightings,
    ) {
        let known = self.known.0.lock().await;
        let shapes = known.get(&provider).map(|it| &it.shapes);
        let shape = shapes.and_then(|it| it.get(&event.event_type));
        let is_known = |shape: &Seen| shape.difference(&body).added.is_empty();
        if !shape.is_some_and(is_known) {
            sightings.keep(Unseen {
                source: event.source.clone(),
                provider,
                event_type: event.event_type.clone(),
                body,
            });
        }
    }

    /// Tells what was never seen before, and remembers it.
    pub(super) async fn look_for_drift(&self, sightings: Sightings) {
        for unseen in sightings.unseen {
            if let Err(error) = self.look_at(&unseen).await {
                tracing::error!(provider = %unseen.provider, %error, "what was seen of payloads is not known");
                // The others would fail as well, each in its own time.
                return;
            }
        }
    }

    async fn look_at(&self, unseen: &Unseen) -> Result<(), AwsError> {
        let (provider, event_type) = (unseen.provider, &*unseen.event_type);
        let mut known = self.known.0.lock().await;
        let OfProvider { types, shapes } = known.entry(provider).or_default();
        if !shapes.contains_key(event_type) {
            let is_documented = provider.event_types().iter().any(|it| it == event_type);
            if !is_documented && !self.remember_type(unseen, types).await? {
                return Ok(());
            }
            let shape = self.journal.seen(Of::Shape(provider, event_type)).await?;
            shapes.insert(event_type.to_owned(), shape);
        }
        match shapes.get_mut(event_type) {
            Some(shape) => self.remember_shape(unseen, shape).await,
            None => Ok(()),
        }
    }

    /// Remembers a type that its provider does not document, and tells of it if nobody did; whether there was room.
    async fn remember_type(
        &self,
        unseen: &Unseen,
        types: &mut Option<Seen>,
    ) -> Result<bool, AwsError> {
        let (of, hash) = (Of::Types(unseen.provider), hash_of(&unseen.event_type));
        let types = match types {
            Some(types) => types,
            None => types.insert(self.journal.seen(of).await?),
        };
        if types.contains(hash) {
            return Ok(true);
        }
        if types.len() >= MAX_TYPES {
            return Ok(false);
        }
        let before = self.journal.see(of, &BTreeSet::from([hash])).await?;
        if !before.contains(hash) {
            self.tell(unseen, unseen.provider.type_path(&unseen.event_type));
        }
        *types = before;
        types.extend([hash]);
        Ok(true)
    }

    /// Remembers what is new of a shape, and tells of it if nobody did; the first shape of a type is not new.
    async fn remember_shape(&self, unseen: &Unseen, shape: &mut Seen) -> Result<(), AwsError> {
        let added = shape.difference(&unseen.body).added;
        if added.is_empty() {
            return Ok(());
        }
        let of = Of::Shape(unseen.provider, &unseen.event_type);
        let before = self.journal.see(of, &added).await?;
        let path = before.difference(&unseen.body).path;
        if let Some(path) = path.filter(|_| !before.is_empty()) {
            self.tell(unseen, &path);
        }
        *shape = before;
        shape.extend(added);
        Ok(())
    }

    fn tell(&self, unseen: &Unseen, path: &str) {
        let line = DriftLine::of(
            &unseen.source,
            unseen.provider.name(),
            &told(&unseen.event_type),
            path,
        );
        self.metrics.drift(line);
    }
}

/// A type in the parts of it that look like names, as the provider may have made it of anything.
fn told(event_type: &str) -> String {
    let part = |part: &str| {
        let name = part.trim_end_matches(['.', '/']);
        match is_told(name) {
            true => part.to_owned(),
            false => format!("*{}", part.strip_prefix(name).unwrap_or_default()),
        }
    };
    event_type.split_inclusive(['.', '/']).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_as_far_as_it_looks_like_names() {
        for (event_type, expected) in [
            (
                "io.peopleforce.employee_create",
                "io.peopleforce.employee_create",
            ),
            (
                "com.woodwing.studio/object/deleted-permanently",
                "com.woodwing.studio/object/deleted-permanently",
            ),
            ("io.peopleforce.Ada Lovelace", "io.peopleforce.*"),
            (
                "com.woodwing.studio/Ada Lovelace/created",
                "com.woodwing.studio/*/created",
            ),
            (
                "io.creativeforce.job.a-sentence-that-nobody-would-give-as-a-name",
                "io.creativeforce.job.*",
            ),
            ("com.woodwing.", "com.woodwing."),
        ] {
            assert_eq!(told(event_type), expected);
        }
    }
}
