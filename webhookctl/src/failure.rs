//! What the operator is told where the library's own words are meant for a log: which call of AWS failed, and whether it was
//! denied, found nothing, or did not reach AWS.

use crate::output::chain;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use webhook_gateway::aws::kms::SealError;
use webhook_gateway::aws::sqs::SendError;
use webhook_gateway::store::deliveries::HistoryError;
use webhook_gateway::store::endpoints::EndpointError;
use webhook_gateway::store::endpoints::circuit::CircuitError;
use webhook_gateway::store::journal::JournalError;
use webhook_gateway::store::ledger::{LedgerError, ReadError, ReleaseError, ScanError};
use webhook_gateway::store::payloads::PayloadError;
use webhook_gateway::store::subscriptions::SubscriptionError;

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
    let kind = match (error, error.code()) {
        (SdkError::DispatchFailure(_) | SdkError::TimeoutError(_), _) => Kind::OutOfReach,
        // Such as credentials that cannot be loaded.
        (SdkError::ConstructionFailure(_), _) => Kind::OutOfReach,
        (_, Some(code)) if EXPIRED.contains(&code) => Kind::OutOfReach,
        (_, Some(code)) if DENIED.contains(&code) => Kind::Denied,
        (_, Some(code)) if MISSING.contains(&code) => Kind::Missing,
        _ => Kind::Other,
    };
    let why = match (error.message(), error.code()) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        _ => chain(error),
    };
    let to_do = match (kind, error) {
        (Kind::OutOfReach, SdkError::ServiceError(_)) => {
            "; the credentials are expired or not valid: log in again, and check AWS_PROFILE"
        }
        (Kind::OutOfReach, _) => {
            "; check the credentials (AWS_PROFILE) and the network, or start the local stack by `make up`"
        }
        _ => "",
    };
    Failure::new(kind, why + to_do)
}

/// Why endpoints were not read or not changed.
pub(crate) fn endpoint(error: EndpointError) -> Failure {
    use EndpointError::{Changed, Delete, Form, Incomplete, Put, Query, Read, Throttled, Transact};
    let unreadable = |why: Failure| why.so("the endpoints cannot be read");
    let unwritten = |why: Failure| why.so("the endpoint was not written");
    match error {
        Query(error) => unreadable(explain(&error)),
        Read(error) => unreadable(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Transact(error) => unwritten(explain(&error)),
        Delete(error) => explain(&error).so("the endpoint was not removed"),
        Throttled | Changed(_) | Form(_) | Incomplete(_) => Failure::other(error),
    }
}

/// Why a circuit was not written.
pub(crate) fn circuit(CircuitError(error): CircuitError) -> Failure {
    explain(&error).so("the circuit was not written")
}

/// Why a secret was not sealed or not opened.
pub(crate) fn seal(error: SealError) -> Failure {
    match error {
        SealError::Encrypt(error) => explain(&error).so("the secret was not encrypted"),
        SealError::Decrypt(error) => explain(&error).so("the secret cannot be decrypted"),
        SealError::Unusable => Failure::other(error),
    }
}

/// Why deliveries were not read or not written.
pub(crate) fn history(error: HistoryError) -> Failure {
    use HistoryError::{Form, Put, Query, Read, Throttled, Write};
    let unreadable = |why: Failure| why.so("the deliveries cannot be read");
    let unwritten = |why: Failure| why.so("the deliveries were not written");
    match error {
        Query(error) => unreadable(explain(&error)),
        Read(error) => unreadable(explain(&error)),
        Write(error) => unwritten(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Throttled | Form(_) => Failure::other(error),
    }
}

/// Why the ledger was not read.
pub(crate) fn ledger(error: ReadError) -> Failure {
    match error {
        ReadError::Read(error) => explain(&error).so("the ledger cannot be read"),
        error => Failure::other(error),
    }
}

/// Why a webhook was not recorded.
pub(crate) fn unrecorded(error: LedgerError) -> Failure {
    match error {
        LedgerError::NotWritable(error) => explain(&error).so("the ledger is not writable"),
        error => Failure::other(error),
    }
}

/// Why a webhook was not released.
pub(crate) fn unreleased(error: ReleaseError) -> Failure {
    match error {
        ReleaseError::Update(error) => explain(&error).so("the ledger is not writable"),
        ReleaseError::Record(error) => unrecorded(error),
    }
}

/// Why the ledger was not read as a whole, or not changed.
pub(crate) fn scan(error: ScanError) -> Failure {
    match error {
        ScanError::Scan(error) => explain(&error).so("the ledger cannot be read"),
        ScanError::Update(error) => explain(&error).so("the event is not published again"),
    }
}

/// Why a payload was not read or not stored.
pub(crate) fn payload(error: PayloadError) -> Failure {
    match error {
        PayloadError::Get(error) => explain(&error).so("the payload was not read"),
        PayloadError::Put(error) => explain(&error).so("the payload was not stored"),
        error => Failure::other(error),
    }
}

/// Why the journal was not read or not written.
pub(crate) fn journal(error: JournalError) -> Failure {
    use JournalError::{Delete, Encode, Get, Put, Query, Update};
    let unwritten = |why: Failure| why.so("the journal was not written");
    match error {
        Query(error) => explain(&error).so("the journal cannot be read"),
        Get(error) => explain(&error).so("the journal cannot be read"),
        Delete(error) => unwritten(explain(&error)),
        Put(error) => unwritten(explain(&error)),
        Update(error) => unwritten(explain(&error)),
        Encode(_) => Failure::other(error),
    }
}

/// Why the subscriptions were not read.
pub(crate) fn subscription(error: SubscriptionError) -> Failure {
    match error {
        SubscriptionError::Read(error) => explain(&error).so("the subscriptions cannot be read"),
        error => Failure::other(error),
    }
}

/// Why a message was not sent.
pub(crate) fn queue(error: SendError) -> Failure {
    match error {
        SendError::NotSent(error) => explain(&error).so("the message was not sent"),
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
