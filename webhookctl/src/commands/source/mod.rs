//! `webhookctl source`: the sources of webhooks. Each is one account of a provider.

mod create;
mod delete;
pub(crate) mod diagnose;
mod entry;
mod handshake;
mod list;
mod rotate_secret;
mod show;
mod silence;
mod update;
mod url;
mod view;

use crate::Result;
use crate::document::Document;
use crate::find::Unknown;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;
pub(crate) use entry::{provider as provider_of, read_secret};
use view::Changed;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::providers::Provider;
use webhook_gateway::providers::recipe::{Caution, Recipe};
use webhook_gateway::store::sources::Source;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A change is in force within a minute, without a deployment. A secret is generated, or read from standard
input; it is never an argument. A generated secret is shown once.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl source create code --provider github
  webhookctl source list --json
  webhookctl source diagnose code
  webhookctl source url studio")]
pub(crate) enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Update(update::Update),
    Diagnose(diagnose::Diagnose),
    RotateSecret(rotate_secret::RotateSecret),
    Delete(delete::Delete),
    Url(url::Url),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::Create(arguments) => create::run(arguments, stack, output).await,
        Command::List(list::List {}) => list::run(stack, output).await,
        Command::Show(arguments) => show::run(arguments, stack, output).await,
        Command::Update(arguments) => update::run(arguments, stack, output).await,
        Command::Diagnose(arguments) => diagnose::run(arguments, stack, output).await,
        Command::RotateSecret(arguments) => rotate_secret::run(arguments, stack, output).await,
        Command::Delete(arguments) => delete::run(arguments, stack, output).await,
        Command::Url(arguments) => url::run(arguments, stack, output).await,
    }
}

/// The entry of a source with this secret.
pub(crate) fn new_entry(provider: Provider, secret: &str) -> serde_json::Value {
    entry::new(provider.name(), Some(secret), None, None, &[]).into()
}

/// Puts a secret before that of an entry.
pub(crate) fn rotate_entry(entry: &mut serde_json::Value, secret: &str) -> Result<()> {
    entry::rotate(entry, Some(secret), 1).map(|_| ())
}

/// Notes sources that are not configured: most likely their names are misspelt. An operator who may not
/// read the sources gets no note.
pub(crate) async fn note_unknown(names: &[String], stack: &Stack, output: &Output) {
    if names.is_empty() {
        return;
    }
    let Ok(document) = Document::of(stack).await else {
        return;
    };
    for name in names
        .iter()
        .filter(|name| !document.sources.contains_key(*name))
    {
        output.note(&Unknown::Source(name.clone()).to_string());
    }
}

/// Warns of a secret that can be guessed.
fn note_short(source: &Source, output: &Output) {
    if source.secrets().iter().any(Secret::is_short) {
        output.note(
            "a secret of the source has fewer than 16 bytes and can be guessed: choose a longer one if the \
             provider lets you",
        );
    }
}

/// Warns of weaknesses of a recipe. `source show` names the headers that are not signed.
fn note_cautions(recipe: &Recipe, output: &Output) {
    for caution in recipe.cautions() {
        if !matches!(caution, Caution::Uncovered(_)) {
            output.note(&caution.to_string());
        }
    }
}

fn tell(output: &Output, changed: &Changed) -> Result<()> {
    if changed.secret.is_some() {
        output.note("the secret is shown only this once: enter it at the provider");
    }
    output.details(changed, Changed::COLUMNS)
}

/// Rejects a window that is longer than the ledger keeps a webhook.
fn check_window(source: &Source, stack: &Stack) -> Result<()> {
    let retention = stack.retention()?;
    let days = retention.as_hours() / 24;
    match source.dedupe_window > retention {
        true => Err(format!(
            "the dedupe window is longer than the {days} days for which the ledger keeps a webhook: use \
                {days}d at most, or deploy with more RetentionDays first"
        )
        .into()),
        false => Ok(()),
    }
}

/// Fails with a problem of a Payload URL. On a local stack it is only a note: no provider reaches it.
fn refuse_unless_local(problem: &str, stack: &Stack, output: &Output) -> Result<()> {
    if stack.is_local {
        output.note(&format!("{problem}; this does not matter on a local stack"));
        return Ok(());
    }
    Err(format!(
        "{problem}; choose another name for the source, or put your own domain in front of the \
        gateway"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_no_longer_than_the_ledger_keeps_a_webhook() {
        let stack = Stack::with_outputs(&[("RetentionDays", "7")]);
        for (window, is_right) in [("7d", true), ("1h", true), ("169h", false), ("90d", false)] {
            let entry = entry::new("creads", Some("s"), Some(window), None, &[]);
            let source = Source::parse("shop", &entry.into()).unwrap();
            assert_eq!(check_window(&source, &stack).is_ok(), is_right, "{window}");
        }
    }

    #[test]
    fn a_url_that_the_provider_refuses_is_refused_but_for_a_local_stack() {
        let output = Output::standard(true);
        let mut stack = Stack::with_outputs(&[]);
        assert!(refuse_unless_local("it must be HTTPS", &stack, &output).is_ok());
        stack.is_local = false;
        assert!(refuse_unless_local("it must be HTTPS", &stack, &output).is_err());
    }
}
