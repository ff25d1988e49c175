//! The metrics of sources and endpoints: the queries for them, their sums over the last hour and day, and
//! their values by the hour. Pure.

use crate::metrics::{Query, Values};
use crate::time::shown;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::ops::Range;

/// The period of sums, in seconds.
const STEP: i32 = 300;

/// The period of percentiles, in seconds. Percentiles cannot be added, so their period is what is shown: an
/// hour.
const HOUR: i32 = 3_600;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The hours of a series.
const HOURS: i32 = 24;

/// The webhooks of a source in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Received {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) quarantined: u64,
    pub(crate) rejected: u64,
}

/// The attempts at an endpoint in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Tried {
    pub(crate) delivered: u64,
    /// The attempts that failed.
    pub(crate) failed: u64,
    /// The share of attempts that did not fail, if there were any.
    pub(crate) success: Option<f64>,
}

/// Durations in an hour, in milliseconds. If the hour is not named, it is the last one that had any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Took {
    pub(crate) p50_ms: Option<u64>,
    pub(crate) p99_ms: Option<u64>,
}

/// The same in the last hour and in the last day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Lately<T> {
    pub(crate) hour: T,
    pub(crate) day: T,
}

/// The attempts at an endpoint in a period, with their durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Attempts {
    #[serde(flatten)]
    tried: Tried,
    #[serde(flatten)]
    took: Took,
}

/// What there was in an hour of the clock (UTC).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Hour<T> {
    /// The begin of the hour.
    at: Option<String>,
    #[serde(flatten)]
    of: T,
}

/// The numbers of queries for a source, for an endpoint and for the gateway.
pub(crate) const OF_SOURCE: usize = 4;
pub(crate) const OF_ENDPOINT: usize = 4;
pub(crate) const OF_GATEWAY: usize = 2;

/// The last day, from the begin of an hour on: the hours of percentiles are then those of the clock.
pub(crate) fn span(now: Timestamp) -> Range<Timestamp> {
    hour_of(now - DAY)..now
}

/// The begin of the hour of the clock that a time is in.
fn hour_of(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    let begin = second - second.rem_euclid(i64::from(HOUR));
    Timestamp::from_second(begin).unwrap_or(at)
}

/// The queries for a source.
pub(crate) fn of_source(namespace: &str, source: &str, provider: &str) -> [Query; OF_SOURCE] {
    let dimensions = vec![
        ("source", source.to_owned()),
        ("provider", provider.to_owned()),
    ];
    ["accepted", "duplicate", "quarantined", "rejected"].map(|name| Query {
        namespace: namespace.to_owned(),
        name,
        dimensions: dimensions.clone(),
        statistic: "Sum",
        period: STEP,
    })
}

/// The queries for an endpoint.
pub(crate) fn of_endpoint(namespace: &str, endpoint: &str) -> [Query; OF_ENDPOINT] {
    [
        ("delivered", "Sum", STEP),
        ("failed_attempts", "Sum", STEP),
        ("attempt_ms", "p50", HOUR),
        ("attempt_ms", "p99", HOUR),
    ]
    .map(|(name, statistic, period)| Query {
        namespace: namespace.to_owned(),
        name,
        dimensions: vec![("endpoint", endpoint.to_owned())],
        statistic,
        period,
    })
}

/// The queries for all endpoints together: the time from the acceptance of an event to the end of its first
/// attempt.
pub(crate) fn of_gateway(namespace: &str) -> [Query; OF_GATEWAY] {
    ["p50", "p99"].map(|statistic| Query {
        namespace: namespace.to_owned(),
        name: "latency_ms",
        dimensions: Vec::new(),
        statistic,
        period: HOUR,
    })
}

/// The counts of a source.
pub(crate) fn received(values: &[Values], now: Timestamp) -> Lately<Received> {
    lately(now, |since| {
        Received::of(values.iter().map(|values| sum(values, since)))
    })
}

/// The counts of a source by the hour.
pub(crate) fn received_by_hour(values: &[Values], now: Timestamp) -> Vec<Hour<Received>> {
    by_hour(now, |begin| {
        Received::of(values.iter().map(|values| sum_of_hour(values, begin)))
    })
}

