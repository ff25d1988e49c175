//! `webhookctl source list`.

use super::view::SourceView;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;

/// Lists the sources. Disabled ones have a reason.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"name\": …, \"provider\": …, \"status\": …, \"reason\": …, \"secrets\": …, \"authentication\":
…, \"authenticity\": …, \"handshake\": …, \"not_covered_by_the_signature\": […], \"cautions\": […],
\"dedupe\": …, \"dedupe_window\": …, \"silent_after\": …, \"origins\": […], \"url\": …, \"signed_url\": …} for
each. The status is signed, unsigned, waiting (for its secret) or disabled. Only a disabled source has a
reason; its webhooks are answered 503. \"secrets\" is the number of secrets. The signed URL is the one that
the provider must call.

Examples:
  webhookctl source list
  webhookctl source list --json | jq -r 'select(.status == \"disabled\").name'")]
pub(crate) struct List {}

pub(crate) async fn run(stack: &Stack, output: &Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let views = document.sources.iter();
    let views: Vec<SourceView> = views
        .map(|(name, entry)| SourceView::of(name, entry, stack))
        .collect::<Result<_>>()?;
    if views.is_empty() {
        output.note("there is no source yet: create one with `webhookctl source create`");
    }
    output.list(&views, SourceView::LISTED)
}
