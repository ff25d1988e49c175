//! The version, the endpoint policy, the tables and the alarms of the stack.

use super::super::facts::{Alarm, Table};
use super::super::finding::Finding;
use crate::time::ago;
use jiff::Timestamp;

/// The version of this tool, and of the template that goes with it.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// The view type that the stream path needs.
const BOTH_IMAGES: &str = "NEW_AND_OLD_IMAGES";

/// The attribute with the time of expiry in every table.
const FORGETS_BY: &str = "expires_at";

/// The stack and the tool have the same version.
pub(crate) fn version(deployed: Option<&str>) -> Vec<Finding> {
    let install =
        "deploy the template of this version, or install the webhookctl of the stack's version";
    vec![match deployed {
        Some(OURS) => Finding::ok("version", "stack", OURS),
        Some(other) => {
            let what = format!("{other}, but this webhookctl is {OURS}");
            Finding::warning("version", "stack", what, install)
        }
        None => {
            let what = format!("it has no version, but this webhookctl is {OURS}");
            Finding::warning("version", "stack", what, install)
        }
    }]
}

/// Endpoints are on the public Internet.
pub(crate) fn policy(policy: Option<&str>, is_local: bool) -> Vec<Finding> {
    vec![match policy {
        Some("unrestricted") if !is_local => Finding::wrong(
            "endpoint policy",
            "stack",
            "unrestricted: whoever creates an endpoint can reach the function's network",
            "deploy with EndpointPolicy=public",
        ),
        policy => Finding::ok("endpoint policy", "stack", policy.unwrap_or("public")),
    }]
}

/// Items of a table expire, and the ledger has a stream of its changes.
pub(crate) fn table(name: &str, table: &Table, is_local: bool) -> Vec<Finding> {
    let deploy = "it was changed after the deployment: deploy the template again with `sam deploy`";
    let wrong = |what: &str| Finding::wrong("tables", name, what, deploy);
    let mut found = vec![match table.forgets_by.as_deref() {
        Some(FORGETS_BY) => Finding::ok("tables", name, "its items expire"),
        // The local AWS creates tables without expiry.
        None if is_local => Finding::ok("tables", name, "its items do not expire on a local stack"),
        _ => wrong("its items do not expire: personal data is kept for ever"),
    }];
    if name == "ledger" {
        found.push(match table.stream.as_deref() {
            Some(BOTH_IMAGES) => Finding::ok("tables", name, "its stream has every change"),
            _ => wrong("its stream does not have the recorded items: nothing is published"),
        });
    }
    found
}

/// No alarm is on, and all of them notify the topic.
pub(crate) fn alarms(alarms: &[Alarm], is_local: bool, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "alarms";
    if alarms.is_empty() {
        let what = "no alarm is deployed: faults are not reported";
        return vec![match is_local {
            true => Finding::ok(CHECK, "none", "no alarm is deployed"),
            false => Finding::warning(CHECK, "none", what, "deploy the template with its alarms"),
        }];
    }
    let mut found = Vec::new();
    for alarm in alarms {
        let description = alarm
            .description
            .as_deref()
            .unwrap_or("see its metric in CloudWatch");
        if alarm.is_on {
            let since = alarm.since.map_or("?".to_owned(), |at| ago(at, now));
            found.push(Finding::wrong(
                CHECK,
                &alarm.name,
                format!("on; its state changed {since}"),
                description,
            ));
        } else if !alarm.is_enabled {
            let to_do = "`aws cloudwatch enable-alarm-actions` turns them on again";
            found.push(Finding::warning(
                CHECK,
                &alarm.name,
                "its actions are off: it does not notify the topic",
                to_do,
            ));
        }
    }
    if found.is_empty() {
        let what = format!("none of {} alarms is on", alarms.len());
        found.push(Finding::ok(CHECK, "all", what));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level::{self, Ok as Right, Warning, Wrong};

    fn levels(found: Vec<Finding>) -> Vec<Level> {
        found.iter().map(|item| item.level).collect()
    }

    #[test]
    fn another_version_is_told() {
        assert_eq!(levels(version(Some(OURS))), [Right]);
        assert_eq!(levels(version(Some("0.0.1"))), [Warning]);
        assert_eq!(levels(version(None)), [Warning]);
    }

    #[test]
    fn only_a_local_stack_delivers_anywhere() {
        for (name, is_local, expected) in [
            (Some("public"), false, Right),
            (Some("unrestricted"), true, Right),
            (Some("unrestricted"), false, Wrong),
            (None, false, Right),
        ] {
            assert_eq!(levels(policy(name, is_local)), [expected]);
        }
    }

    #[test]
    fn a_table_forgets_and_the_ledger_tells() {
        let of = |stream: Option<&str>, forgets_by: Option<&str>| Table {
            stream: stream.map(str::to_owned),
            forgets_by: forgets_by.map(str::to_owned),
        };
        let (images, ttl) = (Some(BOTH_IMAGES), Some(FORGETS_BY));
        assert_eq!(
            levels(table("ledger", &of(images, ttl), false)),
            [Right, Right]
        );
        assert_eq!(
            levels(table("ledger", &of(None, ttl), false)),
            [Right, Wrong]
        );
        assert_eq!(
            levels(table("ledger", &of(Some("KEYS_ONLY"), ttl), false)),
            [Right, Wrong]
        );
        assert_eq!(levels(table("journal", &of(None, ttl), false)), [Right]);
        assert_eq!(levels(table("journal", &of(None, None), false)), [Wrong]);
        assert_eq!(levels(table("journal", &of(None, None), true)), [Right]);
        assert_eq!(
            levels(table("journal", &of(None, Some("ttl")), false)),
            [Wrong]
        );
    }

    #[test]
    fn an_alarm_that_is_on_is_told_with_what_its_description_says() {
        let now = Timestamp::UNIX_EPOCH;
        let alarm = |is_on, is_enabled| Alarm {
            name: "stack-DeadLetters".to_owned(),
            description: Some("redrive them".to_owned()),
            is_on,
            since: Some(now - jiff::SignedDuration::from_hours(3)),
            is_enabled,
        };
        let found = alarms(&[alarm(true, true), alarm(false, true)], false, now);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "on; its state changed 3h ago");
        assert_eq!(found[0].to_do.as_deref(), Some("redrive them"));
        assert_eq!(levels(found), [Wrong]);
        assert_eq!(
            levels(alarms(&[alarm(false, false)], false, now)),
            [Warning]
        );
        assert_eq!(levels(alarms(&[alarm(false, true)], false, now)), [Right]);
        assert_eq!(levels(alarms(&[], false, now)), [Warning]);
        assert_eq!(levels(alarms(&[], true, now)), [Right]);
    }
}
