//! The events of a time span, from the journal, page by page, the newest first.

use super::place::Place;
use crate::Result;
use crate::stack::Stack;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use webhook_gateway::store::journal::{Journal, Published, days};
use webhook_gateway::store::ledger::LedgerItem;
use webhook_gateway::store::subscriptions::is_match;

/// The largest difference between the clocks that accept an event and those that publish it.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// A batch that was published twice was published again within this time, in nearly all cases.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Nearly every event is published within this time after its acceptance.
const SOON: SignedDuration = SignedDuration::from_mins(10);

/// The ledger's stream offers an unpublished event for this long.
const STREAM: SignedDuration = SignedDuration::from_hours(24);

/// The state of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The webhook was understood.
    Accepted,
    /// The webhook was not understood.
    Quarantined,
    /// The webhook was understood, but another event has its id.
    Conflict,
}

/// A selection of events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) source: Option<String>,
    /// A pattern of event types.
    pub(crate) event_type: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// Events accepted since this time.
    pub(crate) since: Timestamp,
    /// Events accepted before this time.
    pub(crate) until: Option<Timestamp>,
    /// Events after this place of the list.
    pub(crate) after: Option<Place>,
}

/// An event, and when it was published.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    pub(crate) published: Published,
    pub(crate) at: Timestamp,
    pub(crate) place: Place,
}

/// The selected events, page by page.
pub(crate) struct Index {
    journal: Journal,
    filter: Filter,
    /// The days that are not read yet, the newest last.
    days: Vec<Date>,
    /// The place at which the newest of them continues.
    before: Option<String>,
    /// The events seen so far: a batch may have been published twice.
    seen: HashSet<(String, i64)>,
}

impl Kind {
    pub(crate) fn of(published: &Published) -> Self {
        match published.event.conflict {
            _ if published.quarantined => Self::Quarantined,
            true => Self::Conflict,
            false => Self::Accepted,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
            Self::Conflict => "conflict",
        }
    }
}

impl Filter {
    /// Whether an event is selected.
    pub(crate) fn takes(&self, published: &Published) -> bool {
        let event = &published.event;
        let accepted_at = Timestamp::from_millisecond(event.accepted_at).unwrap_or_default();
        let of_type = self.event_type.as_ref();
        self.source
            .as_ref()
            .is_none_or(|source| *source == event.source)
            && self.kind.is_none_or(|kind| kind == Kind::of(published))
            && of_type.is_none_or(|pattern| is_match(pattern, &event.event_type))
            && accepted_at >= self.since
            && self.until.is_none_or(|until| accepted_at < until)
    }

    /// Whether a place was not listed before.
    fn continues_at(&self, place: &Place) -> bool {
        self.after.as_ref().is_none_or(|after| place < after)
    }
}

impl Index {
    /// The selected events of a stack.
    pub(crate) fn of(stack: &Stack, filter: Filter) -> Result<Self> {
        // An event may have been published long after its acceptance, at any time until now.
        let now = Timestamp::now();
        // A list that is continued looks back a little: it leaves out what was published twice and listed.
        let until = filter
            .after
            .as_ref()
            .map(|place| now.min(place.at() + AGAIN));
        let (since, until) = (early(filter.since), until.unwrap_or(now));
        let mut days: Vec<_> = match since <= until {
            true => days(since, until).collect(),
            false => Vec::new(),
        };
        days.reverse();
        let after = filter.after.as_ref();
        Ok(Self {
            journal: stack.journal()?,
            before: after.map(|_| format!("{:013}", until.as_millisecond() + 1)),
            filter,
            days,
            seen: HashSet::new(),
        })
    }

