//! `webhookctl dead-letter show`.

use super::queue::Queue;
use super::{DeadLetterRow, Limit, endpoints, unknown};
use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde_json::{Value, json};

/// Shows a message: its attributes and its body.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object of `dead-letter list --json` with \"attributes\": {…} and \"body\": ….

Example:
  webhookctl dead-letter show 1b7c6b0e-7f6c-4f2f-9d0c-5d0f0e6a2c11")]
pub(crate) struct Show {
    /// The id of the message or of its event.
    id: String,
    #[command(flatten)]
    most: Limit,
}

pub(crate) async fn run(arguments: Show, stack: &Stack, output: &Output) -> Result<()> {
    let queue = Queue::of(stack)?;
    let letters = queue.take(arguments.most.limit.get()).await?;
    queue.put_back(&letters).await;
    let letter = letters.iter().find(|letter| letter.is(&arguments.id));
    let letter = letter.ok_or_else(|| unknown(&arguments.id, letters.len()))?;
    let attributes: Value = letter
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), json!(value.string_value())))
        .collect();
    let listed = DeadLetterRow::of(
        letter,
        &endpoints(std::slice::from_ref(letter), stack, output).await?,
    );
    if output.json {
        let mut shown = serde_json::to_value(&listed)?;
        shown["attributes"] = attributes;
        shown["body"] = json!(letter.body);
        return output.json(&shown);
    }
    output.details(&listed, DeadLetterRow::COLUMNS)?;
    let mut text = "\n".to_owned();
    for (name, value) in attributes.as_object().into_iter().flatten() {
        text += &format!("{name}: {}\n", value.as_str().unwrap_or_default());
    }
    output.text(&format!("{text}\n{}", letter.body))
}
