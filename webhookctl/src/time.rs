//! Times as an operator gives them, and as they are shown.

use crate::Result;
use crate::output::Output;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, civil};

/// DynamoDB forgets what is past its time within that.
const LAG: SignedDuration = SignedDuration::from_hours(48);

/// The time that a text means now.
pub(crate) fn since(text: &str) -> std::result::Result<Timestamp, &'static str> {
    time(text, Timestamp::now())
        .ok_or("a time is 90s, 15m, 2h or 3d ago, 2026-11-22 (UTC) or 2026-11-22T10:00:00Z")
}

/// From when on something is looked for: from `since`, or else from when on anything is kept, which is said.
pub(crate) fn bounded(
    since: Timestamp,
    until: Option<Timestamp>,
    kept: SignedDuration,
    output: Output,
) -> Result<Timestamp> {
    let now = Timestamp::now();
    refuse_wrong_order(since, until, now)?;
    let first = now - kept - LAG;
    if since >= first {
        return Ok(since);
    }
    let days = kept.as_hours() / 24;
    output.note(&format!(
        "nothing is kept for longer than {days} days: what is looked for begins at {first:.0}"
    ));
    Ok(first)
}

/// Refuses a span of time that nothing can be in.
pub(crate) fn refuse_wrong_order(
    since: Timestamp,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    match until {
        Some(until) if since >= until => Err("--since is not before --until".into()),
        _ if since > now => Err("--since is in the future".into()),
        _ => Ok(()),
    }
}

/// What a text means, with which nothing is wrong now.
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
        let output = Output { json: true };
        let now = Timestamp::now();
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let within = now - days(31);
        assert_eq!(bounded(within, None, days(30), output).unwrap(), within);
        let long_ago = "2000-01-01T00:00:00Z".parse().unwrap();
        for since in [long_ago, Timestamp::MIN] {
            let first = bounded(since, None, days(30), output).unwrap();
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
