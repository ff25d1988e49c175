//! The printed rows of sources and endpoints.

use super::counts::{Attempts, Hour, Lately, Received, Took, Tried};
use crate::time::shown;
use jiff::Timestamp;
use serde::Serialize;

/// A source. Counts that could not be read are left out.
#[derive(Debug, Serialize)]
pub(crate) struct SourceView {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) provider: Option<&'static str>,
    pub(crate) last_event_at: Option<String>,
    /// The longest gap that it declares.
    pub(crate) silent_after: Option<String>,
    /// Since when it is known to be silent.
    pub(crate) silent_since: Option<String>,
    #[serde(flatten)]
    pub(crate) received: Option<Lately<Received>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hours: Option<Vec<Hour<Received>>>,
}

/// An endpoint.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) condition: &'static str,
    #[serde(flatten)]
    pub(crate) tried: Option<Lately<Tried>>,
    #[serde(flatten)]
    pub(crate) took: Option<Took>,
    pub(crate) held: usize,
    /// Whether more are held than were counted.
    pub(crate) more_held: bool,
    pub(crate) next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hours: Option<Vec<Hour<Attempts>>>,
}

/// All endpoints together.
#[derive(Debug, Serialize)]
pub(crate) struct GatewayView {
    pub(crate) kind: &'static str,
    /// From the acceptance of an event to the end of its first attempt.
    pub(crate) first_attempt: Took,
    pub(crate) hours: Vec<Hour<Took>>,
}

/// A time in milliseconds, as text.
pub(crate) fn text(at: Option<Timestamp>) -> Option<String> {
    shown(at?.as_millisecond())
}

impl SourceView {
    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "provider",
        "last_event_at",
        "hour.accepted",
        "day.accepted",
        "hour.duplicates",
        "day.duplicates",
        "hour.quarantined",
        "day.quarantined",
        "hour.rejected",
        "day.rejected",
    ];
}

impl EndpointView {
    pub(crate) const COLUMNS: &[&str] = &[
        "name",
        "condition",
        "hour.success",
        "day.success",
        "p50_ms",
        "p99_ms",
        "held",
        "more_held",
        "next_attempt_at",
    ];
}

impl GatewayView {
    pub(crate) const COLUMNS: &[&str] = &["first_attempt.p50_ms", "first_attempt.p99_ms"];
}
