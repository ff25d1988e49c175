//! What the gateway needs of AWS beyond one table, bucket or secret: clients, queues, keys and errors.

pub mod clients;
pub mod dynamodb;
pub mod error;
mod https;
pub mod kms;
pub mod load;
pub mod sns;
pub mod sqs;
