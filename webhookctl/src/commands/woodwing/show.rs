//! `webhookctl woodwing show`.

use super::Login;
use super::rpc::{Id, Registration};
use crate::Result;
use crate::output::Output;
use clap::Args;

/// Shows a registration.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"triggers\": {…}}.

Example:
  webhookctl woodwing show 47 --server https://studio.example.com/StudioServer --user admin")]
pub(crate) struct Show {
    /// The id of the registration.
    id: Id,
    #[command(flatten)]
    login: Login,
}

pub(crate) async fn run(Show { id, login }: Show, output: &Output) -> Result<()> {
    let (server, _) = login.log_on(false).await?;
    output.details(&server.get(&id).await?, Registration::COLUMNS)
}
