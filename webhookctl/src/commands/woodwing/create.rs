//! `webhookctl woodwing create`: registers a Payload URL, and stores the token with the source in one step.

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

/// Registers the Payload URL of a source, and stores the token with it in one step.
#[derive(Debug, Args)]
#[command(after_help = "\
A source that does not exist is added. Studio Server makes the token, unless --secret-stdin gives one: then it
is the second line of standard input, after the password, or asked for at a terminal. The token goes first
among the source's secrets, and is never shown. The registration is read back. If it is not as asked, if its
token cannot be stored, or if the answer to it is lost, it is taken back, or named if that fails. A URL that
is registered already is refused.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Examples:
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content \\
      --trigger com.woodwing.studio/object/created --trigger com.woodwing.studio/object/saved")]
pub(crate) struct Create {
    #[command(flatten)]
    login: Login,
    /// The source whose Payload URL it is.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// What to call the registration; the source's name, unless told otherwise.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Event types; all that there are, if none is given.
    #[arg(long = "trigger", value_name = "TYPE")]
    triggers: Vec<String>,
    /// Takes the second line of standard input for the token.
    #[arg(long)]
    secret_stdin: bool,
    /// Registers the URL although it is registered already: Studio Server then sends every webhook twice.
    #[arg(long)]
    another: bool,
}

pub(crate) async fn run(arguments: Create, stack: &Stack, output: Output) -> Result<()> {
    let name = &arguments.source;
    if !is_source_name(name) {
        return Err(SourceError::Name.into());
    }
    let document = Document::of(stack).await?;
    if let Some(entry) = document.sources.get(name)
        && source::provider_of(entry) != Some(Provider::WoodWing)
    {
        return Err(
            format!("the source {name} is of another provider: nothing was registered").into(),
        );
    }
    if stack.is_local {
        output.note("this is a local stack: Studio Server can reach it only on this machine");
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

/// What is registered for a URL already, which is nothing unless another is asked for.
async fn before(server: &Server, url: &str, another: bool) -> Result<Vec<Id>> {
    let registered = server.ids_of(url).await.map_err(|error| {
        format!("whether {url} is registered already is not known: {error}; nothing was registered")
    })?;
    match &*registered {
        [id, ..] if !another => Err(format!("{url} is registered already, as {id}: `webhookctl woodwing \
            update` changes that, `webhookctl woodwing delete` deletes it, and --another registers the URL \
            once more; nothing was registered").into()),
        _ => Ok(registered),
    }
}

/// The token that signs: the one that was given, or else the one that was made.
fn token_of(given: Option<String>, made: Option<String>) -> Result<String> {
    match (given, made) {
        (Some(given), Some(made)) if given != made => {
            Err("Studio Server has taken another token than the one that was given".into())
        }
        (given, made) => Ok(given.or(made).ok_or("the server made no SecretToken")?),
    }
}

/// Reads back what was registered, and stores its token.
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

/// Puts a token first among the secrets of a source, which is added if it is not there.
async fn store(mut document: Document, name: &str, token: &str) -> Result<()> {
    let entry = match document.sources.get(name) {
        None => new_entry(Provider::WoodWing, token),
        // One that another registration has, too.
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

/// Takes back what a registration may have made although it failed; what became of that.
async fn cleared(server: &Server, login: &Login, url: &str, before: &[Id], why: &str) -> String {
    let ids = match server.ids_of(url).await {
        Ok(ids) => ids,
        Err(error) => {
            return format!(
                "{why}; whether {url} is registered all the same is not known ({error}): look by `webhookctl \
                 woodwing list`"
            );
        }
    };
    let mut why = why.to_owned();
    for id in ids.iter().filter(|id| !before.contains(id)) {
        why = taken_back(server, login, id, &why).await;
    }
    why
}

/// Takes back what was registered, as its token is nowhere; what became of that.
async fn taken_back(server: &Server, login: &Login, id: &Id, why: &str) -> String {
    let (url, user) = (&login.server, &login.user);
    match server.delete(id).await {
        Ok(()) => format!("{why}; the registration {id} is taken back"),
        Err(error) => format!(
            "{why}; and the registration {id} could not be taken back ({error}): `webhookctl woodwing delete \
             {id} --server {url} --user {user}` deletes it"
        ),
    }
}
