//! `webhookctl woodwing delete`.

use super::Login;
use super::rpc::Id;
use crate::Result;
use crate::output::Output;
use clap::Args;
use serde_json::json;

/// Deletes a registration; the secrets of its source stay.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"deleted\": …}.

Example:
  webhookctl woodwing delete 47 --server https://studio.example.com/StudioServer --user admin")]
pub(crate) struct Delete {
    /// The id of the registration.
    id: Id,
    #[command(flatten)]
    login: Login,
}

pub(crate) async fn run(Delete { id, login }: Delete, output: &Output) -> Result<()> {
    let (server, _) = login.log_on(false).await?;
    server.get(&id).await?;
    server.delete(&id).await?;
    output.result(&format!("deleted {id}"), &json!({"deleted": id}))
}
