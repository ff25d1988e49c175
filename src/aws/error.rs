//! Why a call of AWS failed, in words that a log may have: the message and the code of AWS, or the chain of
//! causes. Never the raw answer, as the SDK's own `DisplayErrorContext` prints it: a secret may stand in one
//! that could not be parsed.

use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::fmt;

/// A call of AWS that failed.
#[derive(Debug)]
pub struct AwsError {
    /// What did not come about because of it.
    context: Option<&'static str>,
    reason: String,
    code: Option<String>,
    is_out_of_reach: bool,
    cause: Box<dyn Error + Send + Sync>,
}

impl AwsError {
    /// A call that was not made, or whose answer could not be used, because of something else than AWS.
    pub fn other(cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            context: None,
            reason: chain(&cause),
            code: None,
            is_out_of_reach: false,
            cause: Box::new(cause),
        }
    }

    /// The same error, with what did not come about because of it.
    pub fn context(self, context: &'static str) -> Self {
        Self {
            context: Some(context),
            ..self
        }
    }

    /// The error code of AWS.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether no call reached AWS, or no answer came in time.
    pub fn is_out_of_reach(&self) -> bool {
        self.is_out_of_reach
    }
}

impl<E> From<SdkError<E>> for AwsError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let reason = match (error.message(), error.code()) {
            (Some(message), Some(code)) => format!("{message} ({code})"),
            _ => chain(&error),
        };
        let is_out_of_reach = matches!(
            error,
            SdkError::DispatchFailure(_)
                | SdkError::TimeoutError(_)
                // Such as credentials that cannot be loaded.
                | SdkError::ConstructionFailure(_)
        );
        Self {
            context: None,
            reason,
            code: error.code().map(str::to_owned),
            is_out_of_reach,
            // Not the error itself, which holds the raw answer.
            cause: error.into_source().unwrap_or_else(|_| "unknown".into()),
        }
    }
}

impl From<BuildError> for AwsError {
    fn from(error: BuildError) -> Self {
        Self::other(error)
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = self.context {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// An error and its causes, in a line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kms::config::http::HttpResponse;
    use aws_sdk_kms::error::ErrorMetadata;
    use aws_sdk_kms::operation::decrypt::DecryptError;

    fn error(metadata: ErrorMetadata) -> AwsError {
        let answer = r#"{"Plaintext": "canary"#.into();
        let answer = HttpResponse::new(200.try_into().unwrap(), answer);
        SdkError::service_error(DecryptError::generic(metadata), answer).into()
    }

    #[test]
    fn an_error_has_the_words_of_aws_and_never_its_answer() {
        let metadata = ErrorMetadata::builder().code("Garbled").message("cut off");
        let error = error(metadata.build()).context("the secret cannot be decrypted");
        let text = error.to_string();
        assert_eq!(text, "the secret cannot be decrypted: cut off (Garbled)");
        assert_eq!(error.code(), Some("Garbled"));
        assert!(!error.is_out_of_reach());
        let all = format!("{error:?} {}", chain(&error));
        assert!(!all.contains("canary"), "{all}");
    }

    #[test]
    fn an_error_without_words_of_aws_has_every_cause() {
        let text = error(ErrorMetadata::builder().code("Garbled").build()).to_string();
        assert!(
            text.contains("Garbled") && !text.contains("canary"),
            "{text}"
        );
        let late = AwsError::from(SdkError::<DecryptError>::timeout_error("it took too long"));
        assert!(late.to_string().contains("it took too long"), "{late}");
        assert!(late.is_out_of_reach());
    }
}
