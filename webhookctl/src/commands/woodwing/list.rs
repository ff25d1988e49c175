//! `webhookctl woodwing list`.

use super::Login;
use super::rpc::{Id, Listed};
use crate::Result;
use crate::output::Output;
use clap::Args;
use serde::Serialize;

/// Lists the registrations of all users.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"id\": …, \"name\": …} for each. An id is a number or a text, as Studio Server writes it.

Example:
  webhookctl woodwing list --server https://studio.example.com/StudioServer --user admin")]
pub(crate) struct List {
    #[command(flatten)]
    login: Login,
}

#[derive(Serialize)]
struct Named {
    id: Option<Id>,
    name: Option<String>,
}

impl Named {
    pub(crate) const COLUMNS: &[&str] = &["id", "name"];
}

pub(crate) async fn run(List { login }: List, output: &Output) -> Result<()> {
    let all = login.log_on(false).await?.0.list().await?.into_iter();
    let all = all.map(|Listed { id, name, .. }| Named { id, name });
    output.list(&all.collect::<Vec<_>>(), Named::COLUMNS)
}
