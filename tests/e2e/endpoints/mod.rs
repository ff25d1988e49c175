//! Endpoints as operators and receivers see them: `webhookctl` on one side, a recording receiver on the
//! other, and between them the whole path of an event, from the provider's request to the delivery function's
//! request.

mod chains;
mod circuit;
mod deliveries;
mod holding;
mod pings;
mod registry;
mod routes;
mod signing;
