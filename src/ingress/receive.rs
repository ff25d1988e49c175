//! The HTTP path: a webhook becomes an item of the ledger, and only then gets its answer.

use super::{IngressError, IngressFunction, Request, handshake, response};
use crate::metrics::RequestLine;
use crate::providers::recipe::Recipe;
use crate::providers::verify::VerifyError;
use crate::providers::{Incoming, Verified};
use crate::store::journal::{Rejected, Ring};
use crate::store::ledger::{KEPT_HEADERS, NewItem, Recorded};
use crate::store::sources::{Source, SourceTable};
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// What the names of headers have in them that may authenticate a request.
const TELLING: [&str; 8] = [
    "signature",
    "hmac",
    "token",
    "timestamp",
    "digest",
    "auth",
    "webhook-id",
    "svix-id",
];

/// A request without its 2xx.
struct Rejection {
    error: IngressError,
    /// Whether the provider insists on an answer without a body.
    is_bodiless: bool,
}

impl Rejection {
    fn of(error: IngressError, recipe: Option<&Recipe>) -> Self {
        let response = recipe.and_then(Recipe::response);
        Self {
            error,
            is_bodiless: response.is_some_and(|response| response.body.is_empty()),
        }
    }
}

impl<E: Into<IngressError>> From<E> for Rejection {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            is_bodiless: false,
        }
    }
}

/// What a source says of a request: the source, and whether the request is authentic.
type Verdict<'a> = (Arc<Source>, Result<Verified<'a>, VerifyError>);

impl IngressFunction {
    /// Answers a request, and writes one line about it.
    pub(super) async fn receive(&self, request: Request) -> ApiGatewayV2httpResponse {
        let started = Instant::now();
        let mut line = RequestLine::begin();
        let answer = self.answer(request, &mut line).await;
        let response = answer.unwrap_or_else(|Rejection { error, is_bodiless }| {
            line.count(if error.status() < 500 {
                "rejected"
            } else {
                "failed"
            });
            line.reason = Some(error.to_string());
            response::refusal(&error, is_bodiless)
        });
        line.status = u16::try_from(response.status_code).unwrap_or_default();
        line.request_ms = started.elapsed();
        self.metrics.request(line);
        response
    }

    async fn answer(
        &self,
        request: Request,
        line: &mut RequestLine,
    ) -> Result<ApiGatewayV2httpResponse, Rejection> {
        if request.method != "POST" {
            return Ok(self.answer_handshake(&request, line).await?);
        }
        let (name, headers) = (request.source, request.headers);
        let body = request.body?;
        let incoming = Incoming {
            method: "POST",
            query: &request.query,
            headers: &headers,
            body: &body,
        };
        let received_at = request.received_at.unwrap_or_else(Timestamp::now);
        let verdict = self.authenticate(&name, &incoming, received_at, line);
        let (source, error) = match verdict.await {
            Err(error) => (None, error),
            Ok((source, verified)) => {
                let webhook = verified.as_ref().ok().copied();
                if let Some(answer) = handshake::answered(&name, &source, &incoming, webhook) {
                    let offered = handshake::offered(name, request.target, &headers, received_at);
                    return Ok(self.complete_handshake(answer?, offered, line).await?);
                }
                match verified {
                    Err(error) => (Some(source), error.into()),
                    Ok(webhook) => {
                        line.secret_position = webhook.secret();
                        let echo = source.recipe.echo(&incoming, source.secrets());
                        let new = NewItem::of(name, &source, webhook, &headers, Timestamp::now());
                        let (outcome, id) = self.record(&new, body, line).await?;
                        let insisted = source.recipe.response();
                        return Ok(response::recorded(outcome, &id, insisted, echo));
                    }
                }
            }
        };
        let error = explained(error, &headers, &body, request.is_text);
        let recipe = source.as_deref().map(|source| &source.recipe);
        if let Some(ring) = ring(&error, &headers) {
            let rejected = Rejected {
                source: name,
                at: received_at,
                reason: error.to_string(),
                ring,
                target: request.target,
                headers: rejected_headers(recipe, &headers),
            };
            self.keep_rejected(rejected, body, line).await;
        }
        Err(Rejection::of(error, recipe))
    }

