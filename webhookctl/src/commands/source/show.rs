//! `webhookctl source show`.

use super::view::SourceView;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;

/// Shows a source, without its secrets.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `source list --json`.

Example:
  webhookctl source show studio")]
pub(crate) struct Show {
    /// The name of the source.
    name: String,
}

pub(crate) async fn run(Show { name }: Show, stack: &Stack, output: Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let view = SourceView::of(&name, document.entry(&name)?, stack)?;
    output.details(&view, SourceView::COLUMNS)
}
