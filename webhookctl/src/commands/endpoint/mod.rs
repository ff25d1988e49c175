//! `webhookctl endpoint`: the URLs that events are delivered to.

mod check_url;
mod create;
mod delete;
mod enable;
mod list;
mod parse;
mod pause;
mod ping;
mod resume;
mod rotate_secret;
mod secret;
mod settings;
mod show;
mod state;
mod update;
mod view;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;
use secret::NewSecret;
use view::EndpointDetails;

pub(crate) use create::blank;
pub(crate) use secret::generate as generate_secret;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Commands take the id of an endpoint, or its name if no other endpoint has the same name. A change applies to
new events within half a minute, and to deliveries under way at once. Secrets are stored encrypted. A
generated secret is shown once, when it is made.

Examples:
  webhookctl endpoint create --name search --url https://search.example.com/hooks
  webhookctl endpoint ping search
  webhookctl endpoint list")]
pub(crate) enum Command {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Update(update::Update),
    Delete(delete::Delete),
    Enable(enable::Enable),
    Pause(pause::Pause),
    Resume(resume::Resume),
    RotateSecret(rotate_secret::RotateSecret),
    Ping(ping::Ping),
    CheckUrl(check_url::CheckUrl),
}

pub(crate) async fn run(
    command: Command,
    stack: impl Future<Output = Result<Stack>>,
    output: &Output,
) -> Result<()> {
    match command {
        Command::Create(arguments) => create::run(arguments, &stack.await?, output).await,
        Command::List(list::List {}) => list::run(&stack.await?, output).await,
        Command::Show(arguments) => show::run(arguments, &stack.await?, output).await,
        Command::Update(arguments) => update::run(arguments, &stack.await?, output).await,
        Command::Delete(arguments) => delete::run(arguments, &stack.await?, output).await,
        Command::Enable(arguments) => enable::run(arguments, &stack.await?, output).await,
        Command::Pause(arguments) => pause::run(arguments, &stack.await?, output).await,
        Command::Resume(arguments) => resume::run(arguments, &stack.await?, output).await,
        Command::RotateSecret(arguments) => {
            rotate_secret::run(arguments, &stack.await?, output).await
        }
        Command::Ping(arguments) => ping::run(arguments, &stack.await?, output).await,
        Command::CheckUrl(arguments) => check_url::run(arguments).await,
    }
}

/// Shows an endpoint with its new secret.
fn tell(shown: EndpointDetails, secret: NewSecret, output: &Output) -> Result<()> {
    if secret.is_generated() {
        output.note("the secret is shown only this once: give it to the receiver");
    }
    output.details(&shown.secret(secret.shown()), EndpointDetails::COLUMNS)
}

/// A random id of 16 hexadecimal digits.
fn random_hex() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(hex::encode(random))
}
