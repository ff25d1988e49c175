//! `webhookctl woodwing create`: registers a Payload URL and stores the token with the source.

use super::rpc::{Id, Registration, Server};
use super::{Login, chosen, difference};
use crate::Result;
use crate::commands::source::{self, new_entry, rotate_entry};
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Source, SourceError, is_source_name};

/// Registers the Payload URL of a source, and stores the token with the source.
#[derive(Debug, Args)]
#[command(after_help = "\
A source that does not exist is created. Studio Server makes the token, unless --secret-stdin is set: then the
token is the second line of standard input, after the password, or the terminal asks for it. The token becomes
the first of the source's secrets, and is never shown. The registration is read back. If it differs from the
request, if its token cannot be stored, or if Studio Server's answer is lost, the registration is deleted
again; if that fails, the error names it. A URL that is already registered is an error.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Examples:
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content \\
      --trigger com.woodwing.studio/object/created --trigger com.woodwing.studio/object/saved")]
pub(crate) struct Create {
    #[command(flatten)]
    login: Login,
    /// The source whose Payload URL is registered.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The name of the registration. The default is the name of the source.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// An event type. By default all are registered.
    #[arg(long = "trigger", value_name = "TYPE")]
    triggers: Vec<String>,
    /// Reads the token from the second line of standard input.
    #[arg(long)]
    secret_stdin: bool,
    /// Registers the URL even if it is already registered: Studio Server then sends every webhook twice.
    #[arg(long)]
    another: bool,
}

pub(crate) async fn run(arguments: Create, stack: &Stack, output: &Output) -> Result<()> {
    let name = &arguments.source;
    if !is_source_name(name) {
        return Err(SourceError::Name.into());
    }
    let document = Document::of(stack).await?;
    if let Some(entry) = document.sources.get(name)
        && source::provider_of(entry) != Some(Provider::WoodWing.name())
    {
        return Err(
            format!("the source {name} is of another provider: nothing was registered").into(),
        );
    }
    if stack.is_local {
        output.note("this is a local stack: only a Studio Server on this machine can reach it");
    }
    let login = &arguments.login;
    let (server, token) = login.log_on(arguments.secret_stdin).await?;
    let registration = Registration {
        id: None,
        name: arguments.name.clone().unwrap_or_else(|| name.clone()),
        url: stack.payload_url(name)?,
        triggers: chosen(&arguments.triggers, &server.trigger_options().await?)?,
    };
    let before = before(&server, &registration.url, arguments.another).await?;
    let (id, made) = match server.create(&registration, token.as_deref()).await {
        Ok(created) => created,
        Err(error) => {
            let why = error.to_string();
            let url = &registration.url;
            return Err(cleared(&server, login, url, &before, &why).await.into());
        }
    };
    let kept = match token_of(token, made) {
        Ok(token) => keep(&server, &id, &registration, &token, document, name).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(created) => {
            output.note(&format!("the token is stored with the source {name}"));
            output.details(&created, Registration::COLUMNS)
        }
        Err(error) => {
            let why = error.to_string();
            Err(taken_back(&server, login, &id, &why).await.into())
        }
    }
}

/// The present registrations of a URL. Any is an error, unless another one is asked for.
async fn before(server: &Server, url: &str, another: bool) -> Result<Vec<Id>> {
    let registered = server.ids_of(url).await.map_err(|error| {
        format!(
            "it is not known whether {url} is already registered: {error}; nothing was registered"
        )
    })?;
    match &*registered {
        [id, ..] if !another => Err(format!("{url} is already registered, as {id}: `webhookctl woodwing \
            update` changes the registration, `webhookctl woodwing delete` deletes it, and --another \
            registers the URL once more; nothing was registered").into()),
        _ => Ok(registered),
    }
}

/// The token that signs: the given one, or the one that Studio Server made.
fn token_of(given: Option<String>, made: Option<String>) -> Result<String> {
    match (given, made) {
        (Some(given), Some(made)) if given != made => {
            Err("Studio Server uses another token than the given one".into())
        }
        (given, made) => Ok(given.or(made).ok_or("Studio Server made no SecretToken")?),
    }
}

/// Reads the registration back, and stores its token.
async fn keep(
    server: &Server,
    id: &Id,
    asked: &Registration,
    token: &str,
    document: Document,
    source: &str,
) -> Result<Registration> {
    let created = server.get(id).await?;
    if let Some(difference) = difference(asked, &created) {
        return Err(difference.into());
    }
    store(document, source, token).await?;
    Ok(created)
}

/// Puts a token first among the secrets of a source. A source that does not exist is created.
async fn store(mut document: Document, name: &str, token: &str) -> Result<()> {
    let entry = match document.sources.get(name) {
        None => new_entry(Provider::WoodWing, token),
        // Another registration has the same token.
        Some(entry) if entry["secrets"][0] == *token => return Ok(()),
        Some(entry) => {
            let mut entry = entry.clone();
            rotate_entry(&mut entry, token)?;
            entry
        }
    };
    Source::parse(name, &entry)?;
    document.sources.insert(name.to_owned(), entry);
    document.write().await
}

/// Deletes registrations that a failed request may have made. Returns the error with the outcome.
async fn cleared(server: &Server, login: &Login, url: &str, before: &[Id], why: &str) -> String {
    let ids = match server.ids_of(url).await {
        Ok(ids) => ids,
        Err(error) => {
            return format!(
                "{why}; it is not known whether {url} is registered nevertheless ({error}): check with \
                    `webhookctl woodwing list`"
            );
        }
    };
    let mut why = why.to_owned();
    for id in ids.iter().filter(|id| !before.contains(id)) {
        why = taken_back(server, login, id, &why).await;
    }
    why
}

/// Deletes a registration whose token is not stored. Returns the error with the outcome.
async fn taken_back(server: &Server, login: &Login, id: &Id, why: &str) -> String {
    let (url, user) = (&login.server, &login.user);
    match server.delete(id).await {
        Ok(()) => format!("{why}; the registration {id} was deleted again"),
        Err(error) => format!(
            "{why}; and the registration {id} could not be deleted again ({error}): `webhookctl woodwing \
                delete {id} --server {url} --user {user}` deletes it"
        ),
    }
}
