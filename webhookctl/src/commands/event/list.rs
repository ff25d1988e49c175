//! `webhookctl event list`.

use super::duplicates::{Duplicate, Duplicates};
use super::index::{Filter, Index, Indexed, Kind};
use super::place::Place;
use super::states::{self, StateAt, States};
use crate::Result;
use crate::commands::source::note_unknown;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::num::NonZeroUsize;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::journal::Published;
use webhook_gateway::store::ledger::LedgerItem;

/// The number of rows of a table without --limit.
const DEFAULT_LIMIT: usize = 100;

/// The time span without `--since`.
const DEFAULT_SINCE: SignedDuration = SignedDuration::from_hours(24);

/// The state to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Events that were understood.
    Accepted,
    /// Webhooks that were not understood.
    Quarantined,
    /// Events that were understood, but have the id of another event.
    Conflict,
    /// Webhooks that were dropped as copies of an event.
    Duplicate,
}

/// Lists events, the newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
The command reads the journal from now back to --since, 1 MB at a time; it does not scan the ledger. A
thousand events take about 60 KB, or 8 read units. Events that were accepted a moment ago and are not
published yet are not listed. `webhookctl quarantine list` shows the state of quarantined webhooks.

--state duplicate lists the webhooks that were answered 200 and dropped as copies, each with its time and the
event that it duplicates. They come from the log of the ingress function, which has them after some seconds
and for LogRetentionDays. The search is free; a longer log takes more time. A webhook is also listed as a copy
of itself if its own record was written and DynamoDB's answer was lost.

--deliveries adds the state of each event at every endpoint whose filters select it today: delivered, pending,
held, exhausted or skipped, or on-its-way if the endpoint gets the event and has no delivery of it yet. It
reads the endpoints once, and 100 deliveries at a time: one read unit for each 4 KB of each delivery, which is
1 to 3 read units.

A list that is cut names the place at which it continues: --after reads the journal from there on, and neither
skips nor repeats an event, even if many have the same time.

With --json: {\"id\": …, \"type\": …, \"source\": …, \"provider\": …, \"state\": …, \"accepted_at\": …,
\"published_at\": …, \"key\": …, \"place\": …} for each event, and with --deliveries
\"deliveries\": [{\"endpoint\": …, \"name\": …, \"delivery\": …, \"state\": …}]; for each duplicate
{\"at\": …, \"id\": …, \"source\": …, \"provider\": …, \"state\": \"duplicate\", \"place\": …} with the id of
the event. A table has at most 100 rows unless --limit says otherwise.

Examples:
  webhookctl event list
  webhookctl event list --type 'io.creativeforce.product.*' --since 2026-11-22 --until 2026-11-23
  webhookctl event list --state quarantined --json | jq -r .id
  webhookctl event list --deliveries --limit 20
  webhookctl event list --state duplicate --source hr --since 2h")]
pub(crate) struct List {
    /// Lists only events of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Lists only events of these types, with `*` for any characters.
    #[arg(long = "type", value_name = "PATTERN")]
    event_type: Option<String>,
    /// Lists only events in this state.
    #[arg(long)]
    state: Option<State>,
    /// Lists only events accepted since this time: 90s, 15m, 2h or 3d ago, a date, or an RFC 3339 time. The
    /// default is 1d before --until or now.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    since: Option<Timestamp>,
    /// Lists only events accepted before this time.
    #[arg(long, value_name = "TIME", value_parser = time::since)]
    until: Option<Timestamp>,
    /// The most events to list.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
    /// Continues a list after this place, which the note of the list names.
    #[arg(long, value_name = "PLACE")]
    after: Option<Place>,
    /// Adds the state at each endpoint.
    #[arg(long)]
    deliveries: bool,
}

/// A row of the list.
#[derive(Serialize)]
pub(crate) struct EventRow {
    pub(crate) id: String,
    r#type: String,
    source: String,
    provider: String,
    state: String,
    accepted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) published_at: Option<String>,
    key: String,
    /// Its place in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<DeliveriesCell>,
}

/// The states at the endpoints: objects for a program, and a line in a table.
#[derive(Serialize)]
#[serde(untagged)]
enum DeliveriesCell {
    States(Vec<StateAt>),
    Line(String),
}

impl EventRow {
    fn of(indexed: &Indexed) -> Self {
        let Indexed {
            published,
            at,
            place,
        } = indexed;
        Self {
            place: Some(place.to_string()),
            ..Self::published(published, Some(*at))
        }
    }

    fn published(published: &Published, at: Option<Timestamp>) -> Self {
        Self::in_state(&published.event, Kind::of(published).name(), at)
    }

    /// The row of an item of the ledger.
    pub(crate) fn kept(kept: &LedgerItem) -> Self {
        let state = match kept.state.as_str() {
            "accepted" if kept.event.conflict => Kind::Conflict.name(),
            state => state,
        };
        Self::in_state(&kept.event, state, None)
    }

    fn in_state(event: &EventMeta, state: &str, published_at: Option<Timestamp>) -> Self {
        Self {
            id: event.id.clone(),
            r#type: event.event_type.clone(),
            source: event.source.clone(),
            provider: event.provider.clone(),
            state: state.to_owned(),
            accepted_at: time::shown(event.accepted_at),
            published_at: published_at.and_then(|at| time::shown(at.as_millisecond())),
            key: event.key.clone(),
            place: None,
            deliveries: None,
        }
    }
}

impl EventRow {
    pub(crate) const COLUMNS: &[&str] = &["accepted_at", "id", "type", "source", "state"];
    const WITH_DELIVERIES: &[&str] =
        &["accepted_at", "id", "type", "source", "state", "deliveries"];
}

/// A row with a place at which the list continues.
trait Placed: Serialize {
    fn place(&self) -> Option<&str>;
}

impl Placed for EventRow {
    fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl Placed for Duplicate {
    fn place(&self) -> Option<&str> {
        Some(&self.place)
    }
}

/// The rows of a list so far.
struct Rows<'o, R> {
    columns: &'static [&'static str],
    limit: usize,
    rows: Vec<R>,
    shown: usize,
    is_cut: bool,
    /// The place of the last row.
    last: Option<String>,
    output: &'o Output,
}

