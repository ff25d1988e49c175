//! Whether the timeouts fit together as they are deployed: those of the functions and the queues, and the
//! schedules of the endpoints.

use super::super::facts::Queue;
use super::super::finding::Finding;
use crate::time::rough;
use std::time::Duration;
use webhook_gateway::backoff::{jittered, visibility};
use webhook_gateway::delivery::REPLACE_MESSAGE_AFTER_RECEIVES;
use webhook_gateway::store::endpoints::{Endpoint, MAX_TIMEOUT};

const CHECK: &str = "timing";

/// The longest that an HTTP API waits for a function.
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// The advice about a number of the stack.
const DEPLOY: &str =
    "it was changed after the deployment: deploy the template again with `sam deploy`";

/// The function ends before the API stops waiting for it.
pub(crate) fn ingress(timeout: Duration) -> Vec<Finding> {
    let what = format!(
        "its timeout is {}, and the API waits {}",
        rough(timeout),
        rough(API_TIMEOUT)
    );
    vec![judged(timeout < API_TIMEOUT, "ingress", what, DEPLOY)]
}

/// A batch ends before its messages are visible again, and lasts longer than the slowest endpoint.
pub(crate) fn delivery(timeout: Duration, queue: &Queue) -> Vec<Finding> {
    let slowest = format!(
        "its timeout is {}, and that of an endpoint up to {}",
        rough(timeout),
        rough(MAX_TIMEOUT)
    );
    let visible = format!(
        "a message is visible again after {}; this must be at least 6 times the function's timeout of {}",
        rough(queue.visibility),
        rough(timeout)
    );
    vec![
        judged(timeout > MAX_TIMEOUT, "delivery", slowest, DEPLOY),
        judged(
            queue.visibility >= 6 * timeout,
            "deliveries",
            visible,
            DEPLOY,
        ),
    ]
}

/// Dead letters are kept longer than messages, and a message is not given up too soon.
pub(crate) fn queues(queue: &Queue, dead: &Queue) -> Vec<Finding> {
    let kept = format!(
        "the queue keeps a message for {}, and a dead letter for {} after it was first sent",
        rough(queue.retention),
        rough(dead.retention)
    );
    let is_kept = queue.retention < dead.retention;
    let mut found = vec![judged(is_kept, "dead letters", kept, DEPLOY)];
    found.push(match &queue.redrive {
        None => judged(
            false,
            "deliveries",
            "it has no dead-letter queue".to_owned(),
            DEPLOY,
        ),
        Some((target, _)) if *target != dead.arn => judged(
            false,
            "deliveries",
            format!("its dead-letter queue is another one: {target}"),
            DEPLOY,
        ),
        Some((_, receives)) => judged(
            *receives >= 2 * u64::from(REPLACE_MESSAGE_AFTER_RECEIVES),
            "deliveries",
            format!(
                "a message is given up after {receives} receives, and replaced after \
                    {REPLACE_MESSAGE_AFTER_RECEIVES}"
            ),
            DEPLOY,
        ),
    });
    found
}

/// The last attempt comes before the queue deletes the message.
pub(crate) fn schedules<'a>(
    endpoints: impl Iterator<Item = &'a Endpoint>,
    timeout: Duration,
    queue: &Queue,
) -> Vec<Finding> {
    endpoints
        .flat_map(|endpoint| schedule(endpoint, timeout, queue))
        .collect()
}

