//! Why a call of AWS failed, as a log may have it: what each cause says. The SDK's own `DisplayErrorContext` adds the
//! whole answer, and a secret may stand in one that was not understood.

use std::error::Error;
use std::fmt;

/// An error and its causes, in a line.
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kms::config::http::HttpResponse;
    use aws_sdk_kms::error::{ErrorMetadata, SdkError};
    use aws_sdk_kms::operation::decrypt::DecryptError;

    #[test]
    fn every_cause_is_told_and_no_answer() {
        let metadata = ErrorMetadata::builder().code("Garbled").message("cut off");
        let error = DecryptError::generic(metadata.build());
        let answer = r#"{"Plaintext": "canary"#.into();
        let answer = HttpResponse::new(200.try_into().unwrap(), answer);
        let error = SdkError::service_error(error, answer);
        let text = Causes(&error).to_string();
        assert!(
            text.contains("Garbled") && text.contains("cut off"),
            "{text}"
        );
        assert!(!text.contains("canary"), "{text}");
    }
}
