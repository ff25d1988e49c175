//! `webhookctl woodwing`: registers a source's Payload URL with WoodWing Studio Server, and stores the token.

mod create;
mod delete;
mod event_types;
mod list;
mod rpc;
mod show;
mod update;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::{Args, Subcommand};
use rpc::{Registration, Server, Triggers};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use webhook_gateway::crypto::secret::trimmed;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
The terminal asks for the user's password; otherwise it is the first line of standard input. It is never an
argument. The server's URL ends in /StudioServer. Its plug-in Webhooks must be enabled.

Examples:
  webhookctl woodwing event-types --server https://studio.example.com/StudioServer --user admin
  webhookctl woodwing create --server https://studio.example.com/StudioServer --user admin --source content
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin < password")]
pub(crate) enum Command {
    EventTypes(event_types::EventTypes),
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Update(update::Update),
    Delete(delete::Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The URL of Studio Server, such as `https://studio.example.com/StudioServer`.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The name of a user who may register webhooks.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Allows plain HTTP to a server that is not on this machine: anyone on the network path can read the
    /// password and the token.
    #[arg(long)]
    insecure_http: bool,
}

pub(crate) async fn run(
    command: Command,
    stack: impl Future<Output = Result<Stack>>,
    output: &Output,
) -> Result<()> {
    match command {
        Command::EventTypes(arguments) => event_types::run(arguments, output).await,
        Command::Create(arguments) => create::run(arguments, &stack.await?, output).await,
        Command::List(arguments) => list::run(arguments, output).await,
        Command::Show(arguments) => show::run(arguments, output).await,
        Command::Update(arguments) => update::run(arguments, stack, output).await,
        Command::Delete(arguments) => delete::run(arguments, output).await,
    }
}

impl Login {
    /// Logs on with the password from the terminal or from standard input. Returns the token after it, if
    /// one is asked for.
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
            return Err("standard input has no second line: the token is missing".into());
        }
        let (server, insecure_http) = (&self.server, self.insecure_http);
        let server = Server::log_on(server, insecure_http, &self.user, &password).await?;
        Ok((server, rest))
    }
}

impl Registration {
    pub(crate) const COLUMNS: &[&str] = &["id", "name", "url", "triggers"];
}

/// The difference between a registration and the request, except the name.
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
    (!added.is_empty()).then(|| format!("Studio Server has also registered for {added}"))
}

/// The event types that only the first of two has.
fn beyond(these: &Triggers, those: &Triggers) -> String {
    let all = these.iter();
    let all =
        all.flat_map(|(entity, types)| types.iter().map(move |event_type| (entity, event_type)));
    let is_there = |(entity, event_type): &(&String, &String)| {
        those
            .get(*entity)
            .is_some_and(|types| types.contains(*event_type))
    };
    let beyond: Vec<_> = all
        .filter(|named| !is_there(named))
        .map(|(_, event_type)| &**event_type)
        .collect();
    beyond.join(", ")
}

/// The selected event types, by entity: all, or the named ones.
fn chosen(names: &[String], options: &Triggers) -> Result<Triggers> {
    if options.values().all(BTreeSet::is_empty) {
        return Err(
            "Studio Server has no event type to register for: check that the plug-in Webhooks is enabled, \
                and that the user may use it"
                .into(),
        );
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
                "there is no event type {name}; the event types are: {}",
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
