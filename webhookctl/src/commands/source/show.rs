//! `webhookctl source show`.

use super::handshake;
use super::view::SourceView;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use serde::Serialize;

/// Shows a source, without its secrets: how its webhooks are authenticated, and what that proves.
#[derive(Debug, Args)]
#[command(after_help = "\
The authenticity says what an accepted webhook is proof of. Headers that the signature does not cover can
be changed by anyone who captured a request. For a source with a handshake, the log is searched for the
last one that was answered, 30 days back. While a source waits for its secret, the verification token is
shown that its provider sent: enter it there, and give it to `webhookctl source rotate-secret`.

With --json: the object of `source list --json`, with \"handshake_answered_at\": … and \"verification_token\":
….

Examples:
  webhookctl source show studio
  webhookctl source show code --json | jq .not_covered_by_the_signature")]
pub(crate) struct Show {
    /// The name of the source.
    name: String,
}

#[derive(Serialize)]
struct SourceDetails {
    #[serde(flatten)]
    view: SourceView,
    handshake_answered_at: Option<String>,
    /// What the provider asks for, while the source waits for its secret.
    verification_token: Option<String>,
}

pub(crate) async fn run(Show { name }: Show, stack: &Stack, output: &Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let view = SourceView::of(&name, document.entry(&name)?, stack)?;
    let answered = match view.has_handshake() {
        true => handshake::last(&name, stack).await,
        false => Ok(None),
    };
    let handshake_answered_at = match answered {
        Ok(None) if view.has_handshake() => {
            let days = handshake::SEARCHED_DAYS;
            output.note(&format!(
                "no handshake was answered in the last {days} days"
            ));
            None
        }
        Ok(answered) => answered,
        Err(error) => {
            output.note(&format!(
                "it is not known when a handshake was answered: {error}"
            ));
            None
        }
    };
    let verification_token = match view.is_waiting() && handshake_answered_at.is_some() {
        true => handshake::token(&name, stack).await.unwrap_or_default(),
        false => None,
    };
    let details = SourceDetails {
        view,
        handshake_answered_at,
        verification_token,
    };
    let own = ["handshake_answered_at", "verification_token"];
    let columns = [SourceView::COLUMNS, &own].concat();
    output.details(&details, &columns)
}
