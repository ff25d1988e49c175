//! Ages that only CloudWatch has: that of the oldest message of each queue, and the lag of the stream path.

use super::{Fact, name_of, read};
use crate::Result;
use crate::metrics::{Query, Values, ask};
use crate::stack::Stack;
use jiff::{SignedDuration, Timestamp};

/// The time span of the last value: SQS reports one every few minutes.
const SPAN: SignedDuration = SignedDuration::from_mins(15);

/// The ages. An empty queue has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gauges {
    /// The age of the last change that the stream path received.
    pub(crate) lag: Option<SignedDuration>,
    pub(crate) events: Option<SignedDuration>,
    pub(crate) quarantine: Option<SignedDuration>,
    pub(crate) dead_letters: Option<SignedDuration>,
}

pub(crate) async fn gauges(stack: &Stack) -> Fact<Gauges> {
    read("ages", "cloudwatch:GetMetricData", gauge(stack).await)
}

async fn gauge(stack: &Stack) -> Result<Gauges> {
    let function = vec![("FunctionName", stack.ingress_function()?.to_owned())];
    let mut queries = vec![query("AWS/Lambda", "IteratorAge", function)];
    for queue in [
        stack.events_queue()?,
        stack.quarantine_queue()?,
        stack.dead_letter_queue()?,
    ] {
        let queue = vec![("QueueName", name_of(queue).to_owned())];
        queries.push(query("AWS/SQS", "ApproximateAgeOfOldestMessage", queue));
    }
    let now = Timestamp::now();
    let values = ask(&stack.cloudwatch(), &queries, now - SPAN..now).await?;
    let mut values = values.iter().map(last);
    let mut next = || values.next().flatten();
    let milliseconds = |millisecond: f64| SignedDuration::from_millis(millisecond as i64);
    let seconds = |item: f64| SignedDuration::from_secs(item as i64);
    Ok(Gauges {
        lag: next().map(milliseconds),
        events: next().map(seconds),
        quarantine: next().map(seconds),
        dead_letters: next().map(seconds),
    })
}

fn query(namespace: &str, name: &'static str, dimensions: Vec<(&'static str, String)>) -> Query {
    Query {
        namespace: namespace.to_owned(),
        name,
        dimensions,
        statistic: "Maximum",
        period: 60,
    }
}

fn last(values: &Values) -> Option<f64> {
    values.last_key_value().map(|(_, value)| *value)
}
