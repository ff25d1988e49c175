//! What an operator should know of a recipe that is valid all the same.

use super::{Events, Kind, Recipe, Scheme};
use crate::crypto::mac::Hash;
use http::HeaderName;

/// A weakness that the provider leaves no choice about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Caution {
    /// Nothing shows who sends.
    #[error("anyone who knows the Payload URL can send webhooks: nothing is verified")]
    Open,
    /// The secret vouches for the sender only.
    #[error("the secret shows who sends, and not that the body is unchanged")]
    BodyNotBound,
    /// The type or the id is in a header that anyone can change in a captured request.
    #[error(
        "the header {0} decides the type or the id of an event, and is not covered by the signature"
    )]
    Uncovered(HeaderName),
    /// A captured request can be sent again with its id, and copies are known by that id.
    #[error("copies are known by an id that the signature does not cover: set dedupe to body")]
    UncoveredDedupe,
    /// A plain hash with the secret first can be lengthened by anyone.
    #[error(
        "a hash with the secret first can be continued without the secret: take another signature if you can"
    )]
    SecretFirst,
    /// Collisions of SHA-1 can be made.
    #[error("a plain SHA-1 hash is weak: choose SHA-256 at the provider if you can")]
    WeakHash,
    /// What ends one header may begin the next one.
    #[error("two headers are signed with nothing between them: one could be cut for the other")]
    Joined,
}

impl Recipe {
    /// All that an operator should know.
    pub fn cautions(&self) -> Vec<Caution> {
        let mut cautions = Vec::new();
        match self.authenticity() {
            super::Authenticity::Signature => {}
            super::Authenticity::Token => cautions.push(Caution::BodyNotBound),
            super::Authenticity::None => return vec![Caution::Open],
        }
        if let Scheme::Signed(signing) = &self.scheme {
            if let Kind::Hash(hash) = signing.kind {
                cautions.extend(
                    signing
                        .template
                        .begins_with_secret()
                        .then_some(Caution::SecretFirst),
                );
                cautions.extend((hash == Hash::Sha1).then_some(Caution::WeakHash));
            }
            cautions.extend(signing.template.joins_headers().then_some(Caution::Joined));
        }
        let uncovered = self.uncovered_headers().into_iter().cloned();
        cautions.extend(uncovered.map(Caution::Uncovered));
        if let Events::Mapped(mapping) = &self.events
            && self.dedupe == super::Dedupe::Id
            && mapping.id.as_ref().is_some_and(|id| !self.covers_all(id))
        {
            cautions.push(Caution::UncoveredDedupe);
        }
        cautions
    }
}