impl<'o, R: Placed> Rows<'o, R> {
    fn begin(
        columns: &'static [&'static str],
        limit: Option<NonZeroUsize>,
        output: &'o Output,
    ) -> Self {
        Self {
            columns,
            limit: match limit {
                Some(limit) => limit.get(),
                None if output.json => usize::MAX,
                None => DEFAULT_LIMIT,
            },
            rows: Vec::new(),
            shown: 0,
            is_cut: false,
            last: None,
            output,
        }
    }

    fn is_full(&self) -> bool {
        self.shown >= self.limit
    }

    /// Shortens a page to the rows that are left.
    fn fit<T>(&mut self, page: &mut Vec<T>, is_last: bool) {
        let left = self.limit - self.shown;
        self.is_cut = page.len() > left || !is_last;
        page.truncate(left);
    }

    /// Adds a page that fits.
    fn add(&mut self, page: Vec<R>) -> Result<()> {
        self.shown += page.len();
        if let Some(row) = page.last() {
            self.last = row.place().map(str::to_owned);
        }
        // A program gets each page at once; a table needs all its rows first.
        match self.output.json {
            true => self.output.list(&page, self.columns)?,
            false => self.rows.extend(page),
        }
        Ok(())
    }

    /// Prints the table, and a note if rows are missing.
    fn end(self, none: &str, newest: &str, fewer: &str) -> Result<()> {
        self.output.list(&self.rows, self.columns)?;
        match self.last {
            None => self.output.note(none),
            Some(place) if self.is_cut => {
                let shown = self.shown;
                self.output.note(&format!(
                    "these are the {newest} {shown}: --after {place} lists older ones, --limit more at once, \
                        and {fewer} fewer"
                ));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

pub(crate) async fn run(arguments: List, stack: &Stack, output: &Output) -> Result<()> {
    if arguments.state == Some(State::Duplicate) {
        return duplicates(arguments, stack, output).await;
    }
    let states = match arguments.deliveries {
        true => Some(States::of(stack).await?),
        false => None,
    };
    let columns = match states {
        Some(_) => EventRow::WITH_DELIVERIES,
        None => EventRow::COLUMNS,
    };
    let mut rows = Rows::begin(columns, arguments.limit, output);
    let (source, newest) = (arguments.source.clone(), arguments.newest());
    let mut filter = arguments.filter();
    filter.since = time::bounded(filter.since, filter.until, stack.retention()?, output)?;
    let mut index = Index::of(stack, filter)?;
    while !rows.is_full()
        && let Some(mut page) = index.next().await?
    {
        rows.fit(&mut page, index.is_at_end());
        rows.add(with_states(&page, states.as_ref(), output).await?)?;
    }
    let is_empty = rows.shown == 0;
    rows.end(
        "no event matches: use --since to search further back",
        newest,
        "--source, --type and --since",
    )?;
    if is_empty {
        note_unknown(source.as_slice(), stack, output).await;
    }
    Ok(())
}

/// The rows of a page, with the states at the endpoints if they are asked for.
async fn with_states(
    page: &[Indexed],
    states: Option<&States>,
    output: &Output,
) -> Result<Vec<EventRow>> {
    let mut rows: Vec<_> = page.iter().map(EventRow::of).collect();
    let Some(states) = states else {
        return Ok(rows);
    };
    // A quarantined webhook is no event, and goes to no endpoint.
    let events = page.iter().zip(&mut rows);
    let (events, rows_of_events): (Vec<_>, Vec<_>) = events
        .filter(|(indexed, _)| !indexed.published.quarantined)
        .map(|(indexed, row)| (&indexed.published.event, row))
        .unzip();
    let found = states.at(&events).await?;
    for (row, found) in rows_of_events.into_iter().zip(found) {
        row.deliveries = Some(match output.json {
            true => DeliveriesCell::States(found),
            false => DeliveriesCell::Line(states::line(&found)),
        });
    }
    Ok(rows)
}

/// Lists the dropped copies.
async fn duplicates(arguments: List, stack: &Stack, output: &Output) -> Result<()> {
    if arguments.event_type.is_some() {
        return Err(
            "--type cannot be combined with --state duplicate: the log does not have the types of copies"
                .into(),
        );
    }
    if arguments.deliveries {
        return Err(
            "--deliveries cannot be combined with --state duplicate: a copy goes to no endpoint"
                .into(),
        );
    }
    let mut rows = Rows::begin(Duplicate::COLUMNS, arguments.limit, output);
    let newest = arguments.newest();
    let filter = arguments.filter();
    let now = Timestamp::now();
    time::refuse_wrong_order(filter.since, filter.until, now)?;
    let until = filter.until.unwrap_or(now);
    let (source, after) = (filter.source, filter.after);
    let mut found = Duplicates::of(stack, source, filter.since, until, after)?;
    while !rows.is_full()
        && let Some(mut part) = found.next().await?
    {
        rows.fit(&mut part, found.is_at_end());
        rows.add(part)?;
    }
    rows.end(
        "the log has no copy in this time span: use --since to search further back, up to LogRetentionDays",
        newest,
        "--source and --since",
    )
}

impl State {
    /// The state of events to select.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Accepted => Some(Kind::Accepted),
            Self::Quarantined => Some(Kind::Quarantined),
            Self::Conflict => Some(Kind::Conflict),
            Self::Duplicate => None,
        }
    }
}

impl List {
    /// What the rows of the list are among all.
    fn newest(&self) -> &'static str {
        match self.after {
            Some(_) => "next",
            None => "newest",
        }
    }

    fn filter(self) -> Filter {
        let end = self.until.unwrap_or_else(Timestamp::now);
        let lately = || end.checked_sub(DEFAULT_SINCE).unwrap_or(end);
        Filter {
            source: self.source,
            event_type: self.event_type,
            kind: self.state.and_then(State::kind),
            since: self.since.unwrap_or_else(lately),
            until: self.until,
            after: self.after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::event::index::tests::published;
    use crate::samples::item;
    use serde_json::json;

    #[test]
    fn an_event_is_listed_with_its_state_and_its_times() {
        let mut event = published("1");
        let at = Timestamp::from_millisecond(1_790_000_000_500).unwrap();
        let expected = json!({
            "id": "1", "type": "a.b", "source": "studio", "provider": "people-force", "state": "accepted",
            "accepted_at": "2026-09-21T14:13:20.000Z", "published_at": "2026-09-21T14:13:20.500Z",
            "key": "studio#1",
        });
        let listed = serde_json::to_value(EventRow::published(&event, Some(at))).unwrap();
        assert_eq!(listed, expected);
        event.event.conflict = true;
        assert_eq!(EventRow::published(&event, None).state, "conflict");
        event.quarantined = true;
        assert_eq!(EventRow::published(&event, None).state, "quarantined");
    }

    #[test]
    fn what_the_ledger_has_is_in_the_same_states() {
        let mut it = item("studio#1", "1");
        for (state, conflict, expected) in [
            ("accepted", false, "accepted"),
            ("accepted", true, "conflict"),
            ("quarantined", true, "quarantined"),
            ("released", false, "released"),
        ] {
            it.state = state.to_owned();
            it.event.conflict = conflict;
            assert_eq!(EventRow::kept(&it).state, expected);
        }
    }
}
