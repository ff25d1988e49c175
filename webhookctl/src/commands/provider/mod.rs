//! `webhookctl provider`: the providers that the gateway has a preset for.

mod event_types;
mod list;
pub(crate) mod show;

use crate::Result;
use crate::output::Output;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
These commands need no stack.

Examples:
  webhookctl provider list
  webhookctl provider show github
  webhookctl provider event-types --provider people-force")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    EventTypes(event_types::EventTypes),
}

pub(crate) fn run(command: Command, output: &Output) -> Result<()> {
    match command {
        Command::List(list::List {}) => list::run(output),
        Command::Show(arguments) => show::run(&arguments, output),
        Command::EventTypes(arguments) => event_types::run(&arguments, output),
    }
}
