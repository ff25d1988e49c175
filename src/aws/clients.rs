//! The clients of AWS's services, for the functions: only `aws` and `store` name the SDKs.

pub use aws_sdk_dynamodb::Client as DynamoDbClient;
pub use aws_sdk_kms::Client as KmsClient;
pub use aws_sdk_secretsmanager::Client as SecretsClient;
pub use aws_sdk_sns::Client as SnsClient;
pub use aws_sdk_sqs::Client as SqsClient;

use aws_config::SdkConfig;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_dynamodb::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::disable_interceptor;

/// Leaves out the two headers that name the SDK. To make, sign and send them takes a tenth of a call's
/// instructions.
#[derive(Debug)]
struct Nameless;

impl Intercept for Nameless {
    fn name(&self) -> &'static str {
        "Nameless"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let disabled = disable_interceptor::<UserAgentInterceptor>("costs more than it gives");
        config.interceptor_state().store_put(disabled);
        Ok(())
    }
}

/// The client of DynamoDB, which gets most calls.
pub fn dynamodb(aws: &SdkConfig) -> DynamoDbClient {
    let config = aws_sdk_dynamodb::config::Builder::from(aws).interceptor(Nameless);
    DynamoDbClient::from_conf(config.build())
}

/// The client of SQS, which gets most of the others.
pub fn sqs(aws: &SdkConfig) -> SqsClient {
    let config = aws_sdk_sqs::config::Builder::from(aws).interceptor(Nameless);
    SqsClient::from_conf(config.build())
}
