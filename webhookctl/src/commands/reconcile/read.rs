//! What there is to reconcile: the lines of the ledger, what the journal says was published, and the records
//! of each endpoint. Each is read after what it is compared with, so that nothing is missed that happens
//! meanwhile.

use super::balance::{Publication, Published, Standing};
use crate::Result;
use crate::commands::event::index::{Filter, Index};
use crate::output::Output;
use crate::progress::Progress;
use crate::stack::Stack;
use jiff::Timestamp;
use std::collections::HashMap;
use std::ops::Range;
use webhook_gateway::store::deliveries::Deliveries;
use webhook_gateway::store::ledger::{ItemSummary, Ledger};

/// The lines of what was accepted in a time span, and how many items cannot be read.
pub(crate) async fn lines(
    ledger: &Ledger,
    accepted: &Range<Timestamp>,
    output: Output,
) -> Result<(Vec<ItemSummary>, usize)> {
    let now = Timestamp::now();
    let mut progress = Progress::counting("items of the ledger are read", output);
    let (mut lines, mut scanned, mut unreadable) = (Vec::new(), 0, 0);
    let mut after = None;
    loop {
        let page = ledger.scan(accepted.clone(), now, after.as_deref()).await;
        let page = page?;
        scanned += page.scanned;
        unreadable += page.unreadable;
        progress.at(scanned);
        lines.extend(page.items);
        after = page.last;
        if after.is_none() {
            break;
        }
    }
    Ok((lines, unreadable))
}

/// What the journal says was published of that, until now.
pub(crate) async fn published(
    stack: &Stack,
    accepted: &Range<Timestamp>,
    output: Output,
) -> Result<Published> {
    let filter = Filter {
        since: accepted.start,
        until: Some(accepted.end),
        ..Filter::default()
    };
    let mut progress = Progress::counting("events of the journal are read", output);
    let mut index = Index::of(stack, filter)?;
    let mut published = Published::new();
    while let Some(page) = index.next().await? {
        published.extend(page.into_iter().map(|indexed| {
            let event = indexed.published.event;
            let name = (event.key.clone(), event.accepted_at);
            let publication = Publication {
                event,
                at: indexed.at.as_millisecond(),
                quarantined: indexed.published.quarantined,
            };
            (name, publication)
        }));
        progress.at(published.len());
    }
    Ok(published)
}

/// Where each delivery of that to an endpoint stands.
pub(crate) async fn records(
    deliveries: &Deliveries,
    endpoint: &str,
    accepted: &Range<Timestamp>,
) -> Result<HashMap<String, Standing>> {
    let until = accepted.end.as_millisecond();
    let mut records = HashMap::new();
    let mut after = None;
    loop {
        let page = deliveries.page(endpoint, Some(accepted.start), after.as_deref());
        let (page, last) = page.await?;
        let page = page.into_iter();
        let page =
            page.filter(|record| !record.event.is_ping() && record.event.accepted_at < until);
        records.extend(page.map(|record| (record.id.clone(), Standing::of(record))));
        after = last;
        if after.is_none() {
            return Ok(records);
        }
    }
}
