//! `webhookctl endpoint`: where events are delivered to. Each command that is more than a look has a file of its own;
//! how an endpoint is kept is left to `webhook_gateway::store::endpoints`.

mod check;
mod create;
mod delete;
mod parse;
mod ping;
mod reach;
mod rotate;
mod row;
mod secret;
mod settings;
mod state;
mod update;
mod view;

use crate::Result;
use crate::failure;
use crate::output::Output;
use crate::stack::Stack;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use row::{Listed, Shown};
use secret::NewSecret;
use view::View;
use webhook_gateway::store::endpoints::State;

/// What ids begin with, and names do not.
const ID_PREFIX: &str = "ep_";

/// How many held deliveries `show` counts.
const MAX_HELD: i32 = 1000;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
An endpoint is named by its id, or by its name if no other has that. A change is in force within half a minute for new
events, and at once for deliveries under way. Secrets are stored encrypted, and shown when they are made and never again.

Examples:
  webhookctl endpoint create --name search --url https://search.example.com/hooks
  webhookctl endpoint ping search
  webhookctl endpoint list")]
pub(crate) enum Command {
    /// Creates an endpoint, with a generated secret unless told otherwise.
    #[command(after_help = "\
The URL is called over HTTPS and has a public name, unless the stack's EndpointPolicy is unrestricted. What is posted is
signed as Standard Webhooks says, or by a header of your choice with the HMAC-SHA256 of the body in hexadecimal digits.

With --json: one object, that of `endpoint show` without held, and its secret if it was generated.

Examples:
  webhookctl endpoint create --name search --url https://search.example.com/hooks
  webhookctl endpoint create --name payroll --url https://payroll.example.com/in --event 'io.peopleforce.*' --source hr
  webhookctl endpoint create --name orders --url https://orders.example.com/in --header-stdin Authorization < credential
  webhookctl endpoint create --name legacy --url https://legacy.example.com/in --format raw --timeout 5s \\
      --retry 5s,1m,1h --rate 10 --signature hmac-sha256-hex --signature-header X-Signature --secret-stdin < secret")]
    Create(create::Create),
    /// Lists the endpoints, and how they are doing.
    #[command(after_help = "\
With --json: the object of `endpoint show` without held, each. The circuit is closed, open after failures in a row,
waiting because the endpoint asked for it, or slow while attempts hang.

Examples:
  webhookctl endpoint list
  webhookctl endpoint list --json | jq -r 'select(.state != \"active\").id'")]
    List,
    /// Shows an endpoint, without its secrets.
    #[command(after_help = "\
With --json: {\"id\": …, \"name\": …, \"url\": …, \"description\": …, \"state\": …, \"reason\": …, \"circuit\": {\"state\": …,
\"failures\": …, \"failing_since\": …, \"opened_at\": …, \"wait\": …}, \"events\": […], \"sources\": […], \"headers\": {…},
\"timeout\": …, \"retry\": […], \"rate\": …, \"format\": …, \"signature\": …, \"signature_header\": …,
\"signature_prefix\": …, \"secrets\": [{\"until\": …}, …], \"created_at\": …, \"updated_at\": …, \"held\": …,
\"more_held\": …}. No sources means all; of secrets and of headers that may hold one, the values are left out.

Examples:
  webhookctl endpoint show search
  webhookctl endpoint show ep_0123456789abcdef --json")]
    Show(Which),
    /// Changes what is said of an endpoint, and nothing else.
    #[command(after_help = "\
--event and --source replace the present ones; so do --header and --header-stdin together. `--no-` before the name of a
flag clears what it set.

With --json: the object of `endpoint show`, without held.

Examples:
  webhookctl endpoint update search --url https://search.example.com/v2/hooks --timeout 10s
  webhookctl endpoint update search --event 'io.creativeforce.product.*' --no-source --no-rate")]
    Update(update::Update),
    /// Deletes an endpoint.
    #[command(after_help = "\
With --json: {\"deleted\": …, \"skipped\": …}, the latter counting the deliveries that were held and are given up.

Examples:
  webhookctl endpoint delete search
  webhookctl endpoint delete ep_0123456789abcdef --discard-held")]
    Delete {
        #[command(flatten)]
        which: Which,
        /// Gives up the deliveries that are held for it.
        #[arg(long)]
        discard_held: bool,
    },
    /// Lets an endpoint that the gateway disabled have its deliveries again.
    #[command(after_help = "\
An endpoint is disabled when it took nothing for five days, or answers 410. Its failures are forgotten, and
what is held for it is delivered, the oldest first.

With --json: the object of `endpoint show`, without held.

Example:
  webhookctl endpoint enable search")]
    Enable(Which),
    /// Holds what comes for an endpoint until it is resumed.
    #[command(after_help = "\
With --json: the object of `endpoint show`, without held.

Examples:
  webhookctl endpoint pause search
  webhookctl endpoint pause search --reason 'migration until Monday'")]
    Pause {
        #[command(flatten)]
        which: Which,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Lets a paused endpoint have its deliveries again.
    #[command(after_help = "\
Its failures are forgotten, and what is held for it is delivered, the oldest first; also if it is active already.

With --json: the object of `endpoint show`, without held.

Example:
  webhookctl endpoint resume search")]
    Resume(Which),
    /// Has a new secret sign, and the previous ones as well for a while.
    #[command(after_help = "\
Until the overlap ends, requests carry a signature of each secret, so that the receiver may change to the new one at any
time. The header of hmac-sha256-hex has room for one: there the new secret signs at once.

With --json: the object of `endpoint create`.

Examples:
  webhookctl endpoint rotate-secret search
  webhookctl endpoint rotate-secret search --overlap 0s
  webhookctl endpoint rotate-secret legacy --secret-stdin < secret")]
    RotateSecret(rotate::Rotate),
    /// Sends a test event to an endpoint, whatever its state, and tells what it answered.
    #[command(after_help = "\
The request is signed as any, its event of type io.webhook-gateway.endpoint.ping. Fails unless it is delivered.

With --json: {\"delivery\": …, \"state\": …, \"reason\": …, \"status\": …, \"error\": …, \"duration_ms\": …, \"response\": …}.

Example:
  webhookctl endpoint ping search")]
    Ping(Which),
    /// Says whether the public policy allows to call a URL, without calling it.
    #[command(after_help = "\
Needs no stack. Prints JSON in any case, {\"url\": …, \"verdict\": \"allow\" or \"deny\", \"reason\": …} each, the reason null
of what is allowed, and fails if anything is denied. A URL that begins with a hyphen comes after `--`.

Examples:
  webhookctl endpoint check-url https://search.example.com/hooks --resolve
  webhookctl endpoint check-url - < urls
  webhookctl endpoint check-url -- -https://example.com")]
    CheckUrl(check::Check),
}

/// Which endpoint is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The endpoint's id, or its name.
    #[arg(value_name = "ID")]
    which: String,
}

pub(crate) async fn run(
    command: Command,
    stack: impl Future<Output = Result<Stack>>,
    output: Output,
) -> Result<()> {
    match command {
        Command::Create(arguments) => create::run(arguments, &stack.await?, output).await,
        Command::List => list(&stack.await?, output).await,
        Command::Show(Which { which }) => show(&which, &stack.await?, output).await,
        Command::Update(arguments) => update::run(arguments, &stack.await?, output).await,
        Command::Delete {
            which: Which { which },
            discard_held,
        } => delete::run(&which, discard_held, &stack.await?, output).await,
        Command::Enable(Which { which }) => {
            state::activate(&which, State::Disabled, &stack.await?, output).await
        }
        Command::Pause {
            which: Which { which },
            reason,
        } => state::pause(&which, reason, &stack.await?, output).await,
        Command::Resume(Which { which }) => {
            state::activate(&which, State::Paused, &stack.await?, output).await
        }
        Command::RotateSecret(arguments) => rotate::run(arguments, &stack.await?, output).await,
        Command::Ping(Which { which }) => ping::run(&which, &stack.await?, output).await,
        Command::CheckUrl(arguments) => check::run(arguments).await,
    }
}

async fn list(stack: &Stack, output: Output) -> Result<()> {
    let now = Timestamp::now();
    let mut statuses = reach::all(&reach::endpoints(stack)?).await?;
    statuses.sort_by(|a, b| a.endpoint.name.cmp(&b.endpoint.name));
    let listed = statuses.iter().map(|it| Listed(View::of(it, now)));
    let listed: Vec<_> = listed.collect();
    if listed.is_empty() {
        output.note("there is no endpoint yet: create one by `webhookctl endpoint create`");
    }
    output.list(&listed)
}

async fn show(which: &str, stack: &Stack, output: Output) -> Result<()> {
    let standing = reach::find(which, &reach::endpoints(stack)?).await?;
    let held = reach::history(stack)?;
    let held = held.held(&standing.endpoint.id, MAX_HELD + 1).await;
    let held = held.map_err(failure::history)?.len();
    let shown = Shown::of(View::of(&standing, Timestamp::now()));
    output.one(&shown.held(held, MAX_HELD as usize))
}

/// Shows an endpoint, with the secret that it was just given.
fn tell(shown: Shown, secret: NewSecret, output: Output) -> Result<()> {
    if secret.is_generated() {
        output.note("the secret is shown this once: give it to the receiver");
    }
    output.one(&shown.secret(secret.shown()))
}

/// What tells a new thing from all others: 16 hexadecimal digits.
fn random_hex() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(hex::encode(random))
}
