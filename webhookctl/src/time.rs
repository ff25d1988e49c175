//! Times and durations, as an operator types them and as they are printed.

use crate::Result;
use crate::output::Output;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil};

/// DynamoDB deletes an item at most this long after the item expires.
const LAG: SignedDuration = SignedDuration::from_hours(48);

/// The time that a text such as 2h means now.
pub(crate) fn since(text: &str) -> std::result::Result<Timestamp, &'static str> {
    time(text, Timestamp::now()).ok_or(
        "a time is a duration such as 90s, 15m, 2h or 3d (ago), a date such as 2026-11-22 (UTC), \
            or 2026-11-22T10:00:00Z",
    )
}

/// The beginning of a search: `since`, or a later time if nothing older is kept. A note says so.
pub(crate) fn bounded(
    since: Timestamp,
    until: Option<Timestamp>,
    kept: SignedDuration,
    output: &Output,
) -> Result<Timestamp> {
    let now = Timestamp::now();
    refuse_wrong_order(since, until, now)?;
    let first = now - kept - LAG;
    if since >= first {
        return Ok(since);
    }
    let days = kept.as_hours() / 24;
    output.note(&format!(
        "nothing is kept for longer than {days} days: the search begins at {first:.0}"
    ));
    Ok(first)
}

/// Rejects an empty span of time, and a future one.
pub(crate) fn refuse_wrong_order(
    since: Timestamp,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    match until {
        Some(until) if since >= until => Err("--since must be before --until".into()),
        _ if since > now => Err("--since is in the future".into()),
        _ => Ok(()),
    }
}

/// The time that a text means, seen from now.
fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    // A time without an offset would pass for its date.
    if text.len() == "2026-11-22".len()
        && let Ok(date) = text.parse::<civil::Date>()
    {
        return Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    }
    now.checked_sub(duration(text)?.abs()).ok()
}

/// A duration such as 90s, 15m, 2h or 3d. A day has 24 hours.
fn duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// A duration of a flag, in whole seconds.
pub(crate) fn seconds(text: &str) -> std::result::Result<u64, String> {
    let malformed = || format!("{text:?} is not a duration such as 90s, 15m, 2h or 3d");
    let duration = duration(text).ok_or_else(malformed)?;
    let seconds = u64::try_from(duration.as_secs()).map_err(|_| malformed())?;
    if duration != SignedDuration::from_secs(duration.as_secs()) || duration.is_negative() {
        return Err("a duration is a number of whole seconds".to_owned());
    }
    Ok(seconds)
}

/// How long ago a time was, or how long it is until then.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.duration_since(at) {
        past if past.is_negative() => format!("in {}", rough(past.abs())),
        past => format!("{} ago", rough(past)),
    }
}

/// A duration in the form in which a flag takes it, such as 1h30m.
pub(crate) fn exact(seconds: u64) -> String {
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let some = units.iter().filter(|(count, _)| *count > 0);
    let text: String = some.map(|(count, unit)| format!("{count}{unit}")).collect();
    match text.is_empty() {
        true => "0s".to_owned(),
        false => text,
    }
}

/// The same for a duration that a source declares, which is never negative.
pub(crate) fn exact_duration(duration: SignedDuration) -> String {
    exact(u64::try_from(duration.as_secs()).unwrap_or_default())
}

/// A duration in the largest unit of which it has at least two.
pub(crate) fn rough(duration: impl TryInto<SignedDuration>) -> String {
    let duration = duration.try_into().unwrap_or(SignedDuration::MAX);
    let seconds = duration.as_secs();
    match seconds {
        172_800.. => format!("{}d", seconds / 86_400),
        7_200.. => format!("{}h", seconds / 3_600),
        120.. => format!("{}m", seconds / 60),
        1.. => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
}

/// A time in milliseconds, in RFC 3339.
pub(crate) fn shown(milliseconds: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(milliseconds).ok()?;
    Some(format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_given_as_one_or_as_how_long_ago() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90s", "2026-11-22T09:58:30Z"),
            ("15m", "2026-11-22T09:45:00Z"),
            ("2h", "2026-11-22T08:00:00Z"),
            ("3d", "2026-11-19T10:00:00Z"),
            ("1w", "2026-11-15T10:00:00Z"),
            ("1d 2h", "2026-11-21T08:00:00Z"),
            ("2h ago", "2026-11-22T08:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T01:00:00+01:00", "2026-11-20T00:00:00Z"),
        ] {
            let time = time(text, now).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(time.to_string(), expected, "{text}");
        }
        for wrong in [
            "",
            "2",
            "yesterday",
            "2026-11-20T01:00:00",
            "2026-13-01",
            "1mo",
            "99999y",
        ] {
            assert_eq!(time(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_looked_for_before_it_is_kept_nor_in_a_span_that_is_none() {
        let output = Output::standard(true);
        let now = Timestamp::now();
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let within = now - days(31);
        assert_eq!(bounded(within, None, days(30), &output).unwrap(), within);
        let long_ago = "2000-01-01T00:00:00Z".parse().unwrap();
        for since in [long_ago, Timestamp::MIN] {
            let first = bounded(since, None, days(30), &output).unwrap();
            assert!(now - days(32) <= first && first < now - days(31), "{first}");
        }
        let minute = SignedDuration::from_mins(1);
        for (since, until, is_right) in [
            (now - minute, None, true),
            (now + minute, None, false),
            (now - minute, Some(now), true),
            (now - minute, Some(now + minute), true),
            (now, Some(now), false),
            (now, Some(now - minute), false),
        ] {
            let ordered = refuse_wrong_order(since, until, now);
            assert_eq!(ordered.is_ok(), is_right, "{since} {until:?}");
        }
    }

    #[test]
    fn a_rough_duration_has_one_unit() {
        for (ms, expected) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_500, "1s"),
            (119_000, "119s"),
            (120_000, "2m"),
            (7_199_000, "119m"),
            (7_200_000, "2h"),
            (172_799_000, "47h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(rough(SignedDuration::from_millis(ms)), expected);
        }
        let now = Timestamp::UNIX_EPOCH;
        let minutes = SignedDuration::from_mins;
        assert_eq!(ago(now - minutes(5), now), "5m ago");
        assert_eq!(ago(now + minutes(5), now), "in 5m");
    }

    #[test]
    fn a_duration_is_whole_seconds_in_any_units() {
        for (text, expected) in [
            ("0s", 0),
            ("5s", 5),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("1000ms", 1),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in [
            "", "5", "s", "500ms", "1.5s", "-5s", "5s ago", "-500ms", "1mo", "1e9h",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_printed_duration_is_read_as_the_same() {
        for (duration, expected) in [
            (0, "0s"),
            (5, "5s"),
            (300, "5m"),
            (36_000, "10h"),
            (90_061, "1d1h1m1s"),
        ] {
            assert_eq!(exact(duration), expected);
            assert_eq!(seconds(expected), Ok(duration));
        }
    }
}
