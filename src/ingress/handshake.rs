//! The handshakes of providers. A request that is one is answered at once: nothing of it is recorded, and
//! nobody is called.

use super::receive::{find, label, shortened};
use super::{IngressError, IngressFunction, Request, response, validation};
use crate::metrics::RequestLine;
use crate::providers::handshake::{Effect, Facts, Reply};
use crate::providers::{Incoming, Verified};
use crate::store::sources::Source;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use std::time::Instant;

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
        if let Some(answered) = answered(name, &source, &incoming, None, line) {
            return answered;
        }
        if method != "OPTIONS" {
            return Err(not_allowed());
        }
        let consent = validation::consent(&source, &request.headers)?;
        line.outcome = "handshake";
        Ok(consent)
    }
}

/// The answer to a request, if it is a handshake of its source. A `POST` is verified before.
pub(super) fn answered(
    name: &str,
    source: &Source,
    incoming: &Incoming<'_>,
    verified: Option<Verified<'_>>,
    line: &mut RequestLine,
) -> Option<Result<ApiGatewayV2httpResponse, IngressError>> {
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
    match &answer.effect {
        None => {}
        Some(Effect::ShowToken(token)) => tracing::warn!(
            source = name,
            verification_token = token,
            "the provider sent its verification token: enter it at the provider, and as the secret"
        ),
        // The function has no permission to write the sources: whoever gets no answer comes again.
        Some(Effect::StoreSecret(_)) => return None,
    }
    line.outcome = "handshake";
    Some(Ok(response::handshake(answer)))
}
