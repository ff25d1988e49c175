//! A webhook gateway on AWS, in two functions.
//!
//! A webhook goes through `ingress` in two steps:
//!
//! 1. [`ingress`] `receive`: the request of API Gateway; its source is looked up in [`sources`],
//! 2. [`vendor`]: its [`signature`] is verified over the raw bytes, and what it says is normalized,
//! 3. [`ledger`]: it is recorded, once; a body that is too large for an item goes to [`payloads`] before;
//! 4. only then the vendor hears 2xx.
//! 5. [`ingress`] `fanout`: the ledger's stream brings what was recorded; it becomes a CloudEvent ([`event`]),
//! 6. [`subscriptions`] name its queues, and [`endpoints`] who else wants it; [`queues`] sends it there.
//!
//! An event that an endpoint wants goes on through [`delivery`], file by file as that module says: planned, signed with
//! a secret that [`seal`] opens, checked, posted, and settled.
//!
//! What happened is noted in the [`journal`], for the operator who asks; who may not fall silent is under [`watch`].
//!
//! [`config`] is what both functions are told by their environment, [`metrics`] and [`log`] what they tell of themselves; a
//! [`secret`] is in none of them, and [`causes`] keeps it out of what they say of failures.

pub mod causes;
pub mod config;
pub mod deflate;
pub mod delivery;
pub mod endpoints;
pub mod event;
pub mod ingress;
pub mod journal;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod payloads;
pub mod queues;
mod raw;
pub mod seal;
pub mod secret;
pub mod signature;
pub mod sources;
pub mod subscriptions;
pub mod vendor;
pub mod watch;
