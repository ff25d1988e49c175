//! What is seen of sources and endpoints: two tables, or an object each.

use super::counts::{Lately, Received, Took, Tried};
use crate::output::Row;
use crate::time::{ago, long, shown};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A source. What was not counted is not known.
#[derive(Debug, Serialize)]
pub(crate) struct SourceView {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) provider: Option<&'static str>,
    pub(crate) last_event_at: Option<String>,
    #[serde(flatten)]
    pub(crate) received: Option<Lately<Received>>,
    #[serde(skip)]
    pub(crate) last: Option<Timestamp>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// An endpoint.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    #[serde(flatten)]
    pub(crate) tried: Option<Lately<Tried>>,
    #[serde(flatten)]
    pub(crate) took: Option<Took>,
    pub(crate) held: usize,
    /// Whether there are more than were counted.
    pub(crate) more_held: bool,
    pub(crate) next_attempt_at: Option<String>,
    #[serde(skip)]
    pub(crate) next: Option<i64>,
    #[serde(skip)]
    pub(crate) now: Timestamp,
}

/// A time in milliseconds, as text.
pub(crate) fn text(at: Option<Timestamp>) -> Option<String> {
    shown(at?.as_millisecond())
}

impl Row for SourceView {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let count = |of: fn(&Received) -> u64| {
            let both = |it: &Lately<Received>| format!("{} / {}", of(&it.hour), of(&it.day));
            self.received.as_ref().map_or("-".to_owned(), both)
        };
        vec![
            ("source", self.name.clone()),
            ("provider", self.provider.unwrap_or("-").to_owned()),
            (
                "last event",
                self.last.map_or("-".to_owned(), |at| ago(at, self.now)),
            ),
            ("accepted 1h/24h", count(|it| it.accepted)),
            ("duplicates", count(|it| it.duplicates)),
            ("quarantined", count(|it| it.quarantined)),
            ("rejected", count(|it| it.rejected)),
        ]
    }
}

impl Row for EndpointView {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let dash = || "-".to_owned();
        let percent = |it: &Tried| {
            // Not all of it is not 100 %.
            let percent = it.success.map(|it| (it * 1000.0).floor() / 10.0);
            percent.map_or_else(dash, |it| format!("{it} %"))
        };
        let success = self.tried.as_ref();
        let success = success.map(|it| format!("{} / {}", percent(&it.hour), percent(&it.day)));
        let took = |ms: Option<u64>| {
            let ms = ms.and_then(|ms| i64::try_from(ms).ok());
            ms.map_or_else(dash, |ms| match ms {
                ..10_000 => format!("{ms} ms"),
                ms => long(SignedDuration::from_millis(ms)),
            })
        };
        let next = self
            .next
            .and_then(|at| Timestamp::from_millisecond(at).ok());
        let next = next.map(|at| match at <= self.now {
            true => "now".to_owned(),
            false => ago(at, self.now),
        });
        let more = if self.more_held { "+" } else { "" };
        vec![
            ("endpoint", self.name.clone()),
            ("state", self.state.to_owned()),
            ("success 1h/24h", success.unwrap_or_else(dash)),
            ("p50", took(self.took.and_then(|it| it.p50_ms))),
            ("p99", took(self.took.and_then(|it| it.p99_ms))),
            ("held", format!("{}{more}", self.held)),
            ("next attempt", next.unwrap_or_else(dash)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(row: &impl Row) -> Vec<String> {
        row.cells().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_source_is_a_row_and_an_object() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let count = |accepted| Received {
            accepted,
            rejected: 1,
            ..Received::default()
        };
        let last = Some(now - SignedDuration::from_mins(5));
        let mut source = SourceView {
            kind: "source",
            name: "studio".to_owned(),
            provider: Some("creative-force"),
            last_event_at: text(last),
            received: Some(Lately {
                hour: count(2),
                day: count(7),
            }),
            last,
            now,
        };
        let expected = [
            "studio",
            "creative-force",
            "5 min ago",
            "2 / 7",
            "0 / 0",
            "0 / 0",
            "1 / 1",
        ];
        assert_eq!(texts(&source), expected);
        let object = json!(source);
        assert_eq!(object["last_event_at"], "2026-09-21T14:08:20.000Z");
        assert_eq!(object["day"]["accepted"], 7);
        source.received = None;
        assert_eq!(texts(&source)[3], "-");
        assert_eq!(json!(source).get("hour"), None);
    }

    #[test]
    fn an_endpoint_is_a_row_and_an_object() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let tried = |delivered: u64, failed: u64| Tried {
            delivered,
            failed,
            success: Some(delivered as f64 / (delivered + failed) as f64),
        };
        let mut endpoint = EndpointView {
            kind: "endpoint",
            id: "ep_1".to_owned(),
            name: "search".to_owned(),
            state: "active",
            tried: Some(Lately {
                hour: tried(1, 0),
                day: tried(1_999, 1),
            }),
            took: Some(Took {
                p50_ms: Some(20),
                p99_ms: Some(12_000),
            }),
            held: 3,
            more_held: true,
            next_attempt_at: None,
            next: Some(now.as_millisecond() + 300_000),
            now,
        };
        let expected = [
            "search",
            "active",
            "100 % / 99.9 %",
            "20 ms",
            "12 s",
            "3+",
            "in 5 min",
        ];
        assert_eq!(texts(&endpoint), expected);
        let object = json!(endpoint);
        assert_eq!(
            (&object["p50_ms"], &object["hour"]["delivered"]),
            (&json!(20), &json!(1))
        );
        (endpoint.tried, endpoint.took, endpoint.next) = (None, None, Some(0));
        assert_eq!(texts(&endpoint)[2..], ["-", "-", "-", "3+", "now"]);
    }
}
