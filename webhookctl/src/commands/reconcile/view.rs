//! The printed result: two equations, and the missing events and deliveries.

use super::balance::{Deliveries, Events, Missing};
use crate::Result;
use crate::output::Output;
use crate::time::shown;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::ops::Range;
use webhook_gateway::store::ledger::ItemSummary;

/// A missing event or delivery.
#[derive(Serialize)]
struct Lost {
    missing: &'static str,
    id: String,
    r#type: String,
    source: String,
    /// The endpoint of a delivery.
    endpoint: Option<String>,
    endpoint_name: Option<String>,
    /// The event of a delivery, whose own id is `id`.
    event: Option<String>,
    accepted_at: Option<String>,
    why: &'static str,
}

/// Prints both equations, and then a row for each missing event and delivery.
pub(crate) fn print(
    events: &Events,
    deliveries: &Deliveries,
    accepted: &Range<Timestamp>,
    output: &Output,
) -> Result<()> {
    let summary = json!({
        "since": shown(accepted.start.as_millisecond()), "until": shown(accepted.end.as_millisecond()),
        "events": {
            "accepted": events.accepted, "published": events.published, "quarantined": events.quarantined,
            "in_flight": events.in_flight, "missing": events.missing.len(),
        },
        "deliveries": {
            "all": deliveries.all, "delivered": deliveries.delivered, "held": deliveries.held,
            "exhausted": deliveries.exhausted, "skipped": deliveries.skipped,
            "in_flight": deliveries.in_flight,
            "in_flight_or_missing": deliveries.doubtful, "missing": deliveries.missing.len(),
        },
    });
    output.result(&equations(events, deliveries), &summary)?;
    let mut lost: Vec<_> = events.missing.iter().map(Lost::event).collect();
    lost.extend(deliveries.missing.iter().map(Lost::delivery));
    output.list(&lost, Lost::COLUMNS)
}

fn equations(events: &Events, deliveries: &Deliveries) -> String {
    let sum = |parts: &[(usize, &str, bool)]| {
        let parts = parts
            .iter()
            .filter(|(count, _, always)| *always || *count > 0);
        let parts = parts.map(|(count, what, _)| format!("{count} {what}"));
        parts.collect::<Vec<_>>().join(" + ")
    };
    let of_events = sum(&[
        (events.published, "published", true),
        (events.quarantined, "quarantined", true),
        (events.in_flight, "in flight", false),
        (events.missing.len(), "MISSING", false),
    ]);
    let of_deliveries = sum(&[
        (deliveries.delivered, "delivered", true),
        (deliveries.held, "held", true),
        (deliveries.exhausted, "exhausted", true),
        (deliveries.skipped, "skipped", true),
        (deliveries.in_flight, "in flight", true),
        (deliveries.doubtful, "in flight or missing", false),
        (deliveries.missing.len(), "MISSING", false),
    ]);
    format!(
        "events:     {} accepted = {of_events}\ndeliveries: {} = {of_deliveries}",
        events.accepted, deliveries.all
    )
}

/// The error, if anything is missing.
pub(crate) fn problem(events: usize, deliveries: usize, surely_missing: usize) -> Option<String> {
    let deliveries = counted(deliveries, "delivery", "deliveries");
    if surely_missing > 0 {
        let least = counted(surely_missing, "delivery", "deliveries").unwrap_or_default();
        return Some(format!(
            "missing at least: {least}. The queue has too few messages for all that are unaccounted for; \
                run the command again when the queue is empty to see which"
        ));
    }
    let parts = [counted(events, "event", "events"), deliveries];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let what = parts.join(" and ");
    (!parts.is_empty()).then(|| format!("missing: {what}; --repair repairs them"))
}

fn counted(count: usize, one: &str, several: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {several}")),
    }
}

impl Lost {
    fn event(line: &ItemSummary) -> Self {
        let event = &line.event;
        Self {
            missing: "event",
            id: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            endpoint: None,
            endpoint_name: None,
            event: None,
            accepted_at: shown(event.accepted_at),
            why: match line.republished_at {
                Some(_) => "a repair marked it, but it was not published",
                None => "the journal has no publication of it",
            },
        }
    }

    fn delivery(missing: &Missing) -> Self {
        let event = &missing.event;
        Self {
            missing: "delivery",
            id: missing.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            endpoint: Some(missing.endpoint.clone()),
            endpoint_name: Some(missing.endpoint_name.clone()),
            event: Some(event.id.clone()),
            accepted_at: shown(event.accepted_at),
            why: match missing.is_overdue {
                true => "its next attempt is overdue",
                false => "it has had no attempt",
            },
        }
    }
}

impl Lost {
    pub(crate) const COLUMNS: &[&str] = &[
        "missing",
        "id",
        "type",
        "source",
        "endpoint_name",
        "event",
        "accepted_at",
        "why",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equations_say_what_is_missing_only_if_something_is() {
        let events = Events {
            accepted: 3,
            published: 2,
            quarantined: 1,
            ..Events::default()
        };
        let mut deliveries = Deliveries {
            all: 2,
            delivered: 2,
            ..Deliveries::default()
        };
        let expected = "\
events:     3 accepted = 2 published + 1 quarantined
deliveries: 2 = 2 delivered + 0 held + 0 exhausted + 0 skipped + 0 in flight";
        assert_eq!(equations(&events, &deliveries), expected);
        deliveries.doubtful = 4;
        assert!(equations(&events, &deliveries).ends_with(" + 4 in flight or missing"));
    }

    #[test]
    fn what_is_missing_is_a_problem() {
        assert_eq!(problem(0, 0, 0), None);
        for (events, deliveries, surely, expected) in [
            (1, 0, 0, "missing: 1 event;"),
            (2, 1, 0, "missing: 2 events and 1 delivery;"),
            (0, 0, 3, "missing at least: 3 deliveries."),
        ] {
            let problem = problem(events, deliveries, surely).unwrap();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
