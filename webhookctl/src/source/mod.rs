//! `webhookctl source`: the configured sources, listed and edited. How they are written is left to `document`.

mod entry;
mod update;
mod view;
mod watch;

use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use crate::{Result, providers};
use clap::{Args, Subcommand};
pub(crate) use entry::{provider as provider_of, read_secret};
use jiff::SignedDuration;
use serde_json::json;
use view::{Changed, View};
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Source, SourceError, is_source_name};

/// The entry of a source that has this secret.
pub(crate) fn new_entry(provider: Provider, secret: &str) -> serde_json::Value {
    entry::new(provider, Some(secret), None, None, &[])
}

/// Puts a secret before that of an entry.
pub(crate) fn rotate_entry(entry: &mut serde_json::Value, secret: &str) -> Result<()> {
    entry::rotate(entry, Some(secret), 1).map(|_| ())
}

/// Warns about sources that are not configured: most likely their names are misspelt. An operator who may not read the
/// sources gets no warning.
pub(crate) async fn note_unknown(names: &[String], stack: &Stack, output: Output) {
    if names.is_empty() {
        return;
    }
    let Ok(document) = Document::of(stack).await else {
        return;
    };
    for name in names
        .iter()
        .filter(|it| !document.sources.contains_key(*it))
    {
        output.note(&format!(
            "there is no source {name}: see `webhookctl source list`"
        ));
    }
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A change is in force within a minute, without a deploy. A secret is read from standard input or generated; it is
never an argument and never shown again.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl source list --json
  webhookctl source url studio")]
pub(crate) enum Command {
    /// Creates a source, with a generated secret unless told otherwise.
    #[command(after_help = "\
Without --secret-stdin and --unsigned, a secret is generated in the provider's own form and shown once: paste it
where the provider asks for it, beside the Payload URL.

With --silent-after, the source is watched: if it sends nothing for so long, from now or from its last webhook on,
you are told, once, by a notice and by the event io.webhook-gateway.source.silent on the events queue.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 1, \"url\": …, \"secret\": …}, the secret only if it was generated.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl source create content --provider woodwing --origin studio.example.com --secret-stdin < token
  webhookctl source create hr --provider people-force --dedupe-window 2h
  webhookctl source create shop --provider creads --silent-after 2d
  webhookctl source create hr-test --provider people-force --unsigned")]
    Create(Create),
    /// Lists the sources, the disabled ones with the reason.
    #[command(after_help = "\
With --json: {\"name\": …, \"provider\": …, \"status\": …, \"reason\": …, \"secrets\": …, \"dedupe_window\": …,
\"silent_after\": …, \"origins\": […], \"url\": …} each. The status is signed, unsigned or disabled; only a disabled one has a reason,
and its webhooks are answered 503. The secrets are only counted.

Examples:
  webhookctl source list
  webhookctl source list --json | jq -r 'select(.status == \"disabled\").name'")]
    List,
    /// Shows a source, without its secrets.
    #[command(after_help = "\
With --json: the object that `source list --json` has for it.

Example:
  webhookctl source show studio")]
    Show(Name),
    /// Puts a new secret before the present ones, so that both verify while the provider is told.
    #[command(after_help = "\
The previous secret stays until the next rotation, or until --drop-previous. An unsigned source becomes a signed one.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 2, \"url\": …, \"secret\": …}, the secret only if it was generated.

Examples:
  webhookctl source rotate-secret studio
  webhookctl source rotate-secret content --secret-stdin < token
  webhookctl source rotate-secret studio --keep 0
  webhookctl source rotate-secret studio --drop-previous")]
    RotateSecret(Rotate),
    /// Changes what a source declares; its secrets stay.
    #[command(after_help = "\
What is not named stays as it is; `--no-` before the name of a flag clears what it set. A source with --silent-after is watched from now on, and told of if it sends nothing
for so long; one that was told of is watched again from its next webhook on, or when --silent-after is named again.

With --json: the object that `source list --json` has for it.

Examples:
  webhookctl source update studio --silent-after 2h
  webhookctl source update studio --no-silent-after
  webhookctl source update hr --dedupe-window 2h
  webhookctl source update content --origin studio.example.com")]
    Update(update::Update),
    /// Deletes a source; what its provider goes on sending is answered 404.
    #[command(after_help = "\
With --json: {\"deleted\": …}.

Example:
  webhookctl source delete hr-test")]
    Delete(Name),
    /// Prints the Payload URL of a source, and fails if its provider would refuse it.
    #[command(after_help = "\
With --json: {\"url\": …, \"problem\": …}, the problem null if there is none. On a local stack it is only noted.

Example:
  webhookctl source url studio")]
    Url(Name),
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The source's name.
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The source's name, the last part of its Payload URL.
    name: String,
    /// Whose webhooks these are: creative-force, woodwing, creads or people-force.
    #[arg(long)]
    provider: Provider,
    /// Reads the secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// Accepts webhooks without any signature, from anybody who knows the URL.
    #[arg(long, conflicts_with = "secret_stdin")]
    unsigned: bool,
    /// How long the same id counts as a duplicate, such as 30d; of providers without ids, how long the same update does, such
    /// as 10m. The default is the provider's.
    #[arg(long, value_name = "DURATION")]
    dedupe_window: Option<String>,
    /// The longest that it normally sends nothing, such as 2h or 3d, up to 30d; without it the source is not watched.
    #[arg(long, value_name = "DURATION")]
    silent_after: Option<String>,
    /// An origin that may ask whether it may send; `*` is any.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The source's name.
    name: String,
    /// Reads the new secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// How many of the present secrets go on verifying.
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Removes all secrets but the newest, and adds none.
    #[arg(long, conflicts_with_all = ["secret_stdin", "keep"])]
    drop_previous: bool,
}

pub(crate) async fn run(command: Command, stack: &Stack, output: Output) -> Result<()> {
    match command {
        Command::Create(arguments) => create(arguments, stack, output).await,
        Command::List => list(stack, output).await,
        Command::Show(Name { name }) => show(&name, stack, output).await,
        Command::RotateSecret(arguments) => rotate(arguments, stack, output).await,
        Command::Update(arguments) => update::run(arguments, stack, output).await,
        Command::Delete(Name { name }) => delete(&name, stack, output).await,
        Command::Url(Name { name }) => url(&name, stack, output).await,
    }
}

async fn create(arguments: Create, stack: &Stack, output: Output) -> Result<()> {
    let (name, provider) = (arguments.name, arguments.provider);
    if !is_source_name(&name) {
        return Err(SourceError::Name.into());
    }
    let url = stack.payload_url(&name)?;
    if let Some(problem) = providers::payload_url_problem(provider, &url) {
        refuse_unless_local(&problem, stack, output)?;
    }
    let mut document = Document::of(stack).await?;
    if document.sources.contains_key(&name) {
        return Err(format!("there is a source {name} already: `webhookctl source rotate-secret {name}` gives it a new secret, `webhookctl source delete {name}` deletes it").into());
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
        output.note("this source is unsigned: anybody who knows its URL can send to it");
    }
    // Its secret is shown whether it is watched or not.
    tell(
        output,
        &Changed {
            done: "created",
            name: name.clone(),
            provider: provider.name(),
            secrets: usize::from(!arguments.unsigned),
            url,
            secret: secret.filter(|_| !arguments.secret_stdin),
        },
    )?;
    match source.silent_after {
        Some(_) => watch::follow(&name, &source, stack).await,
        None => Ok(()),
    }
}

async fn list(stack: &Stack, output: Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let views = document.sources.iter();
    let views: Vec<View> = views
        .map(|(name, entry)| View::of(name, entry, stack))
        .collect::<Result<_>>()?;
    if views.is_empty() {
        output.note("there is no source yet: create one by `webhookctl source create`");
    }
    output.list(&views)
}

async fn show(name: &str, stack: &Stack, output: Output) -> Result<()> {
    let document = Document::of(stack).await?;
    output.one(&View::of(name, document.entry(name)?, stack)?)
}

async fn rotate(arguments: Rotate, stack: &Stack, output: Output) -> Result<()> {
    let name = arguments.name;
    let mut document = Document::of(stack).await?;
    let mut entry = document.entry(&name)?.clone();
    let provider = entry::rotatable(&name, &entry)?;
    let secret = match arguments.drop_previous {
        true => None,
        false => Some(entry::new_secret(provider, arguments.secret_stdin)?),
    };
    let secrets = entry::rotate(&mut entry, secret.as_deref(), arguments.keep)?;
    Source::parse(&name, &entry)?;
    document.sources.insert(name.clone(), entry);
    document.write().await?;
    if secrets > 1 {
        output.note(&format!("{secrets} secrets verify: once the provider signs with the newest, `webhookctl source rotate-secret {name} --drop-previous`"));
    }
    tell(
        output,
        &Changed {
            done: "rotated",
            url: stack.payload_url(&name)?,
            name,
            provider: provider.name(),
            secrets,
            secret: secret.filter(|_| !arguments.secret_stdin),
        },
    )
}

async fn delete(name: &str, stack: &Stack, output: Output) -> Result<()> {
    let mut document = Document::of(stack).await?;
    let is_watched = document.entry(name)?.get("silent_after").is_some();
    document.sources.remove(name);
    document.write().await?;
    if is_watched {
        watch::end(name, stack).await?;
    }
    output.say(&format!("deleted {name}"), &json!({"deleted": name}))
}

async fn url(name: &str, stack: &Stack, output: Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let provider = entry::provider(document.entry(name)?).ok_or(SourceError::Provider)?;
    let url = stack.payload_url(name)?;
    let problem = providers::payload_url_problem(provider, &url);
    output.say(&url, &json!({"url": url, "problem": problem}))?;
    match problem {
        Some(problem) => refuse_unless_local(&problem, stack, output),
        None => {
            output.note(&format!("{provider} has nothing against this Payload URL"));
            Ok(())
        }
    }
}

fn tell(output: Output, changed: &Changed) -> Result<()> {
    if changed.secret.is_some() {
        output.note("the secret is shown this once: give it to the provider");
    }
    output.one(changed)
}

/// Refuses a window that would end before its time, because the ledger forgets the webhook first.
fn check_window(source: &Source, stack: &Stack) -> Result<()> {
    let days: i64 = stack.output("RetentionDays")?.parse()?;
    match source.dedupe_window > SignedDuration::from_hours(24 * days) {
        true => Err(format!("the dedupe window is longer than the {days} days for which the ledger keeps a webhook: name {days}d at most, or deploy with more RetentionDays first").into()),
        false => Ok(()),
    }
}

/// No provider reaches a local stack, so that its URL need not please any.
fn refuse_unless_local(problem: &str, stack: &Stack, output: Output) -> Result<()> {
    if stack.is_local {
        output.note(&format!("{problem}; on a local stack that does not matter"));
        return Ok(());
    }
    Err(format!("{problem}; choose another name for the source, or put a domain of your own in front of the gateway").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_no_longer_than_the_ledger_keeps_a_webhook() {
        let stack = Stack::with_outputs(&[("RetentionDays", "7")]);
        for (window, is_right) in [("7d", true), ("1h", true), ("169h", false), ("90d", false)] {
            let entry = entry::new(Provider::Creads, Some("s"), Some(window), None, &[]);
            let source = Source::parse("shop", &entry).unwrap();
            assert_eq!(check_window(&source, &stack).is_ok(), is_right, "{window}");
        }
    }

    #[test]
    fn a_url_that_the_provider_refuses_is_refused_but_for_a_local_stack() {
        let output = Output { json: true };
        let mut stack = Stack::with_outputs(&[]);
        assert!(refuse_unless_local("it must be HTTPS", &stack, output).is_ok());
        stack.is_local = false;
        assert!(refuse_unless_local("it must be HTTPS", &stack, output).is_err());
    }
}