    /// Whether the webhook is authentic. If it is not, by sources that may be outdated, they are read anew.
    async fn authenticate<'a>(
        &self,
        name: &str,
        incoming: &Incoming<'a>,
        received_at: Timestamp,
        line: &mut RequestLine,
    ) -> Result<Verdict<'a>, IngressError> {
        let now = Instant::now();
        let table = self.sources.current(now).await?;
        label(&table, name, line);
        let verdict = self.verify(&table, name, incoming, received_at);
        if !is_miss(&verdict) {
            return verdict;
        }
        let Some(table) = self.sources.after_miss(now).await? else {
            return verdict;
        };
        label(&table, name, line);
        self.verify(&table, name, incoming, received_at)
    }

    /// Whether the webhook is authentic by what a table of sources says.
    fn verify<'a>(
        &self,
        table: &SourceTable,
        name: &str,
        incoming: &Incoming<'a>,
        received_at: Timestamp,
    ) -> Result<Verdict<'a>, IngressError> {
        let source = find(table, name)?;
        let payload_url = match source.recipe.signs_url() {
            true => format!("{}/{name}", self.webhook_url),
            false => String::new(),
        };
        let verified = source.verify(incoming, &payload_url, received_at);
        Ok((source, verified))
    }

    /// Keeps a request that is rejected by a source that exists: the mistake may be in its configuration.
    async fn keep_rejected(&self, rejected: Rejected, body: Vec<u8>, line: &mut RequestLine) {
        let kept = self.keep(rejected, body, self.rejected_patience).await;
        if let Err(error) = kept {
            line.not_kept(&error);
        }
    }

    /// Records the webhook; only after that there is a 2xx. Returns the outcome, and the id of the event.
    async fn record(
        &self,
        new: &NewItem,
        body: Vec<u8>,
        line: &mut RequestLine,
    ) -> Result<(&'static str, String), IngressError> {
        let body = self.payloads.store_if_large(body, &new.digest).await?;
        let (outcome, id) = match self.ledger.record(new, &body, self.retention).await? {
            Recorded::New if new.reason.is_some() => ("quarantined", new.event.id.clone()),
            Recorded::New => ("accepted", new.event.id.clone()),
            Recorded::Duplicate { id } => ("duplicate", id),
            Recorded::Conflict { id } => ("conflict", id),
        };
        line.count(outcome);
        line.reason.clone_from(&new.reason);
        line.event_id = Some(id.clone());
        Ok((outcome, id))
    }
}

/// The error, or what makes a right secret make another signature.
fn explained(error: IngressError, headers: &HeaderMap, body: &[u8], is_text: bool) -> IngressError {
    if !matches!(error, IngressError::NotAuthentic(VerifyError::Mismatch)) {
        return error;
    }
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let is_identity = |name: &[u8]| name.is_empty() || name.eq_ignore_ascii_case(b"identity");
    if let Some(encoding) = encoding.filter(|encoding| !is_identity(encoding)) {
        let encoding = shortened(&String::from_utf8_lossy(encoding));
        return IngressError::Altered(format!("the body is compressed ({encoding:?})"));
    }
    if is_text && memchr::memmem::find(body, "\u{fffd}".as_bytes()).is_some() {
        let why =
            "the body has U+FFFD, which API Gateway puts in the place of bytes that are not UTF-8";
        return IngressError::Altered(why.to_owned());
    }
    error
}

pub(super) fn label(table: &SourceTable, name: &str, line: &mut RequestLine) {
    if let Some(source) = table.get(name) {
        name.clone_into(&mut line.source);
        line.provider = source.as_ref().map_or("unknown", |source| source.provider);
    }
}

pub(super) fn find(table: &SourceTable, name: &str) -> Result<Arc<Source>, IngressError> {
    let source = table
        .get(name)
        .ok_or_else(|| IngressError::UnknownSource(shortened(name)))?;
    source.clone().map_err(IngressError::SourceDisabled)
}

/// As much of a stranger's text as is fit for a log.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Whether newer sources could answer otherwise.
fn is_miss(verdict: &Result<Verdict<'_>, IngressError>) -> bool {
    match verdict {
        Ok((_, verified)) => *verified == Err(VerifyError::Mismatch),
        Err(error) => matches!(
            error,
            IngressError::UnknownSource(_) | IngressError::SourceDisabled(_)
        ),
    }
}

