//! Times as an operator gives them, and as they are shown.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil};

/// The time that a text means now.
pub(crate) fn since(text: &str) -> std::result::Result<Timestamp, &'static str> {
    time(text, Timestamp::now())
        .ok_or("a time is 90m, 2h or 3d before now, 2026-11-22 (UTC) or 2026-11-22T10:00:00Z")
}

/// A time of its own, the beginning of a day, or as long before now as a duration is.
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
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    now.checked_sub(duration.abs()).ok()
}

/// How long ago a time was, or how long it is until then.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.duration_since(at) {
        past if past.is_negative() => format!("in {}", long(past.abs())),
        past => format!("{} ago", long(past)),
    }
}

/// How long something takes, in the largest unit that there is one of.
pub(crate) fn long(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        172_800.. => format!("{} d", seconds / 86_400),
        7_200.. => format!("{} h", seconds / 3_600),
        120.. => format!("{} min", seconds / 60),
        1.. => format!("{seconds} s"),
        _ => format!("{} ms", duration.as_millis()),
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
            ("90m", "2026-11-22T08:30:00Z"),
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
    fn how_long_something_takes_is_told_in_one_unit() {
        for (ms, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_500, "1 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (7_199_000, "119 min"),
            (7_200_000, "2 h"),
            (172_799_000, "47 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(long(SignedDuration::from_millis(ms)), expected);
        }
        let now = Timestamp::UNIX_EPOCH;
        let minutes = SignedDuration::from_mins;
        assert_eq!(ago(now - minutes(5), now), "5 min ago");
        assert_eq!(ago(now + minutes(5), now), "in 5 min");
    }
}
