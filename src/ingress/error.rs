//! What goes wrong on the HTTP path, with its HTTP status, and on the stream path.

use crate::aws::error::AwsError;
use crate::aws::sqs::SendError;
use crate::providers::verify::VerifyError;
use crate::store::journal::NotKept;
use crate::store::ledger::LedgerError;
use crate::store::payloads::PayloadError;
use crate::store::sources::{SourceError, SourcesError};
use lambda_runtime::Diagnostic;

/// Why a request is not answered with 2xx. The text is for the operator; the sender sees
/// [`title`](Self::title).
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// `400 Bad Request`: API Gateway does not send such a body.
    #[error("the body is marked as Base64 and is not")]
    NotBase64,
    /// `400 Bad Request`: nor such an event.
    #[error("the body, or the mark whether it is Base64, is not readable")]
    NotReadable,
    /// `401 Unauthorized`, and no hint why.
    #[error("{0}")]
    NotAuthentic(#[from] VerifyError),
    /// `401 Unauthorized`: the bytes that came are not those that were signed.
    #[error("the signature matches none of the secrets, which need not be wrong: {0}")]
    Altered(String),
    /// `404 Not Found`.
    #[error("there is no source {0:?}")]
    UnknownSource(String),
    /// `405 Method Not Allowed`.
    #[error("the method {0} is not allowed")]
    Method(String),
    /// `405 Method Not Allowed`: what a handshake without consent is answered with.
    #[error("the origin {0:?} is not among the origins of the source")]
    Origin(String),
    /// A request for a handshake that is not given.
    #[error("the request for the handshake {handshake} is refused with {status}")]
    Handshake {
        /// Its name.
        handshake: &'static str,
        /// `400 Bad Request`, or `403 Forbidden`.
        status: u16,
    },
    /// `503 Service Unavailable`: a secret that is lost would be worse than a handshake that fails.
    #[error("the handshake fails, as its secret is not kept: {0}")]
    NotKept(#[from] NotKept),
    /// `503 Service Unavailable`: the operator has to fix the source.
    #[error("{0}")]
    SourceDisabled(#[from] SourceError),
    /// `503 Service Unavailable`.
    #[error("{0}")]
    Sources(#[from] SourcesError),
    /// `503 Service Unavailable`.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// `503 Service Unavailable`.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
}

impl IngressError {
    /// The HTTP status of the answer: 4xx for what the sender must change, 5xx for our own faults, after
    /// which the provider sends the webhook again.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotBase64 | Self::NotReadable => 400,
            Self::NotAuthentic(_) | Self::Altered(_) => 401,
            Self::UnknownSource(_) => 404,
            Self::Method(_) | Self::Origin(_) => 405,
            Self::Handshake { status, .. } => *status,
            Self::NotKept(_)
            | Self::SourceDisabled(_)
            | Self::Sources(_)
            | Self::Payload(_)
            | Self::Ledger(_) => 503,
        }
    }

    /// The same for all errors of one status: a forger learns nothing from it.
    pub fn title(&self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Service Unavailable",
        }
    }
}

/// Why a batch is to be offered again.
#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    /// The event is neither a request nor a batch of a stream.
    #[error("the event is neither a request of API Gateway nor a batch of the ledger's stream")]
    NotAStream,
    /// The subscriptions or the endpoints are not known.
    #[error(transparent)]
    Recipients(#[from] AwsError),
    /// A claimed body was not read, or a large event was not stored.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// Messages were not sent.
    #[error("{0}")]
    Send(#[from] SendError),
    /// An event was not encoded.
    #[error("an event was not encoded: {0}")]
    Encode(#[from] serde_json::Error),
    /// The invocation is about to end.
    #[error("the time ran out")]
    OutOfTime,
}

impl From<FanoutError> for Diagnostic {
    fn from(error: FanoutError) -> Self {
        Self {
            error_type: "FanoutError".to_owned(),
            error_message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let errors: [(IngressError, u16); 12] = [
            (IngressError::NotBase64, 400),
            (IngressError::NotReadable, 400),
            (IngressError::Altered("x".to_owned()), 401),
            (VerifyError::NoToken.into(), 401),
            (VerifyError::Mismatch.into(), 401),
            (IngressError::UnknownSource("x".to_owned()), 404),
            (IngressError::Method("GET".to_owned()), 405),
            (IngressError::Origin("x".to_owned()), 405),
            (
                IngressError::Handshake {
                    handshake: "hub",
                    status: 403,
                },
                403,
            ),
            (SourceError::NoSecret.into(), 503),
            (SourcesError::NotRefreshed.into(), 503),
            (LedgerError::Occupied("x".to_owned()).into(), 503),
        ];
        for (error, status) in errors {
            assert_eq!(error.status(), status, "{error}");
        }
    }
}
