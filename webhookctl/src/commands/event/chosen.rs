//! The events of a replay: those with the given ids, or those of a time span.

use super::index::{Filter, Index, Kind};
use super::progress::ReplayProgress;
use super::replay::Replay;
use crate::Result;
use crate::ledger::LedgerReader;
use crate::output::Output;
use crate::stack::Stack;
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::ledger::LedgerItem;

/// The events to send, the oldest first.
pub(crate) async fn chosen(
    replay: &Replay,
    progress: &ReplayProgress,
    recorded: &LedgerReader,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<EventMeta>> {
    let mut events = match replay.id.is_empty() {
        true => spanned(replay, progress, stack, output).await?,
        false => named(replay, recorded, stack).await?,
    };
    events.retain(|event| progress.is_left(event));
    Ok(events)
}

async fn spanned(
    replay: &Replay,
    progress: &ReplayProgress,
    stack: &Stack,
    output: &Output,
) -> Result<Vec<EventMeta>> {
    let filter = Filter {
        source: replay.source.clone(),
        event_type: replay.event_type.clone(),
        kind: replay.state,
        since: progress.checkpoint.since,
        until: Some(progress.checkpoint.until),
        after: None,
    };
    let all = Index::of(stack, filter)?.all().await?;
    let (aside, events): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|indexed| indexed.published)
        .partition(|published| Kind::of(published) == Kind::Quarantined);
    if !aside.is_empty() {
        output.note(&format!(
            "{} more are quarantined and cannot be replayed: see `webhookctl quarantine list`",
            aside.len()
        ));
    }
    Ok(events.into_iter().map(|event| event.event).collect())
}

async fn named(replay: &Replay, recorded: &LedgerReader, stack: &Stack) -> Result<Vec<EventMeta>> {
    let mut events = Vec::new();
    for id in &replay.id {
        let found = recorded.find(id, replay.source.as_deref(), stack).await?;
        events.push(accepted(found)?);
    }
    events.sort_by(|a, b| (a.accepted_at, &a.key).cmp(&(b.accepted_at, &b.key)));
    events.dedup();
    Ok(events)
}

/// The event of an accepted webhook.
fn accepted(kept: LedgerItem) -> Result<EventMeta> {
    let id = &kept.event.id;
    match (kept.state.as_str(), &kept.released_as) {
        ("accepted", _) => Ok(kept.event),
        ("released", Some(released)) => {
            Err(format!("{id} was quarantined, and released as the event {released}: replay that \
                event").into())
        }
        _ => Err(format!(
            "{id} is quarantined and cannot be replayed: `webhookctl quarantine release {id}` makes an \
                event of it"
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;

    #[test]
    fn what_is_no_event_is_not_replayed() {
        let mut it = item("studio#1", "1");
        assert_eq!(accepted(it.clone()).unwrap(), it.event);
        it.state = "quarantined".to_owned();
        let error = accepted(it.clone()).unwrap_err().to_string();
        assert!(error.contains("quarantine release 1"), "{error}");
        it.state = "released".to_owned();
        it.released_as = Some("7".to_owned());
        let error = accepted(it).unwrap_err().to_string();
        assert!(error.contains("as the event 7"), "{error}");
    }
}
