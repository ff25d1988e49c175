//! Clients of the SDKs that call no AWS.

#[doc(hidden)]
pub use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, create_mock_http_client};

/// A client of this SDK. These rules answer it in turn: `testkit::mock!(aws_sdk_sqs, [&rule])`.
///
/// The `mock_client!` of the mocks needs a feature of the SDK. With it, the tests would compile the SDK once
/// more.
#[macro_export]
macro_rules! mock {
    ($sdk:ident, $rules:expr) => {{
        let mut answers = $crate::mock::MockResponseInterceptor::new()
            .rule_mode($crate::mock::RuleMode::Sequential);
        for rule in $rules {
            answers = answers.with_rule(rule);
        }
        let credentials = $sdk::config::Credentials::new("test", "test", None, None, "test");
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider(credentials)
            .http_client($crate::mock::create_mock_http_client())
            .interceptor(answers);
        $sdk::Client::from_conf(config.build())
    }};
}
