//! `webhookctl source url`.

use super::{entry, refuse_unless_local};
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use crate::{Result, providers};
use clap::Args;
use serde_json::json;
use webhook_gateway::store::sources::SourceError;

/// Prints the Payload URL of a source, and fails if its provider does not accept it.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"url\": …, \"problem\": …}, where the problem is null if there is none. On a local stack, a
problem is only a note.

Example:
  webhookctl source url studio")]
pub(crate) struct Url {
    /// The name of the source.
    name: String,
}

pub(crate) async fn run(Url { name }: Url, stack: &Stack, output: &Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let provider = entry::provider(document.entry(&name)?).ok_or(SourceError::Provider)?;
    let url = stack.payload_url(&name)?;
    let problem = providers::payload_url_problem(provider, &url);
    output.result(&url, &json!({"url": url, "problem": problem}))?;
    match problem {
        Some(problem) => refuse_unless_local(&problem, stack, output),
        None => {
            output.note(&format!("{provider} accepts this Payload URL"));
            Ok(())
        }
    }
}
