//! `webhookctl doctor`: whether a stack is well. `facts` reads what there is to know, `checks` judge it.

mod checks;
mod facts;
mod finding;

use crate::Result;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use facts::Facts;
use finding::Level;

/// Checks a stack.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  webhookctl doctor")]
pub(crate) struct Doctor {}

pub(crate) async fn run(_arguments: Doctor, stack: &Stack, output: Output) -> Result<()> {
    check(stack, output).await
}

async fn check(stack: &Stack, output: Output) -> Result<()> {
    let findings = checks::all(&Facts::of(stack).await);
    finding::print(&findings, output)?;
    match findings
        .iter()
        .filter(|it| it.level == Level::Wrong)
        .count()
    {
        0 => Ok(()),
        1 => Err("1 thing is wrong".into()),
        wrong => Err(format!("{wrong} things are wrong").into()),
    }
}
