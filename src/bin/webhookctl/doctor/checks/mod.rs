//! The checks: each a pure function from what is known to what is found.

mod endpoints;
mod flow;
mod secrets;
mod sources;
mod stack;
mod timing;

#[cfg(test)]
pub(crate) use endpoints::tests::endpoint as sample;

use super::facts::{Fact, Facts, Unread};
use super::finding::Finding;

/// The findings so far.
struct Findings {
    is_local: bool,
    all: Vec<Finding>,
}

/// All that is found.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut found = Findings {
        is_local: facts.is_local,
        all: Vec::new(),
    };
    let now = facts.now;
    found.all.extend(stack::version(facts.version.as_deref()));
    let policy = facts.policy.as_deref();
    found.all.extend(stack::policy(policy, facts.is_local));
    found.judge(
        "sources",
        both(&facts.sources, &facts.heard),
        |(it, heard)| sources::sources(&it.all, heard, now),
    );
    found.judge(
        "secrets",
        both(&facts.sources, &facts.heard),
        |(it, heard)| secrets::secrets(it, heard, now),
    );
    found.judge("payload URLs", facts.sources.as_ref(), |it| {
        sources::payload_urls(&it.all, facts.is_local)
    });
    found.time(facts);
    found.flow(facts);
    found.judge("endpoints", facts.endpoints.as_ref(), |it| {
        endpoints::endpoints(it, now)
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
    found.all
}

impl Findings {
    /// What a check finds in what it needs, or that it could not be read.
    fn judge<T>(
        &mut self,
        check: &'static str,
        known: Result<T, &Unread>,
        judge: impl FnOnce(T) -> Vec<Finding>,
    ) {
        match known {
            Ok(known) => self.all.extend(judge(known)),
            Err(unread) => self.all.push(unknown(check, unread, self.is_local)),
        }
    }

    /// How long everything may take.
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
            let endpoints = endpoints.iter().map(|it| &it.standing.endpoint);
            timing::schedules(endpoints, *timeout, queue)
        });
    }

    /// Whether everything moves on.
    fn flow(&mut self, facts: &Facts) {
        for (function, sources) in [
            ("ingress", &facts.ingress_sources),
            ("delivery", &facts.delivery_sources),
        ] {
            self.judge("event sources", sources.as_ref(), |sources| {
                flow::event_sources(function, sources)
            });
        }
        self.judge("stream", facts.gauges.as_ref(), |it| flow::stream(it.lag));
        // The age of a message tells more of a queue, but is not needed.
        let ages = facts.gauges.clone().unwrap_or_default();
        self.judge("queues", facts.events.as_ref(), |it| {
            flow::events(it, ages.events)
        });
        self.judge("queues", facts.quarantine.as_ref(), |it| {
            flow::quarantine(it, ages.quarantine)
        });
        self.judge("queues", facts.deliveries.as_ref(), flow::deliveries);
        self.judge("queues", facts.dead_letters.as_ref(), |it| {
            flow::dead_letters(it, ages.dead_letters)
        });
    }
}

/// Two things that are known.
fn both<'a, A, B>(a: &'a Fact<A>, b: &'a Fact<B>) -> Result<(&'a A, &'a B), &'a Unread> {
    Ok((a.as_ref()?, b.as_ref()?))
}

/// What cannot be checked. The local AWS lacks a part of the real one.
fn unknown(check: &'static str, unread: &Unread, is_local: bool) -> Finding {
    let Unread {
        subject,
        why,
        needs,
    } = unread;
    if is_local {
        return Finding::ok(check, subject, format!("not known here: {why}"));
    }
    Finding::warning(
        check,
        subject,
        format!("cannot be checked: {why}"),
        format!("this takes the permission {needs}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn what_cannot_be_read_is_a_warning_that_names_the_permission_and_nothing_on_a_local_stack() {
        let unread: Fact<()> = Err(Unread {
            subject: "events",
            why: "denied".to_owned(),
            needs: "sqs:GetQueueAttributes",
        });
        let mut found = Findings {
            is_local: false,
            all: Vec::new(),
        };
        found.judge("queues", unread.as_ref(), |()| unreachable!());
        found.is_local = true;
        found.judge("queues", unread.as_ref(), |()| unreachable!());
        found.judge("queues", Ok(()), |()| vec![Finding::ok("queues", "a", "b")]);
        let levels: Vec<_> = found.all.iter().map(|it| it.level).collect();
        assert_eq!(levels, [Level::Warning, Level::Ok, Level::Ok]);
        let to_do = found.all[0].to_do.as_deref().unwrap();
        assert!(to_do.contains("sqs:GetQueueAttributes"), "{to_do}");
    }
}
