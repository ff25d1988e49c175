//! A webhook gateway on AWS, in two functions.
//!
//! A webhook goes through the code in this order:
//!
//! 1. [`ingress`] `receive` takes the request of API Gateway and looks its source up in [`store::sources`].
//! 2. [`providers`] verifies its signature over the raw bytes ([`crypto`]) and normalizes what it says.
//! 3. [`store::ledger`] records it, once. A body that is too large for an item goes to [`store::payloads`]
//!    before that.
//! 4. Only then does the sender get its 2xx.
//! 5. [`ingress`] `fanout` gets what was recorded from the ledger's stream and makes a CloudEvent of it
//!    ([`event`]).
//! 6. [`store::subscriptions`] names its queues, [`store::endpoints`] the endpoints that want it;
//!    [`aws::sqs`] sends it there.
//! 7. [`delivery`] takes what is for endpoints from the delivery queue ([`messages`]), signs it, posts it and
//!    settles it.
//!
//! [`store::journal`] notes what happened, for the operator who asks. [`silence`] watches sources that must
//! not fall silent.

pub mod aws;
pub mod backoff;
pub mod crypto;
pub mod delivery;
pub mod env;
pub mod event;
pub mod ingress;
pub mod lease;
pub mod log;
pub mod messages;
pub mod metrics;
pub mod providers;
mod raw;
pub mod silence;
pub mod store;
