//! `webhookctl source show`.

use super::handshake;
use super::view::SourceView;
use crate::Result;
use crate::document::Document;
use crate::output::Output;
use crate::secret_use::{SecretUse, uses};
use crate::stack::Stack;
use crate::time;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use webhook_gateway::store::journal::SourceActivity;
use webhook_gateway::store::sources::Source;

/// Shows a source, without its secrets: how its webhooks are authenticated, and what that proves.
#[derive(Debug, Args)]
#[command(after_help = "\
The authenticity says what an accepted webhook is proof of. Headers that the signature does not cover can
be changed by anyone who captured a request. For a source with a handshake, the log is searched for the
last one that was answered, 30 days back. While a source waits for its secret, the verification token is
shown that its provider sent: enter it there, and give it to `webhookctl source rotate-secret`.

The journal says when the source was last active, to the minute, and when each secret last matched: one read
unit. A previous secret that will not match any more is safe to remove.

With --json: the object of `source list --json`, with \"last_event_at\": …, \"silent_since\": …,
\"sources_changed_at\": …, \"secret_use\": [{\"position\": …, \"last_matched_at\": …, \"what\": …,
\"safe_to_remove\": …}] (the newest secret first; null if the journal cannot be read),
\"handshake_answered_at\": … and \"verification_token\": ….

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
    last_event_at: Option<String>,
    silent_since: Option<String>,
    /// The time of the last change of any source, its secrets included.
    sources_changed_at: Option<String>,
    secret_use: Option<Vec<SecretUse>>,
    handshake_answered_at: Option<String>,
    /// What the provider asks for, while the source waits for its secret.
    verification_token: Option<String>,
}

pub(crate) async fn run(Show { name }: Show, stack: &Stack, output: &Output) -> Result<()> {
    let document = Document::of(stack).await?;
    let view = SourceView::of(&name, document.entry(&name)?, stack)?;
    let active = activity(&name, stack).await.map_err(|error| {
        output.note(&format!(
            "it is not known when the source was last active: {error}"
        ));
    });
    let active = active.ok();
    let secret_use = active.as_ref().map(|active| used(&name, &document, active));
    let active = active.unwrap_or_default();
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
        last_event_at: shown(active.last_accepted_at),
        silent_since: shown(active.silent_since),
        sources_changed_at: shown(document.changed_at),
        secret_use,
        handshake_answered_at,
        verification_token,
    };
    let columns = [SourceView::COLUMNS, SourceDetails::OWN].concat();
    output.details(&details, &columns)?;
    match details.secret_use {
        Some(used) if !output.json && !used.is_empty() => output.text(&lines(&used)),
        _ => Ok(()),
    }
}

impl SourceDetails {
    const OWN: &[&str] = &[
        "last_event_at",
        "silent_since",
        "sources_changed_at",
        "handshake_answered_at",
        "verification_token",
    ];
}

/// When the source and its secrets were last active.
async fn activity(name: &str, stack: &Stack) -> Result<SourceActivity> {
    Ok(stack.journal()?.activity_of(name).await?)
}

fn used(name: &str, document: &Document, active: &SourceActivity) -> Vec<SecretUse> {
    let entry = document.sources.get(name);
    let source = entry.and_then(|entry| Source::parse(name, entry).ok());
    let secrets = source.as_ref().map_or(&[][..], Source::secrets);
    let ids: Vec<_> = secrets.iter().map(|secret| secret.id()).collect();
    uses(&ids, &active.matched, document.changed_at, Timestamp::now())
}

/// A line for each secret.
fn lines(used: &[SecretUse]) -> String {
    let line = |secret: &SecretUse| {
        let SecretUse { position, what, .. } = secret;
        let advice = match (position, secret.is_removable) {
            (1, _) => "",
            (_, true) => ": safe to remove",
            (_, false) => ": keep it",
        };
        format!("secret {position} of {} {what}{advice}", used.len())
    };
    used.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(at: Option<Timestamp>) -> Option<String> {
    time::shown(at?.as_millisecond())
}
