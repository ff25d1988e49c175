//! What an attempt came to: decided here and nowhere else, from the answer and from how often it was tried. Pure; what
//! is done about it is left to `settle`.

use super::backoff::jittered;
use super::sender::{Reply, SendError};
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, SystemTime};

/// The longest wait that an endpoint may ask for: what SQS hides a message for at most.
const MAX_WAIT: Duration = Duration::from_hours(12);

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has the event.
    Delivered,
    /// The endpoint is gone, it says, and wants nothing more.
    Gone,
    /// The endpoint wants to be left alone until then: no delivery to it is tried before.
    Wait(Timestamp),
    /// It is tried again after so long.
    Retry(Duration),
    /// It failed, and its attempts are used up.
    Exhausted,
}

impl Outcome {
    /// One word for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Wait(_) => "wait",
            Self::Retry(_) => "retry",
            Self::Exhausted => "exhausted",
        }
    }
}

/// Classifies an answer. `failures` counts those before this attempt; `schedule` has the waits between attempts, in
/// seconds; `jitter` is a random number from 0 to 1.
///
/// A redirect is a failure like any other: where it points to was never checked.
pub fn classify(
    answer: &Result<Reply, SendError>,
    failures: u32,
    schedule: &[u64],
    now: Timestamp,
    jitter: f64,
) -> Outcome {
    let asked = |reply: &Reply| retry_after(reply.retry_after.as_deref()?, now);
    match answer {
        Ok(reply) if (200..300).contains(&reply.status) => return Outcome::Delivered,
        Ok(reply) if reply.status == 410 => return Outcome::Gone,
        Ok(reply) if matches!(reply.status, 429 | 503) => {
            if let Some(until) = asked(reply) {
                return Outcome::Wait(until);
            }
        }
        _ => {}
    }
    again(failures, schedule, jitter)
}

/// When a delivery is tried again that failed so often before, or that its attempts are used up.
pub(super) fn again(failures: u32, schedule: &[u64], jitter: f64) -> Outcome {
    let next = usize::try_from(failures).unwrap_or(usize::MAX);
    match schedule.get(next) {
        Some(&seconds) => Outcome::Retry(jittered(Duration::from_secs(seconds), jitter)),
        None => Outcome::Exhausted,
    }
}

/// Reads a [Retry-After](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3), in seconds or as a date; none for
/// what is neither, or over already.
fn retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has room for are a long time.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(SystemTime::from(now)).ok()?
    };
    if wait.is_zero() {
        return None;
    }
    let wait = SignedDuration::try_from(wait.min(MAX_WAIT)).ok()?;
    now.checked_add(wait).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::DEFAULT_RETRY;

    const NOW: i64 = 1_790_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn reply(status: u16, retry_after: Option<&str>) -> Result<Reply, SendError> {
        Ok(Reply {
            status,
            retry_after: retry_after.map(str::to_owned),
            location: None,
            body: Vec::new(),
        })
    }

    fn classified(status: u16, retry_after: Option<&str>, failures: u32) -> Outcome {
        classify(
            &reply(status, retry_after),
            failures,
            &DEFAULT_RETRY,
            now(),
            0.5,
        )
    }

    fn wait(seconds: i64) -> Outcome {
        Outcome::Wait(Timestamp::from_second(NOW + seconds).unwrap())
    }

    const FIRST: Outcome = Outcome::Retry(Duration::from_secs(5));

    #[test]
    fn an_answer_is_classified_by_its_status() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(
                classified(status, Some("60"), 0),
                Outcome::Delivered,
                "{status}"
            );
        }
        assert_eq!(classified(410, Some("60"), 11), Outcome::Gone);
        for status in [
            300, 301, 302, 304, 307, 308, 400, 401, 404, 408, 409, 418, 500, 502, 504, 599,
        ] {
            assert_eq!(classified(status, Some("60"), 0), FIRST, "{status}");
        }
    }

    #[test]
    fn an_endpoint_that_asks_for_a_wait_gets_it() {
        for status in [429, 503] {
            assert_eq!(classified(status, Some("60"), 0), wait(60));
            assert_eq!(classified(status, Some(" 60 "), 11), wait(60));
            assert_eq!(classified(status, Some("86400"), 0), wait(12 * 3600));
            assert_eq!(
                classified(status, Some("99999999999999999999999"), 0),
                wait(12 * 3600)
            );
            // In the three forms that RFC 9110 has recipients take.
            for date in [
                "Mon, 21 Sep 2026 14:14:20 GMT",
                "Monday, 21-Sep-26 14:14:20 GMT",
                "Mon Sep 21 14:14:20 2026",
            ] {
                assert_eq!(classified(status, Some(date), 0), wait(60), "{date}");
            }
            assert_eq!(
                classified(status, Some("Fri, 21 Sep 2029 14:14:20 GMT"), 0),
                wait(12 * 3600)
            );
        }
    }

    #[test]
    fn nonsense_and_the_past_are_no_wait() {
        for status in [429, 503] {
            for value in [
                None,
                Some(""),
                Some("0"),
                Some("-1"),
                Some("+5"),
                Some("1.5"),
                Some("5 s"),
                Some("soon"),
                Some("60, 60"),
                Some("Mon, 21 Sep 2026 14:12:20 GMT"),
            ] {
                assert_eq!(classified(status, value, 0), FIRST, "{value:?}");
            }
        }
    }

    #[test]
    fn what_was_not_answered_is_tried_again() {
        for error in [SendError::Timeout, SendError::Dns, SendError::Tls] {
            assert_eq!(classify(&Err(error), 0, &DEFAULT_RETRY, now(), 0.5), FIRST);
        }
    }

    #[test]
    fn the_schedule_is_kept_to_its_end() {
        for (number, seconds) in (0..).zip(DEFAULT_RETRY) {
            let expected = Outcome::Retry(Duration::from_secs(seconds));
            assert_eq!(classified(500, None, number), expected, "{number}");
        }
        assert_eq!(classified(500, None, 12), Outcome::Exhausted);
        assert_eq!(classified(500, None, 11), Outcome::Exhausted);
        assert_eq!(
            classify(&reply(500, None), 0, &[], now(), 0.5),
            Outcome::Exhausted
        );
    }

    #[test]
    fn each_outcome_has_a_word_of_its_own() {
        let outcomes = [
            Outcome::Delivered,
            Outcome::Gone,
            Outcome::Wait(now()),
            Outcome::Retry(Duration::ZERO),
            Outcome::Exhausted,
        ];
        let words = ["delivered", "gone", "wait", "retry", "exhausted"];
        assert_eq!(outcomes.map(Outcome::name), words);
    }
}
