//! `webhookctl source create`.

use super::entry;
use super::view::Changed;
use super::{check_window, note_cautions, note_short, refuse_unless_local, silence, tell};
use crate::document::Document;
use crate::output::Output;
use crate::settings::Setting;
use crate::stack::Stack;
use crate::{Result, providers, settings};
use clap::Args;
use serde_json::{Map, Value};
use std::path::PathBuf;
use webhook_gateway::providers::presets;
use webhook_gateway::providers::recipe::{Recipe, Scheme};
use webhook_gateway::store::sources::{Source, SourceError, is_source_name};

/// Creates a source, with a generated secret by default.
#[derive(Debug, Args)]
#[command(after_help = "\
`webhookctl provider list` shows the presets. A source of the provider custom needs a recipe of its own,
by --from or --set; a source of a preset may change single fields. A value that is JSON is taken as JSON,
any other one as text. An event field is named event.type, event.id, and so on. A recipe that is not valid
is refused, and the error names the field.

Without --secret-stdin, --unsigned and --waiting, a secret is generated in the form of the provider's own
secrets and shown once. Enter it at the provider, together with the Payload URL. Where the provider makes
the secret, use --secret-stdin. With --waiting, the source waits for the secret that the provider shows in
its handshake.

With --silent-after, the gateway watches the source. If the source sends nothing for that long, counted
from now or from its last webhook, the gateway sends one notification and puts one event
io.webhook-gateway.source.silent on the events queue.