/// Where a rejected request is kept, if its source exists. Whoever sends no signature is not taken for its
/// provider.
fn ring(error: &IngressError, headers: &HeaderMap) -> Option<Ring> {
    let is_signed = match error {
        IngressError::NotAuthentic(error) => {
            matches!(error, VerifyError::Mismatch | VerifyError::Timestamp { .. })
        }
        // Its signature was well formed, and did not match.
        IngressError::Altered(_) => true,
        // Nobody looked at the signature.
        IngressError::SourceDisabled(_) => headers.keys().any(is_telling),
        _ => return None,
    };
    Some(if is_signed {
        Ring::Signed
    } else {
        Ring::Unsigned
    })
}

/// Whether a header may be one that authenticates a request, in the recipe of any source.
fn is_telling(name: &HeaderName) -> bool {
    TELLING.iter().any(|part| name.as_str().contains(part))
}

/// The headers of a rejected request, the most important ones first: those that its source looks at, those
/// that another recipe may look at, and those that the event would be made of.
fn rejected_headers(recipe: Option<&Recipe>, headers: &HeaderMap) -> Vec<(String, String)> {
    let authenticating = recipe.map(Recipe::authenticating_headers);
    let of_event = recipe.map(Recipe::event_headers);
    let telling = headers.keys().filter(|name| is_telling(name));
    let names = authenticating.into_iter().flatten().chain(telling);
    kept_headers(names.chain(of_event.into_iter().flatten()), headers)
}

/// These headers of a request, and those that every request is kept with.
pub(super) fn kept_headers<'n>(
    names: impl Iterator<Item = &'n HeaderName>,
    headers: &HeaderMap,
) -> Vec<(String, String)> {
    // A provider that signs the URL may call the gateway by another host.
    let names = names
        .map(HeaderName::as_str)
        .chain(KEPT_HEADERS)
        .chain(["host"]);
    let mut kept: Vec<(String, String)> = Vec::new();
    for name in names {
        if let Some(value) = headers.get(name)
            && kept.iter().all(|(known, _)| known != name)
        {
            let value = String::from_utf8_lossy(value.as_bytes());
            // A user and a password, or a token, may be those of another service.
            let value = match name == AUTHORIZATION {
                true => value.split(' ').next().unwrap_or_default().to_owned(),
                false => value.into_owned(),
            };
            kept.push((name.to_owned(), value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_rejected_request_keeps_what_may_authenticate_it_first_and_no_credentials() {
        let entry = json!({"provider": "github", "secrets": ["s"]});
        let source = Source::parse("code", &entry).unwrap();
        let headers = headers(&[
            ("user-agent", "GitHub-Hookshot/1"),
            ("accept", "*/*"),
            ("authorization", "Bearer hunter2"),
            ("x-other-hmac", "1"),
            ("x-github-event", "push"),
            ("x-hub-signature-256", "sha256=00"),
        ]);
        let kept = rejected_headers(Some(&source.recipe), &headers);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(kept[0], pair("x-hub-signature-256", "sha256=00"));
        let mut rest = kept[1..].to_vec();
        rest.sort();
        let expected = [
            pair("authorization", "Bearer"),
            pair("user-agent", "GitHub-Hookshot/1"),
            pair("x-github-event", "push"),
            pair("x-other-hmac", "1"),
        ];
        assert_eq!(rest, expected);
        // Of a source that is disabled, all that any recipe may look at.
        let kept = rejected_headers(None, &headers);
        assert!(kept.contains(&pair("x-hub-signature-256", "sha256=00")));
    }

    #[test]
    fn a_request_of_another_time_may_be_genuine() {
        let late = VerifyError::Timestamp {
            skew: jiff::SignedDuration::from_hours(1),
            tolerance: jiff::SignedDuration::from_mins(5),
        };
        let none = HeaderMap::new();
        for (error, expected) in [
            (late, Ring::Signed),
            (VerifyError::Mismatch, Ring::Signed),
            (VerifyError::NoToken, Ring::Unsigned),
            (VerifyError::Missing(AUTHORIZATION), Ring::Unsigned),
        ] {
            assert_eq!(ring(&error.into(), &none), Some(expected));
        }
        let disabled = || IngressError::from(crate::store::sources::SourceError::NoSecret);
        assert_eq!(ring(&disabled(), &none), Some(Ring::Unsigned));
        let signed = headers(&[("x-any-signature", "1")]);
        assert_eq!(ring(&disabled(), &signed), Some(Ring::Signed));
    }
}
