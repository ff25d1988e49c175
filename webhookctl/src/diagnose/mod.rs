//! Why a rejected request was rejected, and the one change of its source with which it verifies.
//!
//! Nothing here calls AWS. A finding is never a guess: each change was made to the source's fields, and the
//! request verified with them, by the code that the gateway verifies with.

mod bodies;
mod candidates;
mod change;
mod observed;
mod offers;
mod secrets;
#[cfg(test)]
mod tests;
mod urls;

pub(crate) use offers::{Offer, Offers};
pub(crate) use urls::host;

use crate::settings::Setting;
use change::Change;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::providers::Incoming;
use webhook_gateway::providers::recipe::{Kind, Recipe, Scheme, SecretError};
use webhook_gateway::providers::verify::VerifyError;

/// A rejected request, as far as it was kept.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Empty if it was not kept.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When it came.
    pub(crate) at: Timestamp,
}

/// The source that rejected it, as it is configured now.
#[derive(Debug, Clone)]
pub(crate) struct Suspect<'a> {
    pub(crate) name: &'a str,
    pub(crate) provider: &'a str,
    /// The fields of its recipe that the source has itself.
    pub(crate) fields: &'a Map<String, Value>,
    pub(crate) secrets: &'a [String],
    pub(crate) payload_url: &'a str,
    /// The secrets of other sources, each with the name of its source.
    pub(crate) others: &'a [(String, String)],
    /// A secret to try, which the source does not have.
    pub(crate) tried_secret: Option<&'a str>,
    /// A URL to try, as the provider may call it.
    pub(crate) tried_url: Option<&'a str>,
    /// Hosts that may stand in the URL which the provider calls.
    pub(crate) hosts: &'a [String],
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Diagnosis {
    /// The explanations that were tried and hold.
    pub(crate) findings: Vec<Finding>,
    /// If there is none, what it still may be.
    pub(crate) left: Vec<String>,
}

/// An explanation with which the request verifies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The fields or the things that are not as they should be.
    pub(crate) causes: Vec<&'static str>,
    /// A sentence.
    pub(crate) what: String,
    /// The command after which the request verifies; none if no setting of the gateway can help.
    pub(crate) command: Option<String>,
    /// What to do at the same time, or instead of a command.
    pub(crate) to_do: Option<String>,
}

/// What becomes of the request by some recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// By the secret at this position.
    Verified(Option<usize>),
    /// It would verify, if its timestamp were within the tolerance.
    Skewed(SignedDuration),
    Not(VerifyError),
    /// The fields or the secrets are no recipe.
    Unusable,
}

/// Finds out why a request does not verify.
pub(crate) fn diagnose(suspect: &Suspect<'_>, request: &Request) -> Diagnosis {
    let found = suspect
        .as_it_is(request)
        .or_else(|| secrets::unusable(suspect, request))
        .or_else(|| skew(suspect, request))
        .or_else(|| bodies::changed(suspect, request))
        .or_else(|| secrets::others(suspect, request))
        .or_else(|| candidates::best(suspect, request));
    match found {
        Some(finding) => Diagnosis {
            findings: vec![finding],
            left: Vec::new(),
        },
        None => Diagnosis {
            findings: Vec::new(),
            left: left(suspect, request),
        },
    }
}

impl Suspect<'_> {
    /// The request by the source as it is.
    fn outcome(&self, request: &Request) -> Outcome {
        outcome(self, self.provider, self.fields, self.secrets, request)
    }

    fn as_it_is(&self, request: &Request) -> Option<Finding> {
        let Outcome::Verified(secret) = self.outcome(request) else {
            return None;
        };
        let by = match (secret, self.secrets.len()) {
            (Some(at), many) if many > 1 => format!(", by secret {} of {many}", at + 1),
            _ => String::new(),
        };
        Some(Finding {
            causes: vec!["changed-since"],
            what: format!("the source was changed since then: the request verifies now{by}"),
            command: Some(format!(
                "webhookctl quarantine release --rejected --source {}",
                self.name
            )),
            to_do: None,
        })
    }

    fn recipe(&self) -> Option<Recipe> {
        Recipe::of_source(self.provider, self.fields).ok()
    }
}

/// The request by a recipe of these fields, if all secrets can be used with it: a source with one that
/// cannot is disabled.
fn outcome(
    suspect: &Suspect<'_>,
    provider: &str,
    fields: &Map<String, Value>,
    secrets: &[String],
    request: &Request,
) -> Outcome {
    let Ok(recipe) = Recipe::of_source(provider, fields) else {
        return Outcome::Unusable;
    };
    let secrets: Result<Vec<Secret>, SecretError> =
        secrets.iter().map(|text| recipe.secret(text)).collect();
    match secrets {
        Ok(secrets) => judged(&recipe, &secrets, suspect.payload_url, request),
        Err(_) => Outcome::Unusable,
    }
}