With --json: {\"name\": …, \"provider\": …, \"secrets\": 1, \"url\": …, \"secret\": …}, with the secret only
if it was generated.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl source create code --provider github
  webhookctl source create pay --provider stripe --secret-stdin < secret
  webhookctl source create calls --provider custom --from recipe.json --secret-stdin < secret
  webhookctl source create shop --provider shopify --set 'event.type=com.acme.{header:X-Shopify-Topic}'
  webhookctl source create content --provider woodwing --origin studio.example.com --secret-stdin < token
  webhookctl source create hr --provider people-force --dedupe-window 2h --silent-after 2d
  webhookctl source create hr-test --provider people-force --unsigned")]
pub(crate) struct Create {
    /// The name of the source, which is the last part of its Payload URL.
    name: String,
    /// The provider: the name of a preset, or custom.
    #[arg(long, value_name = "NAME", value_parser = providers::name)]
    provider: String,
    /// Reads the secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
    /// Accepts webhooks without any signature, from anyone who knows the URL.
    #[arg(long, conflicts_with_all = ["secret_stdin", "waiting"])]
    unsigned: bool,
    /// Has no secret yet: the provider shows it in its handshake.
    #[arg(long, conflicts_with = "secret_stdin")]
    waiting: bool,
    /// Sets a field of the recipe, such as encoding=base64 or event.type=com.acme.{$.type}.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<Setting>,
    /// Sets all fields of a JSON object in a file. --set changes them further.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How long a copy of a webhook counts as a duplicate, such as 30d: one with the same id or, without an
    /// id that is signed, with the same body. The default is the provider's own window.
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

pub(crate) async fn run(arguments: Create, stack: &Stack, output: &Output) -> Result<()> {
    let name = arguments.name.clone();
    if !is_source_name(&name) {
        return Err(SourceError::Name.into());
    }
    let fields = arguments.fields()?;
    let recipe = Recipe::of_source(&arguments.provider, &fields)?;
    let url = stack.payload_url(&name)?;
    if let Some(problem) = providers::payload_url_problem(&arguments.provider, &url) {
        refuse_unless_local(&problem, stack, output)?;
    }
    let mut document = Document::of(stack).await?;
    if document.sources.contains_key(&name) {
        return Err(format!(
            "the source {name} already exists: `webhookctl source update {name}` changes it, `webhookctl \
                source rotate-secret {name}` gives it a new secret, `webhookctl source delete {name}` \
                deletes it"
        )
        .into());
    }
    let needs_secret =
        !arguments.unsigned && !arguments.waiting && *recipe.scheme() != Scheme::Open;
    let secret = match needs_secret || arguments.secret_stdin {
        true => Some(entry::new_secret(
            &arguments.provider,
            &recipe,
            arguments.secret_stdin,
        )?),
        false => None,
    };
    let entry = Value::Object(arguments.entry(fields, secret.as_deref()));
    let source = Source::parse(&name, &entry)?;
    if arguments.dedupe_window.is_some() {
        check_window(&source, stack)?;
    }
    document.sources.insert(name.clone(), entry);
    document.write().await?;
    if arguments.unsigned {
        output.note("this source is unsigned: anyone who knows its URL can send to it");
    }
    note_short(&source, output);
    note_cautions(&source.recipe, output);
    note_setup(&arguments.provider, &url, output);
    note_signed_url(&name, &source.recipe, &url, output);
    // The secret is shown first, even if watching the source then fails.
    tell(
        output,
        &Changed {
            name: name.clone(),
            provider: source.provider,
            secrets: usize::from(secret.is_some()),
            url,
            secret: secret.filter(|_| !arguments.secret_stdin),
        },
    )?;
    match source.silent_after {
        Some(_) => silence::follow(&name, &source, stack).await,
        None => Ok(()),
    }
}

impl Create {
    /// The fields of the recipe.
    fn fields(&self) -> Result<Map<String, Value>> {
        let from = self.from.as_deref().map(settings::read).transpose()?;
        let mut fields = Map::new();
        for setting in from.into_iter().flatten().chain(self.set.clone()) {
            setting.apply(&mut fields);
        }
        Ok(fields)
    }

    /// The entry of the source.
    fn entry(&self, fields: Map<String, Value>, secret: Option<&str>) -> Map<String, Value> {
        let mut entry = entry::new(
            &self.provider,
            secret,
            self.dedupe_window.as_deref(),
            self.silent_after.as_deref(),
            &self.origins,
        );
        for (flag, name) in [(self.unsigned, "unsigned"), (self.waiting, "waiting")] {
            if flag {
                entry.insert(name.to_owned(), true.into());
            }
        }
        entry.extend(fields);
        entry
    }
}

/// Notes what to enter where at the provider.
fn note_setup(provider: &str, url: &str, output: &Output) {
    let Some(about) = presets::find(provider).and_then(presets::Preset::about) else {
        return;
    };
    let steps = providers::setup(&about.setup, url);
    output.note(&format!("at {}:\n{}", about.title, steps.join("\n")));
}

/// Notes that the provider signs its URL, unless a URL is set.
fn note_signed_url(name: &str, recipe: &Recipe, payload_url: &str, output: &Output) {
    if recipe.signs_url() && recipe.url(payload_url) == payload_url {
        output.note(&format!(
            "the provider signs the URL that it calls, and the source expects {payload_url}. If the provider \
             calls another one, such as a domain of your own before the gateway, set it: `webhookctl source \
             update {name} --set public_url=URL`"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn create(line: &[&str]) -> Create {
        let line = [&["webhookctl", "shop", "--provider"], line].concat();
        Line::try_parse_from(line).unwrap().create
    }

    #[test]
    fn an_entry_has_the_fields_that_were_set_and_those_of_the_file_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.json");
        let recipe = r#"{"signature_header": "X-A", "event": {"type": "a", "id": "{$.id}"}}"#;
        std::fs::write(&file, recipe).unwrap();
        let file = file.to_str().unwrap();
        let line = [
            "custom",
            "--from",
            file,
            "--set",
            "event.type=b",
            "--set",
            "encoding=base64",
        ];
        let create = create(&line);
        let fields = create.fields().unwrap();
        assert!(Recipe::of_source("custom", &fields).is_ok());
        let expected = json!({
            "provider": "custom", "secrets": ["s"], "signature_header": "X-A", "encoding": "base64",
            "event": {"type": "b", "id": "{$.id}"},
        });
        assert_eq!(Value::from(create.entry(fields, Some("s"))), expected);
    }

    #[test]
    fn an_entry_without_a_secret_says_why() {
        let entry = |line: &[&str]| Value::from(create(line).entry(Map::new(), None));
        assert_eq!(
            entry(&["notion", "--waiting"]),
            json!({"provider": "notion", "waiting": true})
        );
        assert_eq!(
            entry(&["github", "--unsigned", "--silent-after", "2h"]),
            json!({"provider": "github", "unsigned": true, "silent_after": "2h"})
        );
    }
}
