//! When a source last answered a handshake, and the token that it brought. Only the log of the ingress
//! function has them, one line each. The secrets that handshakes offered are in the journal.

use crate::Result;
use crate::commands::quarantine::rejected;
use crate::diagnose::Offer;
use crate::stack::Stack;
use crate::time;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::providers::handshake::HOOK_SECRET;
use webhook_gateway::store::journal::{Journal, KeptRejected};

/// How far back the log is searched.
pub(crate) const SEARCHED_DAYS: i64 = 30;

/// The most pages that are read.
const MAX_PAGES: usize = 20;

/// The time of the last handshake that was answered.
pub(crate) async fn last(source: &str, stack: &Stack) -> Result<Option<String>> {
    let pattern = format!(r#"{{ $.outcome = "handshake" && $.source = "{source}" }}"#);
    let found = newest(pattern, stack, |line| answered(line, source)).await?;
    Ok(found.and_then(|(at, ())| time::shown(at)))
}

/// The newest verification token that the provider sent to a source.
pub(crate) async fn token(source: &str, stack: &Stack) -> Result<Option<String>> {
    let pattern =
        format!(r#"{{ $.fields.verification_token = "*" && $.fields.source = "{source}" }}"#);
    let found = newest(pattern, stack, |line| shown_token(line, source)).await?;
    Ok(found.map(|(_, token)| token))
}

/// The secret that the handshake of this id offered to a source.
pub(crate) async fn secret(id: &str, source: &str, journal: &Journal) -> Result<String> {
    let kept = rejected::one(id, journal).await?;
    if kept.source != source || !kept.is_handshake() {
        return Err(format!(
            "{id} is not a handshake that offered a secret to the source {source}"
        )
        .into());
    }
    Ok(offer(&kept, journal).await?.secret)
}

/// The secret of a handshake that was kept, with what is known of its sender.
pub(crate) async fn offer(kept: &KeptRejected, journal: &Journal) -> Result<Offer> {
    let request = journal.rejected_request(kept).await?;
    let request = request.ok_or("a newer handshake took its place")?;
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        let value = headers.find(|(header, _)| header == name);
        value.map(|(_, value)| value.clone())
    };
    Ok(Offer {
        id: kept.id.clone(),
        at: kept.at,
        secret: header(HOOK_SECRET.as_str()).ok_or("it was kept without its secret")?,
        user_agent: header("user-agent"),
    })
}

/// What the newest line of the log says, with its time.
async fn newest<T: Ord>(
    pattern: String,
    stack: &Stack,
    read: impl Fn(&FilteredLogEvent) -> Option<(i64, T)>,
) -> Result<Option<(i64, T)>> {
    let now = Timestamp::now();
    let since = now - SignedDuration::from_hours(24 * SEARCHED_DAYS);
    let request = stack.logs().filter_log_events();
    let mut pages = request
        .log_group_name(stack.ingress_log_group()?)
        .filter_pattern(pattern)
        .start_time(since.as_millisecond())
        .end_time(now.as_millisecond())
        .into_paginator()
        .send();
    let mut newest = None;
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else {
            break;
        };
        let page = page.map_err(|error| AwsError::from(error).context("the log cannot be read"))?;
        newest = page.events().iter().filter_map(&read).chain(newest).max();
    }
    Ok(newest)
}

/// The time of a line about a handshake of the source.
fn answered(line: &FilteredLogEvent, source: &str) -> Option<(i64, ())> {
    let members: Value = serde_json::from_str(line.message()?).ok()?;
    let is_it = members["outcome"] == "handshake" && members["source"] == source;
    line.timestamp().filter(|_| is_it).map(|at| (at, ()))
}

/// The token in a line about the source.
fn shown_token(line: &FilteredLogEvent, source: &str) -> Option<(i64, String)> {
    let members: Value = serde_json::from_str(line.message()?).ok()?;
    let fields = members
        .get("fields")
        .filter(|fields| fields["source"] == source)?;
    let token = fields.get("verification_token")?.as_str()?.to_owned();
    Some((line.timestamp()?, token))
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
        assert_eq!(of(&line.to_string()), Some((1_790_000_000_000, ())));
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

    #[test]
    fn a_token_is_read_from_the_line_that_shows_it() {
        let of = |message: Value| {
            let line = FilteredLogEvent::builder().message(message.to_string());
            shown_token(&line.timestamp(5).build(), "pages")
        };
        let line = |source: &str| {
            json!({"level": "WARN", "fields": {
                "message": "the provider sent its verification token", "source": source,
                "verification_token": "secret_x",
            }})
        };
        assert_eq!(of(line("pages")), Some((5, "secret_x".to_owned())));
        assert_eq!(of(line("other")), None);
        assert_eq!(of(json!({"outcome": "handshake", "source": "pages"})), None);
    }
}
