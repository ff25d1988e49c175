//! The metrics of sources and endpoints: the queries for them, and their sums over the last hour and day.
//! Pure.

use crate::metrics::{Query, Values};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::ops::Range;

/// The period of sums, in seconds.
const STEP: i32 = 300;

/// The period of percentiles, in seconds. Percentiles cannot be added, so their period is what is shown: an
/// hour.
const HOUR: i32 = 3_600;

const DAY: SignedDuration = SignedDuration::from_hours(24);

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

/// The durations of attempts in the last hour that had any, in milliseconds.
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

/// The numbers of queries for a source and for an endpoint.
pub(crate) const OF_SOURCE: usize = 4;
pub(crate) const OF_ENDPOINT: usize = 4;

/// The last day, in whole periods.
pub(crate) fn span(now: Timestamp) -> Range<Timestamp> {
    let start = (now - DAY).as_second();
    let start = start - start.rem_euclid(i64::from(STEP));
    Timestamp::from_second(start).unwrap_or(now - DAY)..now
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

/// The counts of a source.
pub(crate) fn received(values: &[Values], now: Timestamp) -> Lately<Received> {
    lately(now, |since| {
        let mut counts = values.iter().map(|values| sum(values, since));
        let mut next = || counts.next().unwrap_or_default();
        Received {
            accepted: next(),
            duplicates: next(),
            quarantined: next(),
            rejected: next(),
        }
    })
}

/// The counts and durations of an endpoint.
pub(crate) fn tried(values: &[Values], now: Timestamp) -> (Lately<Tried>, Took) {
    let of = |place: usize, since| values.get(place).map_or(0, |values| sum(values, since));
    let tried = lately(now, |since| {
        let (delivered, failed) = (of(0, since), of(1, since));
        let all = delivered + failed;
        Tried {
            delivered,
            failed,
            success: (all > 0).then(|| delivered as f64 / all as f64),
        }
    });
    let last = |place: usize| {
        let (_, value) = values.get(place)?.last_key_value()?;
        Some(value.round() as u64)
    };
    let took = Took {
        p50_ms: last(2),
        p99_ms: last(3),
    };
    (tried, took)
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
    fn the_day_begins_with_a_step() {
        let span = span(now());
        assert_eq!(span.start.as_second() % 300, 0);
        let short = now() - DAY - span.start;
        assert!(short.get_seconds() < 300, "{short}");
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
        let queries = of_endpoint("gateway", "ep_1");
        assert_eq!(queries[3].statistic, "p99");
        assert_eq!(queries[3].dimensions, [("endpoint", "ep_1".to_owned())]);
    }
}