/// The counts and durations of an endpoint.
pub(crate) fn tried(values: &[Values], now: Timestamp) -> (Lately<Tried>, Took) {
    let of = |place: usize, since| values.get(place).map_or(0, |values| sum(values, since));
    let tried = lately(now, |since| Tried::of(of(0, since), of(1, since)));
    (tried, took(values.get(2..).unwrap_or_default()))
}

/// The counts and durations of an endpoint by the hour.
pub(crate) fn tried_by_hour(values: &[Values], now: Timestamp) -> Vec<Hour<Attempts>> {
    let of = |place: usize, begin| {
        values
            .get(place)
            .map_or(0, |values| sum_of_hour(values, begin))
    };
    by_hour(now, |begin| Attempts {
        tried: Tried::of(of(0, begin), of(1, begin)),
        took: took_in_hour(values.get(2..).unwrap_or_default(), begin),
    })
}

/// The durations in the last hour that had any, by the values of p50 and p99.
pub(crate) fn took(values: &[Values]) -> Took {
    Took::of(values, |values| {
        values.last_key_value().map(|(_, value)| *value)
    })
}

/// The durations by the hour, by the values of p50 and p99.
pub(crate) fn took_by_hour(values: &[Values], now: Timestamp) -> Vec<Hour<Took>> {
    by_hour(now, |begin| took_in_hour(values, begin))
}

fn took_in_hour(values: &[Values], begin: Timestamp) -> Took {
    Took::of(values, |values| {
        let of_hour = values.range(begin..begin + SignedDuration::from_hours(1));
        of_hour.map(|(_, value)| *value).next_back()
    })
}

impl Received {
    /// The counts, in the order of the queries.
    fn of(mut counts: impl Iterator<Item = u64>) -> Self {
        let mut next = || counts.next().unwrap_or_default();
        Self {
            accepted: next(),
            duplicates: next(),
            quarantined: next(),
            rejected: next(),
        }
    }
}

impl Tried {
    fn of(delivered: u64, failed: u64) -> Self {
        let all = delivered + failed;
        Self {
            delivered,
            failed,
            success: (all > 0).then(|| delivered as f64 / all as f64),
        }
    }
}

impl Took {
    fn of(values: &[Values], pick: impl Fn(&Values) -> Option<f64>) -> Self {
        let pick = |place: usize| Some(pick(values.get(place)?)?.round() as u64);
        Self {
            p50_ms: pick(0),
            p99_ms: pick(1),
        }
    }
}

/// The present hour of the clock is the last.
fn by_hour<T>(now: Timestamp, of: impl Fn(Timestamp) -> T) -> Vec<Hour<T>> {
    let present = hour_of(now);
    let begins = (0..HOURS).rev();
    let begins = begins.map(|ago| present - SignedDuration::from_hours(i64::from(ago)));
    let hours = begins.map(|begin| Hour {
        at: shown(begin.as_millisecond()),
        of: of(begin),
    });
    hours.collect()
}

fn lately<T>(now: Timestamp, count: impl Fn(Timestamp) -> T) -> Lately<T> {
    Lately {
        hour: count(now - SignedDuration::from_hours(1)),
        day: count(now - DAY),
    }
}

/// The sum of the periods that ended after a time.
fn sum(values: &Values, since: Timestamp) -> u64 {
    let step = SignedDuration::from_secs(i64::from(STEP));
    let after = values.iter().filter(|(begin, _)| **begin + step > since);
    after.map(|(_, value)| value.round() as u64).sum()
}

