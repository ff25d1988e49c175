//! What is known of a stack: read from AWS, and judged elsewhere. What cannot be read hides nothing else.

mod alarms;
mod endpoints;
mod functions;
mod gauges;
mod queues;
mod sources;
mod tables;

pub(super) use alarms::Alarm;
pub(super) use endpoints::Kept;
pub(super) use functions::EventSource;
pub(super) use gauges::Gauges;
pub(super) use queues::{Queue, Queues};
pub(super) use sources::{Secrets, Source, Sources};
pub(super) use tables::Table;

use crate::Result;
use crate::failure::{Failure, Kind};
use crate::stack::Stack;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use webhook_gateway::store::journal::Heard;

/// What was read, or why it was not.
pub(super) type Fact<T> = std::result::Result<T, Unread>;

/// Something was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) subject: &'static str,
    pub(super) why: String,
    pub(super) kind: Kind,
    /// The permissions that it takes.
    pub(super) needs: &'static str,
}

impl Unread {
    /// Why, for who cannot go on without it.
    pub(super) fn failure(self) -> Failure {
        Failure::new(self.kind, self.why)
    }
}

/// All that is judged.
pub(super) struct Facts {
    pub(super) now: Timestamp,
    pub(super) is_local: bool,
    pub(super) version: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) sources: Fact<Sources>,
    pub(super) heard: Fact<HashMap<String, Heard>>,
    /// How long the functions may take.
    pub(super) ingress_timeout: Fact<Duration>,
    pub(super) delivery_timeout: Fact<Duration>,
    /// What starts them.
    pub(super) ingress_sources: Fact<Vec<EventSource>>,
    pub(super) delivery_sources: Fact<Vec<EventSource>>,
    pub(super) events: Fact<Queue>,
    pub(super) quarantine: Fact<Queue>,
    pub(super) deliveries: Fact<Queue>,
    pub(super) dead_letters: Fact<Queue>,
    pub(super) gauges: Fact<Gauges>,
    pub(super) endpoints: Fact<Vec<Kept>>,
    pub(super) tables: Vec<(&'static str, Fact<Table>)>,
    pub(super) alarms: Fact<Vec<Alarm>>,
}

impl Facts {
    /// Reads all of it.
    pub(super) async fn of(stack: &Stack) -> Self {
        let output = |name| stack.output(name).ok().map(str::to_owned);
        let (functions, queues) = (functions::Functions::of(stack), Queues::of(stack));
        Self {
            now: Timestamp::now(),
            is_local: stack.is_local,
            version: output("Version"),
            policy: output("EndpointPolicy"),
            sources: sources::sources(stack).await,
            heard: sources::heard(stack).await,
            ingress_timeout: functions.timeout("ingress", "IngressFunctionName").await,
            delivery_timeout: functions.timeout("delivery", "DeliveryFunctionName").await,
            ingress_sources: functions.sources("ingress", "IngressFunctionName").await,
            delivery_sources: functions.sources("delivery", "DeliveryFunctionName").await,
            events: queues.queue("events", "EventsQueueUrl").await,
            quarantine: queues.queue("quarantine", "QuarantineQueueUrl").await,
            deliveries: queues.queue("deliveries", "DeliveryQueueUrl").await,
            dead_letters: queues.queue("dead letters", "DeadLetterQueueUrl").await,
            gauges: gauges::gauges(stack).await,
            endpoints: endpoints::endpoints(stack).await,
            tables: tables::tables(stack).await,
            alarms: alarms::alarms(stack).await,
        }
    }
}

/// What was read of a subject, or why not, with the permissions that it takes.
fn read<T>(subject: &'static str, needs: &'static str, read: Result<T>) -> Fact<T> {
    read.map_err(|error| Unread {
        subject,
        why: error.to_string(),
        kind: error
            .downcast_ref::<Failure>()
            .map_or(Kind::Other, |failure| failure.kind),
        needs,
    })
}

/// The name at the end of an ARN or of the URL of a queue.
fn name_of(path: &str) -> &str {
    path.rsplit(['/', ':']).next().unwrap_or(path)
}
