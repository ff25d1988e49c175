//! One attempt: the body is made, signed, posted, and the answer noted. What the answer comes to is
//! decided by `outcome`, and what is done about it by `settle`.

use super::body::body;
use super::guard::Target;
use super::history::{Attempt, MAX_RESPONSE, Record, Sent, UNREAD};
use super::job::{Job, Verdict};
use super::load::{Loaded, Loads};
use super::outcome::{Outcome, again, classify};
use super::plan::{HEADERS, SECRET};
use super::request::{
    HeaderError, SIGNATURE, UnusableSecret, check_headers, is_reserved, signatures,
};
use super::sender::{Reply, Request, SendError};
use super::{Delivery, random};
use crate::endpoints::{DEFAULT_RETRY, Endpoint};
use crate::seal::SealError;
use crate::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::time::Instant;
use tokio::sync::Notify;

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

/// Why no request was made: by the endpoint's settings, or as KMS was out of reach.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// A secret was not opened.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// A secret is of another scheme.
    #[error("{0}")]
    Secret(#[from] UnusableSecret),
    /// There is none, and nothing is sent without a signature.
    #[error("the endpoint has no secret that signs: run `webhookctl endpoint rotate-secret {0}`")]
    NoSecret(String),
    /// A header of its own is none that a request may have.
    #[error("a header of the endpoint cannot be sent: {0}")]
    Header(#[from] HeaderError),
}

impl AttemptError {
    /// Why the deliveries of the endpoint are held, if its settings are the reason.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Seal(error) if !error.is_refusal() => None,
            Self::Seal(_) | Self::Secret(_) | Self::NoSecret(_) => Some(SECRET),
            Self::Header(_) => Some(HEADERS),
        }
    }
}

impl Delivery {
    /// Tries a delivery once, and adds the attempt to its record; none if KMS was out of reach, which is logged:
    /// nothing is counted, and the delivery is to come again. `sent` is notified when a request begins to be sent.
    pub(super) async fn try_once<'a>(
        &self,
        mut job: Job<'a>,
        endpoint: &Endpoint,
        loads: &Loads,
        sent: &Notify,
    ) -> Option<(Job<'a>, Verdict)> {
        let tried = match loads.get(&job.record.event) {
            Some(Loaded::Body {
                bytes,
                content_type,
            }) => {
                self.attempt(endpoint, &mut job.record, content_type, bytes, sent)
                    .await
            }
            Some(Loaded::Gone(reason)) => Ok(Tried::Skip(reason.clone())),
            Some(Loaded::Later) => return None,
            Some(Loaded::Failed) | None => {
                let outcome = unread(&mut job.record, Timestamp::now());
                return Some((job, Verdict::Unread(outcome)));
            }
        };
        let verdict = match tried {
            Ok(Tried::Outcome(outcome)) => Verdict::Tried(outcome),
            Ok(Tried::Skip(reason)) => Verdict::Skip(reason),
            Err(error) => {
                tracing::error!(delivery.id = job.record.id, %error, "delivery is not tried");
                Verdict::Faulty(error.reason()?)
            }
        };
        Some((job, verdict))
    }

    /// Makes an attempt with what was recorded of the event; a ping needs nothing of it.
    pub(super) async fn attempt(
        &self,
        endpoint: &Endpoint,
        record: &mut Record,
        content_type: &str,
        raw: &[u8],
        sent: &Notify,
    ) -> Result<Tried, AttemptError> {
        let (content_type, body) = match body(endpoint.format, &record.event, content_type, raw) {
            Ok(body) => body,
            Err(error) => return Ok(Tried::Skip(error.to_string())),
        };
        let now = Timestamp::now();
        check_headers(&endpoint.headers)?;
        let secrets = self.secrets(endpoint, now).await?;
        let signatures = signatures(endpoint, &secrets, &record.id, now.as_second(), &body)?;
        let headers = headers(endpoint, &content_type, &signatures);
        let sendable = header_map(&headers)?;
        let spelled = spelled(&headers);
        let started = Instant::now();
        let answer = self.post(endpoint, sendable, spelled, body, sent).await;
        let attempt = noted(&answer, now, started);
        record.tried(attempt, told(endpoint, headers));
        let jitter = random();
        Ok(Tried::Outcome(classify(
            &answer,
            record.failures,
            &endpoint.retry,
            Timestamp::now(),
            jitter,
        )))
    }

    /// The secrets that sign now.
    async fn secrets(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Vec<Secret>, AttemptError> {
        let mut secrets = Vec::new();
        let signs = |until: Option<i64>| until.is_none_or(|until| until > now.as_second());
        let signing = endpoint.secrets.iter().filter(|it| signs(it.until));
        let signing: Vec<_> = signing.map(|it| &*it.ciphertext).collect();
        self.seal.retain(&endpoint.id, &signing).await;
        for ciphertext in signing {
            secrets.push(self.seal.open(&endpoint.id, ciphertext).await?);
        }
        if secrets.is_empty() {
            return Err(AttemptError::NoSecret(endpoint.id.clone()));
        }
        Ok(secrets)
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        headers: HeaderMap,
        spelled: Vec<String>,
        body: Vec<u8>,
        sent: &Notify,
    ) -> Result<Reply, SendError> {
        let target = Target::parse(&endpoint.url, self.policy).map_err(SendError::Denied)?;
        let request = Request {
            endpoint: endpoint.id.clone(),
            target,
            headers,
            spelled,
            body: body.into(),
            timeout: endpoint.timeout(),
        };
        self.sender.post(request, sent).await
    }
}

/// All headers, ours last. Of its own, an endpoint has none that could pass for ours or frame the body otherwise.
fn headers(
    endpoint: &Endpoint,
    content_type: &str,
    signatures: &[(String, String)],
) -> Vec<(String, String)> {
    let ours = [("content-type", content_type), ("user-agent", USER_AGENT)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = endpoint
        .headers
        .iter()
        .filter(|(name, _)| !is_reserved(name));
    let own = own.cloned();
    own.chain(ours).chain(signatures.iter().cloned()).collect()
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let invalid = || HeaderError::Invalid(name.clone());
        let value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?,
            value,
        );
    }
    Ok(map)
}

/// The names that are not in lower case, as the operator spells them. Of one that is there twice, the last is sent.
fn spelled(headers: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in headers {
        names.retain(|it| !it.eq_ignore_ascii_case(name));
        names.push(name);
    }
    names.retain(|it| it.contains(|letter: char| letter.is_ascii_uppercase()));
    names.into_iter().cloned().collect()
}

/// Notes that an event could not be read, and when it is tried again. An endpoint that is tried once only does not
/// give up a delivery for that.
fn unread(record: &mut Record, now: Timestamp) -> Outcome {
    record.add(Attempt {
        at: now.as_millisecond(),
        duration_ms: 0,
        status: None,
        error: Some(UNREAD.to_owned()),
        response: None,
    });
    again(record.unread().saturating_sub(1), &DEFAULT_RETRY, random())
}

/// What is told of a request.
fn told(endpoint: &Endpoint, mut headers: Vec<(String, String)>) -> Sent {
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
