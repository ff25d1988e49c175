//! `webhookctl woodwing`: registers a source's Payload URL with WoodWing Studio Server, and keeps the token that it makes.
//! How the server is called is left to `rpc`.

mod rpc;

use crate::document::Document;
use crate::output::{Output, Row};
use crate::source::{new_entry, rotate_entry};
use crate::stack::Stack;
use crate::{Result, source};
use clap::{Args, Subcommand};
use rpc::{Registration, Server, Triggers};
use serde::Serialize;
use serde_json::json;
use std::io::{self, IsTerminal};
use webhook_gateway::sources::{Source, is_source_name};
use webhook_gateway::vendor::Vendor;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
The user's password is asked for, or else read from the first line of standard input; it is never an argument. The
server's URL ends in /StudioServer, and its plug-in Webhooks has to be enabled.

Examples:
  webhookctl woodwing trigger-options --server https://studio.example.com/StudioServer --user admin
  webhookctl woodwing register --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin < password")]
pub(crate) enum Command {
    /// Lists the event types that can be registered for.
    #[command(after_help = "\
With --json: {\"entity\": …, \"trigger\": …} each.

Example:
  webhookctl woodwing trigger-options --server https://studio.example.com/StudioServer --user admin")]
    TriggerOptions(Login),
    /// Registers the Payload URL of a source, and stores the token with it in one step.
    #[command(after_help = "\
A source that does not exist is added. Studio Server makes the token, unless --secret-stdin gives one: then it is the
second line of standard input, after the password. The token goes first among the source's secrets, and is never
shown. If it cannot be stored, the registration is taken back.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Examples:
  webhookctl woodwing register --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing register --server https://studio.example.com/StudioServer --user admin --source content \\
      --trigger com.woodwing.studio/object/created --trigger com.woodwing.studio/object/saved")]
    Register(Register),
    /// Lists what is registered, by anybody.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …} each.

Example:
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin")]
    List(Login),
    /// Shows a registration.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Example:
  webhookctl woodwing get 47 --server https://studio.example.com/StudioServer --user admin")]
    Get(One),
    /// Changes a registration, and reads it back. What is not named stays as it is, the token too.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}, as it was read back.

Example:
  webhookctl woodwing update 47 --server https://studio.example.com/StudioServer --user admin --source content")]
    Update(Update),
    /// Removes a registration; the secrets of its source stay.
    #[command(after_help = "\
With --json: {\"unregistered\": …}.

Example:
  webhookctl woodwing unregister 47 --server https://studio.example.com/StudioServer --user admin")]
    Unregister(One),
}

/// Which server, and who.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The URL of Studio Server, such as `https://studio.example.com/StudioServer`.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The name of a user who may register webhooks.
    #[arg(long, value_name = "NAME")]
    user: String,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The id of the registration.
    id: u64,
    #[command(flatten)]
    login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
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
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    one: One,
    /// Another name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The Payload URL of this source.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    source: Option<String>,
    /// Another URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Other event types.
    #[arg(long = "trigger", value_name = "TYPE")]
    triggers: Vec<String>,
}

/// An event type, and what it is of.
#[derive(Serialize)]
struct Trigger {
    entity: String,
    trigger: String,
}

impl Row for Trigger {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![
            ("entity", self.entity.clone()),
            ("trigger", self.trigger.clone()),
        ]
    }
}

#[derive(Serialize)]
struct Named {
    id: u64,
    name: String,
}

impl Row for Named {
    fn cells(&self) -> Vec<(&'static str, String)> {
        vec![("id", self.id.to_string()), ("name", self.name.clone())]
    }
}

impl Row for Registration {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let id = self.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let triggers: Vec<_> = self
            .triggers
            .values()
            .flatten()
            .map(String::as_str)
            .collect();
        vec![
            ("id", id),
            ("name", self.name.clone()),
            ("url", self.url.clone()),
            ("triggers", triggers.join(" ")),
        ]
    }
}

pub(crate) async fn run(
    command: Command,
    stack: impl Future<Output = Result<Stack>>,
    output: Output,
) -> Result<()> {
    match command {
        Command::TriggerOptions(login) => {
            let options = login.log_on().await?.0.trigger_options().await?;
            output.list(&triggers(&options))
        }
        Command::List(login) => {
            let all = login.log_on().await?.0.list().await?.into_iter();
            output.list(&all.map(|(id, name)| Named { id, name }).collect::<Vec<_>>())
        }
        Command::Get(one) => output.one(&one.login.log_on().await?.0.get(one.id).await?),
        Command::Unregister(one) => {
            let (server, _) = one.login.log_on().await?;
            server.get(one.id).await?;
            server.delete(one.id).await?;
            let id = one.id;
            output.say(&format!("unregistered {id}"), &json!({"unregistered": id}))
        }
        Command::Register(arguments) => register(arguments, &stack.await?, output).await,
        Command::Update(arguments) => {
            let url = match &arguments.source {
                Some(source) => Some(stack.await?.payload_url(source)?),
                None => arguments.url.clone(),
            };
            update(arguments, url, output).await
        }
    }
}

