//! Events by time, from the journal: which are meant, and page by page, the newest first.

use crate::Result;
use crate::failure;
use crate::stack::Stack;
use clap::ValueEnum;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use webhook_gateway::event::EventRef;
use webhook_gateway::journal::{Journal, Published, days};
use webhook_gateway::subscriptions::is_match;

/// In which state an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// It was understood.
    Accepted,
    /// It was not.
    Quarantined,
    /// It was understood, and has the id of another.
    Conflict,
}

/// Which events are meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) source: Option<String>,
    /// A pattern of event types.
    pub(crate) event_type: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// Accepted from then on.
    pub(crate) since: Timestamp,
    /// Accepted before.
    pub(crate) until: Option<Timestamp>,
}

/// An event, and when it was published.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    pub(crate) published: Published,
    pub(crate) at: Timestamp,
}

/// Those that are meant, page by page.
pub(crate) struct Index {
    journal: Journal,
    filter: Filter,
    /// The days that are still to be looked at, the newest last.
    days: Vec<Date>,
    /// Where the newest of them goes on.
    before: Option<String>,
    /// What was seen already: a batch may have been published twice.
    seen: HashSet<(String, i64)>,
}

impl Filter {
    /// Whether an event is meant.
    pub(crate) fn takes(&self, published: &Published) -> bool {
        let event = &published.event;
        let accepted_at = Timestamp::from_millisecond(event.accepted_at).unwrap_or_default();
        let of_source = self.source.as_ref().is_none_or(|it| *it == event.source);
        let of_type = self.event_type.as_ref();
        let of_kind = self.kind.is_none_or(|kind| match kind {
            Kind::Accepted => !published.quarantined,
            Kind::Quarantined => published.quarantined,
            Kind::Conflict => event.conflict && !published.quarantined,
        });
        of_source
            && of_kind
            && of_type.is_none_or(|pattern| is_match(pattern, &event.event_type))
            && accepted_at >= self.since
            && self.until.is_none_or(|until| accepted_at < until)
    }
}

impl Index {
    /// The events of a stack that are meant.
    pub(crate) fn of(stack: &Stack, filter: Filter) -> Result<Self> {
        let table = stack.output("JournalTableName")?.to_owned();
        let client = aws_sdk_dynamodb::Client::new(&stack.aws);
        // What was accepted in time may have been published long after.
        let mut days: Vec<_> = days(filter.since, Timestamp::now()).collect();
        days.reverse();
        Ok(Self {
            journal: Journal::new(client, table, SignedDuration::ZERO),
            filter,
            days,
            before: None,
            seen: HashSet::new(),
        })
    }

    /// What is meant of the next page, perhaps none of it; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Indexed>>> {
        let Some(&day) = self.days.last() else {
            return Ok(None);
        };
        let since = self.filter.since;
        let page = self.journal.published(day, since, self.before.as_deref());
        let (batches, last) = page.await.map_err(failure::journal)?;
        if last.is_none() {
            self.days.pop();
        }
        self.before = last;
        let mut found = Vec::new();
        for batch in batches {
            for published in batch.events.into_iter().rev() {
                let name = (published.event.key.clone(), published.event.accepted_at);
                if self.filter.takes(&published) && self.seen.insert(name) {
                    found.push(Indexed {
                        published,
                        at: batch.at,
                    });
                }
            }
        }
        Ok(Some(found))
    }

    /// All that is meant, the oldest first.
    pub(crate) async fn all(mut self) -> Result<Vec<Indexed>> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        let place = |it: &Indexed| {
            let event = &it.published.event;
            (event.accepted_at, event.key.clone())
        };
        all.sort_by_cached_key(place);
        Ok(all)
    }
}

/// How soon after its acceptance an event is published, nearly always.
const SOON: SignedDuration = SignedDuration::from_mins(10);

/// When an event was first published, if it was.
pub(super) async fn published_at(event: &EventRef, stack: &Stack) -> Result<Option<Timestamp>> {
    let table = stack.output("JournalTableName")?.to_owned();
    let client = aws_sdk_dynamodb::Client::new(&stack.aws);
    let journal = Journal::new(client, table, SignedDuration::ZERO);
    let accepted_at = Timestamp::from_millisecond(event.accepted_at)?;
    let soon = format!("{:013}", (accepted_at + SOON).as_millisecond());
    let mut days: Vec<_> = days(accepted_at, Timestamp::now()).collect();
    days.reverse();
    let is_it =
        |it: &Published| it.event.key == event.key && it.event.accepted_at == event.accepted_at;
    for day in days {
        // The first minutes of the first day are a small part of it.
        for end in [Some(soon.clone()), None] {
            let mut before = end;
            let mut first = None;
            loop {
                let page = journal.published(day, accepted_at, before.as_deref()).await;
                let (batches, last) = page.map_err(failure::journal)?;
                let mut earliest = batches.iter().rev();
                let has_it = earliest.find(|batch| batch.events.iter().any(is_it));
                first = has_it.map(|batch| batch.at).or(first);
                match last {
                    Some(last) => before = Some(last),
                    None => break,
                }
            }
            if first.is_some() {
                return Ok(first);
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::recorded::tests::kept;

    pub(crate) fn published(id: &str) -> Published {
        Published {
            event: kept(&format!("studio#{id}"), id).event,
            quarantined: false,
        }
    }

    #[test]
    fn what_is_meant_is_told_by_source_type_state_and_time() {
        let event = published("1");
        let at = Timestamp::from_millisecond(event.event.accepted_at).unwrap();
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter {
                since: at,
                ..Filter::default()
            };
            change(&mut filter);
            filter
        };
        assert!(filter(|_| {}).takes(&event));
        assert!(filter(|it| it.source = Some("studio".to_owned())).takes(&event));
        assert!(!filter(|it| it.source = Some("hr".to_owned())).takes(&event));
        assert!(filter(|it| it.event_type = Some("a.*".to_owned())).takes(&event));
        assert!(!filter(|it| it.event_type = Some("b.*".to_owned())).takes(&event));
        assert!(!filter(|it| it.since += SignedDuration::from_millis(1)).takes(&event));
        assert!(!filter(|it| it.until = Some(it.since)).takes(&event));
        assert!(filter(|it| it.kind = Some(Kind::Accepted)).takes(&event));
        assert!(!filter(|it| it.kind = Some(Kind::Quarantined)).takes(&event));
        assert!(!filter(|it| it.kind = Some(Kind::Conflict)).takes(&event));
        let mut other = event;
        other.event.conflict = true;
        assert!(filter(|it| it.kind = Some(Kind::Conflict)).takes(&other));
        other.quarantined = true;
        assert!(filter(|it| it.kind = Some(Kind::Quarantined)).takes(&other));
        assert!(!filter(|it| it.kind = Some(Kind::Accepted)).takes(&other));
    }
}
