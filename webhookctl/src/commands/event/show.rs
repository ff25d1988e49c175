//! `webhookctl event show`: the webhook as it came, its event, and the deliveries of the event.

use super::list::EventRow;
use super::recipients::Recipients;
use crate::Result;
use crate::body::Body;
use crate::commands::delivery;
use crate::output::Output;
use crate::stack::Stack;
use crate::time;
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use webhook_gateway::delivery::body::body;
use webhook_gateway::store::endpoints::Format;
use webhook_gateway::store::ledger::LedgerItem;

/// Shows an event: the webhook as it came, the CloudEvent, and every delivery.
#[derive(Debug, Args)]
#[command(after_help = "\
Signatures are not kept. --raw writes the exact bytes of the body and nothing else; to a terminal only with
--force.

With --json: the object of `event list --json` with \"reason\": …, \"released_as\": …, \"headers\": {…},
\"body\": … (or \"body_base64\", if it is not UTF-8), \"event\": {…} (null if the webhook was not understood)
and \"deliveries\": […], with the objects of `delivery list --json`.

Examples:
  webhookctl event show 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11
  webhookctl event show 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11 --source studio --raw > body.json")]
pub(crate) struct Show {
    /// The id of the event, or its key in the ledger.
    id: String,
    /// The source of the event, if several sources have an event with this id.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Writes only the body as it came, byte for byte.
    #[arg(long)]
    raw: bool,
    /// Also writes it to a terminal, which the bytes may steer.
    #[arg(long, requires = "raw")]
    force: bool,
}

#[derive(Serialize)]
struct EventDetails {
    #[serde(flatten)]
    listed: EventRow,
    reason: Option<String>,
    released_as: Option<String>,
    headers: BTreeMap<String, String>,
    #[serde(flatten)]
    body: Body,
    event: Option<Box<RawValue>>,
    deliveries: Vec<delivery::DeliveryRow>,
}

impl EventDetails {
    pub(crate) const COLUMNS: &[&str] = &[
        "accepted_at",
        "id",
        "type",
        "source",
        "state",
        "reason",
        "released_as",
    ];
}

pub(crate) async fn run(arguments: Show, stack: &Stack, output: &Output) -> Result<()> {
    let recorded = stack.ledger()?;
    let source = arguments.source.as_deref();
    let found = recorded.find_with_return(&arguments.id, source, stack);
    let (kept, again_at) = found.await?;
    let raw = recorded.bytes(kept.body.clone()).await;
    if arguments.raw {
        if io::stdout().is_terminal() && !arguments.force {
            return Err(
                "the body may steer the terminal: redirect --raw to a file or a pipe, or use \
                --force"
                    .into(),
            );
        }
        return output.bytes(&raw?);
    }
    let raw = raw.map_err(|error| output.note(&format!("the body is not shown: {error}")));
    let recipients = Recipients::of(stack).await?;
    let records = recipients.records(&kept.event).await?;
    let rows = records
        .values()
        .map(|record| delivery::DeliveryRow::of(record, recipients.name(&record.endpoint)));
    let shown = shown(&kept, raw.ok(), rows.collect());
    if let Some(at) = again_at.and_then(time::shown) {
        output.note(&format!(
            "the same body came again at {at}: the headers are those of that webhook"
        ));
    }
    output.details(&shown, EventDetails::COLUMNS)?;
    if output.json {
        return Ok(());
    }
    let webhook = shown.body.after_headers(&shown.headers);
    output.text(&format!("\nWebhook:\n{webhook}"))?;
    if let Some(event) = &shown.event {
        output.text(&format!("\nCloudEvent:\n{}\n", event.get()))?;
    }
    if shown.deliveries.is_empty() {
        output
            .note("no endpoint has a delivery of this event: `webhookctl event explain` shows why");
    }
    output.list(&shown.deliveries, delivery::DeliveryRow::COLUMNS)
}

fn shown(
    kept: &LedgerItem,
    raw: Option<Vec<u8>>,
    deliveries: Vec<delivery::DeliveryRow>,
) -> EventDetails {
    let event = match kept.state.as_str() {
        "accepted" => raw.as_ref().and_then(|raw| made(kept, raw)),
        _ => None,
    };
    EventDetails {
        listed: EventRow::kept(kept),
        reason: kept.reason.clone(),
        released_as: kept.released_as.clone(),
        headers: kept.headers.clone(),
        body: Body::of(raw),
        event,
        deliveries,
    }
}

/// The CloudEvent as it was put on the queues.
fn made(kept: &LedgerItem, raw: &[u8]) -> Option<Box<RawValue>> {
    let made = body(Format::CloudEvents, kept.recording(&kept.event, raw));
    let (_, json) = made.ok()?;
    RawValue::from_string(String::from_utf8(json).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::item;

    #[test]
    fn what_was_published_is_shown_to_the_letter() {
        let raw = br#"{"action":"employee_hired","data":{"id":7, "x":1.50}}"#;
        let details = shown(&item("studio#1", "1"), Some(raw.to_vec()), Vec::new());
        let event = details.event.as_ref().unwrap();
        let data = r#""data":{"action":"employee_hired","data":{"id":7, "x":1.50}}"#;
        assert!(event.get().contains(data), "{event}");
        let text = std::str::from_utf8(raw).unwrap();
        assert_eq!(serde_json::to_value(details).unwrap()["body"], text);
    }

    #[test]
    fn what_is_not_understood_has_no_event_and_bytes_are_kept() {
        let mut quarantined = item("studio#1", "1");
        quarantined.state = "quarantined".to_owned();
        let details = shown(&quarantined, Some(b"\xff\0".to_vec()), Vec::new());
        let details = serde_json::to_value(details).unwrap();
        assert_eq!(
            (&details["event"], &details["body"], &details["body_base64"]),
            (&().into(), &().into(), &"/wA=".into())
        );
    }

    #[test]
    fn a_body_that_is_gone_leaves_the_rest() {
        let details = shown(&item("studio#1", "1"), None, Vec::new());
        let details = serde_json::to_value(details).unwrap();
        assert_eq!(
            (&details["id"], &details["body"], &details["event"]),
            (&"1".into(), &().into(), &().into())
        );
        assert_eq!(details.get("body_base64"), None);
    }
}
