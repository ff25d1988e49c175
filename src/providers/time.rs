//! The times that providers write: in signed headers, strictly, and in events, in any format.

use super::attribute::is_rfc3339;
use jiff::Timestamp;
use std::borrow::Cow;

/// How a provider writes a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339).
    Rfc3339,
}

impl TimeFormat {
    /// A time as the provider writes it.
    pub(super) fn write(self, time: Timestamp) -> String {
        match self {
            Self::Seconds => time.as_second().to_string(),
            Self::Milliseconds => time.as_millisecond().to_string(),
            Self::Rfc3339 => time.to_string(),
        }
    }

    /// The time that a signed header holds. A number is digits and nothing else.
    pub(super) fn signed(self, value: &[u8]) -> Option<Timestamp> {
        let text = std::str::from_utf8(value).ok()?;
        match self {
            Self::Rfc3339 => text.parse().ok().filter(|_| is_rfc3339(text)),
            Self::Seconds => Timestamp::from_second(number(text)?).ok(),
            Self::Milliseconds => Timestamp::from_millisecond(number(text)?).ok(),
        }
    }
}

/// A time of an event as RFC 3339. Without a format it is detected, as RFC 3339 is in any case.
pub(super) fn rfc3339<'a>(told: Cow<'a, str>, format: Option<TimeFormat>) -> Option<Cow<'a, str>> {
    if is_rfc3339(&told) {
        return Some(told);
    }
    let (whole, fraction) = told.split_once('.').unwrap_or((&told, "0"));
    let time = match (number(whole), number(fraction)) {
        (Some(whole), Some(_)) => since_1970(whole, fraction, format)?,
        _ => told.parse().ok().filter(|_| has_short_offset(&told))?,
    };
    Some(time.to_string().into()).filter(|time: &Cow<'_, str>| is_rfc3339(time))
}

/// A number of seconds, or of the thousandths that its size shows.
fn since_1970(whole: i64, fraction: &str, format: Option<TimeFormat>) -> Option<Timestamp> {
    let time = match (format, whole) {
        (Some(TimeFormat::Milliseconds), _) => Timestamp::from_millisecond(whole),
        (Some(TimeFormat::Seconds), _) | (_, ..100_000_000_000) => {
            let nanoseconds = format!("{fraction:0<9}");
            let nanoseconds = nanoseconds.get(..9)?.parse().ok()?;
            Timestamp::new(whole, nanoseconds)
        }
        (_, ..100_000_000_000_000) => Timestamp::from_millisecond(whole),
        (_, ..100_000_000_000_000_000) => Timestamp::from_microsecond(whole),
        _ => Timestamp::from_nanosecond(whole.into()),
    };
    time.ok()
}

fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Whether a time ends like `T18:33:55+0300`: all that it lacks to RFC 3339 is the colon.
fn has_short_offset(text: &str) -> bool {
    let at = text.len().saturating_sub(2);
    let minutes_apart = text.split_at_checked(at);
    minutes_apart.is_some_and(|(start, minutes)| is_rfc3339(&format!("{start}:{minutes}")))
}