    /// The selected events of the next page, possibly none; `None` after the last page.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Indexed>>> {
        let Some(&day) = self.days.last() else {
            return Ok(None);
        };
        let since = early(self.filter.since);
        let page = self.journal.published(day, since, self.before.as_deref());
        let (batches, last) = page.await?;
        if last.is_none() {
            self.days.pop();
        }
        self.before = last;
        let mut found = Vec::new();
        for batch in batches {
            let id: Arc<str> = batch.id.into();
            for (position, published) in batch.events.into_iter().enumerate().rev() {
                let place = Place::of(id.clone(), position);
                let name = (published.event.key.clone(), published.event.accepted_at);
                if self.filter.takes(&published)
                    && self.seen.insert(name)
                    && self.filter.continues_at(&place)
                {
                    found.push(Indexed {
                        published,
                        at: batch.at,
                        place,
                    });
                }
            }
        }
        Ok(Some(found))
    }

    /// Whether no page is left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.days.is_empty()
    }

    /// All selected events, the oldest first.
    pub(crate) async fn all(mut self) -> Result<Vec<Indexed>> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        let place = |indexed: &Indexed| {
            let event = &indexed.published.event;
            (event.accepted_at, event.key.clone())
        };
        all.sort_by_cached_key(place);
        Ok(all)
    }
}

/// The time at which a webhook was published, if it was.
pub(crate) async fn published_at(kept: &LedgerItem, stack: &Stack) -> Result<Option<Timestamp>> {
    let journal = stack.journal()?;
    let accepted_at = Timestamp::from_millisecond(kept.event.accepted_at)?;
    let soon = accepted_at + SOON;
    let mut spans = vec![(early(accepted_at), soon), (soon, accepted_at + STREAM)];
    if let Some(again) = kept.republished_at {
        let again = Timestamp::from_millisecond(again)?;
        spans.push((early(again), again + STREAM));
    }
    let now = Timestamp::now();
    for (from, to) in spans.into_iter().filter(|(from, _)| *from < now) {
        if let Some(at) = first(kept, &journal, from, to.min(now)).await? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The time at which a webhook was first published in a time span.
async fn first(
    kept: &LedgerItem,
    journal: &Journal,
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Timestamp>> {
    let name = (&kept.event.key, kept.event.accepted_at);
    let is_it = |published: &Published| (&published.event.key, published.event.accepted_at) == name;
    let mut first = None;
    for day in days(from, to) {
        let mut before = Some(format!("{:013}", to.as_millisecond() + 1));
        while before.is_some() {
            let page = journal.published(day, from, before.as_deref()).await;
            let (batches, last) = page?;
            let mut with_it = batches
                .iter()
                .rev()
                .filter(|batch| batch.events.iter().any(is_it));
            first = with_it.next().map(|batch| batch.at).or(first);
            before = last;
        }
    }
    Ok(first)
}

fn early(at: Timestamp) -> Timestamp {
    at.checked_sub(SKEW).unwrap_or(at)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::samples::item;

    pub(crate) fn published(id: &str) -> Published {
        Published {
            event: item(&format!("studio#{id}"), id).event,
            quarantined: false,
        }
    }

    #[test]
    fn what_is_meant_is_told_by_source_type_and_time() {
        let event = published("1");
        let at = Timestamp::from_millisecond(event.event.accepted_at).unwrap();
        let takes = |change: fn(&mut Filter)| {
            let mut filter = Filter {
                since: at,
                ..Filter::default()
            };
            change(&mut filter);
            filter.takes(&event)
        };
        assert!(takes(|_| {}));
        assert!(takes(|filter| filter.source = Some("studio".to_owned())));
        assert!(!takes(|filter| filter.source = Some("hr".to_owned())));
        assert!(takes(|filter| filter.event_type = Some("a.*".to_owned())));
        assert!(!takes(|filter| filter.event_type = Some("b.*".to_owned())));
        assert!(!takes(
            |filter| filter.since += SignedDuration::from_millis(1)
        ));
        assert!(!takes(|filter| filter.until = Some(filter.since)));
    }

    #[test]
    fn an_event_is_in_one_state() {
        let kinds = [Kind::Accepted, Kind::Quarantined, Kind::Conflict];
        for (quarantined, conflict, state) in [
            (false, false, Kind::Accepted),
            (false, true, Kind::Conflict),
            (true, false, Kind::Quarantined),
            (true, true, Kind::Quarantined),
        ] {
            let mut event = published("1");
            event.quarantined = quarantined;
            event.event.conflict = conflict;
            let taken = kinds.into_iter().filter(|&kind| {
                let filter = Filter {
                    kind: Some(kind),
                    ..Filter::default()
                };
                filter.takes(&event)
            });
            assert_eq!(taken.collect::<Vec<_>>(), [state]);
        }
    }
}
