//! The delivery function: from its queue to endpoints, and back.

mod attempts;
