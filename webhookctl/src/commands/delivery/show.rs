//! `webhookctl delivery show`. The deliveries table does not have the body of the last request: it is made
//! again from the ledger.

use super::find;
use super::view::{AttemptRow, DeliveryDetails};
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use std::collections::BTreeSet;
use webhook_gateway::delivery::body::body;
use webhook_gateway::event::Recording;
use webhook_gateway::providers::recorded::RecordedFields;
use webhook_gateway::store::deliveries::Delivery;
use webhook_gateway::store::endpoints::{Endpoint, Format};

/// Shows a delivery: its attempts and the last request.
#[derive(Debug, Args)]
#[command(after_help = "\
The body is made again from the ledger, byte for byte. Signatures are not kept. The values of headers with
credentials are not shown. The command needs a read unit for each 4 KB of the delivery and of its event.

With --json: the object of `delivery list --json` with \"history\": [{\"at\": …, \"status\": …, \"error\":
…, \"duration_ms\": …, \"response\": …}] and \"request\": {\"method\": \"POST\", \"url\": …, \"headers\": {…},
\"body\": …}. The request is null if nothing was sent. A body that is not UTF-8 is in \"body_base64\" instead.

Examples:
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978
  webhookctl delivery show ep_8f3a01c2_1790000000000_0f1e2d3c4b5a6978 --json | jq -r .request.body")]
pub(crate) struct Show {
    /// The id of the delivery.
    id: String,
}

pub(crate) async fn run(arguments: Show, stack: &Stack, output: &Output) -> Result<()> {
    let record = find(&arguments.id, &stack.deliveries()?).await?;
    let endpoints = stack.endpoints()?.list().await?;
    let endpoint = endpoints
        .iter()
        .find(|endpoint| endpoint.id == record.endpoint);
    let body = match record.request {
        None => None,
        Some(_) => match sent(&record, endpoint, stack).await {
            Ok(body) => Some(body),
            Err(error) => {
                output.note(&format!("the body is not shown: {error}"));
                None
            }
        },
    };
    let name = endpoint.map(|endpoint| &*endpoint.name);
    let shown = DeliveryDetails::of(&record, name, body);
    output.details(&shown, DeliveryDetails::COLUMNS)?;
    if output.json {
        return Ok(());
    }
    if !shown.history.is_empty() {
        output.text("")?;
        output.list(&shown.history, AttemptRow::COLUMNS)?;
    }
    match &shown.request {
        Some(request) => output.text(&format!("\n{}", request.text())),
        None => {
            output.note("nothing has been sent yet");
            Ok(())
        }
    }
}

/// The body of the last request.
async fn sent(record: &Delivery, endpoint: Option<&Endpoint>, stack: &Stack) -> Result<Vec<u8>> {
    if record.event.is_ping() {
        let fields = RecordedFields::default();
        return as_sent(record, endpoint, of(record, &fields, "", &[]));
    }
    let recorded = stack.ledger()?;
    let key = &*record.event.key;
    let bodies = recorded.ledger.get_many(&BTreeSet::from([key])).await;
    let stored = bodies?.remove(key);
    let stored = stored.filter(|stored| stored.is_of(&record.event));
    let stored = stored.ok_or("the ledger does not have the event any more")?;
    let raw = recorded.bytes(stored.body.clone()).await?;
    as_sent(record, endpoint, stored.recording(&record.event, &raw))
}

fn of<'a>(
    record: &'a Delivery,
    fields: &'a RecordedFields,
    content_type: &'a str,
    body: &'a [u8],
) -> Recording<'a> {
    Recording {
        event: &record.event,
        fields,
        content_type,
        body,
    }
}

/// The body in the format of the request: that of the endpoint, unless the endpoint was changed or deleted
/// after the request.
fn as_sent(
    record: &Delivery,
    endpoint: Option<&Endpoint>,
    recording: Recording<'_>,
) -> Result<Vec<u8>> {
    let sent = record.request.iter().flat_map(|sent| &sent.headers);
    let mut sent = sent.filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let sent = sent.next().map(|(_, value)| value);
    let formats = match endpoint.map(|endpoint| endpoint.format) {
        Some(Format::Raw) => [Format::Raw, Format::CloudEvents],
        _ => [Format::CloudEvents, Format::Raw],
    };
    for format in formats {
        let (made, body) = body(format, recording)?;
        if sent.is_none_or(|sent| *sent == made) {
            return Ok(body);
        }
    }
    Err("the event has no body of the content type that was sent".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::delivery;
    use serde_json::json;
    use webhook_gateway::store::deliveries::State;

    fn endpoint(format: &str) -> Endpoint {
        let endpoint = json!({
            "id": "ep_1", "version": 1, "name": "search", "url": "https://example.com", "events": ["*"],
            "timeout": 20, "retry": [], "format": format, "signature": "standard-webhooks",
            "secrets": [], "state": "active", "created_at": 0, "updated_at": 0,
        });
        serde_json::from_value(endpoint).unwrap()
    }

    fn sent_as(content_type: &str) -> Delivery {
        let mut record = delivery(State::Exhausted);
        record.event.provider = "people-force".to_owned();
        record.request.as_mut().unwrap().headers[0].1 = content_type.to_owned();
        record
    }

    #[test]
    fn the_body_has_the_format_that_was_sent_whatever_the_endpoint_became() {
        let raw = br#"{"action":"employee_hired","data":{"id":7}}"#;
        let event = "application/cloudevents+json";
        let fields = RecordedFields::default();
        let sent = |content_type: &str, endpoint: Option<&Endpoint>| {
            let record = sent_as(content_type);
            as_sent(&record, endpoint, of(&record, &fields, "text/x", raw))
        };
        for endpoint in [None, Some(endpoint("raw")), Some(endpoint("cloudevents"))] {
            let endpoint = endpoint.as_ref();
            let body = sent("text/x", endpoint).unwrap();
            assert_eq!(body, raw);
            let body = sent(event, endpoint).unwrap();
            assert!(body.starts_with(b"{\"specversion\""));
        }
        let error = sent("text/y", None);
        assert!(error.is_err());
    }

    #[test]
    fn a_provider_of_cloudevents_is_told_apart_by_the_endpoint() {
        let event = "application/cloudevents+json";
        let raw = br#"{"action":"employee_hired","data":{"id":7}}"#;
        let body = |format| {
            let endpoint = endpoint(format);
            {
                let (record, fields) = (sent_as(event), RecordedFields::default());
                as_sent(&record, Some(&endpoint), of(&record, &fields, event, raw)).unwrap()
            }
        };
        assert_eq!(body("raw"), raw);
        assert_ne!(body("cloudevents"), raw);
    }
}
