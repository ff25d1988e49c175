//! What the operator is told where the library's own words are meant for a log: which call of AWS failed, and whether it was
//! denied, found nothing, or did not reach AWS.

use crate::output::chain;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::kms::SealError;
use webhook_gateway::aws::sqs::SendError;
use webhook_gateway::store::endpoints::EndpointError;
use webhook_gateway::store::ledger::LedgerError;
use webhook_gateway::store::payloads::PayloadError;

/// What AWS answers to who may not do something.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "Forbidden",
    "KMS.AccessDeniedException",
    "UnauthorizedOperation",
];

/// What it answers where there is no such thing.
const MISSING: [&str; 8] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StackNotFoundException",
    "TableNotFoundException",
];

/// What it answers to credentials that are expired, or were never any.
const EXPIRED: [&str; 16] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

/// What kept a call of AWS from its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its user may not do that.
    Denied,
    /// What it is about is not there.
    Missing,
    /// The stack has no such output.
    Undeclared,
    /// It did not reach AWS, or AWS does not take the credentials for any: so it goes with every other call.
    OutOfReach,
    /// Anything else.
    Other,
}

/// A call of AWS that failed, in the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    text: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// Something that no call is to blame for.
    pub(crate) fn other(error: impl ToString) -> Self {
        Self::new(Kind::Other, error.to_string())
    }

    /// With what did not come about because of it.
    pub(crate) fn so(self, what: &str) -> Self {
        Self {
            text: format!("{what}: {}", self.text),
            ..self
        }
    }
}

/// What to do about an error, beyond what it says itself.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> &'static str {
    match error.downcast_ref::<Failure>().map(|failure| failure.kind) {
        Some(Kind::Denied) => "; the README lists the permissions that each command takes",
        Some(Kind::Missing) => {
            "; see that this is the stack that is meant (--stack, AWS_PROFILE, AWS_REGION), and that nobody removed a part of it"
        }
        _ => "",
    }
}

/// What AWS refused, in its own words, or how the call failed.
pub(crate) fn explain<E>(error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let is_out_of_reach = matches!(
        error,
        SdkError::DispatchFailure(_)
            | SdkError::TimeoutError(_)
            // Such as credentials that cannot be loaded.
            | SdkError::ConstructionFailure(_)
    );
    let kind = kind(is_out_of_reach, error.code());
    let why = match (error.message(), error.code()) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        _ => chain(error),
    };
    Failure::new(kind, why + to_do(kind, is_out_of_reach))
}

fn kind(is_out_of_reach: bool, code: Option<&str>) -> Kind {
    match code {
        _ if is_out_of_reach => Kind::OutOfReach,
        Some(code) if EXPIRED.contains(&code) => Kind::OutOfReach,
        Some(code) if DENIED.contains(&code) => Kind::Denied,
        Some(code) if MISSING.contains(&code) => Kind::Missing,
        _ => Kind::Other,
    }
}

fn to_do(kind: Kind, is_out_of_reach: bool) -> &'static str {
    match kind {
        Kind::OutOfReach if is_out_of_reach => {
            "; check the credentials (AWS_PROFILE) and the network, or start the local stack by `make up`"
        }
        Kind::OutOfReach => {
            "; the credentials are expired or not valid: log in again, and check AWS_PROFILE"
        }
        _ => "",
    }
}

/// A call that the library made.
pub(crate) fn aws(error: AwsError) -> Failure {
    let kind = kind(error.is_out_of_reach(), error.code());
    let to_do = to_do(kind, error.is_out_of_reach());
    Failure::new(kind, format!("{error}{to_do}"))
}

pub(crate) use aws as circuit;
pub(crate) use aws as history;
pub(crate) use aws as journal;
pub(crate) use aws as ledger;
pub(crate) use aws as scan;
pub(crate) use aws as subscription;

/// Why endpoints were not read or not changed.
pub(crate) fn endpoint(error: impl Into<EndpointError>) -> Failure {
    match error.into() {
        EndpointError::Aws(error) => aws(error),
        error @ EndpointError::Changed(_) => Failure::other(error),
    }
}

/// Why a secret was not sealed or not opened.
pub(crate) fn seal(error: SealError) -> Failure {
    match error {
        SealError::Aws(error) | SealError::Denied(error) => aws(error),
        SealError::Unusable => Failure::other(error),
    }
}

/// Why a webhook was not recorded.
pub(crate) fn unrecorded(error: LedgerError) -> Failure {
    match error {
        LedgerError::Aws(error) => aws(error),
        error @ LedgerError::Occupied(_) => Failure::other(error),
    }
}

pub(crate) use unrecorded as unreleased;

/// Why a payload was not read or not stored.
pub(crate) fn payload(error: PayloadError) -> Failure {
    match error {
        PayloadError::Aws(error) => aws(error),
        error => Failure::other(error),
    }
}

/// Why a message was not sent.
pub(crate) fn queue(error: SendError) -> Failure {
    match error {
        SendError::NotSent(error) => aws(error).so("the message was not sent"),
        error => Failure::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::query::QueryError;

    #[test]
    fn what_kept_a_call_from_its_result_is_told_by_the_code() {
        for (code, kind, to_do) in [
            ("AccessDeniedException", Kind::Denied, ""),
            ("ResourceNotFoundException", Kind::Missing, ""),
            ("ExpiredTokenException", Kind::OutOfReach, "log in again"),
            ("ValidationException", Kind::Other, ""),
        ] {
            let refusal = ErrorMetadata::builder().code(code).message("no");
            let answer = HttpResponse::new(400.try_into().unwrap(), "{}".into());
            let error = SdkError::service_error(QueryError::generic(refusal.build()), answer);
            let failure = explain(&error).so("it cannot be read");
            assert_eq!(failure.kind, kind, "{failure}");
            let text = failure.to_string();
            let begin = format!("it cannot be read: no ({code})");
            assert!(text.starts_with(&begin) && text.contains(to_do), "{text}");
        }
        let late = SdkError::<QueryError>::timeout_error("late");
        assert_eq!(explain(&late).kind, Kind::OutOfReach);
    }
}
