//! `webhookctl event`: accepted events, listed, shown, explained and sent again.

mod chosen;
mod copies;
mod duplicates;
mod explain;
pub(crate) mod index;
mod list;
mod nothing;
mod place;
mod progress;
mod reasons;
mod recipients;
mod replay;
mod show;
mod states;
mod steps;
mod target;

pub(crate) use index::{Filter, Index, Kind};

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Commands take the id of an event, as consumers see it, or its key in the ledger: the name of the source, a #
and the id.

Examples:
  webhookctl event list --source studio --since 2h
  webhookctl event explain 0c8d2b8e-3f0f-4a8e-9c66-9b6c1c2d7c11
  webhookctl event replay --source studio --since 3d --endpoint search --dry-run")]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Explain(explain::Explain),
    Replay(replay::Replay),
}

pub(crate) async fn run(command: Command, stack: &Stack, output: &Output) -> Result<()> {
    match command {
        Command::List(arguments) => list::run(arguments, stack, output).await,
        Command::Show(arguments) => show::run(arguments, stack, output).await,
        Command::Explain(arguments) => explain::run(arguments, stack, output).await,
        Command::Replay(arguments) => replay::run(arguments, stack, output).await,
    }
}
