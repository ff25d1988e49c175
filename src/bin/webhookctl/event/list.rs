//! `webhookctl event list`.

use super::index::{Filter, Index, Indexed, Kind};
use crate::Result;
use crate::output::{Output, Row};
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::num::NonZeroUsize;
use webhook_gateway::event::EventRef;

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
    pub(super) r#type: String,
    pub(super) source: String,
    vendor: String,
    pub(super) state: String,
    conflict: bool,
    accepted_at: Option<String>,
    published_at: Option<String>,
    key: String,
}

impl Listed {
    pub(super) fn of(event: &EventRef, state: &str, published_at: Option<Timestamp>) -> Self {
        Self {
            id: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            vendor: event.vendor.clone(),
            state: state.to_owned(),
            conflict: event.conflict,
            accepted_at: time::shown(event.accepted_at),
            published_at: published_at.and_then(|at| time::shown(at.as_millisecond())),
            key: event.key.clone(),
        }
    }

    pub(super) fn indexed(it: &Indexed) -> Self {
        let state = if it.published.quarantined {
            "quarantined"
        } else {
            "accepted"
        };
        Self::of(&it.published.event, state, Some(it.at))
    }
}

impl Row for Listed {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let state = match self.conflict {
            true => format!("{}, in conflict", self.state),
            false => self.state.clone(),
        };
        vec![
            ("accepted", self.accepted_at.clone().unwrap_or_default()),
            ("id", self.id.clone()),
            ("type", self.r#type.clone()),
            ("source", self.source.clone()),
            ("state", state),
        ]
    }
}

pub(super) async fn run(arguments: List, stack: &Stack, output: Output) -> Result<()> {
    let limit = match arguments.limit {
        Some(limit) => limit.get(),
        None if output.json => usize::MAX,
        None => DEFAULT_LIMIT,
    };
    let mut index = Index::of(
        stack,
        Filter {
            source: arguments.source,
            event_type: arguments.event_type,
            kind: arguments.state,
            since: arguments
                .since
                .unwrap_or_else(|| Timestamp::now() - DEFAULT_SINCE),
            until: arguments.until,
        },
    )?;
    let (mut rows, mut shown, mut is_cut) = (Vec::new(), 0, false);
    while let Some(page) = index.next().await? {
        let views: Vec<_> = page
            .iter()
            .take(limit - shown)
            .map(Listed::indexed)
            .collect();
        is_cut = views.len() < page.len();
        shown += views.len();
        // A program gets each page as it comes; a table has to know all its rows.
        match output.json {
            true => output.list(&views)?,
            false => rows.extend(views),
        }
        if is_cut {
            break;
        }
    }
    output.list(&rows)?;
    if shown == 0 {
        output.note("there is no such event: --since looks further back");
    } else if is_cut && arguments.limit.is_none() {
        output.note(&format!(
            "these are the newest {limit}: --limit shows more of them, --source, --type and --since fewer"
        ));
    }
    Ok(())
}
