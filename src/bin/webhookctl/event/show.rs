//! `webhookctl event show`: the webhook as it came, what was made of it, and what became of that.

use super::list::Listed;
use crate::Result;
use crate::delivery::{self, Deliveries};
use crate::output::{Output, Row};
use crate::recorded::Recorded;
use crate::stack::Stack;
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use webhook_gateway::delivery::body::body;
use webhook_gateway::delivery::history::Record;
use webhook_gateway::endpoints::{Endpoint, Format, delivery_id};
use webhook_gateway::event::EventRef;
use webhook_gateway::ledger::Kept;

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of the event, or its key in the ledger.
    id: String,
    /// The source that it came in by, if several have an event of this id.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Writes the body as it came, byte for byte, and nothing else.
    #[arg(long)]
    raw: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    reason: Option<String>,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    event: Option<Box<RawValue>>,
    deliveries: Vec<delivery::Listed>,
}

impl Row for Shown {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let mut cells = self.listed.cells();
        cells.extend(self.reason.clone().map(|reason| ("reason", reason)));
        cells
    }
}

pub(super) async fn run(arguments: Show, stack: &Stack, output: Output) -> Result<()> {
    let recorded = Recorded::to_read(stack)?;
    let source = arguments.source.as_deref();
    let kept = recorded.find(&arguments.id, source, stack).await?;
    let raw = recorded.bytes(kept.body.clone()).await?;
    if arguments.raw {
        return Ok(io::stdout().write_all(&raw)?);
    }
    let deliveries = Deliveries::of(stack)?;
    let endpoints = deliveries.endpoints().await?;
    let records = records(&kept.event, &endpoints, &deliveries).await?;
    let shown = shown(&kept, raw, records.values());
    output.one(&shown)?;
    if output.json {
        return Ok(());
    }
    output.text(&shown.request())?;
    if let Some(event) = &shown.event {
        output.text(&format!("\nCloudEvent:\n{}\n", event.get()))?;
    }
    match shown.deliveries.is_empty() {
        true => {
            output.note("no endpoint has a delivery of it: `webhookctl event explain` says why")
        }
        false => output.list(&shown.deliveries)?,
    }
    Ok(())
}

/// What became of an event at each of these endpoints, by the endpoint's id.
pub(super) async fn records(
    event: &EventRef,
    endpoints: &[Endpoint],
    deliveries: &Deliveries,
) -> Result<BTreeMap<String, Record>> {
    let ids: Vec<_> = endpoints
        .iter()
        .map(|endpoint| (&*endpoint.id, delivery_id(&endpoint.id, event)))
        .collect();
    let keys: BTreeSet<_> = ids
        .iter()
        .map(|(endpoint, id)| (*endpoint, &**id))
        .collect();
    let records = deliveries.records(&keys).await?.into_values();
    Ok(records.map(|it| (it.endpoint.clone(), it)).collect())
}

fn shown<'r>(kept: &Kept, raw: Vec<u8>, records: impl Iterator<Item = &'r Record>) -> Shown {
    let event = match kept.state.as_str() {
        "accepted" => made(kept, &raw),
        _ => None,
    };
    let (body, body_base64) = match String::from_utf8(raw) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    Shown {
        listed: Listed::of(&kept.event, &kept.state, None),
        reason: kept.reason.clone(),
        headers: kept.headers.clone(),
        body,
        body_base64,
        event,
        deliveries: records.map(delivery::Listed::of).collect(),
    }
}

/// The CloudEvent, as it stands on the queues.
fn made(kept: &Kept, raw: &[u8]) -> Option<Box<RawValue>> {
    let made = body(Format::CloudEvents, &kept.event, kept.content_type(), raw);
    let (_, json) = made.ok()?;
    RawValue::from_string(String::from_utf8(json).ok()?).ok()
}

impl Shown {
    /// As it would be written by hand.
    fn request(&self) -> String {
        let mut text = "\nWebhook:\n".to_owned();
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\n");
        }
        match (&self.body, &self.body_base64) {
            (Some(body), _) => text + "\n" + body,
            (None, Some(digits)) => text + "\n(not UTF-8; in Base64:)\n" + digits,
            (None, None) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::tests::kept;

    #[test]
    fn what_was_published_is_shown_to_the_letter() {
        let raw = br#"{"action":"employee_hired","data":{"id":7, "x":1.50}}"#;
        let it = shown(&kept("studio#1", "1"), raw.to_vec(), [].into_iter());
        assert_eq!(it.body.as_deref(), std::str::from_utf8(raw).ok());
        let event = it.event.unwrap();
        assert!(
            event
                .get()
                .contains(r#""data":{"action":"employee_hired","data":{"id":7, "x":1.50}}"#)
        );
    }

    #[test]
    fn what_is_not_understood_has_no_event_and_bytes_are_kept() {
        let mut quarantined = kept("studio#1", "1");
        quarantined.state = "quarantined".to_owned();
        let it = shown(&quarantined, b"\xff\0".to_vec(), [].into_iter());
        assert!(it.event.is_none() && it.body.is_none());
        assert_eq!(it.body_base64.as_deref(), Some("/wA="));
    }
}
