//! I1 and I2: what was answered with 2xx, and what was recorded, is on every queue that it should be on, whatever
//! call fails and wherever the process dies. The vendors here send everything once.
//!
//! Seen to fail: with a 2xx after a write that failed, with any error of the ledger taken for a duplicate, with a
//! fan-out that answers success after an error, and with a claimed body taken for empty when it cannot be read.

use crate::support::aws::{Aws, Message};
use crate::support::function::{Answer, Function};
use crate::support::proxy::{Call, Fault, Proxy};
use crate::support::{eventually, webhook};
use serde_json::Value;
use std::collections::BTreeSet;

const fn call(service: &'static str, operation: &'static str) -> Call {
    Call {
        service,
        operation,
        body: None,
    }
}

const fn call_with(service: &'static str, operation: &'static str, body: &'static str) -> Call {
    Call {
        service,
        operation,
        body: Some(body),
    }
}

/// Every call between a webhook and its answer.
const DOOR_1: [Call; 4] = [
    call("secretsmanager", "GetSecretValue"),
    call("s3", "PutObject"),
    call("dynamodb", "PutItem"),
    call_with("dynamodb", "PutItem", "Item.conflict"),
];

/// Every call between the stream and the queues.
const DOOR_2: [Call; 6] = [
    call("dynamodb", "Query"),
    call("s3", "GetObject"),
    call("s3", "PutObject"),
    call_with("sqs", "SendMessageBatch", "ends_with(QueueUrl, 'events')"),
    call_with("sqs", "SendMessageBatch", "ends_with(QueueUrl, 'search')"),
    call_with(
        "sqs",
        "SendMessageBatch",
        "ends_with(QueueUrl, 'quarantine')",
    ),
];

/// A function that is started again when it has died, behind a proxy.
struct World {
    aws: Aws,
    proxy: Proxy,
    function: Option<Function>,
    /// What is still to happen.
    fault: Option<Fault>,
}

impl World {
    async fn start() -> Self {
        let aws = Aws::start().await;
        aws.subscribe("search", &aws.queue_url("search"), &["*"], &[])
            .await;
        let proxy = Proxy::start(aws.url()).await;
        Self {
            aws,
            proxy,
            function: None,
            fault: None,
        }
    }

    async fn inject(&mut self, call: Call, fault: Fault) {
        self.fault = Some(fault);
        self.proxy.inject(call, fault).await;
    }

    /// Invokes the function, and kills it once the call at hand is held, if that is the fault.
    async fn invoke(&mut self, event: &Value) -> Answer {
        let mut function = match self.function.take() {
            Some(function) => function,
            None => self.aws.ingress_behind(&self.proxy.url()).await,
        };
        let Some(fault) = self.fault.filter(|fault| fault.kills()) else {
            let answer = function.invoke(event).await;
            self.function = Some(function);
            let lasts = self.fault.is_some_and(Fault::lasts);
            if lasts && self.proxy.fired().await > 0 {
                self.heal().await;
            }
            return answer;
        };
        let mut answer = function.begin(event);
        let (proxy, traces) = (&self.proxy, fault.traces());
        let held = eventually("a call that is held", || async {
            proxy.fired().await >= traces
        });
        tokio::select! {
            biased;
            answer = &mut answer => {
                self.function = Some(function);
                answer.unwrap()
            }
            () = held => {
                function.kill().await;
                self.heal().await;
                Answer::Died
            }
        }
    }

    async fn heal(&mut self) {
        self.proxy.heal().await;
        self.fault = None;
    }

    /// Offers the stream until it is drained.
    async fn drain_stream(&mut self) {
        loop {
            let (batch, after) = self.aws.next_batch().await;
            if batch["Records"].as_array().unwrap().is_empty() {
                return;
            }
            if let Answer::Success(_) = self.invoke(&batch).await {
                self.aws.acknowledge(after);
            }
        }
    }
}

/// The bodies that go through all branches: small, claimed, beyond a message of SQS, in conflict, not understood.
fn webhooks(case: usize) -> Vec<String> {
    let id = |kind: &str| format!("{kind}-{case}");
    vec![
        webhook::creative_force(&id("small"), ""),
        webhook::creative_force(&id("claimed"), &"x".repeat(300 * 1024)),
        webhook::creative_force(&id("pointed-to"), &"y".repeat(1100 * 1024)),
        webhook::creative_force(&id("small"), "another body"),
        format!("not JSON, case {case}"),
    ]
}

fn ids(messages: &[Message]) -> BTreeSet<String> {
    let id = |message: &Message| {
        message.attributes["ce-id"]["StringValue"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    messages.iter().map(id).collect()
}

async fn nothing_is_lost(calls: &[Call]) {
    let mut world = World::start().await;
    let mut recorded_before = BTreeSet::new();
    for (case, (&call, fault)) in calls
        .iter()
        .flat_map(|call| Fault::ALL.map(|fault| (call, fault)))
        .enumerate()
    {
        world.function = None;
        world.inject(call, fault).await;
        let mut acknowledged = BTreeSet::new();
        for body in webhooks(case) {
            let answer = world.invoke(&webhook::signed("studio", &body)).await;
            if let Answer::Success(response) = answer
                && response["statusCode"] == 200
            {
                let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
                acknowledged.insert(body["id"].as_str().unwrap().to_owned());
            }
        }
        world.drain_stream().await;

        let what = format!("{fault:?} at {call:?}");
        let fired = world.fault.is_none() || world.proxy.fired().await > 0;
        assert!(fired, "{what} never happened");
        let items = world.aws.recorded().await;
        let all: BTreeSet<_> = items
            .iter()
            .map(|item| item["id"]["S"].as_str().unwrap().to_owned())
            .collect();
        let recorded: BTreeSet<_> = all.difference(&recorded_before).cloned().collect();
        let events = ids(&world.aws.drain("events").await);
        let quarantine = ids(&world.aws.drain("quarantine").await);
        let published: BTreeSet<_> = events.union(&quarantine).cloned().collect();
        assert!(
            acknowledged.is_subset(&recorded),
            "{what}: {acknowledged:?}, recorded {recorded:?}"
        );
        assert_eq!(recorded, published, "{what}");
        assert_eq!(events, ids(&world.aws.drain("search").await), "{what}");
        assert!(
            acknowledged.len() >= 4,
            "{what}: one fault cost more than one webhook: {acknowledged:?}"
        );
        recorded_before = all;
    }
}

#[tokio::test]
async fn no_fault_before_the_answer_loses_what_was_acknowledged_or_recorded() {
    nothing_is_lost(&DOOR_1).await;
}

#[tokio::test]
async fn no_fault_after_the_answer_loses_what_was_acknowledged_or_recorded() {
    nothing_is_lost(&DOOR_2).await;
}
