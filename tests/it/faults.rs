//! I1 and I2: every webhook that was answered with 2xx, or was recorded, reaches every queue that wants it,
//! whatever call fails and wherever the process dies. The providers here send everything once.
//!
//! Seen to fail: with a 2xx after a write that failed, with any error of the ledger taken for a duplicate,
//! with a fan-out that answers success after an error, and with a claimed body taken for empty when it cannot
//! be read.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use testkit::aws::Aws;
use testkit::function::{Answer, Function};
use testkit::proxy::{Call, Fault, Proxy};
use testkit::{eventually, webhook};

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
const DOOR_2: [Call; 8] = [
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
    call_with("dynamodb", "PutItem", "TableName == 'journal'"),
    call_with("dynamodb", "UpdateItem", "TableName == 'journal'"),
];

/// A function behind a proxy. It is started again after it died.
struct World {
    aws: Aws,
    proxy: Proxy,
    function: Option<Function>,
    /// The fault that is still to come.
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

    /// Invokes the function. If the fault is a death, kills the function as soon as the proxy holds the call.
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
            if let Answer::Success(answer) = self.invoke(&batch).await {
                self.aws.go_on(&answer, after).await;
            }
        }
    }
}

/// Bodies for all branches: small, above 256 KB, above a message of SQS, in conflict, not understood.
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

async fn nothing_is_lost(calls: &[Call]) {
    let mut world = World::start().await;
    let mut seen = BTreeSet::new();
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
            if matches!(answer, Answer::Success(response) if response["statusCode"] == 200) {
                acknowledged.insert(digest(&body));
            }
        }
        world.drain_stream().await;

        let what = format!("{fault:?} at {call:?}");
        let happened = world.fault.is_none() || world.proxy.fired().await > 0;
        assert!(happened, "{what} never happened");
        let mut items = world.aws.recorded().await;
        items.retain(|item| seen.insert(item["pk"].to_string()));
        // By their bodies, because another webhook may have the id of a lost one.
        let recorded: BTreeSet<_> = items
            .iter()
            .map(|item| text(&item["body_sha256"]["B"]))
            .collect();
        assert!(
            acknowledged.is_subset(&recorded),
            "{what}: {acknowledged:?} of {items:?}"
        );
        assert!(
            acknowledged.len() >= 4,
            "{what}: one fault cost more than one webhook"
        );
        let of_state = |state: &str| -> BTreeSet<String> {
            let of_state = items.iter().filter(|item| item["state"]["S"] == state);
            of_state.map(|item| text(&item["id"]["S"])).collect()
        };
        for (queue, state) in [
            ("events", "accepted"),
            ("search", "accepted"),
            ("quarantine", "quarantined"),
        ] {
            let mut published = world.aws.drain(queue).await;
            if queue == "search" {
                // Messages that a consumer's queue refuses are kept.
                published.extend(world.aws.drain("dead").await);
            }
            let ids = published
                .iter()
                .map(|message| text(&message.attributes["ce-id"]["StringValue"]));
            assert_eq!(
                ids.collect::<BTreeSet<_>>(),
                of_state(state),
                "{what}: {queue}"
            );
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn digest(body: &str) -> String {
    STANDARD.encode(Sha256::digest(body.as_bytes()))
}

#[tokio::test]
async fn no_fault_before_the_answer_loses_what_was_acknowledged_or_recorded() {
    nothing_is_lost(&DOOR_1).await;
}

#[tokio::test]
async fn no_fault_after_the_answer_loses_what_was_acknowledged_or_recorded() {
    nothing_is_lost(&DOOR_2).await;
}
