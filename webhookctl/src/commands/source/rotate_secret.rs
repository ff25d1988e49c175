//! `webhookctl source rotate-secret`.

use super::view::Changed;
use super::{entry, note_short, tell};
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::store::sources::Source;

/// Puts a new secret before the present ones, which keep verifying while you enter the new one at the
/// provider.
#[derive(Debug, Args)]
#[command(after_help = "\
The previous secret stays until the next rotation, or until --drop-previous. An unsigned source becomes
signed.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 2, \"url\": …, \"secret\": …}, with the secret only
if it was generated.

Examples:
  webhookctl source rotate-secret studio
  webhookctl source rotate-secret content --secret-stdin < token
  webhookctl source rotate-secret studio --keep 0
  webhookctl source rotate-secret studio --drop-previous")]
pub(crate) struct RotateSecret {
    /// The name of the source.
    name: String,
    /// Reads the new secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// How many of the present secrets keep verifying.
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Removes all secrets but the newest, and adds none.
    #[arg(long, conflicts_with_all = ["secret_stdin", "keep"])]
    drop_previous: bool,
}

pub(crate) async fn run(arguments: RotateSecret, stack: &Stack, output: &Output) -> Result<()> {
    let name = arguments.name;
    let mut document = Document::of(stack).await?;
    let mut entry = document.entry(&name)?.clone();
    let (provider, recipe) = entry::rotatable(&name, &entry)?;
    let secret = match arguments.drop_previous {
        true => None,
        false => Some(entry::new_secret(
            provider,
            &recipe,
            arguments.secret_stdin,
        )?),
    };
    let secrets = entry::rotate(&mut entry, secret.as_deref(), arguments.keep)?;
    let source = Source::parse(&name, &entry)?;
    note_short(&source, output);
    document.sources.insert(name.clone(), entry);
    document.write().await?;
    if secrets > 1 {
        output.note(&format!(
            "{secrets} secrets verify: once the provider signs with the newest, run `webhookctl source \
                rotate-secret {name} --drop-previous`"
        ));
    }
    tell(
        output,
        &Changed {
            url: stack.payload_url(&name)?,
            name,
            provider,
            secrets,
            secret: secret.filter(|_| !arguments.secret_stdin),
        },
    )
}
