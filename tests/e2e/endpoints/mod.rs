//! What operators and receivers see of endpoints: `webhookctl` on one side, a recording receiver on the other, and
//! between them the whole way of an event, from the provider's request to that of the delivery function.

mod chains;
mod circuit;
mod deliveries;
mod holding;
mod pings;
mod registry;
mod routes;
mod signing;