fn judged(recipe: &Recipe, secrets: &[Secret], payload_url: &str, request: &Request) -> Outcome {
    let incoming = Incoming {
        method: &request.method,
        query: &request.query,
        headers: &request.headers,
        body: &request.body,
    };
    match recipe.verify(&incoming, secrets, payload_url, request.at) {
        Ok(webhook) => Outcome::Verified(webhook.secret()),
        Err(VerifyError::Timestamp { skew, .. }) => Outcome::Skewed(skew),
        Err(error) => Outcome::Not(error),
    }
}

/// A request whose signature is right, and whose time is not.
fn skew(suspect: &Suspect<'_>, request: &Request) -> Option<Finding> {
    let Outcome::Skewed(skew) = suspect.outcome(request) else {
        return None;
    };
    let change = Change::default().with_tolerance(skew);
    change.finding(suspect, request)
}

/// What it still may be, if no change makes the request verify.
fn left(suspect: &Suspect<'_>, request: &Request) -> Vec<String> {
    let name = suspect.name;
    let mut left = Vec::new();
    let recipe = match Recipe::of_source(suspect.provider, suspect.fields) {
        Ok(recipe) => recipe,
        Err(error) => {
            return vec![format!(
                "the source is disabled: {error}; `webhookctl source update {name} --set FIELD=VALUE` \
                 corrects the field"
            )];
        }
    };
    if let Outcome::Not(error) = suspect.outcome(request) {
        left.push(format!("with the source as it is: {error}"));
    }
    if let Some(changed) = lost(request) {
        left.push(changed);
    }
    if recipe.is_kept_without_credentials() {
        left.push(
            "the gateway keeps no value of the header Authorization: what it held can neither be tried nor \
             released. Once the secret is right, the provider has to send the webhook again"
                .to_owned(),
        );
    } else if observed::signatures(&request.headers, &[]).is_empty()
        && matches!(recipe.scheme(), Scheme::Signed(_))
    {
        let kept = request.headers.keys().map(|name| name.as_str());
        left.push(format!(
            "no header of the request has anything that looks like a signature, of those that were kept \
             ({}): sign the webhooks at the provider, or look for the name of the header there",
            kept.collect::<Vec<_>>().join(", ")
        ));
    }
    let count = suspect.secrets.len();
    if count == 0 {
        left.push(match suspect.is_offered_secrets() {
            true => "the source has no secret, and no handshake that was kept brought the one that signed \
                     the request: create the webhook at the provider again, while the source waits"
                .to_owned(),
            false => format!(
                "the source has no secret: `webhookctl source rotate-secret {name} --secret-stdin` gives it \
                 the provider's"
            ),
        });
    }
    let is_by_key = match recipe.scheme() {
        Scheme::Signed(signing) => matches!(signing.kind, Kind::PublicKey(_)),
        _ => false,
    };
    let what = if is_by_key { "public key" } else { "secret" };
    left.push(format!(
        "the provider has another {what} than the source ({count} tried): copy it anew, and try it with \
         `webhookctl source diagnose {name} --secret-stdin`, which stores nothing"
    ));
    if recipe.signs_url() {
        let url = recipe.url(suspect.payload_url);
        left.push(format!(
            "the provider calls another URL than {url}: copy it from the provider's settings, and try it \
             with `webhookctl source diagnose {name} --url URL`"
        ));
    }
    left.push("something between the provider and the gateway changes the body".to_owned());
    left.push(
        "the provider signs in a way that no preset and no usual template has: read its document"
            .to_owned(),
    );
    left
}

/// Why the body cannot be the one that was signed, if that shows.
fn lost(request: &Request) -> Option<String> {
    let encoding = request.headers.get(CONTENT_ENCODING);
    let encoding = encoding.and_then(|value| value.to_str().ok());
    if let Some(encoding) = encoding.filter(|name| !name.eq_ignore_ascii_case("identity")) {
        return Some(format!(
            "the body was sent compressed ({encoding}), and API Gateway damages compressed text: send it \
             uncompressed"
        ));
    }
    let is_damaged = std::str::from_utf8(&request.body).is_ok_and(|text| text.contains('\u{fffd}'));
    is_damaged.then(|| {
        "the body has U+FFFD, which API Gateway puts in the place of bytes that are not UTF-8: the provider \
         must send UTF-8, or another content type than application/json"
            .to_owned()
    })
}

/// A duration as a person writes it.
fn seconds(duration: SignedDuration) -> String {
    format!("{} seconds", duration.as_secs().unsigned_abs())
}

/// A setting of the tolerance that a skew is within, in whole minutes.
fn tolerance(skew: SignedDuration) -> Setting {
    let minutes = skew.abs().as_secs() / 60 + 1;
    Setting::of("timestamp_tolerance", format!("{minutes}m").into())
}
