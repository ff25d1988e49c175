//! `webhookctl endpoint rotate-secret`: a new secret signs at once; the previous ones keep signing for a
//! while.

use super::secret::{self, NewSecret};
use super::view::{EndpointDetails, EndpointView, time};
use super::{parse, tell};
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use jiff::Timestamp;

/// Adds a new secret; the previous ones keep signing for a while.
#[derive(Debug, Args)]
#[command(after_help = "\
Until the overlap ends, requests have a signature by each secret: the receiver can switch to the new one at
any time. The header of hmac-sha256-hex has room for one signature: there only the new secret signs.

With --json: the object of `endpoint create`.

Examples:
  webhookctl endpoint rotate-secret search
  webhookctl endpoint rotate-secret search --overlap 0s
  webhookctl endpoint rotate-secret legacy --secret-stdin < secret")]
pub(crate) struct RotateSecret {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
    /// How long the previous secrets keep signing, 0s to 30d. The default is 1d, and 0s for hmac-sha256-hex.
    #[arg(long, value_name = "DURATION", value_parser = parse::overlap)]
    overlap: Option<u64>,
    /// Reads the new secret from standard input instead of generating one.
    #[arg(long)]
    secret_stdin: bool,
}

pub(crate) async fn run(arguments: RotateSecret, stack: &Stack, output: &Output) -> Result<()> {
    let now = Timestamp::now();
    let endpoints = stack.endpoints()?;
    let mut status = find::status(&arguments.which, &endpoints).await?;
    let endpoint = &mut status.endpoint;
    let overlap = secret::overlap(endpoint.signature, arguments.overlap)?;
    let new = NewSecret::take(endpoint.signature, arguments.secret_stdin)?;
    let sealed = new.seal(&endpoint.id, stack).await?;
    secret::rotate(&mut endpoint.secrets, sealed, now.as_second(), overlap)?;
    endpoint.updated_at = now.as_millisecond();
    endpoints.put(endpoint).await?;
    if endpoint.secrets.len() > 1 {
        let end = now.as_millisecond().saturating_add_unsigned(overlap * 1000);
        let end = time(end);
        output.note(&format!(
            "the previous secret keeps signing until {end}: give the receiver the new one before that time"
        ));
    }
    tell(
        EndpointDetails::of(EndpointView::of(&status, now)),
        new,
        output,
    )
}
