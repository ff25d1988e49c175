//! One JSON line per request, per fan-out batch and per delivery, which is the log and, in CloudWatch's
//! [embedded metric
//! format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html),
//! the metrics at once. No secret, signature or body has a place in it. Each metric is also there without
//! dimensions: two lines that count different things do so under different names.

use crate::store::endpoints::circuit::EndpointEvent;
use jiff::Timestamp;
use metrique::emf::Emf;
use metrique::emf::flags::NoMetric;
use metrique::unit::Millisecond;
use metrique::unit_of_work::metrics;
use metrique::writer::sink::FlushImmediately;
use metrique::writer::{BoxEntrySink, EntrySink, FormatExt};
use metrique::{CloseValue, RootEntry};
use std::time::{Duration, SystemTime};

/// Where the lines go: standard output, each as soon as it is complete.
#[derive(Clone)]
pub struct Metrics(BoxEntrySink);

/// What became of a request.
#[metrics(emf::dimension_sets = [["source", "provider"], []])]
#[derive(Debug)]
pub struct RequestLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The source, or `unknown`: the names that strangers make up must not become metrics.
    pub source: String,
    /// Its provider, or `unknown`.
    pub provider: &'static str,
    /// The id of the event, if there is one.
    #[metrics(name = "event.id")]
    pub event_id: Option<String>,
    /// The outcome in one word.
    pub outcome: &'static str,
    /// The HTTP status of the answer.
    #[metrics(flags(NoMetric))]
    pub status: u16,
    /// Which of the source's secrets made the signature, counted from 0.
    #[metrics(flags(NoMetric))]
    pub secret_position: Option<usize>,
    /// Why it was refused or quarantined, or what failed.
    pub reason: Option<String>,
    /// From the call of the handler to its answer.
    #[metrics(unit = Millisecond)]
    pub request_ms: Duration,
    accepted: Option<u64>,
    duplicate: Option<u64>,
    conflict: Option<u64>,
    quarantined: Option<u64>,
    rejected: Option<u64>,
    failed_requests: Option<u64>,
    /// Why a request that was refused is not kept for its release.
    pub unkept_reason: Option<String>,
    unkept: Option<u64>,
}

/// What became of a batch of recorded webhooks.
#[metrics(emf::dimension_sets = [[]])]
#[derive(Debug)]
pub struct BatchLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// `published`; or `partial` or `failed`, and the stream offers the rest or all of the batch again.
    pub outcome: &'static str,
    /// What failed.
    pub reason: Option<String>,
    /// The changes in the batch.
    pub changes: usize,
    /// Messages on the events queue.
    pub published: usize,
    /// Messages on further consumer queues.
    pub subscribed: usize,
    /// Messages on the delivery queue.
    pub deliveries: usize,
    /// Messages on the quarantine queue.
    pub quarantine_messages: usize,
    /// Messages that a subscribed queue did not take, on the dead-letter queue.
    pub dead_lettered: usize,
    /// Endpoints and subscriptions that get nothing, as their items are not readable.
    pub unreadable: usize,
    /// From the call of the handler to its answer.
    #[metrics(unit = Millisecond)]
    pub batch_ms: Duration,
}

/// What became of a delivery in an invocation.
#[metrics(emf::dimension_sets = [["endpoint"], []])]
#[derive(Debug)]
pub struct DeliveryLine {
    #[metrics(timestamp)]
    pub(crate) timestamp: SystemTime,
    /// The id of the endpoint.
    pub endpoint: String,
    /// The id of the delivery.
    #[metrics(name = "delivery.id")]
    pub delivery_id: String,
    /// The id of the event.
    #[metrics(name = "event.id")]
    pub event_id: String,
    /// The state it is in.
    pub state: &'static str,
    /// The outcome of the attempt in one word; none if there was no attempt.
    pub outcome: Option<&'static str>,
    /// How often it was tried.
    #[metrics(flags(NoMetric))]
    pub attempts: u32,
    /// The HTTP status of the answer.
    #[metrics(flags(NoMetric))]
    pub status: Option<u16>,
    /// In one word, why there was no answer.
    #[metrics(flags(NoMetric))]
    pub error: Option<String>,
    /// In a sentence, why the attempt failed; or why the delivery is in its state.
    pub reason: Option<String>,
    /// How long the attempt took.
    #[metrics(unit = Millisecond)]
    pub attempt_ms: Option<Duration>,
    /// From the event's acceptance to the end of a first attempt.
    #[metrics(unit = Millisecond)]
    pub latency_ms: Option<Duration>,
    pub(crate) delivered: Option<u64>,
    pub(crate) failed_attempts: Option<u64>,
    pub(crate) held: Option<u64>,
    pub(crate) exhausted: Option<u64>,
    pub(crate) skipped: Option<u64>,
}

