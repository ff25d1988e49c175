//! Secrets that are not the right ones: unusable, of another source, or copied with something around them.

use super::{Finding, Outcome, Request, Suspect, judged, outcome};
use crate::settings::quoted;
use webhook_gateway::crypto::secret::trimmed;

/// A source that a useless previous secret disables, where the newest is right.
pub(super) fn unusable(suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
    let recipe = suspect.recipe()?;
    let wrong = suspect.secrets.iter().enumerate();
    let mut wrong = wrong.filter_map(|(at, text)| Some((at, recipe.secret(text).err()?)));
    let (at, error) = wrong.next()?;
    let newest = suspect.secrets.get(..1)?;
    let outcome = outcome(suspect, suspect.provider, suspect.fields, newest, request);
    matches!(outcome, Outcome::Verified(_)).then(|| Finding {
        causes: vec!["secret"],
        what: format!(
            "secret {} of {} disables the source: {error}. The newest one signed the request",
            at + 1,
            suspect.secrets.len()
        ),
        command: Some(format!(
            "webhookctl source rotate-secret {} --drop-previous",
            quoted(suspect.name)
        )),
        to_do: None,
    })
}

/// A secret that is not the source's, with which the request verifies by its recipe.
pub(super) fn others(suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
    let recipe = suspect.recipe()?;
    candidates(suspect)
        .into_iter()
        .find_map(|(text, what, enter)| {
            let secret = recipe.secret(&text).ok()?;
            let outcome = judged(&recipe, &[secret], suspect.payload_url, request);
            matches!(outcome, Outcome::Verified(_)).then(|| Finding {
                causes: vec!["secret"],
                what,
                command: Some(format!(
                    "webhookctl source rotate-secret {} --secret-stdin",
                    quoted(suspect.name)
                )),
                to_do: Some(format!("enter {enter}")),
            })
        })
}

/// Texts that may be the secret, each with what is wrong and what to enter.
fn candidates(suspect: &Suspect<'_>) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    if let Some(text) = suspect.tried_secret {
        let what =
            "the secret that you entered signed the request, and the source does not have it";
        all.push((
            text.to_owned(),
            what.to_owned(),
            "the same secret".to_owned(),
        ));
    }
    for (at, secret) in suspect.secrets.iter().enumerate() {
        let number = at + 1;
        for (text, around) in without_wrapping(secret) {
            let what = format!("secret {number} of the source was entered with {around}");
            all.push((text, what, format!("the secret without {around}")));
        }
        let what = format!("secret {number} of the source was entered without whsec_ before it");
        let enter = "all of the secret, with whsec_".to_owned();
        all.push((format!("whsec_{}", trimmed(secret)), what, enter));
    }
    for (source, secret) in suspect.others {
        let what = format!(
            "the request was signed with a secret of the source {source}: the secrets were confused, or the \
             Payload URLs"
        );
        all.push((secret.clone(), what, format!("the secret of {source}")));
    }
    all
}

/// The secret without what is copied along with secrets.
fn without_wrapping(secret: &str) -> Vec<(String, &'static str)> {
    let secret = trimmed(secret);
    let mut texts = Vec::new();
    for quote in ['"', '\'', '`'] {
        let inner = secret
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        texts.extend(inner.map(|inner| (inner.to_owned(), "quotes around it")));
    }
    if let Some(rest) = secret.strip_prefix("whsec_") {
        texts.push((rest.to_owned(), "whsec_ before it"));
    }
    if let Some((name, value)) = secret.split_once('=')
        && !value.is_empty()
        && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    {
        texts.push((value.to_owned(), "its name before it"));
    }
    texts
}
