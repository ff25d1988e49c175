//! One JSON line per request, per fan-out batch and per delivery, which is the log and, in CloudWatch's
//! [embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html),
//! the metrics at once. No secret, signature or body has a place in it.

use crate::delivery::circuit::News;
use crate::delivery::history::{Record, State};
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
#[metrics(emf::dimension_sets = [["source", "vendor"], []])]
#[derive(Debug)]
pub struct RequestLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The source, or `unknown`: the names that strangers make up must not become metrics.
    pub source: String,
    /// Its vendor, or `unknown`.
    pub vendor: &'static str,
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
    pub duration_ms: Duration,
    accepted: Option<u64>,
    duplicate: Option<u64>,
    conflict: Option<u64>,
    quarantined: Option<u64>,
    rejected: Option<u64>,
    failed: Option<u64>,
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
    /// `published`, or `failed`: then the stream offers the batch again.
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
    pub quarantined: usize,
    /// Messages that a subscribed queue refused, on the dead-letter queue.
    pub dead_lettered: usize,
    /// From the call of the handler to its answer.
    #[metrics(unit = Millisecond)]
    pub duration_ms: Duration,
}

/// What became of a delivery in an invocation.
#[metrics(emf::dimension_sets = [["endpoint"], []])]
#[derive(Debug)]
pub struct DeliveryLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
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
    /// In one word, why there was no answer; or why it is in its state.
    pub reason: Option<String>,
    /// How long the attempt took.
    #[metrics(unit = Millisecond)]
    pub duration_ms: Option<Duration>,
    /// From the event's acceptance to the end of a first attempt.
    #[metrics(unit = Millisecond)]
    pub latency_ms: Option<Duration>,
    delivered: Option<u64>,
    failed: Option<u64>,
    held: Option<u64>,
    exhausted: Option<u64>,
    skipped: Option<u64>,
}

/// What happened to an endpoint, of which the operator is told.
#[metrics(emf::dimension_sets = [[]])]
#[derive(Debug)]
pub struct NewsLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The id of the endpoint.
    pub endpoint: String,
    /// In one word, what happened.
    pub news: String,
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
    /// When it was last heard of.
    pub last_accepted_at: Option<String>,
    silent: u64,
}

/// That a vendor sends what it never sent before. Its names are told, and no value.
#[metrics(emf::dimension_sets = [["source"], []])]
#[derive(Debug)]
pub struct DriftLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// The name of the source.
    pub source: String,
    /// Its vendor.
    pub vendor: &'static str,
    /// The type of the event.
    #[metrics(name = "event.type")]
    pub event_type: String,
    /// Where in the payload it is, as a JSON path.
    pub path: String,
    drift: u64,
}

impl DriftLine {
    /// The line of what is new at a path of a payload.
    pub fn of(source: &str, vendor: &'static str, event_type: &str, path: &str) -> Self {
        Self {
            timestamp: SystemTime::now(),
            source: source.to_owned(),
            vendor,
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

impl NewsLine {
    /// The line of what happened to an endpoint.
    pub fn of(endpoint: &str, news: &str, reason: Option<&str>) -> Self {
        let count = |it: News| (news == it.name()).then_some(1);
        Self {
            timestamp: SystemTime::now(),
            endpoint: endpoint.to_owned(),
            news: news.to_owned(),
            reason: reason.map(str::to_owned),
            disabled: count(News::Disabled),
            opened: count(News::Opened),
            recovered: count(News::Recovered),
        }
    }
}

impl DeliveryLine {
    /// The line of a delivery, as its record has it.
    pub fn of(record: &Record, outcome: Option<&'static str>) -> Self {
        let count = |state| (record.state == state).then_some(1);
        let attempt = record.history.last().filter(|_| outcome.is_some());
        let duration = attempt.map(|it| Duration::from_millis(it.duration_ms));
        let latency = attempt.filter(|_| record.attempts == 1).map(|it| {
            let since = it.at.saturating_sub(record.event.accepted_at);
            Duration::from_millis(u64::try_from(since).unwrap_or_default() + it.duration_ms)
        });
        Self {
            timestamp: SystemTime::now(),
            endpoint: record.endpoint.clone(),
            delivery_id: record.id.clone(),
            event_id: record.event.id.clone(),
            state: record.state.name(),
            outcome,
            attempts: record.attempts,
            status: attempt.and_then(|it| it.status),
            reason: attempt
                .and_then(|it| it.error.clone())
                .or(record.reason.clone()),
            duration_ms: duration,
            latency_ms: latency,
            delivered: count(State::Delivered),
            failed: outcome.filter(|it| *it != "delivered").map(|_| 1),
            held: count(State::Held),
            exhausted: count(State::Exhausted),
            skipped: count(State::Skipped),
        }
    }
}

impl RequestLine {
    /// A line for a request that was not looked at yet.
    pub fn begin() -> Self {
        Self {
            timestamp: SystemTime::now(),
            source: "unknown".to_owned(),
            vendor: "unknown",
            event_id: None,
            outcome: "failed",
            status: 500,
            secret_position: None,
            reason: None,
            duration_ms: Duration::ZERO,
            accepted: None,
            duplicate: None,
            conflict: None,
            quarantined: None,
            rejected: None,
            failed: None,
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
            _ => &mut self.failed,
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
            quarantined: 0,
            dead_lettered: 0,
            duration_ms: Duration::ZERO,
        }
    }
}

impl Metrics {
    /// Metrics in this namespace.
    pub fn to_stdout(namespace: String) -> Self {
        let format = Emf::builder(namespace, vec![vec![]])
            // The lines are of a few fixed forms, which the tests look at.
            .skip_all_validations(true)
            .build();
        Self(FlushImmediately::new_boxed(
            format.output_to(std::io::stdout()),
        ))
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
    pub fn news(&self, line: NewsLine) {
        self.0.append(RootEntry::new(line.close()));
    }

    /// Writes the line of what a vendor never sent before.
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
