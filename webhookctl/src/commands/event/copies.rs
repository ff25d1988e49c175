//! The copies of an event that the provider sent. Only the log of the ingress function has them, one line
//! each.

use crate::Result;
use crate::stack::Stack;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde_json::Value;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::ledger::LedgerItem;

/// Most copies come within this time, in milliseconds.
const SOON: i64 = 60 * 60 * 1000;

/// The most pages that are read of a part of the log.
const MAX_PAGES: usize = 20;

/// The copies that were found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    /// The time of each copy, in milliseconds.
    pub(crate) at: Vec<i64>,
    /// Whether the log was searched to its end.
    pub(crate) is_whole: bool,
}

/// Finds the copies of a webhook, from its acceptance until its item in the ledger expires.
pub(crate) async fn copies(kept: &LedgerItem, stack: &Stack) -> Result<Copies> {
    let client = stack.logs();
    let group = stack.ingress_log_group()?;
    let mut copies = Copies {
        at: Vec::new(),
        is_whole: true,
    };
    for (first, last) in parts(kept, Timestamp::now()) {
        let request = client.filter_log_events();
        let mut pages = request
            .log_group_name(group)
            .filter_pattern(pattern(&kept.event.id)?)
            .start_time(first)
            .end_time(last)
            .into_paginator()
            .send();
        let mut left = MAX_PAGES;
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| AwsError::from(error).context("the log cannot be read"))?;
            let events = page.events().iter();
            copies
                .at
                .extend(events.filter_map(|line| copy(line, &kept.event)));
            left -= 1;
            if left == 0 && page.next_token().is_some() {
                copies.is_whole = false;
                break;
            }
        }
    }
    Ok(copies)
}

/// The parts of the log to search, each with its first and its last millisecond. The first part is short:
/// providers retry soon. The rest of a busy log may have more pages than are read.
fn parts(kept: &LedgerItem, now: Timestamp) -> Vec<(i64, i64)> {
    let first = kept.event.accepted_at;
    let forgotten = kept.expires_at.saturating_mul(1000);
    let last = forgotten.min(now.as_millisecond()).max(first);
    let soon = first.saturating_add(SOON);
    match soon < last {
        true => vec![(first, soon), (soon + 1, last)],
        false => vec![(first, last)],
    }
}

/// A filter pattern that finds an id anywhere in a line.
fn pattern(id: &str) -> Result<String> {
    // The line has these characters escaped, and a pattern cannot express that.
    match id.contains(['"', '\\']) {
        true => Err("the log cannot be searched for this id".into()),
        false => Ok(format!("\"{id}\"")),
    }
}

/// The time of a copy, if a line of the log is about one.
fn copy(line: &FilteredLogEvent, event: &EventMeta) -> Option<i64> {
    let members: Value = serde_json::from_str(line.message()?).ok()?;
    let is_copy = members["outcome"] == "duplicate"
        && members["event.id"] == *event.id
        && members["source"] == *event.source;
    line.timestamp().filter(|_| is_copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;
    use serde_json::json;

    #[test]
    fn a_copy_is_known_by_its_outcome_its_id_and_its_source() {
        let event = item("studio#1", "1").event;
        let of = |message: &str| {
            let line = FilteredLogEvent::builder().message(message).timestamp(7);
            copy(&line.build(), &event)
        };
        let line = json!({"outcome": "duplicate", "event.id": "1", "source": "studio"});
        assert_eq!(of(&line.to_string()), Some(7));
        for name in ["outcome", "event.id", "source"] {
            let mut other = line.clone();
            other[name] = json!("other");
            assert_eq!(of(&other.to_string()), None, "{name}");
        }
        assert_eq!(of("START RequestId: duplicate 1 studio"), None);
    }

    #[test]
    fn the_log_is_looked_through_until_now_or_until_the_ledger_forgets() {
        let mut kept = item("studio#1", "1");
        let at = kept.event.accepted_at;
        kept.expires_at = at / 1000 + 86_400;
        let of = |hours: i64| {
            let now = Timestamp::from_millisecond(at + hours * SOON).unwrap();
            parts(&kept, now)
        };
        assert_eq!(of(0), [(at, at)]);
        assert_eq!(of(1), [(at, at + SOON)]);
        assert_eq!(of(2), [(at, at + SOON), (at + SOON + 1, at + 2 * SOON)]);
        let whole = (at + SOON + 1, at + 24 * SOON);
        assert_eq!(of(50), [(at, at + SOON), whole]);
    }

    #[test]
    fn an_id_that_a_pattern_cannot_say_is_not_looked_for() {
        assert_eq!(pattern("sha256:ab:1").unwrap(), "\"sha256:ab:1\"");
        assert!(pattern("a\"b").is_err() && pattern("a\\b").is_err());
    }
}
