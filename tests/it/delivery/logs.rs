//! I12: no secret, signature, body, header value of an endpoint's or answer of one is in a line that the
//! function writes, whatever becomes of the delivery, and however verbose its log level is.
//!
//! Seen to fail: with the level `TRACE` for the libraries.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::delivery::{DeliveryHarness, event, ledger_item};
use testkit::function::Function;
use testkit::proxy::{Call, Fault, Proxy};
use testkit::receiver::{Receiver, Reply};
use testkit::spellings;

/// What is in every body.
const BODY: &str = "canary-of-the-body";

/// What is in every answer.
const ANSWER: &str = "canary-of-the-answer";

/// What is in a header of the endpoint's own.
const HEADER: &str = "canary-of-the-header";

/// The secrets, which hold it as the bytes that they stand for.
const KEY: &[u8] = b"canary-of-the-secret-key";

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// An endpoint that answers in the way that each endpoint's name says, with something to look for.
async fn receiver() -> Receiver {
    let receiver = Receiver::start().await;
    receiver.answer(|request| {
        let whole = |status| {
            let headers = [("retry-after", "60"), ("x-answer", ANSWER)];
            let headers = headers.map(|(name, value)| (name, value.to_owned()));
            Reply::Whole(status, headers.to_vec(), ANSWER.to_owned())
        };
        match request.id().split('_').nth(1).unwrap() {
            "dropping" => Reply::Drop,
            "gone" => whole(410),
            "busy" => whole(429),
            "failing" => whole(500),
            _ => whole(200),
        }
    });
    receiver
}

const ENDPOINTS: [&str; 6] = [
    "ep_well",
    "ep_dropping",
    "ep_gone",
    "ep_busy",
    "ep_failing",
    "ep_rate",
];

/// Offers deliveries to all endpoints, as if nothing had been seen of these: of an event that is well, of one
/// that is none of the provider's, and of one in the bucket.
async fn offer(world: &DeliveryHarness, receiver: &Receiver, first: u32) {
    let event_of = |note: &str| {
        json!({
            "PayloadId": BODY, "EventGroupName": "product", "Action": BODY, "Note": note,
        })
    };
    let bodies = [
        event_of(BODY).to_string(),
        format!("{{\"{BODY}\": {BODY}"),
        event_of(BODY).to_string(),
    ];
    for (number, body) in (first..).zip(bodies) {
        let mut entry = ledger_item(&event(number));
        if number == first + 2 {
            let object = format!("bodies/{number}");
            world.aws.put_object(&object, body.into()).await;
            entry["body_s3"] = json!({"S": object});
        } else {
            entry["body"] = json!({"B": STANDARD.encode(body)});
        }
        world.aws.put_item(&entry).await;
    }
    for endpoint in ENDPOINTS {
        let secrets = [world.sealed(endpoint, &secret()).await];
        let headers = [["authorization", HEADER]];
        let mut members = json!({"secrets": secrets, "headers": headers});
        if endpoint == "ep_rate" {
            members["rate"] = json!(5);
        }
        world.endpoint(endpoint, &receiver.url(), &members).await;
        world.put_circuit(endpoint, &json!({})).await;
        for number in first..first + 3 {
            world.order(endpoint, number).await;
        }
    }
}

/// All that must not be in a line: as it is, as it is encoded, and what was made of it.
fn canaries(receiver: &Receiver) -> BTreeSet<String> {
    let key = str::from_utf8(KEY).unwrap();
    let texts = [BODY, ANSWER, HEADER, key, &secret()];
    let mut canaries: BTreeSet<String> = texts.iter().flat_map(|text| spellings(text)).collect();
    for request in receiver.requests() {
        canaries.insert(request.header("webhook-signature").replace("v1,", ""));
    }
    canaries
}

/// The most that Lambda can be set to, by hand as well.
fn most() -> (&'static str, String) {
    ("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned())
}

async fn check(function: &Function, receiver: &Receiver, what: &str) {
    let canaries = canaries(receiver);
    for line in function.output().await {
        let found = canaries.iter().find(|canary| line.contains(*canary));
        assert_eq!(found, None, "{what}: {line}");
    }
}

#[tokio::test]
async fn no_line_tells_what_was_sent_or_answered() {
    let world = DeliveryHarness::start().await;
    let receiver = receiver().await;
    let mut function = world.function_with(world.tap.url(), &[most()]).await;
    offer(&world, &receiver, 1).await;
    for _ in 0..4 {
        world.pump(&mut function).await;
    }
    let output = function.output().await;
    assert!(output.iter().any(|line| line.contains("DEBUG")));
    for state in ["delivered", "pending", "held", "skipped"] {
        let state = format!("\"state\":\"{state}\"");
        assert!(output.iter().any(|line| line.contains(&state)), "{state}");
    }
    assert!(receiver.requests().iter().any(|request| request.has(BODY)));
    check(&function, &receiver, "the run").await;
}

#[tokio::test]
async fn no_error_of_aws_tells_it_either() {
    let world = DeliveryHarness::start().await;
    let receiver = receiver().await;
    let proxy = Proxy::start(world.tap.url()).await;
    let dynamodb = [
        "BatchGetItem",
        "Query",
        "BatchWriteItem",
        "TransactWriteItems",
        "PutItem",
        "UpdateItem",
    ];
    let others = [
        ("kms", "Decrypt"),
        ("s3", "GetObject"),
        ("sqs", "SendMessageBatch"),
    ];
    let calls = dynamodb
        .map(|operation| ("dynamodb", operation))
        .into_iter()
        .chain(others);
    let faults = [Fault::Outage, Fault::Losses, Fault::Garbling];
    let cases = calls.flat_map(|call| faults.map(|fault| (call, fault)));
    for (case, ((service, operation), fault)) in (0..).zip(cases) {
        let what = format!("{fault:?} at {operation}");
        let once = [("AWS_MAX_ATTEMPTS", "1".to_owned()), most()];
        let mut function = world.function_with(&proxy.url(), &once).await;
        offer(&world, &receiver, case * 10).await;
        let call = Call {
            service,
            operation,
            body: None,
        };
        proxy.inject(call, fault).await;
        world.pump_into(&mut function, &proxy, 2, &what).await;
        proxy.heal().await;
        check(&function, &receiver, &what).await;
        let left = world.receive().await;
        world
            .conclude(left, &json!({"batchItemFailures": []}))
            .await;
    }
}
