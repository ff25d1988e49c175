//! The HTTP path: a webhook becomes an item of the ledger, and only then gets its answer.

use super::{IngressError, IngressFunction, Request, response};
use crate::metrics::RequestLine;
use crate::providers::{Provider, Verified};
use crate::store::journal::{Rejected, Ring};
use crate::store::ledger::{NewItem, Recorded};
use crate::store::sources::{Authentication, Source, SourceTable};
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// The headers that are kept with a webhook; signatures are not.
const KEPT_HEADERS: [&str; 4] = [
    "content-type",
    "content-encoding",
    "user-agent",
    "x-cf-event",
];

impl IngressFunction {
    /// Answers a request, and writes one line about it.
    pub(super) async fn receive(&self, request: Request) -> ApiGatewayV2httpResponse {
        let started = Instant::now();
        let mut line = RequestLine::begin();
        let response = self
            .answer(request, &mut line)
            .await
            .unwrap_or_else(|error| {
                line.count(if error.status() < 500 {
                    "rejected"
                } else {
                    "failed"
                });
                line.reason = Some(error.to_string());
                response::refusal(&error)
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
    ) -> Result<ApiGatewayV2httpResponse, IngressError> {
        let Request {
            source: name,
            headers,
            ..
        } = request;
        match &*request.method {
            "POST" => {}
            "OPTIONS" => return self.answer_validation_request(&name, &headers, line).await,
            method => return Err(IngressError::Method(shortened(method))),
        }
        let body = request.body?;
        let (source, webhook) = match self.authenticate(&name, &headers, &body, line).await {
            Ok(authentic) => authentic,
            Err(error) => {
                let error = explained(error, &headers, &body, request.is_text);
                self.record_rejected(name, &headers, body, &error, line)
                    .await;
                return Err(error);
            }
        };
        line.secret_position = webhook.secret();
        let headers = selected_headers(&headers, KEPT_HEADERS);
        let new = NewItem::of(name, &source, webhook, headers, Timestamp::now());
        self.record(&new, body, line).await
    }

    /// The webhook as authentic. If it is not, by sources that may be outdated, they are read anew.
    async fn authenticate<'a>(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: &'a [u8],
        line: &mut RequestLine,
    ) -> Result<(Arc<Source>, Verified<'a>), IngressError> {
        let now = Instant::now();
        let table = self.sources.current(now).await?;
        label(&table, name, line);
        let error = match verify(&table, name, headers, body) {
            Err(error) if is_miss(&error) => error,
            result => return result,
        };
        let table = self.sources.after_miss(now).await?.ok_or(error)?;
        label(&table, name, line);
        verify(&table, name, headers, body)
    }

    /// Keeps a request that is rejected by a source that exists: the mistake may be in its configuration.
    async fn record_rejected(
        &self,
        name: String,
        headers: &HeaderMap,
        body: Vec<u8>,
        error: &IngressError,
        line: &mut RequestLine,
    ) {
        let Some(ring) = ring(error, headers) else {
            return;
        };
        let signatures = Provider::ALL.map(Provider::signature_header).into_iter();
        let rejected = Rejected {
            source: name,
            at: Timestamp::now(),
            reason: error.to_string(),
            ring,
            headers: selected_headers(headers, signatures.chain(KEPT_HEADERS)),
        };
        let (patience, now) = (self.rejected_patience, Instant::now());
        let keep = self
            .journal
            .keep_rejected(rejected, body, &self.payloads, patience, now);
        if let Err(error) = keep.await {
            line.not_kept(&error);
        }
    }

    /// Records the webhook; only after that there is a 2xx.
    async fn record(
        &self,
        new: &NewItem,
        body: Vec<u8>,
        line: &mut RequestLine,
    ) -> Result<ApiGatewayV2httpResponse, IngressError> {
        let body = self.payloads.store_if_large(body, &new.digest).await?;
        let (outcome, id) = match self.ledger.record(new, &body, self.retention).await? {
            Recorded::New if new.reason.is_some() => ("quarantined", new.event.id.clone()),
            Recorded::New => ("accepted", new.event.id.clone()),
            Recorded::Duplicate { id } => ("duplicate", id),
            Recorded::Conflict { id } => ("conflict", id),
        };
        line.count(outcome);
        line.reason.clone_from(&new.reason);
        let response = response::recorded(outcome, &id);
        line.event_id = Some(id);
        Ok(response)
    }
}

/// The error, or what makes a right secret make another signature.
fn explained(error: IngressError, headers: &HeaderMap, body: &[u8], is_text: bool) -> IngressError {
    use crate::crypto::signature::VerifyError::Mismatch;
    if !matches!(error, IngressError::NotAuthentic(Mismatch)) {
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
        line.provider = source
            .as_ref()
            .map_or("unknown", |source| source.provider.name());
    }
}

pub(super) fn find(table: &SourceTable, name: &str) -> Result<Arc<Source>, IngressError> {
    let source = table
        .get(name)
        .ok_or_else(|| IngressError::UnknownSource(shortened(name)))?;
    source.clone().map_err(IngressError::SourceDisabled)
}

/// As much of a stranger's text as is fit for a log.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// The webhook as authentic by what a table of sources says.
fn verify<'a>(
    table: &SourceTable,
    name: &str,
    headers: &HeaderMap,
    body: &'a [u8],
) -> Result<(Arc<Source>, Verified<'a>), IngressError> {
    let source = find(table, name)?;
    let webhook = match &source.authentication {
        Authentication::Unsigned => Verified::without_signature(body),
        Authentication::Signed(secrets) => {
            let values = headers.get_all(source.provider.signature_header()).iter();
            source
                .provider
                .verify(secrets, values.map(HeaderValue::as_bytes), body)?
        }
    };
    Ok((source, webhook))
}

/// Whether newer sources could answer otherwise.
fn is_miss(error: &IngressError) -> bool {
    use crate::crypto::signature::VerifyError::Mismatch;
    matches!(
        error,
        IngressError::UnknownSource(_)
            | IngressError::SourceDisabled(_)
            | IngressError::NotAuthentic(Mismatch)
    )
}

/// Where a rejected request is kept, if its source exists. Whoever sends no signature is not taken for its
/// provider.
fn ring(error: &IngressError, headers: &HeaderMap) -> Option<Ring> {
    use crate::crypto::signature::VerifyError::Mismatch;
    let is_signed = match error {
        IngressError::NotAuthentic(error) => *error == Mismatch,
        // Its signature was well formed, and did not match.
        IngressError::Altered(_) => true,
        // Nobody looked at the signature.
        IngressError::SourceDisabled(_) => {
            let mut names = Provider::ALL.into_iter().map(Provider::signature_header);
            names.any(|name| headers.contains_key(name))
        }
        _ => return None,
    };
    Some(if is_signed {
        Ring::Signed
    } else {
        Ring::Unsigned
    })
}

/// The headers of these names.
fn selected_headers<'n>(
    headers: &HeaderMap,
    names: impl IntoIterator<Item = &'n str>,
) -> Vec<(String, String)> {
    let value = |name: &str| {
        let value = headers.get(name)?;
        Some((
            name.to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        ))
    };
    names.into_iter().filter_map(value).collect()
}
