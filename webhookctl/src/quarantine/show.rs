//! `webhookctl quarantine show`.

use super::release::{Released, Releasing};
use super::{Listed, Show, refused};
use crate::Result;
use crate::output::{Output, Row};
use crate::stack::Stack;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use std::collections::BTreeMap;
use webhook_gateway::providers::Provider;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    today: Released,
}

pub(crate) async fn run(arguments: &Show, stack: &Stack, output: Output) -> Result<()> {
    let releasing = Releasing::of(stack, true, false).await?;
    let id = &arguments.id;
    let (listed, headers, raw, today) = if arguments.rejected {
        let journal = refused::journal(stack)?;
        let kept = refused::one(id, &journal).await?;
        let request = refused::request(&kept, &journal, releasing.recorded()).await?;
        let today = releasing.refused(&kept, &request, &journal).await?;
        let headers = request.headers.into_iter().collect();
        (Listed::rejected(&kept), headers, request.raw, today)
    } else {
        let recorded = releasing.recorded();
        let kept = recorded
            .find(id, arguments.source.as_deref(), stack)
            .await?;
        let raw = recorded.bytes(kept.body.clone()).await?;
        let today = releasing.quarantined(&kept).await?;
        (
            Listed::of(&kept.event, Some(kept.summary())),
            kept.headers,
            raw,
            today,
        )
    };
    tell(listed, headers, raw, today, output)
}

fn tell(
    listed: Listed,
    mut headers: BTreeMap<String, String>,
    raw: Vec<u8>,
    today: Released,
    output: Output,
) -> Result<()> {
    let signatures = Provider::ALL.map(Provider::signature_header);
    headers.retain(|name, _| !signatures.contains(&&**name));
    let (body, body_base64) = match String::from_utf8(raw) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    let shown = Shown {
        listed,
        headers,
        body,
        body_base64,
        today,
    };
    if output.json {
        return output.say("", &shown);
    }
    output.one(&shown.listed)?;
    let headers = shown.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let body = shown.body.or(shown.body_base64).unwrap_or_default();
    output.text(&format!("\n{headers}\n{body}\n\nToday:"))?;
    let mut cells = shown.today.cells();
    cells.retain(|(_, text)| !text.is_empty());
    let lines = cells.iter().map(|(name, text)| format!("{name}: {text}"));
    output.text(&lines.collect::<Vec<_>>().join("\n"))
}
