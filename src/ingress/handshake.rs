//! The handshakes of providers. A request that is one is answered at once: nothing of it is recorded, and
//! nobody is called. A secret that a source waits for is the exception: the request that brings it is kept.

use super::receive::{find, kept_headers, label, shortened};
use super::{IngressError, IngressFunction, Request, response, validation};
use crate::metrics::RequestLine;
use crate::providers::handshake::{Answer, Effect, Facts, HOOK_SECRET, Reply};
use crate::providers::{Incoming, Verified};
use crate::store::journal::{NotKept, Rejected, Ring};
use crate::store::sources::Source;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::HeaderMap;
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// Whoever offers a secret waits this long at least: a secret that is not kept is lost.
const PATIENCE: Duration = Duration::from_secs(2);

impl IngressFunction {
    /// Answers a request that is no webhook, by its method.
    pub(super) async fn answer_handshake(
        &self,
        request: &Request,
        line: &mut RequestLine,
    ) -> Result<ApiGatewayV2httpResponse, IngressError> {
        let (name, method) = (&*request.source, &*request.method);
        let now = Instant::now();
        let mut table = self.sources.current(now).await?;
        if table.get(name).is_none() {
            table = self.sources.after_miss(now).await?.unwrap_or(table);
        }
        label(&table, name, line);
        let not_allowed = || IngressError::Method(shortened(method));
        let source = match find(&table, name) {
            Err(IngressError::UnknownSource(_)) if method != "OPTIONS" => return Err(not_allowed()),
            source => source?,
        };
        let incoming = Incoming {
            method,
            query: &request.query,
            headers: &request.headers,
            body: request.body.as_deref().unwrap_or_default(),
        };
        if let Some(answered) = answered(name, &source, &incoming, None) {
            let answer = answered?;
            line.outcome = "handshake";
            return Ok(response::handshake(answer));
        }
        if method != "OPTIONS" {
            return Err(not_allowed());
        }
        let consent = validation::consent(&source, &request.headers)?;
        line.outcome = "handshake";
        Ok(consent)
    }

    /// Gives the answer to a `POST` that is a handshake, after what it leaves behind. If a secret cannot be
    /// kept, the handshake fails: the provider would sign with it from then on.
    pub(super) async fn complete_handshake(
        &self,
        answer: Answer,
        offered: Rejected,
        line: &mut RequestLine,
    ) -> Result<ApiGatewayV2httpResponse, IngressError> {
        if answer.effect == Some(Effect::KeepSecret) {
            let patience = self.rejected_patience.max(PATIENCE);
            // Its body says nothing.
            let kept = self.keep(offered, Vec::new(), patience).await;
            kept.inspect_err(|error| line.not_kept(error))?;
        }
        line.outcome = "handshake";
        Ok(response::handshake(answer))
    }

    /// Keeps a request in the journal.
    pub(super) async fn keep(
        &self,
        request: Rejected,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<(), NotKept> {
        let payloads = &self.payloads;
        let kept = self
            .journal
            .keep_rejected(request, body, payloads, patience, Instant::now());
        kept.await
    }
}

/// A request that offers a secret, as it is kept.
pub(super) fn offered(
    source: String,
    target: String,
    headers: &HeaderMap,
    at: Timestamp,
) -> Rejected {
    Rejected {
        source,
        at,
        reason: "a handshake: the provider offers its secret".to_owned(),
        ring: Ring::Handshakes,
        target,
        headers: kept_headers([&HOOK_SECRET].into_iter(), headers),
    }
}

/// The answer to a request, if it is a handshake of its source. A `POST` is verified before.
pub(super) fn answered(
    name: &str,
    source: &Source,
    incoming: &Incoming<'_>,
    verified: Option<Verified<'_>>,
) -> Option<Result<Answer, IngressError>> {
    let handshake = source.recipe.handshake()?;
    let facts = Facts {
        secrets: source.secrets(),
        waits: source.waits,
        verified,
    };
    let answer = match source.recipe.answer(incoming, facts)? {
        Reply::Refused(status) => {
            let handshake = handshake.name();
            return Some(Err(IngressError::Handshake { handshake, status }));
        }
        Reply::Answer(answer) => answer,
    };
    if let Some(Effect::ShowToken(token)) = &answer.effect {
        tracing::warn!(
            source = name,
            verification_token = token,
            "the provider sent its verification token: enter it at the provider, and as the secret"
        );
    }
    Some(Ok(answer))
}
