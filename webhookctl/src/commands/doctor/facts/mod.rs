//! What is known of a stack: read from AWS, and judged elsewhere. What cannot be read hides nothing else.

mod alarms;
mod endpoints;
mod functions;
mod gauges;
mod queues;
mod sources;
mod tables;

pub(crate) use alarms::Alarm;
pub(crate) use endpoints::HeldEndpoint;
pub(crate) use functions::EventSource;
pub(crate) use gauges::Gauges;
pub(crate) use queues::{Queue, Queues};
pub(crate) use sources::{Secrets, Source, Sources};
pub(crate) use tables::Table;

use crate::Result;
use crate::hint::Kind;
use crate::stack::Stack;
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use webhook_gateway::store::journal::SourceActivity;

/// What was read, or why it was not.
pub(crate) type Fact<T> = std::result::Result<T, Unread>;

/// Something was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) subject: &'static str,
    pub(crate) why: String,
    pub(crate) kind: Kind,
    /// The permissions that it takes.
    pub(crate) needs: &'static str,
}

/// All that is judged.
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    pub(crate) is_local: bool,
    pub(crate) version: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) sources: Fact<Sources>,
    pub(crate) heard: Fact<HashMap<String, SourceActivity>>,
    /// How long the functions may take.
    pub(crate) ingress_timeout: Fact<Duration>,
    pub(crate) delivery_timeout: Fact<Duration>,
    /// What starts them.
    pub(crate) ingress_sources: Fact<Vec<EventSource>>,
    pub(crate) delivery_sources: Fact<Vec<EventSource>>,
    pub(crate) events: Fact<Queue>,
    pub(crate) quarantine: Fact<Queue>,
    pub(crate) deliveries: Fact<Queue>,
    pub(crate) dead_letters: Fact<Queue>,
    pub(crate) gauges: Fact<Gauges>,
    pub(crate) endpoints: Fact<Vec<HeldEndpoint>>,
    pub(crate) tables: Vec<(&'static str, Fact<Table>)>,
    pub(crate) alarms: Fact<Vec<Alarm>>,
}

impl Facts {
    /// Reads all of it.
    pub(crate) async fn of(stack: &Stack) -> Self {
        let (functions, queues) = (functions::Functions::of(stack), Queues::of(stack));
        let (ingress, delivery) = (|| stack.ingress_function(), || stack.delivery_function());
        Self {
            now: Timestamp::now(),
            is_local: stack.is_local,
            version: stack.version().ok().map(str::to_owned),
            policy: stack.endpoint_policy().ok().map(str::to_owned),
            sources: sources::sources(stack).await,
            heard: sources::heard(stack).await,
            ingress_timeout: functions.timeout("ingress", ingress()).await,
            delivery_timeout: functions.timeout("delivery", delivery()).await,
            ingress_sources: functions.sources("ingress", ingress()).await,
            delivery_sources: functions.sources("delivery", delivery()).await,
            events: queues.queue("events", stack.events_queue()).await,
            quarantine: queues.queue("quarantine", stack.quarantine_queue()).await,
            deliveries: queues.queue("deliveries", stack.delivery_queue()).await,
            dead_letters: queues
                .queue("dead letters", stack.dead_letter_queue())
                .await,
            gauges: gauges::gauges(stack).await,
            endpoints: endpoints::endpoints(stack).await,
            tables: tables::tables(stack).await,
            alarms: alarms::alarms(stack).await,
        }
    }
}

/// What was read of a subject, or why not, with the permissions that it takes.
fn read<T>(subject: &'static str, needs: &'static str, read: Result<T>) -> Fact<T> {
    read.map_err(|error| {
        let kind = Kind::of(&*error);
        let hint = if kind.is_of_every_call() {
            kind.hint()
        } else {
            ""
        };
        Unread {
            subject,
            why: format!("{error}{hint}"),
            kind,
            needs,
        }
    })
}

/// The name at the end of an ARN or of the URL of a queue.
fn name_of(path: &str) -> &str {
    path.rsplit(['/', ':']).next().unwrap_or(path)
}