/// The sum of the periods that began in an hour.
fn sum_of_hour(values: &Values, begin: Timestamp) -> u64 {
    let of_hour = values.range(begin..begin + SignedDuration::from_hours(1));
    of_hour.map(|(_, value)| value.round() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_100).unwrap()
    }

    /// Values, each of a step that began so many minutes ago.
    fn values(all: &[(i64, f64)]) -> Values {
        let at = |minutes| now() - SignedDuration::from_mins(minutes);
        all.iter().map(|(ago, value)| (at(*ago), *value)).collect()
    }

    #[test]
    fn the_day_begins_with_an_hour_of_the_clock() {
        let span = span(now());
        assert_eq!(span.start.as_second() % 3600, 0);
        let short = now() - DAY - span.start;
        assert!((0..3600).contains(&short.get_seconds()), "{short}");
    }

    #[test]
    fn the_hours_are_those_of_the_clock_and_the_present_one_is_the_last() {
        // It is 14:15:00Z. Values began at 14:14, 13:59, 13:00 and 15:00 the day before.
        let accepted = values(&[(1, 2.0), (16, 3.0), (75, 5.0), (23 * 60 + 15, 7.0)]);
        let rejected = values(&[(30, 1.0)]);
        let hours = received_by_hour(&[accepted, Values::new(), Values::new(), rejected], now());
        assert_eq!(hours.len(), 24);
        let of = |place: usize| {
            let hour = &hours[place];
            (
                hour.at.as_deref().unwrap(),
                hour.of.accepted,
                hour.of.rejected,
            )
        };
        assert_eq!(of(0), ("2026-09-20T15:00:00.000Z", 7, 0));
        assert_eq!(of(21), ("2026-09-21T12:00:00.000Z", 0, 0));
        assert_eq!(of(22), ("2026-09-21T13:00:00.000Z", 8, 1));
        assert_eq!(of(23), ("2026-09-21T14:00:00.000Z", 2, 0));
        assert_eq!(received_by_hour(&[], now()).len(), 24);
    }

    #[test]
    fn an_hour_without_attempts_has_no_duration() {
        let delivered = values(&[(10, 3.0)]);
        let failed = values(&[(10, 1.0)]);
        let p50 = values(&[(15, 20.4), (75, 80.0)]);
        let hours = tried_by_hour(&[delivered, failed, p50.clone(), Values::new()], now());
        assert_eq!(hours[23].of.tried.success, Some(0.75));
        let of = |place: usize| hours[place].of.took.p50_ms;
        assert_eq!((of(21), of(22), of(23)), (None, Some(80), Some(20)));
        let hours = took_by_hour(&[p50.clone(), Values::new()], now());
        assert_eq!((hours[23].of.p50_ms, hours[23].of.p99_ms), (Some(20), None));
        assert_eq!(took(&[p50]).p50_ms, Some(20));
        let shown = serde_json::to_value(&hours[21]).unwrap();
        let expected = serde_json::json!({
            "at": "2026-09-21T12:00:00.000Z", "p50_ms": null, "p99_ms": null,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_came_in_the_last_hour_came_in_the_last_day_too() {
        let accepted = values(&[(1, 2.0), (64, 3.0), (65, 5.0), (23 * 60, 7.0)]);
        let rejected = values(&[(30, 1.0)]);
        let lately = received(&[accepted, Values::new(), Values::new(), rejected], now());
        let of = |accepted| Received {
            accepted,
            rejected: 1,
            ..Received::default()
        };
        assert_eq!((lately.hour, lately.day), (of(5), of(17)));
        assert_eq!(received(&[], now()), Lately::default());
    }

    #[test]
    fn success_is_a_part_of_all_attempts_and_durations_are_of_the_last_hour() {
        let delivered = values(&[(10, 9.0), (600, 10.0)]);
        let failed = values(&[(10, 1.0)]);
        let p50 = values(&[(120, 80.0), (60, 20.4)]);
        let (lately, took) = tried(&[delivered, failed, p50, Values::new()], now());
        assert_eq!(lately.hour.success, Some(0.9));
        assert_eq!(lately.day.success, Some(0.95));
        let expected = Took {
            p50_ms: Some(20),
            p99_ms: None,
        };
        assert_eq!(took, expected);
        assert_eq!(tried(&[], now()).0.day.success, None);
    }

    #[test]
    fn the_metrics_are_those_that_the_functions_write() {
        let queries = of_source("gateway", "studio", "creative-force");
        let names = queries.each_ref().map(|query| query.name);
        assert_eq!(names, ["accepted", "duplicate", "quarantined", "rejected"]);
        assert!(
            queries
                .iter()
                .all(|query| query.dimensions.len() == 2 && query.statistic == "Sum")
        );
        let queries = of_gateway("gateway");
        assert!(
            queries
                .iter()
                .all(|query| query.name == "latency_ms" && query.dimensions.is_empty())
        );
        let queries = of_endpoint("gateway", "ep_1");
        assert_eq!(queries[3].statistic, "p99");
        assert_eq!(queries[3].dimensions, [("endpoint", "ep_1".to_owned())]);
    }
}