/// An event of an endpoint, of which the operator is notified.
#[metrics(emf::dimension_sets = [[]])]
#[derive(Debug)]
pub struct EndpointEventLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The id of the endpoint.
    pub endpoint: String,
    /// In one word, what happened.
    pub news: &'static str,
    /// Why.
    pub reason: Option<String>,
    disabled: Option<u64>,
    opened: Option<u64>,
    recovered: Option<u64>,
}

/// That a source is silent which declares its longest gap.
#[metrics(emf::dimension_sets = [["source"], []])]
#[derive(Debug)]
pub struct SilentLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The name of the source.
    pub source: String,
    /// When a webhook of it was last accepted.
    pub last_accepted_at: Option<String>,
    silent: u64,
}

/// That a provider sends what it never sent before. Its names are told, and no value.
#[metrics(emf::dimension_sets = [["source"], []])]
#[derive(Debug)]
pub struct DriftLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The name of the source.
    pub source: String,
    /// Its provider.
    pub provider: String,
    /// The type of the event.
    #[metrics(name = "event.type")]
    pub event_type: String,
    /// Where in the payload it is, as a JSON path.
    pub path: String,
    drift: u64,
}

impl DriftLine {
    /// The line of what is new at a path of a payload.
    pub fn of(source: &str, provider: &str, event_type: &str, path: &str) -> Self {
        Self {
            timestamp: SystemTime::now(),
            source: source.to_owned(),
            provider: provider.to_owned(),
            event_type: event_type.to_owned(),
            path: path.to_owned(),
            drift: 1,
        }
    }
}

impl SilentLine {
    /// The line of a source.
    pub fn of(source: &str, last_accepted_at: Option<Timestamp>) -> Self {
        Self {
            timestamp: SystemTime::now(),
            source: source.to_owned(),
            last_accepted_at: last_accepted_at.map(|at| format!("{at:.3}")),
            silent: 1,
        }
    }
}

impl EndpointEventLine {
    /// The line of what happened to an endpoint.
    pub fn of(endpoint: &str, news: EndpointEvent, reason: Option<&str>) -> Self {
        let count = |event: EndpointEvent| (news == event).then_some(1);
        Self {
            timestamp: SystemTime::now(),
            endpoint: endpoint.to_owned(),
            news: news.name(),
            reason: reason.map(str::to_owned),
            disabled: count(EndpointEvent::Disabled),
            opened: count(EndpointEvent::Opened),
            recovered: count(EndpointEvent::Recovered),
        }
    }
}

impl RequestLine {
    /// A line for a request that was not looked at yet.
    pub fn begin() -> Self {
        Self {
            timestamp: SystemTime::now(),
            source: "unknown".to_owned(),
            provider: "unknown",
            event_id: None,
            outcome: "failed",
            status: 500,
            secret_position: None,
            reason: None,
            request_ms: Duration::ZERO,
            accepted: None,
            duplicate: None,
            conflict: None,
            quarantined: None,
            rejected: None,
            failed_requests: None,
            unkept_reason: None,
            unkept: None,
        }
    }

    /// Counts a request that was refused and is not kept.
    pub fn not_kept(&mut self, why: &impl ToString) {
        self.unkept_reason = Some(why.to_string());
        self.unkept = Some(1);
    }

    /// Sets the outcome, and counts it.
    pub fn count(&mut self, outcome: &'static str) {
        self.outcome = outcome;
        let counter = match outcome {
            "accepted" => &mut self.accepted,
            "duplicate" => &mut self.duplicate,
            "conflict" => {
                self.accepted = Some(1);
                &mut self.conflict
            }
            "quarantined" => &mut self.quarantined,
            "rejected" => &mut self.rejected,
            _ => &mut self.failed_requests,
        };
        *counter = Some(1);
    }
}

impl BatchLine {
    /// A line for a batch of which nothing was sent yet.
    pub fn begin() -> Self {
        Self {
            timestamp: SystemTime::now(),
            outcome: "failed",
            reason: None,
            changes: 0,
            published: 0,
            subscribed: 0,
            deliveries: 0,
            quarantine_messages: 0,
            dead_lettered: 0,
            unreadable: 0,
            batch_ms: Duration::ZERO,
        }
    }
}

