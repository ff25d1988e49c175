//! The settings that the clients of both functions share.

use super::https;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use std::time::Duration;

/// A call that takes longer is tried again; the calls here take milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// `ATTEMPT_TIMEOUT_MS`: for how long a call may take, where AWS is an emulator on a busy machine; 3 s unless
/// set.
fn attempt_timeout() -> Duration {
    let set = std::env::var("ATTEMPT_TIMEOUT_MS").ok();
    let milliseconds = set.and_then(|text| text.parse().ok());
    milliseconds.map_or(ATTEMPT_TIMEOUT, Duration::from_millis)
}

/// The settings of a function on Lambda.
pub async fn load() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(attempt_timeout())
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        // Lambda gives credentials this way and no other.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(https::client())
        .timeout_config(timeouts)
        // To watch each call costs more than it gives: an attempt ends by its timeout, and a download that
        // stalls ends with the invocation, whose stream records or messages come again.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}
