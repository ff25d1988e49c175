//! Whether events move on: event sources of the functions, the ledger's stream, and the queues.

use super::super::facts::{EventSource, Queue};
use super::super::finding::Finding;
use crate::time::rough;
use jiff::SignedDuration;

const SOURCES: &str = "event sources";
const STREAM: &str = "stream";
const QUEUES: &str = "queues";

/// A warning threshold: SQS delivers no more messages when about 120,000 are in flight.
const MOST_IN_FLIGHT: u64 = 80_000;

/// The stream path normally gets a record within a second.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// The stream keeps a record for 24 hours.
const TOO_LATE: SignedDuration = SignedDuration::from_hours(12);

/// A healthy consumer takes an event within minutes.
const OLD: SignedDuration = SignedDuration::from_hours(24);

/// The streams and queues of a function start it.
pub(crate) fn event_sources(function: &str, sources: &[EventSource]) -> Vec<Finding> {
    if sources.is_empty() {
        let nothing = Finding::wrong(
            SOURCES,
            function,
            "it has no event source: nothing starts it",
            "deploy the template again with `sam deploy`",
        );
        return vec![nothing];
    }
    let judge = |source: &EventSource| {
        let EventSource { name, state, last } = source;
        let last = last.as_deref().unwrap_or("no result yet");
        let what = format!("{} by {name}: {last}", state.to_lowercase());
        let is_failing = last.starts_with("PROBLEM") || last.starts_with("FAILED");
        match &**state {
            "Enabled" if is_failing => Finding::wrong(
                SOURCES,
                function,
                what,
                "read the errors in the function's log; Lambda retries the batch until the function \
                    handles it",
            ),
            "Enabled" => Finding::ok(SOURCES, function, what),
            "Disabled" => Finding::wrong(
                SOURCES,
                function,
                what,
                "enable it: `aws lambda update-event-source-mapping --enabled`",
            ),
            _ => Finding::warning(
                SOURCES,
                function,
                what,
                "it is being changed: run the command again in a minute",
            ),
        }
    };
    sources.iter().map(judge).collect()
}

/// The stream path keeps up with the ledger.
pub(crate) fn stream(lag: Option<SignedDuration>) -> Vec<Finding> {
    let Some(lag) = lag else {
        let idle = Finding::ok(
            STREAM,
            "ledger",
            "nothing was recorded in the last 15 minutes",
        );
        return vec![idle];
    };
    let what = format!("the ingress function is {} behind", rough(lag));
    let to_do = "read the errors in its log. The stream drops a record after 24h; `webhookctl reconcile \
        --since … --repair` publishes such events";
    vec![match lag {
        lag if lag >= TOO_LATE => Finding::wrong(STREAM, "ledger", what, to_do),
        lag if lag >= LATE => Finding::warning(STREAM, "ledger", what, to_do),
        _ => Finding::ok(STREAM, "ledger", what),
    }]
}

/// Consumers take the events.
pub(crate) fn events(queue: &Queue, oldest: Option<SignedDuration>) -> Vec<Finding> {
    let retention = SignedDuration::try_from(queue.retention).unwrap_or(SignedDuration::MAX);
    let what = on_it(queue, oldest);
    let to_do = format!(
        "check that its consumers run: the queue deletes an event after {}. `webhookctl event replay` can \
            send the event again as long as the ledger has it",
        rough(retention)
    );
    vec![match oldest.unwrap_or_default() {
        oldest if oldest >= retention / 2 && queue.depth() > 0 => {
            Finding::wrong(QUEUES, "events", what, to_do)
        }
        oldest if oldest >= OLD && queue.depth() > 0 => {
            Finding::warning(QUEUES, "events", what, to_do)
        }
        _ => Finding::ok(QUEUES, "events", what),
    }]
}

/// The quarantine is empty.
pub(crate) fn quarantine(queue: &Queue, oldest: Option<SignedDuration>) -> Vec<Finding> {
    let what = on_it(queue, oldest);
    vec![match queue.depth() {
        0 => Finding::ok(QUEUES, "quarantine", what),
        _ => Finding::warning(
            QUEUES,
            "quarantine",
            what,
            "`webhookctl quarantine list` shows the reasons; `webhookctl quarantine release` accepts \
                webhooks that are understood now",
        ),
    }]
}

