//! `webhookctl source delete`.

use super::silence;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde_json::json;

/// Deletes a source. Further webhooks of its provider are answered 404.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"deleted\": …}.

Example:
  webhookctl source delete hr-test")]
pub(crate) struct Delete {
    /// The name of the source.
    name: String,
}

pub(crate) async fn run(Delete { name }: Delete, stack: &Stack, output: &Output) -> Result<()> {
    let mut document = Document::of(stack).await?;
    let is_watched = document.entry(&name)?.get("silent_after").is_some();
    document.sources.remove(&name);
    document.write().await?;
    if is_watched {
        silence::end(&name, stack).await?;
    }
    output.result(&format!("deleted {name}"), &json!({"deleted": name}))
}
