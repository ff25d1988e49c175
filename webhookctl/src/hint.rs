//! The advice that follows an error of AWS.

use crate::stack::UnknownOutput;
use std::error::Error;
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::kms::SealError;
use webhook_gateway::aws::sqs::SendError;
use webhook_gateway::store::endpoints::EndpointError;
use webhook_gateway::store::ledger::LedgerError;
use webhook_gateway::store::payloads::PayloadError;
use webhook_gateway::store::subscriptions::SubscriptionError;

/// The codes of AWS for a call that the caller is not allowed to make.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "Forbidden",
    "KMS.AccessDeniedException",
    "UnauthorizedOperation",
];

/// The codes of AWS for a resource that does not exist.
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

/// The codes of AWS for credentials that are expired or not valid.
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

/// The kind of an AWS error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The caller is not allowed to make the call.
    Denied,
    /// The resource does not exist.
    Missing,
    /// The stack has no such output.
    Undeclared,
    /// The call did not reach AWS. All other calls fail too.
    OutOfReach,
    /// The credentials are expired or not valid. All other calls fail too.
    Expired,
    /// Anything else.
    Other,
}

impl Kind {
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        if error.is::<UnknownOutput>() {
            return Self::Undeclared;
        }
        let Some(error) = aws_error(error) else {
            return Self::Other;
        };
        match error.code() {
            _ if error.is_out_of_reach() => Self::OutOfReach,
            Some(code) if EXPIRED.contains(&code) => Self::Expired,
            Some(code) if DENIED.contains(&code) => Self::Denied,
            Some(code) if MISSING.contains(&code) => Self::Missing,
            _ => Self::Other,
        }
    }

    /// Whether all calls fail with this error.
    pub(crate) fn is_of_every_call(self) -> bool {
        matches!(self, Self::OutOfReach | Self::Expired)
    }

    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Denied => "; docs/deploying.md lists the permissions that each command needs",
            Self::Missing => {
                "; check that this is the right stack (--stack, AWS_PROFILE, AWS_REGION), and that no \
                    part of it was removed"
            }
            Self::OutOfReach => {
                "; check the credentials (AWS_PROFILE) and the network, or start the local stack with \
                    `make up`"
            }
            Self::Expired => {
                "; the credentials are expired or not valid: log in again, and check AWS_PROFILE"
            }
            Self::Undeclared | Self::Other => "",
        }
    }
}

/// The AWS error inside an error. The errors of the stores are transparent: their chain of sources skips it.
fn aws_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e AwsError> {
    if let Some(error) = error.downcast_ref::<AwsError>() {
        return Some(error);
    }
    if let Some(EndpointError::Aws(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(LedgerError::Aws(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(PayloadError::Aws(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(SubscriptionError::Aws(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(SealError::Aws(error) | SealError::Denied(error)) = error.downcast_ref() {
        return Some(error);
    }
    match error.downcast_ref() {
        Some(SendError::NotSent(error)) => Some(error),
        _ => error.source().and_then(aws_error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::{ErrorMetadata, SdkError};
    use aws_sdk_dynamodb::operation::query::QueryError;

    fn refused(code: &str) -> AwsError {
        let refusal = ErrorMetadata::builder().code(code).message("no");
        let answer = HttpResponse::new(400.try_into().unwrap(), "{}".into());
        AwsError::from(SdkError::service_error(
            QueryError::generic(refusal.build()),
            answer,
        ))
    }

    #[test]
    fn the_code_says_what_kept_a_call_from_its_result() {
        for (code, kind) in [
            ("AccessDeniedException", Kind::Denied),
            ("ResourceNotFoundException", Kind::Missing),
            ("ExpiredTokenException", Kind::Expired),
            ("ValidationException", Kind::Other),
        ] {
            assert_eq!(
                Kind::of(&refused(code).context("unreadable")),
                kind,
                "{code}"
            );
            let wrapped: [Box<dyn Error>; 4] = [
                Box::new(EndpointError::Aws(refused(code))),
                Box::new(LedgerError::Aws(refused(code))),
                Box::new(SealError::Denied(refused(code))),
                Box::new(SendError::NotSent(refused(code))),
            ];
            for error in wrapped {
                assert_eq!(Kind::of(&*error), kind, "{error:?}");
            }
        }
        let late = SdkError::<QueryError>::timeout_error("late");
        assert_eq!(Kind::of(&AwsError::from(late)), Kind::OutOfReach);
        assert_eq!(Kind::of(&std::io::Error::other("full")), Kind::Other);
    }
}
