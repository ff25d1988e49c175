//! One attempt: the body is made, signed and posted, and the answer noted in the delivery's history.

use super::answer::{answer, remark};
use super::body::body;
use super::lifecycle::{HoldReason, NoAnswer, SkipReason, Tried};
use super::load::{Loaded, Loads, Webhook};
use super::signing::{
    HeaderError, SIGNATURE, UnusableSecret, check_headers, header_map, headers, signatures,
};
use crate::aws::kms::{Seal, SealError};
use crate::crypto::secret::Secret;
use crate::delivery::http::guard::{Policy, Target, without_query};
use crate::delivery::http::sender::{Reply, Request, SendError, Sender, System};
use crate::event::Recording;
use crate::store::deliveries::{Attempt, Delivery, MAX_RESPONSE, Sent, UNREAD};
use crate::store::endpoints::Endpoint;
use crate::store::ledger::Ledger;
use crate::store::payloads::Payloads;
use http::HeaderMap;
use jiff::Timestamp;
use std::time::Instant;
use tokio::sync::Notify;

/// What is kept in the place of a signature and of an endpoint's own header.
const REDACTED: &str = "[REDACTED]";

/// A shorter value is taken for no secret where an answer repeats it.
const MIN_SECRET: usize = 8;

/// What the operator is told of an attempt for which the event could not be read.
const UNREAD_REASON: &str =
    "the gateway cannot read the event's body in the payload bucket; its log says why";

/// All that an attempt needs.
pub(super) struct Attempts {
    pub(super) ledger: Ledger,
    pub(super) payloads: Payloads,
    pub(super) seal: Seal,
    pub(super) sender: Sender<System>,
    pub(super) policy: Policy,
}

