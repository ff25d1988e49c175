//! What both functions read from Lambda: variables of the environment, which `template.yaml` sets, and how
//! much time an invocation has. A missing or wrong variable fails the start, by name.

use lambda_runtime::Context;
use std::time::{Duration, Instant, SystemTime};

/// A variable of the environment is missing or wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It is not a positive whole number of days.
    #[error("the environment variable {0} is not a whole number of days, from 1 to 3650")]
    Days(&'static str),
    /// It is not a whole number of milliseconds.
    #[error("the environment variable {0} is not a whole number of milliseconds")]
    Milliseconds(&'static str),
    /// It is none of the values that it may have.
    #[error("the environment variable {0}: {1}")]
    Value(&'static str, String),
}

/// A variable that is set to something.
pub(crate) fn required(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<String, ConfigError> {
    lookup(name)
        .filter(|value| !value.is_empty())
        .ok_or(ConfigError::Missing(name))
}

/// When an invocation ends.
pub fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now());
    Instant::now() + left.unwrap_or(Duration::ZERO)
}
