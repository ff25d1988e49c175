//! `webhookctl woodwing update`.

use super::rpc::{Id, Registration};
use super::{Login, chosen, difference};
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use webhook_gateway::providers::Provider;
use webhook_gateway::store::sources::{Authentication, Source};

/// Changes a registration, and reads it back. Settings that are not named stay as they are; the token
/// always does.
#[derive(Debug, Args)]
#[command(after_help = "\
Studio Server does not show the token of a registration. Therefore --source takes only the present source of
the registration, for example after the gateway got another domain, or an unsigned source: with the secrets of
another source, every webhook would be rejected.

With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}, as it was read back.

Example:
  webhookctl woodwing update 47 --server https://studio.example.com/StudioServer --user admin \\
      --source content")]
pub(crate) struct Update {
    /// The id of the registration.
    id: Id,
    #[command(flatten)]
    login: Login,
    /// The new name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The source whose Payload URL is registered.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    source: Option<String>,
    /// The new URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The new event types.
    #[arg(long = "trigger", value_name = "TYPE")]
    triggers: Vec<String>,
}

/// The source that a registration moves to.
struct Moved {
    name: String,
    url: String,
    is_unsigned: bool,
}

impl Moved {
    /// A source that accepts webhooks of WoodWing.
    async fn to(name: &str, stack: &Stack) -> Result<Self> {
        let document = Document::of(stack).await?;
        let source = Source::parse(name, document.entry(name)?)
            .map_err(|error| format!("the source {name} is disabled: {error}"))?;
        if source.provider != Provider::WoodWing.name() {
            return Err(format!("the source {name} is of another provider").into());
        }
        Ok(Self {
            name: name.to_owned(),
            url: stack.payload_url(name)?,
            is_unsigned: source.authentication == Authentication::Unsigned,
        })
    }

    /// The URL of the source, if its secrets verify the webhooks of a registration with this URL.
    fn from(self, url: &str) -> Result<String> {
        let is_same = url.rsplit('/').next() == Some(&*self.name);
        if is_same || self.is_unsigned {
            return Ok(self.url);
        }
        let name = self.name;
        Err(format!("the registration has the URL {url}, and Studio Server does not show its token: the \
            source {name} has other secrets and would reject every webhook. `webhookctl woodwing create` \
            makes a registration with its own token; if {name} has this token, set its URL with --url; \
            nothing was changed").into())
    }
}

pub(crate) async fn run(
    arguments: Update,
    stack: impl Future<Output = Result<Stack>>,
    output: &Output,
) -> Result<()> {
    let source = match &arguments.source {
        Some(name) => Some(Moved::to(name, &stack.await?).await?),
        None => None,
    };
    update(arguments, source, output).await
}

async fn update(arguments: Update, source: Option<Moved>, output: &Output) -> Result<()> {
    let id = arguments.id;
    let (server, _) = arguments.login.log_on(false).await?;
    let mut wanted = server.get(&id).await?;
    wanted.name = arguments.name.unwrap_or(wanted.name);
    if let Some(source) = source {
        wanted.url = source.from(&wanted.url)?;
    }
    wanted.url = arguments.url.unwrap_or(wanted.url);
    if !arguments.triggers.is_empty() {
        wanted.triggers = chosen(&arguments.triggers, &server.trigger_options().await?)?;
    }
    // The registration that is read back decides, whatever the answer was.
    let answer = server.update(&wanted).await;
    let read_back = server.get(&id).await.map_err(|error| {
        let why = answer.as_ref().err().unwrap_or(&error);
        format!("it is not known whether the registration {id} was changed: {why}")
    })?;
    output.details(&read_back, Registration::COLUMNS)?;
    match (read_back == wanted, answer) {
        (true, _) => Ok(()),
        (false, Err(error)) => Err(error),
        (false, Ok(())) => {
            let difference = difference(&wanted, &read_back);
            let difference =
                difference.map_or(String::new(), |difference| format!(": {difference}"));
            Err(format!(
                "Studio Server answered, but has not changed the registration {id} as \
                asked{difference}"
            )
            .into())
        }
    }
}