impl Login {
    /// Logs on, with the password from the terminal or from standard input; and what stands there behind it.
    async fn log_on(&self) -> Result<(Server, Option<String>)> {
        let (password, rest) = if io::stdin().is_terminal() {
            let prompt = format!("Password of {}: ", self.user);
            (rpassword::prompt_password(prompt)?, None)
        } else {
            let text = io::read_to_string(io::stdin()).map_err(|_| "the password is not text")?;
            let mut lines = text.lines().map(str::to_owned);
            (lines.next().unwrap_or_default(), lines.next())
        };
        if password.is_empty() {
            return Err("standard input has no password: give it in its first line".into());
        }
        let server = Server::log_on(&self.server, &self.user, &password).await?;
        Ok((server, rest.filter(|rest| !rest.trim().is_empty())))
    }
}

async fn register(arguments: Register, stack: &Stack, output: Output) -> Result<()> {
    let name = &arguments.source;
    if !is_source_name(name) {
        return Err(webhook_gateway::sources::SourceError::Name.into());
    }
    let document = Document::of(stack).await?;
    if let Some(entry) = document.sources.get(name)
        && source::vendor_of(entry) != Some(Vendor::WoodWing)
    {
        return Err(
            format!("the source {name} is of another vendor: nothing was registered").into(),
        );
    }
    if stack.is_local {
        output.note("this is a local stack: Studio Server can reach it only on this machine");
    }
    let (server, token) = arguments.login.log_on().await?;
    if arguments.secret_stdin && token.is_none() {
        return Err("standard input has no second line, which is to be the token".into());
    }
    let token = token.filter(|_| arguments.secret_stdin);
    let registration = Registration {
        id: None,
        name: arguments.name.clone().unwrap_or_else(|| name.clone()),
        url: stack.payload_url(name)?,
        triggers: chosen(&arguments.triggers, &server.trigger_options().await?)?,
    };
    let (created, token) = server.create(&registration, token.as_deref()).await?;
    if let Err(error) = store(document, name, &token).await {
        let login = &arguments.login;
        return Err(taken_back(&server, login, &created, &error.to_string())
            .await
            .into());
    }
    output.note(&format!("the token is stored with the source {name}"));
    output.one(&created)
}

/// Puts a token first among the secrets of a source, which is added if it is not there.
async fn store(mut document: Document, name: &str, token: &str) -> Result<()> {
    let entry = match document.sources.get(name) {
        None => new_entry(Vendor::WoodWing, token),
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

/// Takes back what was registered, as its token is nowhere; what became of that.
async fn taken_back(server: &Server, login: &Login, created: &Registration, why: &str) -> String {
    let id = created.id.unwrap_or_default();
    let (url, user) = (&login.server, &login.user);
    match server.delete(id).await {
        Ok(()) => format!("{why}; the registration is taken back"),
        Err(error) => format!(
            "{why}; and the registration {id} could not be taken back ({error}): `webhookctl woodwing unregister {id} --server {url} --user {user}` removes it"
        ),
    }
}

async fn update(arguments: Update, url: Option<String>, output: Output) -> Result<()> {
    let id = arguments.one.id;
    let (server, _) = arguments.one.login.log_on().await?;
    let mut wanted = server.get(id).await?;
    wanted.name = arguments.name.unwrap_or(wanted.name);
    wanted.url = url.unwrap_or(wanted.url);
    if !arguments.triggers.is_empty() {
        wanted.triggers = chosen(&arguments.triggers, &server.trigger_options().await?)?;
    }
    server.update(&wanted).await?;
    let read_back = server.get(id).await?;
    if read_back != wanted {
        output.one(&read_back)?;
        return Err(format!(
            "Studio Server answered, but has not changed the registration {id} as asked"
        )
        .into());
    }
    output.one(&read_back)
}

fn triggers(options: &Triggers) -> Vec<Trigger> {
    let all = options
        .iter()
        .flat_map(|(entity, types)| types.iter().map(move |it| (entity, it)));
    all.map(|(entity, trigger)| Trigger {
        entity: entity.clone(),
        trigger: trigger.clone(),
    })
    .collect()
}

/// The event types that are meant, by entity: all, or those that are named.
fn chosen(names: &[String], options: &Triggers) -> Result<Triggers> {
    if names.is_empty() {
        return Ok(options.clone());
    }
    let mut chosen = Triggers::new();
    for name in names {
        let of = options.iter().find(|(_, types)| types.contains(name));
        let (entity, _) = of.ok_or_else(|| {
            let there_are: Vec<_> = options.values().flatten().map(String::as_str).collect();
            format!(
                "there is no trigger {name}; there are: {}",
                there_are.join(", ")
            )
        })?;
        chosen
            .entry(entity.clone())
            .or_default()
            .insert(name.clone());
    }
    Ok(chosen)
}
