//! `webhookctl endpoint delete`: held deliveries are not lost with their endpoint by accident.

use super::state;
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use webhook_gateway::delivery::lifecycle::SkipReason;
use webhook_gateway::store::deliveries::{self, Deliveries, Delivery, HeldEntry, Write};
use webhook_gateway::store::endpoints::{Endpoints, State};
use webhook_gateway::store::journal::Removed;

/// The number of held deliveries that are read at once.
const PAGE: i32 = 100;

/// Deletes an endpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"deleted\": …, \"skipped\": …}, where \"skipped\" is the number of held deliveries that were
discarded.

Examples:
  webhookctl endpoint delete search
  webhookctl endpoint delete ep_0123456789abcdef --discard-held")]
pub(crate) struct Delete {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
    /// Discards the deliveries that are held for the endpoint.
    #[arg(long)]
    discard_held: bool,
}

pub(crate) async fn run(arguments: Delete, stack: &Stack, output: &Output) -> Result<()> {
    let endpoints = stack.endpoints()?;
    let history = stack.deliveries()?;
    let id = find::endpoint_id(&arguments.which, &endpoints).await?;
    let mut skipped = 0;
    if arguments.discard_held {
        stop(&id, &endpoints).await?;
        skipped += skip(&id, &history).await?;
    } else {
        refuse_held(&id, held(&id, &history).await?.len())?;
    }
    let name = name(&id, &endpoints).await?;
    if !endpoints.remove(&id).await? {
        return Err(find::Unknown::Endpoint(id).into());
    }
    if let Err(error) = remember(&id, name, stack).await {
        output.note(&format!(
            "`event explain` will not show its deliveries: {error}"
        ));
    }
    // Deliveries that were under way may have been held meanwhile.
    skipped += skip(&id, &history).await?;
    let text = match skipped {
        0 => format!("deleted {id}"),
        _ => format!("deleted {id}, and discarded {skipped} deliveries that were held for it"),
    };
    output.result(&text, &json!({"deleted": id, "skipped": skipped}))
}

/// The name of an endpoint, if the endpoint exists and can be read.
async fn name(id: &str, endpoints: &Endpoints) -> Result<Option<String>> {
    let statuses = endpoints.statuses(&BTreeSet::from([id])).await;
    let status = statuses?.remove(id);
    Ok(status.map(|status| status.endpoint.name))
}

/// Notes that this endpoint existed: its deliveries outlive it and are found by its id.
async fn remember(id: &str, name: Option<String>, stack: &Stack) -> Result<()> {
    let removed = Removed {
        endpoint: id.to_owned(),
        name,
        at: Timestamp::now(),
    };
    let journal = stack.journal()?;
    let noted = journal.note_removed(&removed).await;
    Ok(noted?)
}

fn refuse_held(id: &str, held: usize) -> Result<()> {
    let held = match held {
        0 => return Ok(()),
        _ if held >= PAGE as usize => format!("{PAGE} deliveries or more are"),
        1 => "1 delivery is".to_owned(),
        _ => format!("{held} deliveries are"),
    };
    Err(format!(
        "{held} held for {id}: deliver them with `webhookctl endpoint resume {id}` or `enable`, \
        or discard them with --discard-held"
    )
    .into())
}

/// Pauses an endpoint: deliveries that are discarded must not be delivered at the same time.
async fn stop(id: &str, endpoints: &Endpoints) -> Result<()> {
    let statuses = endpoints.statuses(&BTreeSet::from([id])).await;
    let status = statuses?.remove(id);
    // A deleted or unreadable endpoint gets no attempts either.
    match status.map(|status| status.endpoint) {
        Some(mut endpoint) if endpoint.state == State::Active => {
            let reason = Some("it is being deleted".to_owned());
            state::set(
                &mut endpoint,
                State::Paused,
                reason,
                Timestamp::now(),
                endpoints,
            )
            .await
        }
        _ => Ok(()),
    }
}

/// Discards the held deliveries of an endpoint. Returns their number.
async fn skip(id: &str, history: &Deliveries) -> Result<usize> {
    let mut skipped = 0;
    loop {
        let held = held(id, history).await?;
        if held.is_empty() {
            return Ok(skipped);
        }
        let ids = held.iter().map(|entry| (id, &*entry.id)).collect();
        let mut records = history.records(&ids).await?;
        let mut writes = Vec::new();
        for entry in &held {
            let record = skip_one(id, entry, records.remove(&entry.id), Timestamp::now());
            writes.extend(record.map(|record| Write::Delivery(Box::new(record))));
        }
        skipped += writes.len();
        // The entries are removed last. If this is interrupted, a skipped delivery with its entry is met
        // again; a delivery without its entry would be lost.
        writes.extend(held.into_iter().map(|entry| Write::Release {
            endpoint: id.to_owned(),
            id: entry.id,
        }));
        history.write(&writes).await?;
    }
}

/// The record of a discarded delivery; none if the delivery is not held any more.
fn skip_one(
    endpoint: &str,
    entry: &HeldEntry,
    record: Option<Delivery>,
    now: Timestamp,
) -> Option<Delivery> {
    let mut record = match record {
        Some(record) if record.state == deliveries::State::Held => record,
        Some(_) => return None,
        None => Delivery::new(endpoint, entry.id.clone(), entry.event.clone()),
    };
    let reason = Some(SkipReason::EndpointDeleted.to_string());
    record.turn(deliveries::State::Skipped, reason, now);
    Some(record)
}

async fn held(id: &str, history: &Deliveries) -> Result<Vec<HeldEntry>> {
    Ok(history.held(id, PAGE).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhook_gateway::event::EventMeta;

    #[test]
    fn what_is_held_is_not_given_up_by_accident() {
        assert!(refuse_held("ep_1", 0).is_ok());
        for (held, expected) in [(1, "1 delivery is"), (7, "7 deliveries"), (100, "or more")] {
            let refused = refuse_held("ep_1", held).unwrap_err().to_string();
            assert!(
                refused.contains(expected) && refused.contains("--discard-held"),
                "{refused}"
            );
        }
    }

    #[test]
    fn only_what_is_still_held_is_skipped() {
        let event = EventMeta {
            key: "studio#1".to_owned(),
            id: "1".to_owned(),
            event_type: "a.b".to_owned(),
            source: "studio".to_owned(),
            provider: "creative-force".to_owned(),
            accepted_at: 1,
            conflict: false,
            replayed: false,
        };
        let fresh = Delivery::new("ep_1", "ep_1_1_a".to_owned(), event);
        let entry = HeldEntry::of(&fresh);
        let now = Timestamp::UNIX_EPOCH;
        let skip = |record| skip_one("ep_1", &entry, record, now);

        let mut held = fresh.clone();
        held.attempts = 3;
        held.turn(deliveries::State::Held, None, now);
        let skipped = skip(Some(held)).unwrap();
        assert_eq!(
            (skipped.state, skipped.attempts, skipped.reason.as_deref()),
            (
                deliveries::State::Skipped,
                3,
                Some("the endpoint was deleted")
            )
        );
        let unrecorded = skip(None).unwrap();
        assert_eq!(
            (unrecorded.id, unrecorded.event),
            (fresh.id.clone(), fresh.event.clone())
        );
        let mut delivered = fresh;
        delivered.turn(deliveries::State::Delivered, None, now);
        assert_eq!(skip(Some(delivered)), None);
    }
}
