//! `webhookctl`, the operator's tool: it manages the sources, subscriptions and endpoints of a gateway, and
//! shows and repairs its events and deliveries. This file parses the command line, runs the command and
//! prints the error with a hint.

mod body;
mod commands;
mod condition;
mod console;
mod diagnose;
mod document;
#[cfg(test)]
mod documentation;
mod endpoints;
mod find;
mod hint;
mod ledger;
mod metrics;
mod output;
mod peek;
mod progress;
mod providers;
mod rate_limit;
#[cfg(test)]
mod samples;
mod secret_use;
mod settings;
mod stack;
mod time;
mod web;
mod words;

use clap::error::ErrorKind as Problem;
use clap::{Parser, Subcommand};
use commands::{
    completions, console as console_command, dead_letter, delivery, doctor, endpoint, event,
    listen, provider, quarantine, reconcile, send, source, status, subscription, woodwing,
};
use console::Runner;
use output::{Output, Unwritten};
use stack::Stack;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use tokio::task::LocalSet;

/// The result of a command. Its error is a sentence for the operator; only its hint depends on the type.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Operates a webhook gateway: its sources, subscriptions, endpoints, events and deliveries.
#[derive(Debug, Parser)]
#[command(
    name = "webhookctl",
    bin_name = "webhookctl",
    version,
    disable_help_subcommand = true,
    after_help = "\
Select a stack with --stack or WEBHOOK_GATEWAY_STACK. The default is the local stack that `make up` started:
`.local/outputs.json` in this folder or in one above. The usual settings select the AWS account and region:
AWS_PROFILE, AWS_REGION, …

Results go to standard output, notes and errors to standard error. Exit code: 0 for success, 1 for a failure,
2 for a command line that is not valid.

With --json, each result is one JSON object, and a list has one object on each line. A note is {\"note\": …}
and an error {\"error\": …} on standard error.

Examples:
  webhookctl source create studio --provider creative-force
  webhookctl --stack webhook-gateway source list
  webhookctl send --source studio payload.json
  webhookctl subscription create search --queue https://sqs.eu-central-1.amazonaws.com/123456789012/search
  webhookctl endpoint create --name search --url https://search.example.com/hooks"
)]
struct Cli {
    /// The name of the stack.
    #[arg(long, global = true, help_heading = "Global options", value_name = "NAME", env = stack::VARIABLE)]
    stack: Option<String>,
    /// Prints JSON, one object on each line.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Manages the sources of webhooks: each is one account of a provider, with its secrets.
    #[command(subcommand)]
    Source(source::Command),
    /// Signs payloads as a source's provider would, and posts them to the gateway.
    Send(send::Send),
    /// Manages subscriptions: further queues, and the events that go to them.
    #[command(subcommand)]
    Subscription(subscription::Command),
    Listen(listen::Listen),
    /// Manages endpoints: URLs that signed events are posted to.
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// Lists accepted events, explains what happened to them, and sends them again.
    #[command(subcommand)]
    Event(event::Command),
    /// Shows and releases webhooks that were not understood or were rejected.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Shows messages that could not be handled, and sends them back to their queues.
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// Shows the delivery of each event to each endpoint, and sends it again.
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// Shows how sources and endpoints are doing, on one screen.
    Status(status::Status),
    /// Checks a stack: reports every problem, and what to do about it.
    Doctor(doctor::Doctor),
    Reconcile(reconcile::Reconcile),
    /// Registers sources with WoodWing Studio Server.
    #[command(subcommand)]
    Woodwing(woodwing::Command),
    /// Lists the providers that the gateway has a preset for: how each signs, and what to enter there.
    #[command(subcommand)]
    Provider(provider::Command),
    Console(console_command::Console),
    Completions(completions::Completions),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error),
    };
    let output = Output::standard(cli.json);
    match run(cli, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output, such as `head`, has seen enough.
        Err(error) if output::is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&format!("{error}{}", hint::Kind::of(&*error).hint()));
            ExitCode::FAILURE
        }
    }
}

/// Runs the command of a command line.
async fn run(cli: Cli, output: &Output) -> Result<()> {
    let stack = Stack::find(cli.stack.as_deref(), output);
    match cli.command {
        Command::Console(arguments) => {
            let stack = stack.await?;
            let serve = async {
                let runner = runner(cli.stack.clone(), stack);
                console_command::run(arguments, runner, output).await
            };
            LocalSet::new().run_until(serve).await
        }
        command => execute(command, stack, output).await,
    }
}

/// Runs the commands of the console's screens, all with one stack.
fn runner(name: Option<String>, stack: Stack) -> Runner {
    Runner::new(name, move |words, output| {
        let stack = stack.clone();
        Box::pin(async move {
            let words = std::iter::once("webhookctl".to_owned()).chain(words);
            let cli = Cli::try_parse_from(words)?;
            execute(cli.command, async { Ok(stack) }, &output).await
        })
    })
}

/// Runs a command. Some commands need no stack.
async fn execute(
    command: Command,
    stack: impl Future<Output = Result<Stack>>,
    output: &Output,
) -> Result<()> {
    match command {
        Command::Source(command) => source::run(command, &stack.await?, output).await,
        Command::Send(send) => send::run(send, &stack.await?, output).await,
        Command::Subscription(command) => subscription::run(command, &stack.await?, output).await,
        Command::Listen(arguments) => listen::run(arguments, &stack.await?, output).await,
        Command::Endpoint(command) => endpoint::run(command, stack, output).await,
        Command::Event(command) => event::run(command, &stack.await?, output).await,
        Command::Quarantine(command) => quarantine::run(command, &stack.await?, output).await,
        Command::DeadLetter(command) => dead_letter::run(command, &stack.await?, output).await,
        Command::Delivery(command) => delivery::run(command, &stack.await?, output).await,
        Command::Status(arguments) => status::run(arguments, &stack.await?, output).await,
        Command::Doctor(arguments) => doctor::run(arguments, &stack.await?, output).await,
        Command::Reconcile(arguments) => reconcile::run(&arguments, &stack.await?, output).await,
        Command::Woodwing(command) => woodwing::run(command, stack, output).await,
        Command::Provider(command) => provider::run(command, output),
        Command::Console(_) => Err("the console does not run in the console".into()),
        Command::Completions(arguments) => completions::run(&arguments, output),
    }
}

/// Prints the help or the version, or the error in the command line.
fn not_a_command(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(error.kind(), Problem::DisplayHelp | Problem::DisplayVersion);
    if !asked_for && std::env::args().any(|argument| argument == "--json") {
        let text = error.to_string();
        Output::standard(true).error(text.trim_start_matches("error: ").trim_end());
        return ExitCode::from(2);
    }
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if !asked_for => ExitCode::from(2),
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Output::standard(false).error(&Unwritten::from(error).to_string());
            ExitCode::FAILURE
        }
        // The reader of the help has seen enough.
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
