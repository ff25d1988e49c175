//! `webhookctl quarantine show`.

use super::release::{Released, Releaser};
use super::{QuarantineRow, rejected};
use crate::Result;
use crate::body::Body;
use crate::output::{Output, REDACTED, header_value};
use crate::stack::Stack;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;

/// Shows a quarantined webhook or a rejected request: the reason, the request as it came, and the outcome
/// that a release would have.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `quarantine list --json` with \"headers\": {…}, \"body\": … (or \"body_base64\" if
it is not UTF-8) and \"today\": {…}, the object of `quarantine release --dry-run`. Signatures and tokens are
not shown.

Examples:
  webhookctl quarantine show sha256:0f…:1790000000000
  webhookctl quarantine show --rejected hr/2026-11-22/017/1790000000000")]
pub(crate) struct Show {
    /// The id in `quarantine list`.
    id: String,
    /// Shows a rejected request.
    #[arg(long)]
    rejected: bool,
    /// The source of the webhook, if several sources have one with this id.
    #[arg(long, value_name = "NAME", conflicts_with = "rejected")]
    source: Option<String>,
}

#[derive(Serialize)]
struct QuarantineDetails {
    #[serde(flatten)]
    listed: QuarantineRow,
    headers: BTreeMap<String, String>,
    #[serde(flatten)]
    body: Body,
    today: Released,
}

pub(crate) async fn run(arguments: &Show, stack: &Stack, output: &Output) -> Result<()> {
    let releaser = Releaser::of(stack, true, false).await?;
    let id = &arguments.id;
    let (listed, headers, raw, today) = if arguments.rejected {
        let journal = stack.journal()?;
        let kept = rejected::one(id, &journal).await?;
        let request = rejected::request(&kept, &journal, releaser.recorded()).await?;
        let today = releaser.rejected_request(&kept, &request, &journal).await?;
        let tokens = releaser.authenticating_headers(&kept.source);
        let headers = request.headers.into_iter();
        let headers = headers.map(|(name, value)| match tokens.contains(&name) {
            true => (name, REDACTED.to_owned()),
            false => (name, value),
        });
        let headers = headers.collect();
        (QuarantineRow::rejected(&kept), headers, request.raw, today)
    } else {
        let recorded = releaser.recorded();
        let kept = recorded
            .find(id, arguments.source.as_deref(), stack)
            .await?;
        let raw = recorded.bytes(kept.body.clone()).await?;
        let today = releaser.quarantined(&kept).await?;
        (
            QuarantineRow::of(&kept.event, Some(kept.summary())),
            kept.headers,
            raw,
            today,
        )
    };
    tell(listed, headers, raw, today, output)
}

fn tell(
    listed: QuarantineRow,
    mut headers: BTreeMap<String, String>,
    raw: Vec<u8>,
    today: Released,
    output: &Output,
) -> Result<()> {
    for (name, value) in &mut headers {
        *value = header_value(name, value).to_owned();
    }
    let shown = QuarantineDetails {
        listed,
        headers,
        body: Body::of(Some(raw)),
        today,
    };
    if output.json {
        return output.json(&shown);
    }
    output.details(&shown.listed, QuarantineRow::COLUMNS)?;
    let webhook = shown.body.after_headers(&shown.headers);
    output.text(&format!("\n{webhook}\n\nToday:"))?;
    output.details(&shown.today, Released::COLUMNS)
}