impl Metrics {
    /// Metrics in this namespace.
    pub fn to_stdout(namespace: String) -> Self {
        Self::to(namespace, std::io::stdout())
    }

    fn to(namespace: String, writer: impl std::io::Write + Send + Sync + 'static) -> Self {
        let format = Emf::builder(namespace, vec![vec![]])
            // The lines are of a few fixed forms, which the tests look at.
            .skip_all_validations(true)
            .build();
        Self(FlushImmediately::new_boxed(format.output_to(writer)))
    }

    /// Writes the line of a request.
    pub fn request(&self, line: RequestLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of a delivery.
    pub fn delivery(&self, line: DeliveryLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of what happened to an endpoint.
    pub fn endpoint_event(&self, line: EndpointEventLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of what a provider never sent before.
    pub fn drift(&self, line: DriftLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of a source that is silent.
    pub fn silent(&self, line: SilentLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of a batch.
    pub fn batch(&self, line: BatchLine) {
        self.0.append(RootEntry::new(line.close()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::io::{Result, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    /// What is written by this.
    fn written(write: impl FnOnce(&Metrics)) -> Vec<Value> {
        let lines = Lines::default();
        write(&Metrics::to("gateway".to_owned(), lines.clone()));
        let bytes = lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let read = |line| serde_json::from_str(line).unwrap();
        text.lines().map(read).collect()
    }

    /// The metrics that lines declare without dimensions.
    fn names(lines: &[Value]) -> BTreeSet<String> {
        let directives = lines
            .iter()
            .flat_map(|line| line["_aws"]["CloudWatchMetrics"].as_array().unwrap());
        let bare = directives.filter(|directive| {
            let dimensions = directive["Dimensions"].as_array().unwrap();
            dimensions
                .iter()
                .any(|set| set.as_array().unwrap().is_empty())
        });
        let metrics = bare.flat_map(|directive| directive["Metrics"].as_array().unwrap());
        let name = |metric: &Value| metric["Name"].as_str().unwrap().to_owned();
        metrics.map(name).collect()
    }

    /// A delivery's line with all of its metrics.
    fn delivery() -> DeliveryLine {
        let (one, time) = (Some(1), Some(Duration::ZERO));
        DeliveryLine {
            timestamp: SystemTime::UNIX_EPOCH,
            endpoint: "ep_1".to_owned(),
            delivery_id: "ep_1_1_1".to_owned(),
            event_id: "1".to_owned(),
            state: "held",
            outcome: Some("retry"),
            attempts: 1,
            status: Some(500),
            error: None,
            reason: None,
            attempt_ms: time,
            latency_ms: time,
            delivered: one,
            failed_attempts: one,
            held: one,
            exhausted: one,
            skipped: one,
        }
    }

    /// Each kind of line, in all of its forms.
    fn kinds() -> Vec<(&'static str, Vec<Value>)> {
        let requests = [
            "accepted",
            "duplicate",
            "conflict",
            "quarantined",
            "rejected",
            "failed",
        ];
        let news = [
            EndpointEvent::Disabled,
            EndpointEvent::Opened,
            EndpointEvent::Recovered,
        ];
        vec![
            (
                "request",
                written(|metrics| {
                    for outcome in requests {
                        let mut line = RequestLine::begin();
                        line.count(outcome);
                        metrics.request(line);
                    }
                }),
            ),
            (
                "batch",
                written(|metrics| metrics.batch(BatchLine::begin())),
            ),
            ("delivery", written(|metrics| metrics.delivery(delivery()))),
            (
                "news",
                written(|metrics| {
                    for news in news {
                        metrics.endpoint_event(EndpointEventLine::of("ep_1", news, None));
                    }
                }),
            ),
            (
                "silent",
                written(|metrics| metrics.silent(SilentLine::of("studio", None))),
            ),
            (
                "drift",
                written(|metrics| metrics.drift(DriftLine::of("studio", "creads", "a.b", "$.c"))),
            ),
        ]
    }

    #[test]
    fn no_two_kinds_of_lines_count_under_one_name() {
        let mut seen: Vec<(String, &str)> = Vec::new();
        for (kind, lines) in kinds() {
            assert!(!lines.is_empty());
            for name in names(&lines) {
                let other = seen.iter().find(|(known, _)| *known == name);
                assert_eq!(other, None, "{name} of {kind}");
                seen.push((name, kind));
            }
        }
        assert!(seen.len() > 20, "{seen:?}");
    }
}