fn schedule(endpoint: &Endpoint, timeout: Duration, queue: &Queue) -> Vec<Finding> {
    let (id, name) = (&endpoint.id, &endpoint.name);
    let update = format!("`webhookctl endpoint update {id} --retry …` with a shorter schedule");
    let waits = endpoint.retry.iter().map(|wait| Duration::from_secs(*wait));
    let longest = waits.map(|wait| {
        let wait = visibility(jittered(wait, 1.0), Duration::ZERO);
        Duration::from_secs(u64::try_from(wait).unwrap_or_default())
    });
    let attempts = u32::try_from(endpoint.retry.len() + 1).unwrap_or(u32::MAX);
    let last = longest.sum::<Duration>() + endpoint.timeout() * attempts;
    let what = format!(
        "its {attempts} attempts take up to {}, and the queue keeps a message for {}",
        rough(last),
        rough(queue.retention)
    );
    let mut found = vec![judged(last < queue.retention, name, what, &update)];
    if endpoint.timeout() >= timeout {
        let what = format!(
            "an attempt may take {}, but the function only {}",
            rough(endpoint.timeout()),
            rough(timeout)
        );
        let update = format!("`webhookctl endpoint update {id} --timeout 20s`");
        found.push(Finding::wrong(CHECK, name, what, update));
    }
    found
}

fn judged(is_right: bool, subject: &str, what: String, to_do: &str) -> Finding {
    match is_right {
        true => Finding::ok(CHECK, subject, what),
        false => Finding::wrong(CHECK, subject, what, to_do),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;
    use crate::samples::endpoint;

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_hours(24);

    /// The delivery queue as the template has it.
    fn deployed() -> Queue {
        Queue {
            arn: "arn:deliveries".to_owned(),
            visibility: 360 * SECOND,
            retention: 7 * DAY,
            redrive: Some(("arn:dead".to_owned(), 50)),
            ..Queue::default()
        }
    }

    fn dead() -> Queue {
        Queue {
            arn: "arn:dead".to_owned(),
            retention: 14 * DAY,
            ..Queue::default()
        }
    }

    fn levels(found: &[Finding]) -> Vec<Level> {
        found.iter().map(|finding| finding.level).collect()
    }

    use Level::{Ok as Right, Wrong};

    #[test]
    fn a_function_ends_before_what_waits_for_it() {
        assert_eq!(levels(&ingress(29 * SECOND)), [Right]);
        assert_eq!(levels(&ingress(30 * SECOND)), [Wrong]);
        assert_eq!(levels(&delivery(60 * SECOND, &deployed())), [Right, Right]);
        assert_eq!(levels(&delivery(61 * SECOND, &deployed())), [Right, Wrong]);
        assert_eq!(levels(&delivery(30 * SECOND, &deployed())), [Wrong, Right]);
    }

    #[test]
    fn what_the_queue_gives_up_is_kept() {
        let changes: [(fn(&mut Queue), _); 5] = [
            (|_| {}, [Right, Right]),
            (|queue| queue.retention = 14 * DAY, [Wrong, Right]),
            (|queue| queue.redrive = None, [Right, Wrong]),
            (
                |queue| queue.redrive = Some(("arn:other".to_owned(), 50)),
                [Right, Wrong],
            ),
            (
                |queue| queue.redrive = Some(("arn:dead".to_owned(), 39)),
                [Right, Wrong],
            ),
        ];
        for (change, expected) in changes {
            let mut queue = deployed();
            change(&mut queue);
            assert_eq!(levels(&queues(&queue, &dead())), expected, "{queue:?}");
        }
    }

    #[test]
    fn a_schedule_ends_before_the_queue_forgets() {
        let found = |retry: &[u64], timeout: Duration| {
            let mut endpoint = endpoint();
            endpoint.retry = retry.to_vec();
            levels(&schedules([&endpoint].into_iter(), timeout, &deployed()))
        };
        assert_eq!(found(&[5, 36_000], 60 * SECOND), [Right]);
        assert_eq!(found(&[], 60 * SECOND), [Right]);
        // 15 waits of 12 h are 7.5 days.
        assert_eq!(found(&[43_200; 15], 60 * SECOND), [Wrong]);
        assert_eq!(found(&[43_200; 13], 60 * SECOND), [Right]);
        // No message is put off for longer than that.
        assert_eq!(found(&[432_000; 13], 60 * SECOND), [Right]);
        assert_eq!(found(&[5], 20 * SECOND), [Right, Wrong]);
    }
}
