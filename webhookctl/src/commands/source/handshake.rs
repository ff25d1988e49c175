//! When a source last answered a handshake. Only the log of the ingress function has it, one line each.

use crate::Result;
use crate::stack::Stack;
use crate::time;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use webhook_gateway::aws::error::AwsError;

/// How far back the log is searched.
pub(crate) const SEARCHED_DAYS: i64 = 30;

/// The most pages that are read.
const MAX_PAGES: usize = 20;

/// The time of the last handshake that was answered, and its provider's token if the log shows one.
pub(crate) async fn last(source: &str, stack: &Stack) -> Result<Option<String>> {
    let now = Timestamp::now();
    let since = now - SignedDuration::from_hours(24 * SEARCHED_DAYS);
    let pattern = format!(r#"{{ $.outcome = "handshake" && $.source = "{source}" }}"#);
    let request = stack.logs().filter_log_events();
    let mut pages = request
        .log_group_name(stack.ingress_log_group()?)
        .filter_pattern(pattern)
        .start_time(since.as_millisecond())
        .end_time(now.as_millisecond())
        .into_paginator()
        .send();
    let mut last = None;
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else {
            break;
        };
        let page = page.map_err(|error| AwsError::from(error).context("the log cannot be read"))?;
        let answered = page
            .events()
            .iter()
            .filter_map(|line| answered(line, source));
        last = answered.chain(last).max();
    }
    Ok(last.and_then(time::shown))
}

/// The time of a line about a handshake of the source.
fn answered(line: &FilteredLogEvent, source: &str) -> Option<i64> {
    let members: Value = serde_json::from_str(line.message()?).ok()?;
    let is_it = members["outcome"] == "handshake" && members["source"] == source;
    line.timestamp().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_line_about_a_handshake_of_the_source_counts() {
        let of = |message: &str| {
            let line = FilteredLogEvent::builder().message(message);
            answered(&line.timestamp(1_790_000_000_000).build(), "social")
        };
        let line = json!({"outcome": "handshake", "source": "social"});
        assert_eq!(of(&line.to_string()), Some(1_790_000_000_000));
        let other = json!({"outcome": "handshake", "source": "shop"});
        let accepted = json!({"outcome": "accepted", "source": "social"});
        for line in [
            other.to_string(),
            accepted.to_string(),
            "handshake social".to_owned(),
        ] {
            assert_eq!(of(&line), None, "{line}");
        }
    }
}
