//! `webhookctl event list`.

use super::index::{Filter, Index, Kind};
use crate::Result;
use crate::output::{Output, Row};
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::num::NonZeroUsize;
use webhook_gateway::event::EventRef;
use webhook_gateway::journal::Published;
use webhook_gateway::ledger::Kept;

/// What a screen is good for.
const DEFAULT_LIMIT: usize = 100;

/// How far back is looked without `--since`.
const DEFAULT_SINCE: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only those of these types, with `*` for any characters.
    #[arg(long = "type", value_name = "PATTERN")]
    event_type: Option<String>,
    /// Only those in this state.
    #[arg(long)]
    state: Option<Kind>,
    /// Only those accepted since then: 2h or 3d before now, a date, or an RFC 3339 time; 24h unless told otherwise.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
    /// Only those accepted before then.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    until: Option<Timestamp>,
    /// How many at most.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

/// What may be seen of an event at once.
#[derive(Serialize)]
pub(super) struct Listed {
    pub(super) id: String,
    r#type: String,
    source: String,
    vendor: String,
    state: String,
    accepted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) published_at: Option<String>,
    key: String,
}

impl Listed {
    pub(super) fn of(published: &Published, at: Option<Timestamp>) -> Self {
        Self::in_state(&published.event, Kind::of(published).name(), at)
    }

    /// As the ledger has it.
    pub(super) fn kept(kept: &Kept) -> Self {
        let state = match kept.state.as_str() {
            "accepted" if kept.event.conflict => Kind::Conflict.name(),
            state => state,
        };
        Self::in_state(&kept.event, state, None)
    }

    fn in_state(event: &EventRef, state: &str, published_at: Option<Timestamp>) -> Self {
        Self {
            id: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            vendor: event.vendor.clone(),
            state: state.to_owned(),
            accepted_at: time::shown(event.accepted_at),
            published_at: published_at.and_then(|at| time::shown(at.as_millisecond())),
            key: event.key.clone(),
        }
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("accepted", self.accepted_at.clone().unwrap_or_default()),
            ("id", self.id.clone()),
            ("type", self.r#type.clone()),
            ("source", self.source.clone()),
            ("state", self.state.clone()),
        ]
    }
}

pub(super) async fn run(arguments: List, stack: &Stack, output: Output) -> Result<()> {
    let is_limited = arguments.limit.is_some();
    let limit = match arguments.limit {
        Some(limit) => limit.get(),
        None if output.json => usize::MAX,
        None => DEFAULT_LIMIT,
    };
    let mut index = Index::of(stack, arguments.filter())?;
    let (mut rows, mut shown, mut is_cut) = (Vec::new(), 0, false);
    while shown < limit
        && let Some(page) = index.next().await?
    {
        let views = page.iter().take(limit - shown);
        let views: Vec<_> = views
            .map(|it| Listed::of(&it.published, Some(it.at)))
            .collect();
        is_cut = views.len() < page.len() || !index.is_at_end();
        shown += views.len();
        // A program gets each page as it comes; a table has to know all its rows.
        match output.json {
            true => output.list(&views)?,
            false => rows.extend(views),
        }
    }
    output.list(&rows)?;
    if shown == 0 {
        output.note("there is no such event: --since looks further back");
    } else if is_cut && !is_limited {
        output.note(&format!(
            "these are the newest {limit}: --limit shows more of them, --source, --type and --since fewer"
        ));
    }
    Ok(())
}

impl List {
    fn filter(self) -> Filter {
        let lately = || Timestamp::now() - DEFAULT_SINCE;
        Filter {
            source: self.source,
            event_type: self.event_type,
            kind: self.state,
            since: self.since.unwrap_or_else(lately),
            until: self.until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::index::tests::published;
    use crate::recorded::tests::kept;
    use serde_json::json;

    #[test]
    fn an_event_is_listed_with_its_state_and_its_times() {
        let mut event = published("1");
        let at = Timestamp::from_millisecond(1_790_000_000_500).unwrap();
        let expected = json!({
            "id": "1", "type": "a.b", "source": "studio", "vendor": "people-force", "state": "accepted",
            "accepted_at": "2026-09-21T14:13:20.000Z", "published_at": "2026-09-21T14:13:20.500Z", "key": "studio#1",
        });
        let listed = serde_json::to_value(Listed::of(&event, Some(at))).unwrap();
        assert_eq!(listed, expected);
        event.event.conflict = true;
        assert_eq!(Listed::of(&event, None).state, "conflict");
        event.quarantined = true;
        assert_eq!(Listed::of(&event, None).state, "quarantined");
    }

    #[test]
    fn what_the_ledger_has_is_in_the_same_states() {
        let mut it = kept("studio#1", "1");
        for (state, conflict, expected) in [
            ("accepted", false, "accepted"),
            ("accepted", true, "conflict"),
            ("quarantined", true, "quarantined"),
            ("released", false, "released"),
        ] {
            it.state = state.to_owned();
            it.event.conflict = conflict;
            assert_eq!(Listed::kept(&it).state, expected);
        }
    }
}
