//! Reads what an endpoint said, from the status of its reply and from `Retry-After`. Pure.

use super::lifecycle::Answer;
use crate::delivery::http::guard::without_query;
use crate::delivery::http::sender::{Reply, SendError};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The longest wait that an endpoint may ask for: what SQS hides a message for at most.
const MAX_WAIT: Duration = Duration::from_hours(12);

/// The most characters of a redirect's target that the operator is told.
const MAX_LOCATION: usize = 300;

/// What the operator is told of a `Retry-After` that is not as it should be.
const IS_TIME: &str =
    "its Retry-After is a time, where seconds from now are expected: it is left alone until then";
const IS_OVER: &str =
    "its Retry-After is a time that is over, where seconds from now are expected: it is not heeded";
const IS_LONG: &str = "its Retry-After is longer than 12 h: it is left alone for 12 h";
const IS_NEITHER: &str =
    "its Retry-After is neither a number of seconds nor a date: it is not heeded";

/// What the endpoint said. A redirect is a failure like any other: the place it points to was never checked.
pub(super) fn answer(reply: &Result<Reply, SendError>, now: Timestamp) -> Answer {
    let Ok(reply) = reply else {
        return Answer::Failed;
    };
    match reply.status {
        200..300 => Answer::Delivered,
        410 => Answer::Gone,
        429 | 503 => {
            let value = reply.retry_after.as_deref();
            match value.and_then(|value| asked(value, now).0) {
                Some(until) => Answer::Busy { until },
                None => Answer::Failed,
            }
        }
        _ => Answer::Failed,
    }
}

/// What the operator is told of a reply beside its status; nothing of most.
pub(super) fn remark(answer: &Result<Reply, SendError>, now: Timestamp) -> Option<String> {
    let reply = match answer {
        Ok(reply) => reply,
        Err(error) => return Some(error.to_string()),
    };
    match reply.status {
        300..400 => {
            let to: String = without_query(reply.location.as_deref()?);
            let to: String = to.chars().take(MAX_LOCATION).collect();
            Some(format!(
                "it redirects to {to}, and no redirect is followed: let the endpoint's URL be the final one"
            ))
        }
        429 | 503 => asked(reply.retry_after.as_deref()?, now)
            .1
            .map(str::to_owned),
        _ => None,
    }
}

/// Until when an endpoint asks to be left alone by
/// [Retry-After](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3), in seconds or as a date; none for
/// what is neither, or over already. And what is to be told of it.
fn asked(value: &str, now: Timestamp) -> (Option<Timestamp>, Option<&'static str>) {
    let value = value.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let (wait, remark) = if is_number {
        // More digits than a number has room for are a long time.
        let number = value.parse().unwrap_or(u64::MAX);
        match time_of(number, now) {
            Some(time) => (time.duration_since(now), Some(IS_TIME)),
            None => (
                SignedDuration::try_from(Duration::from_secs(number))
                    .unwrap_or(SignedDuration::MAX),
                None,
            ),
        }
    } else {
        let Ok(date) = httpdate::parse_http_date(value) else {
            return (None, Some(IS_NEITHER));
        };
        match Timestamp::try_from(date) {
            Ok(date) => (date.duration_since(now), None),
            Err(_) => return (None, Some(IS_NEITHER)),
        }
    };
    if !wait.is_positive() {
        return (None, remark.and(Some(IS_OVER)));
    }
    let longest = SignedDuration::try_from(MAX_WAIT).unwrap_or(SignedDuration::MAX);
    let remark = if wait > longest {
        Some(IS_LONG)
    } else {
        remark
    };
    (now.checked_add(wait.min(longest)).ok(), remark)
}

