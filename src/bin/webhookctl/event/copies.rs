//! The copies that a vendor sent of an event: nothing is written of them but a line in the log of the ingress function.

use crate::Result;
use crate::output::explain;
use crate::stack::Stack;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use serde_json::Value;
use webhook_gateway::event::EventRef;

/// The most pages of a log that are looked through.
const MAX_PAGES: usize = 20;

/// Copies, and whether there may be more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copies {
    /// When each of them came, in milliseconds.
    pub(super) at: Vec<i64>,
    /// Whether the log was looked through to its end.
    pub(super) is_whole: bool,
}

/// Looks for the copies of an event, from its acceptance on.
pub(super) async fn copies(event: &EventRef, stack: &Stack) -> Result<Copies> {
    let client = Client::new(&stack.aws);
    let request = client.filter_log_events();
    let mut pages = request
        .log_group_name(stack.output("IngressLogGroupName")?)
        .filter_pattern(pattern(&event.id)?)
        .start_time(event.accepted_at)
        .into_paginator()
        .send();
    let mut at = Vec::new();
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else {
            return Ok(Copies { at, is_whole: true });
        };
        let page = page.map_err(|error| format!("the log cannot be read: {}", explain(&error)))?;
        at.extend(page.events().iter().filter_map(|line| copy(line, event)));
    }
    Ok(Copies {
        at,
        is_whole: false,
    })
}

/// What finds an id anywhere in a line.
fn pattern(id: &str) -> Result<String> {
    // The line has them escaped, and a pattern has no way to say so.
    match id.contains(['"', '\\']) {
        true => Err("its id cannot be looked for in a log".into()),
        false => Ok(format!("\"{id}\"")),
    }
}

/// When a copy of an event came, if that is what a line tells of.
fn copy(line: &FilteredLogEvent, event: &EventRef) -> Option<i64> {
    let told: Value = serde_json::from_str(line.message()?).ok()?;
    let is_copy = told["outcome"] == "duplicate"
        && told["event.id"] == *event.id
        && told["source"] == *event.source;
    line.timestamp().filter(|_| is_copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::tests::kept;
    use serde_json::json;

    #[test]
    fn a_copy_is_known_by_its_outcome_its_id_and_its_source() {
        let event = kept("studio#1", "1").event;
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
    fn an_id_that_a_pattern_cannot_say_is_not_looked_for() {
        assert_eq!(pattern("sha256:ab:1").unwrap(), "\"sha256:ab:1\"");
        assert!(pattern("a\"b").is_err() && pattern("a\\b").is_err());
    }
}
