//! HTTP requests to endpoints: `guard` decides which URLs and addresses may be called, `sender` makes the
//! call.

pub mod guard;
pub mod sender;
