//! `webhookctl source rotate-secret`.

use super::view::Changed;
use super::{entry, handshake, note_short, tell};
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
signed. --from-handshake takes a secret that was offered while the source waited for it: `webhookctl source
diagnose` names the handshake whose secret verifies what was rejected. The secret is not shown.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 2, \"url\": …, \"secret\": …}, with the secret only
if it was generated.

Examples:
  webhookctl source rotate-secret studio
  webhookctl source rotate-secret content --secret-stdin < token
  webhookctl source rotate-secret tasks --from-handshake tasks/2026-11-22/handshake-001/1790000000000
  webhookctl source rotate-secret studio --keep 0
  webhookctl source rotate-secret studio --drop-previous")]
pub(crate) struct RotateSecret {
    /// The name of the source.
    name: String,
    /// Reads the new secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// Takes the secret of this handshake, which the gateway kept.
    #[arg(long, value_name = "ID", conflicts_with = "secret_stdin")]
    from_handshake: Option<String>,
    /// How many of the present secrets keep verifying.
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Removes all secrets but the newest, and adds none.
    #[arg(long, conflicts_with_all = ["secret_stdin", "from_handshake", "keep"])]
    drop_previous: bool,
}

pub(crate) async fn run(arguments: RotateSecret, stack: &Stack, output: &Output) -> Result<()> {
    let name = arguments.name;
    let mut document = Document::of(stack).await?;
    let mut entry = document.entry(&name)?.clone();
    let (provider, recipe) = entry::rotatable(&name, &entry)?;
    let is_generated = !arguments.secret_stdin && arguments.from_handshake.is_none();
    let secret = match (&arguments.from_handshake, arguments.drop_previous) {
        (_, true) => None,
        (Some(id), false) => Some(handshake::secret(id, &name, &stack.journal()?).await?),
        (None, false) => Some(entry::new_secret(
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
    if arguments.from_handshake.is_some() {
        output.note(&format!(
            "`webhookctl quarantine release --rejected --source {name}` accepts what was rejected before"
        ));
    }
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
            secret: secret.filter(|_| is_generated),
        },
    )
}
