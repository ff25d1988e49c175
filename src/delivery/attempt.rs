//! One attempt: the body is made, signed, posted, and the answer noted. What the answer comes to is
//! decided by `outcome`, and what is done about it by `settle`.

use super::body::body;
use super::guard::Target;
use super::history::{Attempt, MAX_RESPONSE, Record, Sent};
use super::job::{Job, Verdict};
use super::load::{Loaded, Loads};
use super::outcome::{Outcome, classify};
use super::request::{SIGNATURE, UnusableSecret, signatures};
use super::sender::{Reply, Request, SendError};
use super::{Delivery, random};
use crate::endpoints::Endpoint;
use crate::seal::SealError;
use crate::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::time::Instant;

/// What receivers see of us.
const USER_AGENT: &str = concat!("webhook-gateway/", env!("CARGO_PKG_VERSION"));

/// What is kept in the place of a signature.
const REDACTED: &str = "[REDACTED]";

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Tried {
    /// It was made, and stands in the record.
    Outcome(Outcome),
    /// It was not made, and never can be.
    Skip(String),
}

/// Why an attempt was not made, by no fault of the endpoint's: the message comes again, and nothing is counted.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// A secret was not opened.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// A secret is of another scheme.
    #[error("{0}")]
    Secret(#[from] UnusableSecret),
}

impl Delivery {
    /// Tries a delivery once, and adds the attempt to its record; none if that failed by our own fault, which is
    /// logged: nothing is counted, and the delivery is to come again.
    pub(super) async fn try_once<'a>(
        &self,
        mut job: Job<'a>,
        endpoint: &Endpoint,
        loads: &Loads,
    ) -> Option<(Job<'a>, Verdict)> {
        let tried = match loads.get(&job.record.event) {
            Some(Loaded::Body {
                bytes,
                content_type,
            }) => {
                self.attempt(endpoint, &mut job.record, content_type, bytes)
                    .await
            }
            Some(Loaded::Gone(reason)) => Ok(Tried::Skip(reason.clone())),
            Some(Loaded::Failed) | None => return None,
        };
        match tried {
            Ok(Tried::Outcome(outcome)) => Some((job, Verdict::Tried(outcome))),
            Ok(Tried::Skip(reason)) => Some((job, Verdict::Skip(reason))),
            Err(error) => {
                tracing::error!(delivery.id = job.record.id, %error, "delivery is not tried");
                None
            }
        }
    }

    /// Makes an attempt with what was recorded of the event; a ping needs nothing of it.
    pub(super) async fn attempt(
        &self,
        endpoint: &Endpoint,
        record: &mut Record,
        content_type: &str,
        raw: &[u8],
    ) -> Result<Tried, AttemptError> {
        let (content_type, body) = match body(endpoint.format, &record.event, content_type, raw) {
            Ok(body) => body,
            Err(error) => return Ok(Tried::Skip(error.to_string())),
        };
        let now = Timestamp::now();
        let secrets = self.secrets(endpoint, now).await?;
        let signatures = signatures(endpoint, &secrets, &record.id, now.as_second(), &body)?;
        let headers = headers(endpoint, &content_type, &signatures);
        let Some(sendable) = header_map(&headers) else {
            return Ok(Tried::Skip(
                "a header of the endpoint is not valid: update the endpoint".to_owned(),
            ));
        };
        let started = Instant::now();
        let answer = self.post(endpoint, sendable, body).await;
        let attempt = noted(&answer, now, started);
        record.tried(attempt, sent(endpoint, headers));
        let attempts = record.scheduled_attempts();
        let jitter = random();
        Ok(Tried::Outcome(classify(
            &answer,
            attempts,
            &endpoint.retry,
            Timestamp::now(),
            jitter,
        )))
    }

    /// The secrets that sign now.
    async fn secrets(&self, endpoint: &Endpoint, now: Timestamp) -> Result<Vec<Secret>, SealError> {
        let mut secrets = Vec::new();
        let signs = |until: Option<i64>| until.is_none_or(|until| until > now.as_second());
        for sealed in endpoint.secrets.iter().filter(|it| signs(it.until)) {
            secrets.push(self.seal.open(&endpoint.id, &sealed.ciphertext).await?);
        }
        Ok(secrets)
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, SendError> {
        let target = Target::parse(&endpoint.url, self.policy).map_err(SendError::Denied)?;
        let request = Request {
            endpoint: endpoint.id.clone(),
            target,
            headers,
            body: body.into(),
            timeout: endpoint.timeout(),
        };
        self.sender.post(request).await
    }
}

/// All headers, ours last: an endpoint's own cannot pass for them.
fn headers(
    endpoint: &Endpoint,
    content_type: &str,
    signatures: &[(String, String)],
) -> Vec<(String, String)> {
    let ours = [("content-type", content_type), ("user-agent", USER_AGENT)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = endpoint.headers.iter().cloned();
    own.chain(ours).chain(signatures.iter().cloned()).collect()
}

fn header_map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.insert(name, HeaderValue::from_str(value).ok()?);
    }
    Some(map)
}

fn sent(endpoint: &Endpoint, mut headers: Vec<(String, String)>) -> Sent {
    let signature = endpoint.signature_header.as_deref().unwrap_or(SIGNATURE);
    for (name, value) in &mut headers {
        if name.eq_ignore_ascii_case(signature) || name == SIGNATURE {
            REDACTED.clone_into(value);
        }
    }
    Sent {
        url: endpoint.url.clone(),
        headers,
    }
}

fn noted(answer: &Result<Reply, SendError>, at: Timestamp, started: Instant) -> Attempt {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let attempt = Attempt {
        at: at.as_millisecond(),
        duration_ms,
        status: None,
        error: None,
        response: None,
    };
    match answer {
        Ok(reply) => {
            let beginning = reply.body.get(..MAX_RESPONSE).unwrap_or(&reply.body);
            let response = String::from_utf8_lossy(beginning).into_owned();
            Attempt {
                status: Some(reply.status),
                response: (!response.is_empty()).then_some(response),
                ..attempt
            }
        }
        Err(error) => Attempt {
            error: Some(error.class().to_owned()),
            ..attempt
        },
    }
}
