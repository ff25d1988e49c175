//! `webhookctl woodwing`: registers a source's Payload URL with WoodWing Studio Server, and keeps the token that it makes.
//! How the server is called is left to `rpc`.

mod rpc;

use crate::document::Document;
use crate::output::{Output, Row};
use crate::source::{new_entry, rotate_entry};
use crate::stack::Stack;
use crate::{Result, source};
use clap::{Args, Subcommand};
use rpc::{Id, Listed, Registration, Server, Triggers};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use webhook_gateway::crypto::secret::trimmed;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Authentication, Source, is_source_name};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
The user's password is asked for, or else read from the first line of standard input; it is never an argument. The
server's URL ends in /StudioServer, and its plug-in Webhooks has to be enabled.

Examples:
  webhookctl woodwing event-types --server https://studio.example.com/StudioServer --user admin
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin < password")]
pub(crate) enum Command {
    /// Lists the event types that can be registered for.
    #[command(after_help = "\
With --json: {\"entity\": …, \"trigger\": …} each.

Example:
  webhookctl woodwing event-types --server https://studio.example.com/StudioServer --user admin")]
    EventTypes(Login),
    /// Registers the Payload URL of a source, and stores the token with it in one step.
    #[command(after_help = "\
A source that does not exist is added. Studio Server makes the token, unless --secret-stdin gives one: then it is the
second line of standard input, after the password, or asked for at a terminal. The token goes first among the source's
secrets, and is never shown. The registration is read back. If it is not as asked, if its token cannot be stored, or if the
answer to it is lost, it is taken back, or named if that fails. A URL that is registered already is refused.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Examples:
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content \\
      --trigger com.woodwing.studio/object/created --trigger com.woodwing.studio/object/saved")]
    Create(Create),
    /// Lists what is registered, by anybody.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …} each; an id is a number or a text, as Studio Server writes it.

Example:
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin")]
    List(Login),
    /// Shows a registration.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Example:
  webhookctl woodwing show 47 --server https://studio.example.com/StudioServer --user admin")]
    Show(One),
    /// Changes a registration, and reads it back. What is not named stays as it is, the token too.
    #[command(after_help = "\
Studio Server does not tell the token of a registration, so that --source takes the source that it is of already, such as
after the gateway got another domain, or an unsigned one: with the secrets of another, every webhook would be refused.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}, as it was read back.

Example:
  webhookctl woodwing update 47 --server https://studio.example.com/StudioServer --user admin --source content")]
    Update(Update),
    /// Deletes a registration; the secrets of its source stay.
    #[command(after_help = "\
With --json: {\"deleted\": …}.

Example:
  webhookctl woodwing delete 47 --server https://studio.example.com/StudioServer --user admin")]
    Delete(One),
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
    /// Calls a server by plain HTTP that is not on this machine: whoever is between reads the password and the token.
    #[arg(long)]
    insecure_http: bool,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The id of the registration.
    id: Id,
    #[command(flatten)]
    login: Login,
}

#[derive(Debug, Args)]
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
    id: Option<Id>,
    name: Option<String>,
}

impl Row for Named {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let name = self.name.clone();
        vec![
            ("id", shown(self.id.as_ref())),
            ("name", name.unwrap_or_else(|| "-".to_owned())),
        ]
    }
}

fn shown(id: Option<&Id>) -> String {
    id.map_or_else(|| "-".to_owned(), Id::to_string)
}

