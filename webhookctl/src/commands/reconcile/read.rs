//! The data to reconcile: the items of the ledger, the published events of the journal, and the deliveries
//! of each endpoint. They are read in this order: an event that moves on meanwhile is then found further
//! on.

use super::balance::{DeliveryState, Publication, Published};
use crate::Result;
use crate::commands::delivery::Pages;
use crate::commands::event::index::{Filter, Index};
use crate::output::Output;
use crate::progress::Progress;
use crate::stack::Stack;
use jiff::Timestamp;
use std::collections::HashMap;
use std::ops::Range;
use webhook_gateway::store::deliveries::Deliveries;
use webhook_gateway::store::ledger::{ItemSummary, Ledger};

/// The items that were accepted in a time span, and the number of items that cannot be read.
pub(crate) async fn lines(
    ledger: &Ledger,
    accepted: &Range<Timestamp>,
    output: &Output,
) -> Result<(Vec<ItemSummary>, usize)> {
    let now = Timestamp::now();
    let mut progress = Progress::counting("items of the ledger read", output);
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

/// The events of that time span that were published until now, by the journal.
pub(crate) async fn published(
    stack: &Stack,
    accepted: &Range<Timestamp>,
    output: &Output,
) -> Result<Published> {
    let filter = Filter {
        since: accepted.start,
        until: Some(accepted.end),
        ..Filter::default()
    };
    let mut progress = Progress::counting("events of the journal read", output);
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

/// The state of each delivery of these events to an endpoint.
pub(crate) async fn records(
    deliveries: &Deliveries,
    endpoint: &str,
    accepted: &Range<Timestamp>,
) -> Result<HashMap<String, DeliveryState>> {
    let until = accepted.end.as_millisecond();
    let mut records = HashMap::new();
    let mut pages = Pages::new(deliveries, endpoint, None, Some(accepted.start));
    while let Some(page) = pages.next().await? {
        let page = page.into_iter();
        let page =
            page.filter(|record| !record.event.is_ping() && record.event.accepted_at < until);
        records.extend(page.map(|record| (record.id.clone(), DeliveryState::of(record))));
    }
    Ok(records)
}