/// The deliveries in flight are far from the limit of SQS.
pub(crate) fn deliveries(queue: &Queue) -> Vec<Finding> {
    let what = format!(
        "{}, {} of them in flight",
        on_it(queue, None),
        queue.in_flight
    );
    vec![match queue.in_flight > MOST_IN_FLIGHT {
        false => Finding::ok(QUEUES, "deliveries", what),
        true => Finding::wrong(
            QUEUES,
            "deliveries",
            what,
            "SQS delivers no more messages above 120,000: run `webhookctl endpoint pause` for the \
                endpoints that fail most (see `webhookctl status`). Their deliveries then leave the queue \
                and are held",
        ),
    }]
}

/// The dead-letter queue is empty.
pub(crate) fn dead_letters(queue: &Queue, oldest: Option<SignedDuration>) -> Vec<Finding> {
    // For a dead-letter queue this age counts from the arrival there, not from the first sending.
    let what = match oldest {
        Some(oldest) if queue.depth() > 0 => {
            format!(
                "{}, the oldest there for {}",
                on_it(queue, None),
                rough(oldest)
            )
        }
        _ => on_it(queue, None),
    };
    vec![match queue.depth() {
        0 => Finding::ok(QUEUES, "dead letters", what),
        _ => Finding::wrong(
            QUEUES,
            "dead letters",
            what,
            "`webhookctl dead-letter list` shows the reasons; fix them, then `webhookctl dead-letter \
                redrive --all`",
        ),
    }]
}

/// The messages of a queue, in words.
fn on_it(queue: &Queue, oldest: Option<SignedDuration>) -> String {
    let messages = match queue.depth() {
        0 => return "empty".to_owned(),
        1 => "1 message".to_owned(),
        depth => format!("{depth} messages"),
    };
    match oldest {
        Some(oldest) => format!("{messages}, the oldest sent {} ago", rough(oldest)),
        None => messages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level::{self, Ok as Right, Warning, Wrong};

    fn level(found: Vec<Finding>) -> Level {
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].level
    }

    fn hours(hours: i64) -> Option<SignedDuration> {
        Some(SignedDuration::from_hours(hours))
    }

    fn queue(waiting: u64, in_flight: u64) -> Queue {
        Queue {
            waiting,
            in_flight,
            retention: std::time::Duration::from_hours(14 * 24),
            ..Queue::default()
        }
    }

    #[test]
    fn what_starts_a_function_is_enabled_and_does_not_fail() {
        for (state, last, expected) in [
            ("Enabled", Some("OK"), Right),
            ("Enabled", Some("No records processed"), Right),
            ("Enabled", None, Right),
            ("Enabled", Some("PROBLEM: Function call failed"), Wrong),
            ("Enabled", Some("FAILED"), Wrong),
            ("Disabled", Some("OK"), Wrong),
            ("Updating", None, Warning),
        ] {
            let source = EventSource {
                name: "ledger".to_owned(),
                state: state.to_owned(),
                last: last.map(str::to_owned),
            };
            assert_eq!(
                level(event_sources("ingress", &[source])),
                expected,
                "{state} {last:?}"
            );
        }
        assert_eq!(level(event_sources("ingress", &[])), Wrong);
    }

    #[test]
    fn door_2_keeps_up() {
        let minutes = |minute| Some(SignedDuration::from_mins(minute));
        for (lag, expected) in [
            (None, Right),
            (minutes(4), Right),
            (minutes(5), Warning),
            (hours(11), Warning),
            (hours(12), Wrong),
        ] {
            assert_eq!(level(stream(lag)), expected, "{lag:?}");
        }
    }

    #[test]
    fn events_are_consumed_before_they_are_forgotten() {
        for (depth, oldest, expected) in [
            (0, None, Right),
            (5, None, Right),
            (5, hours(23), Right),
            (5, hours(24), Warning),
            (5, hours(7 * 24), Wrong),
            // CloudWatch is some minutes behind.
            (0, hours(7 * 24), Right),
        ] {
            assert_eq!(
                level(events(&queue(depth, 0), oldest)),
                expected,
                "{depth} {oldest:?}"
            );
        }
    }

    #[test]
    fn what_was_put_aside_is_to_be_looked_at() {
        assert_eq!(level(quarantine(&queue(0, 0), None)), Right);
        assert_eq!(level(quarantine(&queue(1, 0), hours(1))), Warning);
        assert_eq!(level(dead_letters(&queue(0, 0), None)), Right);
        assert_eq!(level(dead_letters(&queue(0, 1), None)), Wrong);
        let what = dead_letters(&queue(2, 0), hours(3)).remove(0).what;
        assert_eq!(what, "2 messages, the oldest there for 3h");
    }

    #[test]
    fn sqs_is_far_from_handing_out_no_more() {
        assert_eq!(level(deliveries(&queue(200_000, 80_000))), Right);
        assert_eq!(level(deliveries(&queue(0, 80_001))), Wrong);
    }
}