impl Row for Registration {
    fn cells(&self) -> Vec<(&'static str, String)> {
        let triggers: Vec<_> = self
            .triggers
            .values()
            .flatten()
            .map(String::as_str)
            .collect();
        vec![
            ("id", shown(self.id.as_ref())),
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
        Command::EventTypes(login) => {
            let options = login.log_on(false).await?.0.trigger_options().await?;
            output.list(&triggers(&options))
        }
        Command::List(login) => {
            let all = login.log_on(false).await?.0.list().await?.into_iter();
            let all = all.map(|Listed { id, name, .. }| Named { id, name });
            output.list(&all.collect::<Vec<_>>())
        }
        Command::Show(one) => output.one(&one.login.log_on(false).await?.0.get(&one.id).await?),
        Command::Delete(one) => {
            let (server, _) = one.login.log_on(false).await?;
            server.get(&one.id).await?;
            server.delete(&one.id).await?;
            let id = one.id;
            output.say(&format!("deleted {id}"), &json!({"deleted": id}))
        }
        Command::Create(arguments) => create(arguments, &stack.await?, output).await,
        Command::Update(arguments) => {
            let source = match &arguments.source {
                Some(name) => Some(Moved::to(name, &stack.await?).await?),
                None => None,
            };
            update(arguments, source, output).await
        }
    }
}

impl Login {
    /// Logs on, with the password from the terminal or from standard input; and the token, if it is there behind it.
    async fn log_on(&self, with_token: bool) -> Result<(Server, Option<String>)> {
        let (password, rest) = if io::stdin().is_terminal() {
            let prompt = format!("Password of {}: ", self.user);
            let password = rpassword::prompt_password(prompt)?;
            let token = with_token.then(|| rpassword::prompt_password("Token: "));
            (password, token.transpose()?)
        } else {
            let text = io::read_to_string(io::stdin()).map_err(|_| "the password is not text")?;
            let mut lines = text.lines().map(str::to_owned);
            (lines.next().unwrap_or_default(), lines.next())
        };
        if password.is_empty() {
            return Err("standard input has no password: give it in its first line".into());
        }
        let rest = rest.map(|rest| trimmed(&rest).to_owned());
        let rest = rest.filter(|rest| with_token && !rest.is_empty());
        if with_token && rest.is_none() {
            return Err("standard input has no second line, which is to be the token".into());
        }
        let (server, insecure_http) = (&self.server, self.insecure_http);
        let server = Server::log_on(server, insecure_http, &self.user, &password).await?;
        Ok((server, rest))
    }
}

async fn create(arguments: Create, stack: &Stack, output: Output) -> Result<()> {
    let name = &arguments.source;
    if !is_source_name(name) {
        return Err(webhook_gateway::store::sources::SourceError::Name.into());
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
            output.one(&created)
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
        [id, ..] if !another => Err(format!("{url} is registered already, as {id}: `webhookctl woodwing update` changes that, `webhookctl woodwing delete` deletes it, and --another registers the URL once more; nothing was registered").into()),
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

/// In what a registration is not as it was asked for; it may have any name.
fn difference(asked: &Registration, has: &Registration) -> Option<String> {
    if has.url != asked.url {
        let (has, asked) = (&has.url, &asked.url);
        return Some(format!(
            "Studio Server has registered the URL {has} instead of {asked}"
        ));
    }
    let left_out = beyond(&asked.triggers, &has.triggers);
    if !left_out.is_empty() {
        return Some(format!("Studio Server has not registered for {left_out}"));
    }
    let added = beyond(&has.triggers, &asked.triggers);
    (!added.is_empty())
        .then(|| format!("Studio Server has registered for {added}, which was not asked for"))
}

/// The event types that only the first have.
fn beyond(these: &Triggers, those: &Triggers) -> String {
    let all = these.iter();
    let all = all.flat_map(|(entity, types)| types.iter().map(move |it| (entity, it)));
    let is_there = |(entity, it): &(&String, &String)| {
        those.get(*entity).is_some_and(|types| types.contains(*it))
    };
    let beyond: Vec<_> = all
        .filter(|it| !is_there(it))
        .map(|(_, it)| &**it)
        .collect();
    beyond.join(", ")
}

/// Takes back what a registration may have made although it failed; what became of that.
async fn cleared(server: &Server, login: &Login, url: &str, before: &[Id], why: &str) -> String {
    let ids = match server.ids_of(url).await {
        Ok(ids) => ids,
        Err(error) => {
            return format!(
                "{why}; whether {url} is registered all the same is not known ({error}): look by `webhookctl woodwing list`"
            );
        }
    };
    let mut why = why.to_owned();
    for id in ids.iter().filter(|id| !before.contains(id)) {
        why = taken_back(server, login, id, &why).await;
    }
    why
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

/// Takes back what was registered, as its token is nowhere; what became of that.
async fn taken_back(server: &Server, login: &Login, id: &Id, why: &str) -> String {
    let (url, user) = (&login.server, &login.user);
    match server.delete(id).await {
        Ok(()) => format!("{why}; the registration {id} is taken back"),
        Err(error) => format!(
            "{why}; and the registration {id} could not be taken back ({error}): `webhookctl woodwing delete {id} --server {url} --user {user}` deletes it"
        ),
    }
}

/// The source that a registration is to be of.
struct Moved {
    name: String,
    url: String,
    is_unsigned: bool,
}

impl Moved {
    /// To a source that can take the webhooks.
    async fn to(name: &str, stack: &Stack) -> Result<Self> {
        let document = Document::of(stack).await?;
        let source = Source::parse(name, document.entry(name)?)
            .map_err(|error| format!("the source {name} is disabled: {error}"))?;
        if source.provider != Provider::WoodWing {
            return Err(format!("the source {name} is of another provider").into());
        }
        Ok(Self {
            name: name.to_owned(),
            url: stack.payload_url(name)?,
            is_unsigned: source.authentication == Authentication::Unsigned,
        })
    }

    /// The URL of the source, if it has the token of a registration of another URL.
    fn from(self, url: &str) -> Result<String> {
        let is_same = url.rsplit('/').next() == Some(&*self.name);
        if is_same || self.is_unsigned {
            return Ok(self.url);
        }
        let name = self.name;
        Err(format!("the registration is of {url}, and Studio Server does not tell its token: with the source {name}, whose secrets are others, every webhook would be refused. `webhookctl woodwing create` makes a registration with a token of its own; if {name} has this token, name its URL by --url; nothing was changed").into())
    }
}

async fn update(arguments: Update, source: Option<Moved>, output: Output) -> Result<()> {
    let id = arguments.one.id;
    let (server, _) = arguments.one.login.log_on(false).await?;
    let mut wanted = server.get(&id).await?;
    wanted.name = arguments.name.unwrap_or(wanted.name);
    if let Some(source) = source {
        wanted.url = source.from(&wanted.url)?;
    }
    wanted.url = arguments.url.unwrap_or(wanted.url);
    if !arguments.triggers.is_empty() {
        wanted.triggers = chosen(&arguments.triggers, &server.trigger_options().await?)?;
    }
    // Whatever was answered, or if the answer was lost: what is read back counts.
    let told = server.update(&wanted).await;
    let read_back = server.get(&id).await.map_err(|error| {
        let why = told.as_ref().err().unwrap_or(&error);
        format!("whether the registration {id} is changed is not known: {why}")
    })?;
    output.one(&read_back)?;
    match (read_back == wanted, told) {
        (true, _) => Ok(()),
        (false, Err(error)) => Err(error),
        (false, Ok(())) => {
            let difference = difference(&wanted, &read_back);
            let difference = difference.map_or(String::new(), |it| format!(": {it}"));
            Err(format!("Studio Server answered, but has not changed the registration {id} as asked{difference}").into())
        }
    }
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
    if options.values().all(BTreeSet::is_empty) {
        return Err("Studio Server has no event type to register for: see that the plug-in Webhooks is enabled, and that the user may use it".into());
    }
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
