//! `webhookctl console`. The page itself is in `crate::console`.

use crate::Result;
use crate::console::{self, Runner, Server};
use crate::output::Output;
use crate::rate_limit::interrupted;
use clap::Args;

/// Serves a web page on this machine that shows the gateway, and acts on it.
#[derive(Debug, Args)]
#[command(after_help = "\
The page is for this machine and this user: it is served on 127.0.0.1 only, and the printed URL opens it once.
Each screen shows the answer of a command, and names it; each action is a command, and asks first. The page
uses the credentials of this command and needs the permissions of the commands that it runs. It ends with
Ctrl-C, and so do the actions that still run.

With --json: {\"url\": …}.

Examples:
  webhookctl console
  webhookctl --stack webhook-gateway console --read-only
  webhookctl console --port 8080 --no-open")]
pub(crate) struct Console {
    /// The port on 127.0.0.1. The default is a free one.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Prints the URL without opening a browser.
    #[arg(long)]
    no_open: bool,
    /// Serves the page without its actions.
    #[arg(long)]
    read_only: bool,
}

/// Serves the page until Ctrl-C. `runner` runs the commands of its screens.
pub(crate) async fn run(arguments: Console, runner: Runner, output: &Output) -> Result<()> {
    let server = Server::bind(arguments.port, arguments.read_only, runner).await?;
    let url = server.url();
    output.result(&url, &serde_json::json!({"url": url}))?;
    output.note("the URL opens the console once, on this machine; Ctrl-C ends it");
    if !arguments.no_open && console::has_browser() && opener::open_browser(&url).is_err() {
        output.note("no browser could be opened: open the URL yourself");
    }
    server.serve(interrupted()).await
}
