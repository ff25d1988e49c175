//! The clients of AWS's services, for the functions: only `aws` and `store` name the SDKs.

pub use aws_sdk_dynamodb::Client as DynamoDbClient;
pub use aws_sdk_kms::Client as KmsClient;
pub use aws_sdk_secretsmanager::Client as SecretsClient;
pub use aws_sdk_sns::Client as SnsClient;
pub use aws_sdk_sqs::Client as SqsClient;
