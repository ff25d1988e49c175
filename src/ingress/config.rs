//! The environment of the ingress function.

use crate::env::{ConfigError, required};
use jiff::SignedDuration;
use std::time::Duration;

/// No answer to a rejected request is held up longer.
const REJECTED_PATIENCE: Duration = Duration::from_millis(50);

/// How long the queue of a consumer is waited for, before its messages go to the dead-letter queue. All are
/// waited for side by side.
pub(super) const CONSUMER_PATIENCE: Duration = Duration::from_secs(5);

/// The environment of `ingress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressConfig {
    /// `LEDGER_TABLE`: the name of the ledger.
    pub ledger_table: String,
    /// `ENDPOINTS_TABLE`: the name of the table that holds the subscriptions.
    pub endpoints_table: String,
    /// `JOURNAL_TABLE`: the name of the journal.
    pub journal_table: String,
    /// `EVENTS_QUEUE_URL`: the queue that every accepted event goes to.
    pub events_queue_url: String,
    /// `QUARANTINE_QUEUE_URL`: the queue for webhooks that are authentic, but not understood.
    pub quarantine_queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`: the queue for messages that a subscribed queue refuses.
    pub dead_letter_queue_url: String,
    /// `DELIVERY_QUEUE_URL`: the queue for the events that endpoints want.
    pub delivery_queue_url: String,
    /// `WEBHOOK_URL`: the base of the Payload URLs. That of a source is this base, a slash and its name.
    pub webhook_url: String,
    /// `PAYLOAD_BUCKET`: the name of the bucket for large bodies and events.
    pub payload_bucket: String,
    /// `SOURCES_SECRET_ARN`: the secret that holds the sources.
    pub sources_secret_arn: String,
    /// `RETENTION_DAYS`: how long the ledger keeps a webhook.
    pub retention: SignedDuration,
    /// `METRICS_NAMESPACE`: the CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
    /// `REJECTED_PATIENCE_MS`: how long the sender of a rejected request waits at most until it is kept; 50
    /// ms unless set.
    pub rejected_patience: Duration,
    /// `CONSUMER_PATIENCE_MS`: how long a consumer's queue is waited for; 5 s unless set.
    pub consumer_patience: Duration,
}

impl IngressConfig {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |name| required(&lookup, name);
        let days = text("RETENTION_DAYS")?
            .parse()
            .ok()
            .filter(|days| (1..=3650).contains(days));
        let days: i64 = days.ok_or(ConfigError::Days("RETENTION_DAYS"))?;
        Ok(Self {
            ledger_table: text("LEDGER_TABLE")?,
            endpoints_table: text("ENDPOINTS_TABLE")?,
            journal_table: text("JOURNAL_TABLE")?,
            events_queue_url: text("EVENTS_QUEUE_URL")?,
            quarantine_queue_url: text("QUARANTINE_QUEUE_URL")?,
            dead_letter_queue_url: text("DEAD_LETTER_QUEUE_URL")?,
            delivery_queue_url: text("DELIVERY_QUEUE_URL")?,
            webhook_url: text("WEBHOOK_URL")?,
            payload_bucket: text("PAYLOAD_BUCKET")?,
            sources_secret_arn: text("SOURCES_SECRET_ARN")?,
            retention: SignedDuration::from_hours(days * 24),
            metrics_namespace: text("METRICS_NAMESPACE")?,
            rejected_patience: patience(&lookup, "REJECTED_PATIENCE_MS", REJECTED_PATIENCE)?,
            consumer_patience: patience(&lookup, "CONSUMER_PATIENCE_MS", CONSUMER_PATIENCE)?,
        })
    }
}

/// How long something is waited for.
fn patience(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    unless_set: Duration,
) -> Result<Duration, ConfigError> {
    match lookup(name).map(|text| text.parse()) {
        None => Ok(unless_set),
        Some(Ok(milliseconds)) => Ok(Duration::from_millis(milliseconds)),
        Some(Err(_)) => Err(ConfigError::Milliseconds(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn environment() -> HashMap<&'static str, &'static str> {
        HashMap::from([
            ("LEDGER_TABLE", "ledger"),
            ("ENDPOINTS_TABLE", "endpoints"),
            ("JOURNAL_TABLE", "journal"),
            ("EVENTS_QUEUE_URL", "https://sqs/events"),
            ("QUARANTINE_QUEUE_URL", "https://sqs/quarantine"),
            ("DEAD_LETTER_QUEUE_URL", "https://sqs/dead"),
            ("DELIVERY_QUEUE_URL", "https://sqs/deliveries"),
            ("WEBHOOK_URL", "https://hooks.example.com/webhooks"),
            ("PAYLOAD_BUCKET", "payloads"),
            (
                "SOURCES_SECRET_ARN",
                "arn:aws:secretsmanager:eu-central-1:1:secret:sources",
            ),
            ("RETENTION_DAYS", "30"),
            ("METRICS_NAMESPACE", "WebhookGateway"),
        ])
    }

    fn read(environment: &HashMap<&str, &str>) -> Result<IngressConfig, ConfigError> {
        IngressConfig::from_lookup(|name| environment.get(name).map(|&value| value.to_owned()))
    }

    #[test]
    fn every_variable_is_required_and_named_when_it_is_missing() {
        assert_eq!(
            read(&environment()).unwrap().retention,
            SignedDuration::from_hours(720)
        );
        for name in environment().into_keys() {
            for value in [None, Some("")] {
                let mut without = environment();
                without.remove(name);
                without.extend(value.map(|value| (name, value)));
                assert_eq!(read(&without), Err(ConfigError::Missing(name)));
            }
        }
    }

    #[test]
    fn whoever_is_refused_waits_for_50_ms_at_most_unless_told_otherwise() {
        let patience = |text: Option<&'static str>| {
            let mut environment = environment();
            environment.extend(text.map(|text| ("REJECTED_PATIENCE_MS", text)));
            read(&environment).map(|config| config.rejected_patience)
        };
        assert_eq!(patience(None), Ok(Duration::from_millis(50)));
        assert_eq!(patience(Some("20000")), Ok(Duration::from_secs(20)));
        for wrong in ["", "-1", "1.5", "50ms"] {
            let error = ConfigError::Milliseconds("REJECTED_PATIENCE_MS");
            assert_eq!(patience(Some(wrong)), Err(error), "{wrong}");
        }
    }

    #[test]
    fn the_retention_is_a_number_of_days() {
        for days in ["0", "-1", "3651", "1.5", "a month"] {
            let mut environment = environment();
            environment.insert("RETENTION_DAYS", days);
            assert_eq!(
                read(&environment),
                Err(ConfigError::Days("RETENTION_DAYS")),
                "{days}"
            );
        }
    }
}
