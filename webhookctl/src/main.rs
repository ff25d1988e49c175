//! `webhookctl`, the operator's tool: which sources, subscriptions and endpoints a gateway has, what became of its
//! deliveries, and a smoke test of it.
//! This file reads the command line and hands over; each noun has a file of its own.

mod commands;
mod dead_letter;
mod delivery;
mod doctor;
mod document;
mod endpoint;
mod event;
mod failure;
mod metrics;
mod output;
mod pace;
mod progress;
mod providers;
mod quarantine;
#[cfg(test)]
mod quoted;
mod recorded;
mod send;
mod source;
mod stack;
mod status;
mod subscription;
mod time;
mod web;
mod woodwing;

use clap::error::ErrorKind as Problem;
use clap::{Parser, Subcommand};
use commands::{completions, provider, reconcile};
use output::{Output, Unwritten};
use stack::Stack;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// What a command comes to. Nobody branches on the error: it is a sentence for the operator.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Operates a webhook gateway: its sources, its subscriptions, its endpoints, and a smoke test.
#[derive(Debug, Parser)]
#[command(
    name = "webhookctl",
    bin_name = "webhookctl",
    version,
    disable_help_subcommand = true,
    after_help = "\
Without --stack and WEBHOOK_GATEWAY_STACK, the stack is the local one that `make up` started: `.local/outputs.json`
here or in a folder above. A stack on AWS is found by the usual settings: AWS_PROFILE, AWS_REGION, …

Results go to standard output, notes and errors to standard error. Exit code: 0 done, 1 refused or failed, 2 not
a command.

With --json, each result is one JSON object, each item of a list one object a line; a note is {\"note\": …} and an
error {\"error\": …} on standard error.

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
    /// Prints JSON, one object a line.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Where webhooks come from: one account of a provider each, with its secrets.
    #[command(subcommand)]
    Source(source::Command),
    /// Signs payloads as a source's provider would, and posts them to the gateway.
    Send(send::Send),
    /// Further queues, and which events go to them.
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// Where events are posted to, signed: URLs of your own and of others.
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// What was accepted, what happened to it and why, and sending it again.
    #[command(subcommand)]
    Event(event::Command),
    /// What was not understood, and what was rejected, looked at and released.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// What could not be handled, looked at and sent back.
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// What became of each event at each endpoint, and sending it again.
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// How sources and endpoints are doing, on one screen.
    Status(status::Status),
    /// Checks a stack, and says line by line what is well, what is not, and what to do.
    Doctor(doctor::Doctor),
    Reconcile(reconcile::Reconcile),
    /// Registers sources with WoodWing Studio Server.
    #[command(subcommand)]
    Woodwing(woodwing::Command),
    /// The companies whose webhooks the gateway takes: how each signs, and what is entered there.
    #[command(subcommand)]
    Provider(provider::Command),
    Completions(completions::Completions),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error),
    };
    let output = Output { json: cli.json };
    match run(cli, output).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output, such as `head`, has seen enough.
        Err(error) if output::is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&format!("{error}{}", failure::hint(&*error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli, output: Output) -> Result<()> {
    let stack = Stack::find(cli.stack.as_deref(), output);
    match cli.command {
        Command::Source(command) => source::run(command, &stack.await?, output).await,
        Command::Send(send) => send::run(send, &stack.await?, output).await,
        Command::Subscription(command) => subscription::run(command, &stack.await?, output).await,
        Command::Endpoint(command) => endpoint::run(command, stack, output).await,
        Command::Event(command) => event::run(command, &stack.await?, output).await,
        Command::Quarantine(command) => quarantine::run(command, &stack.await?, output).await,
        Command::DeadLetter(command) => dead_letter::run(command, &stack.await?, output).await,
        Command::Delivery(command) => delivery::run(command, &stack.await?, output).await,
        Command::Status(arguments) => status::run(arguments, &stack.await?, output).await,
        Command::Doctor(doctor::Doctor {}) => doctor::run(&stack.await?, output).await,
        Command::Reconcile(arguments) => reconcile::run(&arguments, &stack.await?, output).await,
        Command::Woodwing(command) => woodwing::run(command, stack, output).await,
        Command::Provider(command) => provider::run(command, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
    }
}

/// Help and version as they are asked for; what is wrong with any other command line.
fn not_a_command(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(error.kind(), Problem::DisplayHelp | Problem::DisplayVersion);
    if !asked_for && std::env::args().any(|argument| argument == "--json") {
        let text = error.to_string();
        Output { json: true }.error(text.trim_start_matches("error: ").trim_end());
        return ExitCode::from(2);
    }
    let printed = error.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if !asked_for => ExitCode::from(2),
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Output { json: false }.error(&Unwritten::from(error).to_string());
            ExitCode::FAILURE
        }
        // Whoever reads the help has seen enough.
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

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            assert!(
                help.is_some_and(|help| help.contains("webhookctl")),
                "{}",
                command.get_name()
            );
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
