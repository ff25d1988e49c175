//! `webhookctl source create`.

use super::entry;
use super::view::Changed;
use super::{check_window, refuse_unless_local, silence, tell};
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use crate::{Result, providers};
use clap::Args;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Source, SourceError, is_source_name};

/// Creates a source, with a generated secret by default.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --secret-stdin and --unsigned, a secret is generated in the provider's own form and shown once. Enter
it at the provider, together with the Payload URL.

With --silent-after, the gateway watches the source. If the source sends nothing for that long, counted from
now or from its last webhook, the gateway sends one notification and puts one event
io.webhook-gateway.source.silent on the events queue.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 1, \"url\": …, \"secret\": …}, with the secret only
if it was generated.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl source create content --provider woodwing --origin studio.example.com --secret-stdin < token
  webhookctl source create hr --provider people-force --dedupe-window 2h
  webhookctl source create shop --provider creads --silent-after 2d
  webhookctl source create hr-test --provider people-force --unsigned")]
pub(crate) struct Create {
    /// The name of the source, which is the last part of its Payload URL.
    name: String,
    /// The provider: creative-force, woodwing, creads or people-force.
    #[arg(long)]
    provider: Provider,
    /// Reads the secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// Accepts webhooks without any signature, from anyone who knows the URL.
    #[arg(long, conflicts_with = "secret_stdin")]
    unsigned: bool,
    /// How long the same id counts as a duplicate, such as 30d. For providers without ids, how long the
    /// same update does, such as 10m. The default is the provider's own window.
    #[arg(long, value_name = "DURATION")]
    dedupe_window: Option<String>,
    /// The longest time for which the source normally sends nothing, such as 2h or 3d, up to 30d. By
    /// default the source is not watched.
    #[arg(long, value_name = "DURATION")]
    silent_after: Option<String>,
    /// An origin whose validation request is accepted. `*` is any origin.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
}

pub(crate) async fn run(arguments: Create, stack: &Stack, output: Output) -> Result<()> {
    let (name, provider) = (arguments.name, arguments.provider);
    if !is_source_name(&name) {
        return Err(SourceError::Name.into());
    }
    let url = stack.payload_url(&name)?;
    if let Some(problem) = providers::payload_url_problem(provider.name(), &url) {
        refuse_unless_local(&problem, stack, output)?;
    }
    let mut document = Document::of(stack).await?;
    if document.sources.contains_key(&name) {
        return Err(format!(
            "the source {name} already exists: `webhookctl source rotate-secret {name}` gives it a new \
                secret, `webhookctl source delete {name}` deletes it"
        )
        .into());
    }
    let secret = match arguments.unsigned {
        true => None,
        false => Some(entry::new_secret(provider, arguments.secret_stdin)?),
    };
    let entry = entry::new(
        provider,
        secret.as_deref(),
        arguments.dedupe_window.as_deref(),
        arguments.silent_after.as_deref(),
        &arguments.origins,
    );
    let source = Source::parse(&name, &entry)?;
    if arguments.dedupe_window.is_some() {
        check_window(&source, stack)?;
    }
    document.sources.insert(name.clone(), entry);
    document.write().await?;
    if arguments.unsigned {
        output.note("this source is unsigned: anyone who knows its URL can send to it");
    }
    // The secret is shown first, even if watching the source then fails.
    tell(
        output,
        &Changed {
            name: name.clone(),
            provider: provider.name(),
            secrets: usize::from(!arguments.unsigned),
            url,
            secret: secret.filter(|_| !arguments.secret_stdin),
        },
    )?;
    match source.silent_after {
        Some(_) => silence::follow(&name, &source, stack).await,
        None => Ok(()),
    }
}