/// The time that a number of seconds or milliseconds since 1970 means, if it is within a year from now: as a
/// wait it would be decades, which nobody asks for.
fn time_of(number: u64, now: Timestamp) -> Option<Timestamp> {
    let number = i64::try_from(number).ok()?;
    let times = [
        Timestamp::from_second(number),
        Timestamp::from_millisecond(number),
    ];
    let year = SignedDuration::from_hours(365 * 24);
    let mut times = times.into_iter().flatten();
    times.find(|time| time.duration_since(now).abs() <= year)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn answered(status: u16, retry_after: Option<&str>) -> Answer {
        answer(&reply(status, retry_after), now())
    }

    fn busy(seconds: i64) -> Answer {
        let until = Timestamp::from_second(NOW + seconds).unwrap();
        Answer::Busy { until }
    }

    #[test]
    fn an_answer_goes_by_its_status() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, Some("60")), Answer::Delivered, "{status}");
        }
        assert_eq!(answered(410, Some("60")), Answer::Gone);
        for status in [
            300, 301, 302, 304, 307, 308, 400, 401, 404, 408, 409, 418, 500, 502, 504, 599,
        ] {
            assert_eq!(answered(status, Some("60")), Answer::Failed, "{status}");
        }
    }

    #[test]
    fn an_endpoint_that_asks_for_a_wait_gets_it() {
        for status in [429, 503] {
            assert_eq!(answered(status, Some("60")), busy(60));
            assert_eq!(answered(status, Some(" 60 ")), busy(60));
            assert_eq!(answered(status, Some("86400")), busy(12 * 3600));
            assert_eq!(
                answered(status, Some("99999999999999999999999")),
                busy(12 * 3600)
            );
            // In the three forms that RFC 9110 has recipients take.
            for date in [
                "Mon, 21 Sep 2026 14:14:20 GMT",
                "Monday, 21-Sep-26 14:14:20 GMT",
                "Mon Sep 21 14:14:20 2026",
            ] {
                assert_eq!(answered(status, Some(date)), busy(60), "{date}");
            }
            assert_eq!(
                answered(status, Some("Fri, 21 Sep 2029 14:14:20 GMT")),
                busy(12 * 3600)
            );
        }
    }

    #[test]
    fn a_time_in_the_place_of_a_wait_is_taken_for_a_time() {
        let long = Some(busy(12 * 3600));
        for (value, expected, remark) in [
            (NOW + 60, Some(busy(60)), Some(IS_TIME)),
            ((NOW + 60) * 1000, Some(busy(60)), Some(IS_TIME)),
            (NOW + 86_400, long, Some(IS_LONG)),
            (NOW, None, Some(IS_OVER)),
            (NOW - 60, None, Some(IS_OVER)),
            ((NOW - 60) * 1000, None, Some(IS_OVER)),
            (43_200, long, None),
            (43_201, long, Some(IS_LONG)),
            (86_400 * 365, long, Some(IS_LONG)),
            (i64::MAX, long, Some(IS_LONG)),
        ] {
            let text = value.to_string();
            let expected = expected.unwrap_or(Answer::Failed);
            assert_eq!(answered(429, Some(&text)), expected, "{value}");
            let told = super::remark(&reply(503, Some(&text)), now());
            assert_eq!(told.as_deref(), remark, "{value}");
        }
    }

    #[test]
    fn what_a_status_does_not_say_is_told() {
        let told = |answer| super::remark(&answer, now());
        assert_eq!(told(reply(200, Some("soon"))), None);
        assert_eq!(told(reply(500, None)), None);
        assert_eq!(told(reply(429, Some("60"))), None);
        assert_eq!(told(reply(429, Some("soon"))).as_deref(), Some(IS_NEITHER));
        assert!(told(Err(SendError::Dns)).unwrap().contains("DNS records"));
        for (status, is_told) in [(301, true), (308, true), (200, false), (404, false)] {
            let mut answer = reply(status, None).unwrap();
            answer.location = Some(format!(
                "https://u:p@b.example/in?key=hunter2{}",
                "x".repeat(9999)
            ));
            let told = told(Ok(answer));
            assert_eq!(told.is_some(), is_told, "{status}");
            let told = told.unwrap_or_default();
            assert!(
                !is_told || told.contains(" https://b.example/in, "),
                "{told}"
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
                assert_eq!(answered(status, value), Answer::Failed, "{value:?}");
            }
        }
    }

    #[test]
    fn no_reply_is_a_failure() {
        for error in [SendError::Timeout, SendError::Dns, SendError::Tls] {
            assert_eq!(answer(&Err(error), now()), Answer::Failed);
        }
    }
}
