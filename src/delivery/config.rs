//! The environment of the delivery function.

use super::http::guard::{Policy, UnknownPolicy};
use crate::env::{ConfigError, required};

/// The environment of `delivery`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// `LEDGER_TABLE`: the name of the ledger.
    pub ledger_table: String,
    /// `ENDPOINTS_TABLE`: the name of the table that holds the endpoints.
    pub endpoints_table: String,
    /// `DELIVERIES_TABLE`: the name of the table of what became of each delivery.
    pub deliveries_table: String,
    /// `JOURNAL_TABLE`: the name of the journal.
    pub journal_table: String,
    /// `DELIVERY_QUEUE_URL`: where deliveries come from, and go back to.
    pub delivery_queue_url: String,
    /// `EVENTS_QUEUE_URL`: where notices go.
    pub events_queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`: where goes what cannot be read.
    pub dead_letter_queue_url: String,
    /// `NOTICES_TOPIC_ARN`: where notices go, too.
    pub notices_topic_arn: String,
    /// `PAYLOAD_BUCKET`: the name of the bucket for what is too large elsewhere.
    pub payload_bucket: String,
    /// `ENDPOINT_POLICY`: which URLs and addresses may be called.
    pub endpoint_policy: Policy,
    /// `METRICS_NAMESPACE`: the CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
}

impl DeliveryConfig {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name| required(&lookup, name);
        Ok(Self {
            ledger_table: text("LEDGER_TABLE")?,
            endpoints_table: text("ENDPOINTS_TABLE")?,
            deliveries_table: text("DELIVERIES_TABLE")?,
            journal_table: text("JOURNAL_TABLE")?,
            delivery_queue_url: text("DELIVERY_QUEUE_URL")?,
            events_queue_url: text("EVENTS_QUEUE_URL")?,
            dead_letter_queue_url: text("DEAD_LETTER_QUEUE_URL")?,
            notices_topic_arn: text("NOTICES_TOPIC_ARN")?,
            payload_bucket: text("PAYLOAD_BUCKET")?,
            endpoint_policy: policy(&text("ENDPOINT_POLICY")?)?,
            metrics_namespace: text("METRICS_NAMESPACE")?,
        })
    }
}

fn policy(text: &str) -> Result<Policy, ConfigError> {
    text.parse()
        .map_err(|error: UnknownPolicy| ConfigError::Value("ENDPOINT_POLICY", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn delivery_has_required_variables_of_its_own() {
        let environment = HashMap::from([
            ("LEDGER_TABLE", "ledger"),
            ("ENDPOINTS_TABLE", "endpoints"),
            ("DELIVERIES_TABLE", "deliveries"),
            ("JOURNAL_TABLE", "journal"),
            ("DELIVERY_QUEUE_URL", "https://sqs/deliveries"),
            ("EVENTS_QUEUE_URL", "https://sqs/events"),
            ("DEAD_LETTER_QUEUE_URL", "https://sqs/dead"),
            ("NOTICES_TOPIC_ARN", "arn:aws:sns:eu-central-1:1:notices"),
            ("PAYLOAD_BUCKET", "payloads"),
            ("ENDPOINT_POLICY", "public"),
            ("METRICS_NAMESPACE", "WebhookGateway"),
        ]);
        let read = |environment: &HashMap<&str, &str>| {
            DeliveryConfig::from_lookup(|name| environment.get(name).map(|&value| value.to_owned()))
        };
        assert_eq!(read(&environment).unwrap().endpoint_policy, Policy::Public);
        for name in environment.keys() {
            let mut without = environment.clone();
            without.remove(name);
            assert_eq!(read(&without), Err(ConfigError::Missing(name)));
        }
        let mut wrong = environment;
        wrong.insert("ENDPOINT_POLICY", "everything");
        assert!(matches!(
            read(&wrong),
            Err(ConfigError::Value("ENDPOINT_POLICY", _))
        ));
    }
}
