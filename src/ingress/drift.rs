//! Drift: an event type that the provider does not document and never sent before, or a member or kind of
//! value that no payload of the type had before. It is logged once and then remembered.
//!
//! A known payload costs a walk through it and no call. Any other is kept until the batch is published, as
//! nothing may wait for this. Later payloads of a type are compared with its first one.

use super::IngressFunction;
use crate::aws::error::AwsError;
use crate::event::EventMeta;
use crate::metrics::DriftLine;
use crate::providers::recipe::CUSTOM;
use crate::providers::shape::{KnownHashes, hash_of, is_told};
use crate::providers::{Provider, code_of};
use crate::store::journal::ShapeKey;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use tokio::sync::Mutex;

/// So many undocumented types of a provider are remembered; further ones are not reported.
const MAX_TYPES: usize = 500;

/// The most bytes of a batch that are kept for this check. A payload beyond them is checked when another like
/// it comes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The hashes that this copy of the function knows, by the [`namespace`] of the provider.
#[derive(Debug, Default)]
pub(super) struct ShapeCache(Mutex<HashMap<String, ProviderShapes>>);

#[derive(Debug, Default)]
struct ProviderShapes {
    /// The types that the provider does not document, once they were read.
    types: Option<KnownHashes>,
    /// By type.
    shapes: HashMap<String, KnownHashes>,
}

/// An event that may have something new about it.
#[derive(Debug)]
struct Candidate {
    source: String,
    provider: String,
    /// As in [`namespace`].
    namespace: String,
    event_type: String,
    body: Vec<u8>,
}

/// The events of a batch that may have something new about them.
#[derive(Debug, Default)]
pub(super) struct DriftCandidates {
    candidates: Vec<Candidate>,
    bytes: usize,
}

impl DriftCandidates {
    /// Keeps an event, if there is room.
    fn keep(&mut self, candidate: Candidate) {
        let bytes = self.bytes + candidate.body.len();
        if bytes <= MAX_BYTES {
            self.bytes = bytes;
            self.candidates.push(candidate);
        }
    }

    /// Keeps the events of another part of the batch, as far as there is room.
    pub(super) fn extend(&mut self, other: Self) {
        other
            .candidates
            .into_iter()
            .for_each(|candidate| self.keep(candidate));
    }
}

impl IngressFunction {
    /// Keeps an event for later, unless all of it is known.
    pub(super) async fn queue_for_drift_check(
        &self,
        event: &EventMeta,
        body: Vec<u8>,
        candidates: &mut DriftCandidates,
    ) {
        let known = self.shapes.0.lock().await;
        let namespace = namespace(event);
        let shapes = known.get(&*namespace).map(|provider| &provider.shapes);
        let shape = shapes.and_then(|shapes| shapes.get(&event.event_type));
        let is_known = |shape: &KnownHashes| shape.difference(&body).added.is_empty();
        if !shape.is_some_and(is_known) {
            candidates.keep(Candidate {
                source: event.source.clone(),
                provider: event.provider.clone(),
                namespace: namespace.into_owned(),
                event_type: event.event_type.clone(),
                body,
            });
        }
    }

    /// Reports what was never seen before, and remembers it.
    pub(super) async fn check_drift(&self, candidates: DriftCandidates) {
        for candidate in candidates.candidates {
            if let Err(error) = self.check(&candidate).await {
                let provider = &candidate.provider;
                tracing::error!(provider, %error, "what was seen of payloads is not known");
                // The others would fail as well, each in its own time.
                return;
            }
        }
    }

    async fn check(&self, candidate: &Candidate) -> Result<(), AwsError> {
        let (namespace, event_type) = (&*candidate.namespace, &*candidate.event_type);
        let mut known = self.shapes.0.lock().await;
        let ProviderShapes { types, shapes } = known.entry(namespace.to_owned()).or_default();
        if !shapes.contains_key(event_type) {
            // Only code knows the types of its provider.
            if let Ok(Some(provider)) = code_of(&candidate.provider)
                && !provider
                    .event_types()
                    .iter()
                    .any(|documented| documented == event_type)
                && !self.remember_type(candidate, provider, types).await?
            {
                return Ok(());
            }
            let shape = self
                .journal
                .known_hashes(ShapeKey::Shape(namespace, event_type))
                .await?;
            shapes.insert(event_type.to_owned(), shape);
        }
        match shapes.get_mut(event_type) {
            Some(shape) => self.remember_shape(candidate, shape).await,
            None => Ok(()),
        }
    }

    /// Remembers an undocumented type, and reports it if it is new; whether there was room.
    async fn remember_type(
        &self,
        candidate: &Candidate,
        provider: Provider,
        types: &mut Option<KnownHashes>,
    ) -> Result<bool, AwsError> {
        let (of, hash) = (
            ShapeKey::Types(&candidate.namespace),
            hash_of(&candidate.event_type),
        );
        let types = match types {
            Some(types) => types,
            None => types.insert(self.journal.known_hashes(of).await?),
        };
        if types.contains(hash) {
            return Ok(true);
        }
        if types.len() >= MAX_TYPES {
            return Ok(false);
        }
        let before = self.journal.add_known(of, &BTreeSet::from([hash])).await?;
        if !before.contains(hash) {
            self.tell(candidate, provider.type_path(&candidate.event_type));
        }
        *types = before;
        types.extend([hash]);
        Ok(true)
    }

    /// Remembers what is new in a shape, and reports it; the first shape of a type is not new.
    async fn remember_shape(
        &self,
        candidate: &Candidate,
        shape: &mut KnownHashes,
    ) -> Result<(), AwsError> {
        let added = shape.difference(&candidate.body).added;
        if added.is_empty() {
            return Ok(());
        }
        let of = ShapeKey::Shape(&candidate.namespace, &candidate.event_type);
        let before = self.journal.add_known(of, &added).await?;
        let path = before.difference(&candidate.body).path;
        if let Some(path) = path.filter(|_| !before.is_empty()) {
            self.tell(candidate, &path);
        }
        *shape = before;
        shape.extend(added);
        Ok(())
    }

    fn tell(&self, candidate: &Candidate, path: &str) {
        let line = DriftLine::of(
            &candidate.source,
            &candidate.provider,
            &told(&candidate.event_type),
            path,
        );
        self.metrics.drift(line);
    }
}

/// Under which name the shapes of a provider's payloads are kept. Custom sources have nothing in common.
fn namespace(event: &EventMeta) -> Cow<'_, str> {
    match &*event.provider {
        CUSTOM => format!("{CUSTOM}#{}", event.source).into(),
        provider => provider.into(),
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