/// Why no request was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// A secret was not opened.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// A secret is of another scheme.
    #[error("{0}")]
    Secret(#[from] UnusableSecret),
    /// Nothing is sent without a signature.
    #[error("the endpoint has no secret that signs: run `webhookctl endpoint rotate-secret {0}`")]
    NoSecret(String),
    /// A request must not have a header of the endpoint.
    #[error("a header of the endpoint cannot be sent: {0}")]
    Header(#[from] HeaderError),
    /// The event has no body that can be sent.
    #[error("{0}")]
    NoBody(SkipReason),
}

impl RequestError {
    /// What it means for the delivery; nothing if KMS was out of reach.
    fn no_answer(self) -> Option<NoAnswer> {
        match self {
            Self::Seal(error) if !error.is_refusal() => None,
            Self::Seal(_) | Self::Secret(_) | Self::NoSecret(_) => {
                Some(NoAnswer::Unsendable(HoldReason::Secret))
            }
            Self::Header(_) => Some(NoAnswer::Unsendable(HoldReason::Headers)),
            Self::NoBody(reason) => Some(NoAnswer::Undeliverable(reason)),
        }
    }
}

impl Attempts {
    /// Attempts a delivery once, and adds the attempt to its history. None if KMS was out of reach, which is
    /// logged: nothing is counted, and the delivery comes again. `sent` is notified when a request begins to
    /// be sent.
    pub(super) async fn attempt(
        &self,
        delivery: &mut Delivery,
        endpoint: &Endpoint,
        loads: &Loads,
        sent: &Notify,
    ) -> Option<Tried> {
        let webhook = match loads.get(&delivery.event) {
            Some(Loaded::Webhook(webhook)) => webhook,
            Some(Loaded::Gone(reason)) => {
                return Some(Err(NoAnswer::Undeliverable(reason.clone())));
            }
            Some(Loaded::Later) => return None,
            Some(Loaded::Failed) | None => {
                delivery.add(unread(Timestamp::now()));
                return Some(Err(NoAnswer::Unread));
            }
        };
        match self.request(endpoint, delivery, webhook, sent).await {
            Ok(reply) => Some(Ok(answer(&reply, Timestamp::now()))),
            Err(error) => {
                if !matches!(error, RequestError::NoBody(_)) {
                    tracing::error!(delivery.id = delivery.id, %error, "delivery is not attempted");
                }
                error.no_answer().map(Err)
            }
        }
    }

    /// Makes a request with what was recorded of the event, and notes it; a ping needs nothing of it.
    pub(super) async fn request(
        &self,
        endpoint: &Endpoint,
        delivery: &mut Delivery,
        webhook: &Webhook,
        sent: &Notify,
    ) -> Result<Result<Reply, SendError>, RequestError> {
        let recording = Recording {
            event: &delivery.event,
            fields: &webhook.fields,
            content_type: &webhook.content_type,
            body: &webhook.body,
        };
        let (content_type, body) = body(endpoint.format, recording)
            .map_err(|error| RequestError::NoBody(SkipReason::NoBody(error.to_string())))?;
        let now = Timestamp::now();
        check_headers(&endpoint.headers)?;
        let secrets = self.secrets(endpoint, now).await?;
        let signatures = signatures(endpoint, &secrets, &delivery.id, now.as_second(), &body)?;
        let headers = headers(endpoint, &content_type, &signatures);
        let sendable = header_map(&headers)?;
        let spelled = spelled(&headers);
        let started = Instant::now();
        let reply = self.post(endpoint, sendable, spelled, body, sent).await;
        let mut attempt = noted(&reply, now, started);
        if let Ok(reply) = &reply {
            let response = beginning(&reply.body, endpoint, &headers);
            attempt.response = Some(response).filter(|text| !text.is_empty());
        }
        delivery.tried(attempt, shown(endpoint, &headers));
        Ok(reply)
    }

    /// The secrets that sign now.
    async fn secrets(
        &self,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Vec<Secret>, RequestError> {
        let mut secrets = Vec::new();
        let signs = |until: Option<i64>| until.is_none_or(|until| until > now.as_second());
        let signing = endpoint.secrets.iter().filter(|secret| signs(secret.until));
        let signing: Vec<_> = signing.map(|secret| &*secret.ciphertext).collect();
        self.seal.retain(&endpoint.id, &signing).await;
        for ciphertext in signing {
            secrets.push(self.seal.open(&endpoint.id, ciphertext).await?);
        }
        if secrets.is_empty() {
            return Err(RequestError::NoSecret(endpoint.id.clone()));
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

/// The names that are not in lower case, as the operator spells them. Of one that is there twice, the last is
/// sent.
fn spelled(headers: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in headers {
        names.retain(|other| !other.eq_ignore_ascii_case(name));
        names.push(name);
    }
    names.retain(|name| name.contains(|letter: char| letter.is_ascii_uppercase()));
    names.into_iter().cloned().collect()
}

/// The attempt of a delivery whose event could not be read.
fn unread(now: Timestamp) -> Attempt {
    Attempt {
        at: now.as_millisecond(),
        duration_ms: 0,
        status: None,
        error: Some(UNREAD.to_owned()),
        reason: Some(UNREAD_REASON.to_owned()),
        response: None,
    }
}

/// What the operator is shown of a request: no value that may be a credential, and no query.
fn shown(endpoint: &Endpoint, headers: &[(String, String)]) -> Sent {
    let headers = headers.iter().map(|(name, value)| {
        let value = if is_secret(endpoint, name) {
            REDACTED
        } else {
            value
        };
        (name.clone(), value.to_owned())
    });
    Sent {
        url: without_query(&endpoint.url),
        headers: headers.collect(),
    }
}

/// Whether the value of a header is kept secret: that of a signature, and of each of the endpoint's own.
fn is_secret(endpoint: &Endpoint, name: &str) -> bool {
    let signature = endpoint.signature_header.as_deref().unwrap_or(SIGNATURE);
    let own = endpoint.headers.iter().map(|(name, _)| &**name);
    let mut secret = own.chain([signature, SIGNATURE]);
    secret.any(|other| other.eq_ignore_ascii_case(name))
}

/// The beginning of an answer, without what it repeats of the secrets that were sent to it.
fn beginning(body: &[u8], endpoint: &Endpoint, headers: &[(String, String)]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    let values = headers.iter().filter(|(name, _)| is_secret(endpoint, name));
    let values = values.map(|(_, value)| &**value);
    let query = endpoint.url.split_once('?').map(|(_, query)| query);
    let secrets = values.chain(query).flat_map(|secret| {
        let parts = secret.split([' ', ',', '&', '=', '#']);
        std::iter::once(secret).chain(parts)
    });
    for secret in secrets.filter(|secret| secret.len() >= MIN_SECRET) {
        text = text.replace(secret, REDACTED);
    }
    text.truncate(text.floor_char_boundary(MAX_RESPONSE));
    text
}

fn noted(reply: &Result<Reply, SendError>, at: Timestamp, started: Instant) -> Attempt {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Attempt {
        at: at.as_millisecond(),
        duration_ms,
        status: reply.as_ref().ok().map(|reply| reply.status),
        error: reply.as_ref().err().map(|error| error.class().to_owned()),
        reason: remark(reply, Timestamp::now()),
        response: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::signing::USER_AGENT;
    use crate::store::endpoints::test::endpoint;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    fn secretive() -> (Endpoint, Vec<(String, String)>) {
        let mut endpoint = endpoint();
        endpoint.url = text("https://u:pass@example.com/in?key=hunter2hunter2");
        endpoint.headers = vec![
            (text("X-Pass"), text("Bearer canary-canary")),
            (text("X-Env"), text("test")),
        ];
        let signatures = [(text(SIGNATURE), text("v1,digits=="))];
        let headers = headers(&endpoint, "text/x", &signatures);
        (endpoint, headers)
    }

    #[test]
    fn what_is_shown_of_a_request_holds_no_value_of_the_operators() {
        let (endpoint, headers) = secretive();
        let shown = shown(&endpoint, &headers);
        assert_eq!(shown.url, "https://example.com/in");
        let shown: Vec<_> = shown
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let expected = [
            ("X-Pass", REDACTED),
            ("X-Env", REDACTED),
            ("content-type", "text/x"),
            ("user-agent", USER_AGENT),
            (SIGNATURE, REDACTED),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_told_without_it() {
        let (endpoint, headers) = secretive();
        let body = b"it is a test: Bearer canary-canary, canary-canary, key=hunter2hunter2, hunter2hunter2";
        let expected = "it is a test: [REDACTED], [REDACTED], [REDACTED], [REDACTED]";
        assert_eq!(beginning(body, &endpoint, &headers), expected);
        // Also where the end of what is kept would cut it apart.
        let late = [&[b'a'; MAX_RESPONSE - 4][..], b"canary-canary"].concat();
        assert!(!beginning(&late, &endpoint, &headers).contains("cana"));
        let cut = "\u{e9}".repeat(1000);
        assert_eq!(
            beginning(cut.as_bytes(), &endpoint, &headers).len(),
            MAX_RESPONSE
        );
    }

    #[test]
    fn a_name_that_is_there_twice_is_spelled_as_the_last() {
        let headers = ["x-sig", "a", "X-SIG", "B"].map(|name| (text(name), String::new()));
        assert_eq!(spelled(&headers), ["X-SIG", "B"]);
    }
}
