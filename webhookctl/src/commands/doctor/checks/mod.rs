//! The checks: each is a pure function from facts to findings.

mod endpoints;
mod flow;
mod listeners;
mod secrets;
mod sources;
mod stack;
mod timing;

use super::facts::{Fact, Facts, Unread};
use super::finding::Finding;
use crate::hint::Kind;

/// The findings so far.
pub(crate) struct Findings {
    is_local: bool,
    pub(crate) all: Vec<Finding>,
    /// The facts that could not be read, each once, with its check.
    unread: Vec<(&'static str, Unread)>,
}

/// Runs all checks.
pub(crate) fn all(facts: &Facts) -> Findings {
    let mut found = Findings {
        is_local: facts.is_local,
        all: Vec::new(),
        unread: Vec::new(),
    };
    let now = facts.now;
    found.all.extend(stack::version(facts.version.as_deref()));
    let policy = facts.policy.as_deref();
    found.all.extend(stack::policy(policy, facts.is_local));
    found.judge(
        "sources",
        both(&facts.sources, &facts.heard),
        |(fact, heard)| sources::sources(&fact.all, heard, now),
    );
    found.judge(
        "secrets",
        both(&facts.sources, &facts.heard),
        |(fact, heard)| secrets::secrets(fact, heard, now),
    );
    found.judge("payload URLs", facts.sources.as_ref(), |source| {
        sources::payload_urls(&source.all, facts.is_local)
    });
    found.time(facts);
    found.flow(facts);
    found.judge("endpoints", facts.endpoints.as_ref(), |endpoint| {
        endpoints::endpoints(endpoint, now)
    });
    found.judge("listeners", facts.listeners.as_ref(), |listeners| {
        listeners::listeners(listeners, now)
    });
    let is_local = facts.is_local;
    for (name, table) in &facts.tables {
        found.judge("tables", table.as_ref(), |table| {
            stack::table(name, table, is_local)
        });
    }
    found.judge("alarms", facts.alarms.as_ref(), |alarms| {
        stack::alarms(alarms, is_local, now)
    });
    found.begin_with_reach();
    found
}

impl Findings {
    /// The findings of a check, or that its facts could not be read.
    fn judge<T>(
        &mut self,
        check: &'static str,
        known: Result<T, &Unread>,
        judge: impl FnOnce(T) -> Vec<Finding>,
    ) {
        let unread = match known {
            Ok(known) => return self.all.extend(judge(known)),
            Err(unread) => unread,
        };
        if self.is_local && unread.kind == Kind::Undeclared {
            // This is the stack of a test, or of an older `make up`.
            let what = format!("not known on this stack: {}", unread.why);
            return self.all.push(Finding::ok(check, unread.subject, what));
        }
        if self.unread.iter().all(|(_, before)| before != unread) {
            self.unread.push((check, unread.clone()));
            self.all.extend(unknown(check, unread));
        }
    }

    /// Puts an unreachable AWS first: the absence of other findings then means nothing.
    fn begin_with_reach(&mut self) {
        let out_of_reach = |(_, out_of_reach): &&(_, Unread)| out_of_reach.kind.is_of_every_call();
        let mut unread = self.unread.iter().filter(out_of_reach);
        let Some((first, Unread { why, .. })) = unread.next() else {
            return;
        };
        let mut checks = vec![*first];
        checks.extend(unread.map(|(check, _)| *check));
        checks.dedup();
        let what = format!("not checked: {}, because {why}", checks.join(", "));
        let to_do = "make AWS reachable with valid credentials, and run the command again: this list is \
            not complete";
        self.all
            .insert(0, Finding::wrong("reach", "AWS", what, to_do));
    }

    /// The number of facts that could not be read.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Timeouts, visibility and retention.
    fn time(&mut self, facts: &Facts) {
        self.judge("timing", facts.ingress_timeout.as_ref(), |timeout| {
            timing::ingress(*timeout)
        });
        let delivery = both(&facts.delivery_timeout, &facts.deliveries);
        self.judge("timing", delivery, |(timeout, queue)| {
            timing::delivery(*timeout, queue)
        });
        let queues = both(&facts.deliveries, &facts.dead_letters);
        self.judge("timing", queues, |(queue, dead)| {
            timing::queues(queue, dead)
        });
        let schedules = both(&facts.endpoints, &facts.delivery_timeout);
        let schedules = schedules.and_then(|(endpoints, timeout)| {
            let queue = facts.deliveries.as_ref()?;
            Ok((endpoints, timeout, queue))
        });
        self.judge("timing", schedules, |(endpoints, timeout, queue)| {
            let endpoints = endpoints.iter().map(|endpoint| &endpoint.status.endpoint);
            timing::schedules(endpoints, *timeout, queue)
        });
    }

