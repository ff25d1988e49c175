//! The state of a stack, read from AWS. A part that cannot be read does not hide the others.

mod alarms;
mod endpoints;
mod functions;
mod gauges;
mod listeners;
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
use webhook_gateway::store::subscriptions::Subscription;

/// A part of the state, or why it could not be read.
pub(crate) type Fact<T> = std::result::Result<T, Unread>;

/// A part of the state that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) subject: &'static str,
    pub(crate) why: String,
    pub(crate) kind: Kind,
    /// The permissions that are needed.
    pub(crate) needs: &'static str,
}

/// The state of a stack.
pub(crate) struct Facts {
    pub(crate) now: Timestamp,
    pub(crate) is_local: bool,
    pub(crate) version: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) sources: Fact<Sources>,
    pub(crate) heard: Fact<HashMap<String, SourceActivity>>,
    /// The timeouts of the functions.
    pub(crate) ingress_timeout: Fact<Duration>,
    pub(crate) delivery_timeout: Fact<Duration>,
    /// The streams and queues that start the functions.
    pub(crate) ingress_sources: Fact<Vec<EventSource>>,
    pub(crate) delivery_sources: Fact<Vec<EventSource>>,
    pub(crate) events: Fact<Queue>,
    pub(crate) quarantine: Fact<Queue>,
    pub(crate) deliveries: Fact<Queue>,
    pub(crate) dead_letters: Fact<Queue>,
    pub(crate) gauges: Fact<Gauges>,
    pub(crate) endpoints: Fact<Vec<HeldEndpoint>>,
    pub(crate) listeners: Fact<Vec<Subscription>>,
    pub(crate) tables: Vec<(&'static str, Fact<Table>)>,
    pub(crate) alarms: Fact<Vec<Alarm>>,
}

impl Facts {
    /// Reads the state of a stack.
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
            listeners: listeners::listeners(stack).await,
            tables: tables::tables(stack).await,
            alarms: alarms::alarms(stack).await,
        }
    }
}

/// The fact about a subject. An error becomes a fact too, with the permissions that are needed.
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
