//! The copies of all events that were answered 200 and dropped. Only the log of the ingress function has
//! them, one line each. It is searched part by part.

use super::place::Place;
use crate::Result;
use crate::stack::Stack;
use crate::time;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use webhook_gateway::aws::error::AwsError;

/// The filter pattern for the lines of copies.
const PATTERN: &str = r#"{ $.outcome = "duplicate" }"#;

/// The length of the newest part of the log, in milliseconds. Each older part is twice as long: most
/// searches are for recent copies.
const FIRST_PART: i64 = 60 * 60 * 1000;

/// A copy, with the event that it duplicates.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Duplicate {
    at: Option<String>,
    id: String,
    source: String,
    provider: String,
    state: &'static str,
    /// Its place in the list.
    pub(crate) place: String,
}

impl Duplicate {
    pub(crate) const COLUMNS: &[&str] = &["at", "id", "source", "state"];
}

/// The copies of a time span, the newest first.
pub(crate) struct Duplicates {
    client: Client,
    group: String,
    source: Option<String>,
    /// The parts that are not searched yet, the newest last.
    parts: Vec<(i64, i64)>,
    places: Places,
}

/// Gives copies their places, the newest first.
#[derive(Debug, Default)]
struct Places {
    /// The place after which the list continues.
    after: Option<Place>,
    last: Option<Place>,
}

impl Duplicates {
    pub(crate) fn of(
        stack: &Stack,
        source: Option<String>,
        since: Timestamp,
        until: Timestamp,
        after: Option<Place>,
    ) -> Result<Self> {
        let end = after
            .as_ref()
            .map_or(i64::MAX, |place| place.milliseconds() + 1);
        let mut parts = parts(since.as_millisecond(), until.as_millisecond().min(end));
        parts.reverse();
        Ok(Self {
            client: stack.logs(),
            group: stack.ingress_log_group()?.to_owned(),
            source,
            parts,
            places: Places { after, last: None },
        })
    }

    /// The copies of the next part of the log, possibly none; `None` after the last part.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Duplicate>>> {
        let Some((first, last)) = self.parts.pop() else {
            return Ok(None);
        };
        let request = self.client.filter_log_events();
        let mut pages = request
            .log_group_name(&self.group)
            .filter_pattern(PATTERN)
            .start_time(first)
            .end_time(last)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| AwsError::from(error).context("the log cannot be read"))?;
            let copies = page.events().iter().filter_map(duplicate);
            let source = self.source.as_deref();
            found.extend(
                copies.filter(|(_, copy)| source.is_none_or(|source| source == copy.source)),
            );
        }
        let found = found.into_iter().rev();
        let placed = found.filter_map(|(at, copy)| {
            let place = self.places.next(at)?.to_string();
            Some(Duplicate { place, ..copy })
        });
        Ok(Some(placed.collect()))
    }

    /// Whether no part is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Places {
    /// The place of the next copy, unless it was listed before.
    fn next(&mut self, at: i64) -> Option<Place> {
        let last = self.last.take().filter(|last| last.milliseconds() == at);
        let place = Place::of_copy(at, last.map_or(0, |last| last.position()) + 1);
        self.last = Some(place.clone());
        let is_listed =
            |after: &Place| after.milliseconds() == at && place.position() <= after.position();
        let is_listed = self.after.as_ref().is_some_and(is_listed);
        (!is_listed).then_some(place)
    }
}

/// The parts of a time span in milliseconds, the newest first, each with its first and its last millisecond.
fn parts(since: i64, until: i64) -> Vec<(i64, i64)> {
    let (mut parts, mut end, mut length) = (Vec::new(), until, FIRST_PART);
    while end > since {
        let start = end.saturating_sub(length).max(since);
        parts.push((start, end - 1));
        (end, length) = (start, length.saturating_mul(2));
    }
    parts
}

/// The copy that a line of the log is about, with its time in milliseconds.
fn duplicate(line: &FilteredLogEvent) -> Option<(i64, Duplicate)> {
    let members: Value = serde_json::from_str(line.message()?).ok()?;
    let text = |name: &str| Some(members[name].as_str()?.to_owned());
    (members["outcome"] == "duplicate").then_some(())?;
    let at = line.timestamp()?;
    let copy = Duplicate {
        at: time::shown(at),
        id: text("event.id")?,
        source: text("source")?,
        provider: text("provider").unwrap_or_default(),
        state: "duplicate",
        place: String::new(),
    };
    Some((at, copy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_parts_are_all_of_the_span_the_newest_first() {
        let hour = FIRST_PART;
        assert_eq!(parts(0, 0), []);
        assert_eq!(parts(5, 6), [(5, 5)]);
        let whole = [(9 * hour, 10 * hour - 1), (7 * hour, 9 * hour - 1)];
        assert_eq!(parts(0, 10 * hour)[..2], whole);
        assert_eq!(parts(0, 10 * hour)[3..], [(0, 3 * hour - 1)]);
        // From before there were logs is not many calls.
        assert!(parts(i64::MIN, i64::MAX).len() < 64);
        let parts = parts(17, 1_790_000_000_000);
        assert!(parts.windows(2).all(|two| two[0].0 == two[1].1 + 1));
        assert_eq!(parts.last().unwrap().0, 17);
    }

    #[test]
    fn a_list_of_copies_goes_on_in_the_middle_of_a_millisecond() {
        let second = 1_790_000_000_000;
        let times = [second + 1, second, second, second, second - 1];
        let list = |after: Option<&Place>| {
            let mut places = Places {
                after: after.cloned(),
                last: None,
            };
            // The search for a continued list begins with the millisecond of its place.
            let from = after.map_or(i64::MAX, Place::milliseconds);
            let times = times.into_iter().filter(|at| *at <= from);
            times.filter_map(|at| places.next(at)).collect::<Vec<_>>()
        };
        let whole = list(None);
        assert_eq!(whole.len(), times.len());
        for (position, place) in whole.iter().enumerate() {
            assert_eq!(list(Some(place)), whole[position + 1..], "{place}");
        }
    }

    #[test]
    fn a_copy_is_listed_with_its_time_and_the_event_it_was_taken_for() {
        let of = |message: &str| {
            let line = FilteredLogEvent::builder().message(message);
            duplicate(&line.timestamp(1_790_000_000_000).build())
        };
        let line = json!({"outcome": "duplicate", "event.id": "1", "source": "hr",
            "provider": "people-force"});
        let expected = json!({
            "at": "2026-09-21T14:13:20.000Z", "id": "1", "source": "hr", "provider": "people-force",
            "state": "duplicate", "place": "",
        });
        let (at, copy) = of(&line.to_string()).unwrap();
        assert_eq!((at, json!(copy)), (1_790_000_000_000, expected));
        let mut accepted = line.clone();
        accepted["outcome"] = json!("accepted");
        assert_eq!(of(&accepted.to_string()), None);
        assert_eq!(of("START RequestId: duplicate 1 hr"), None);
    }
}
