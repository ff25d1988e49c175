//! Whether the stack is as this version of the tool knows it: its version, its policy, its tables and its
//! alarms.

use super::super::facts::{Alarm, Table};
use super::super::finding::Finding;
use crate::time::ago;
use jiff::Timestamp;

/// The version of this tool, and of the template that goes with it.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// What the stream path needs of a change.
const BOTH_IMAGES: &str = "NEW_AND_OLD_IMAGES";

/// The attribute by which every table forgets.
const FORGETS_BY: &str = "expires_at";

/// The stack and the tool are of one version.
pub(crate) fn version(deployed: Option<&str>) -> Vec<Finding> {
    let install = "deploy the template of this version, or install the webhookctl of that one";
    vec![match deployed {
        Some(OURS) => Finding::ok("version", "stack", OURS),
        Some(other) => {
            let what = format!("{other}, and this webhookctl is {OURS}");
            Finding::warning("version", "stack", what, install)
        }
        None => {
            let what = format!("it does not tell its version, and this webhookctl is {OURS}");
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
            "unrestricted: whoever names an endpoint reaches into the function's network",
            "deploy with EndpointPolicy=public",
        ),
        policy => Finding::ok("endpoint policy", "stack", policy.unwrap_or("public")),
    }]
}

/// A table forgets what is past its time, and the ledger tells its changes.
pub(crate) fn table(name: &str, table: &Table, is_local: bool) -> Vec<Finding> {
    let deploy = "somebody changed it since: deploy the template again, by `sam deploy`";
    let wrong = |what: &str| Finding::wrong("tables", name, what, deploy);
    let mut found = vec![match table.forgets_by.as_deref() {
        Some(FORGETS_BY) => Finding::ok("tables", name, "forgets what is past its time"),
        // The local AWS makes tables without it.
        None if is_local => Finding::ok("tables", name, "forgets nothing here"),
        _ => wrong("it forgets nothing: personal data is kept for ever"),
    }];
    if name == "ledger" {
        found.push(match table.stream.as_deref() {
            Some(BOTH_IMAGES) => Finding::ok("tables", name, "its stream tells every change"),
            _ => wrong("its stream does not tell what was recorded: nothing is published"),
        });
    }
    found
}

/// No alarm is on, and all of them tell somebody.
pub(crate) fn alarms(alarms: &[Alarm], is_local: bool, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "alarms";
    if alarms.is_empty() {
        let what = "none is deployed: no fault is reported";
        return vec![match is_local {
            true => Finding::ok(CHECK, "none", "none is deployed"),
            false => Finding::warning(CHECK, "none", what, "deploy the template with its alarms"),
        }];
    }
    let mut found = Vec::new();
    for alarm in alarms {
        let description = alarm
            .description
            .as_deref()
            .unwrap_or("see what it watches");
        if alarm.is_on {
            let since = alarm.since.map_or("?".to_owned(), |at| ago(at, now));
            found.push(Finding::wrong(
                CHECK,
                &alarm.name,
                format!("on, since {since}"),
                description,
            ));
        } else if !alarm.is_enabled {
            let to_do = "`aws cloudwatch enable-alarm-actions`, once it is to be told again";
            found.push(Finding::warning(
                CHECK,
                &alarm.name,
                "its actions are off: it notifies no one",
                to_do,
            ));
        }
    }
    if found.is_empty() {
        let what = format!("none of {} is on", alarms.len());
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
        assert_eq!(found[0].what, "on, since 3h ago");
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