    /// Event sources, stream and queues.
    fn flow(&mut self, facts: &Facts) {
        for (function, sources) in [
            ("ingress", &facts.ingress_sources),
            ("delivery", &facts.delivery_sources),
        ] {
            self.judge("event sources", sources.as_ref(), |sources| {
                flow::event_sources(function, sources)
            });
        }
        self.judge("stream", facts.gauges.as_ref(), |gauge| {
            flow::stream(gauge.lag)
        });
        // The age of the oldest message is useful, but the check works without it.
        let ages = facts.gauges.clone().unwrap_or_default();
        self.judge("queues", facts.events.as_ref(), |event| {
            flow::events(event, ages.events)
        });
        self.judge("queues", facts.quarantine.as_ref(), |fact| {
            flow::quarantine(fact, ages.quarantine)
        });
        self.judge("queues", facts.deliveries.as_ref(), flow::deliveries);
        self.judge("queues", facts.dead_letters.as_ref(), |dead_letter| {
            flow::dead_letters(dead_letter, ages.dead_letters)
        });
    }
}

/// Two facts together.
fn both<'a, A, B>(a: &'a Fact<A>, b: &'a Fact<B>) -> Result<(&'a A, &'a B), &'a Unread> {
    Ok((a.as_ref()?, b.as_ref()?))
}

/// The finding about a fact that could not be read; none if AWS is out of reach.
fn unknown(check: &'static str, unread: &Unread) -> Option<Finding> {
    let Unread {
        subject,
        why,
        needs,
        kind,
    } = unread;
    let unchecked = format!("cannot be checked: {why}");
    match kind {
        Kind::OutOfReach | Kind::Expired => None,
        Kind::Denied => {
            let to_do = format!("this needs the permission {needs}");
            Some(Finding::warning(check, subject, unchecked, to_do))
        }
        Kind::Missing | Kind::Undeclared => Some(Finding::wrong(
            check,
            subject,
            format!("missing: {why}"),
            "check that this is the right stack (--stack, AWS_PROFILE, AWS_REGION), and deploy the \
                template again with `sam deploy`",
        )),
        Kind::Other => Some(Finding::warning(
            check,
            subject,
            unchecked,
            "run the command again; if that does not help, read the message of AWS",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level::{self, Ok as Right, Warning, Wrong};

    /// What is found of facts that cannot be read, each with how bad it is.
    fn found(unread: &[(&'static str, Kind)], is_local: bool) -> Findings {
        let mut found = Findings {
            is_local,
            all: Vec::new(),
            unread: Vec::new(),
        };
        for (subject, kind) in unread {
            let unread: Fact<()> = Err(Unread {
                subject,
                why: format!("{kind:?}"),
                kind: *kind,
                needs: "sqs:GetQueueAttributes",
            });
            found.judge("queues", unread.as_ref(), |()| unreachable!());
        }
        found.judge("queues", Ok(()), |()| vec![Finding::ok("queues", "a", "b")]);
        found.begin_with_reach();
        found
    }

    fn levels(found: &Findings) -> Vec<Level> {
        found.all.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn what_is_denied_is_a_warning_that_names_the_permission_and_what_is_missing_is_wrong() {
        for (kind, is_local, level, to_do) in [
            (Kind::Denied, false, Warning, "sqs:GetQueueAttributes"),
            (Kind::Denied, true, Warning, "sqs:GetQueueAttributes"),
            (Kind::Missing, false, Wrong, "sam deploy"),
            (Kind::Missing, true, Wrong, "sam deploy"),
            (Kind::Undeclared, false, Wrong, "sam deploy"),
            (Kind::Other, false, Warning, "run the command again"),
        ] {
            let found = found(&[("events", kind)], is_local);
            assert_eq!(levels(&found), [level, Right], "{kind:?}");
            assert_eq!(found.unread(), 1);
            assert!(found.all[0].to_do.as_deref().unwrap().contains(to_do));
        }
        let here = found(&[("ages", Kind::Undeclared)], true);
        assert_eq!((levels(&here), here.unread()), (vec![Right, Right], 0));
    }

    #[test]
    fn that_aws_is_out_of_reach_is_told_once_and_first() {
        for is_local in [false, true] {
            let all = [
                ("events", Kind::Missing),
                ("deliveries", Kind::OutOfReach),
                ("quarantine", Kind::OutOfReach),
            ];
            let found = found(&all, is_local);
            assert_eq!(levels(&found), [Wrong, Wrong, Right]);
            assert_eq!(found.all[0].check, "reach");
            assert_eq!(found.unread(), 3);
        }
    }

    #[test]
    fn what_several_checks_need_is_told_once() {
        let found = found(&[("events", Kind::Denied), ("events", Kind::Denied)], false);
        assert_eq!((levels(&found), found.unread()), (vec![Warning, Right], 1));
    }
}
