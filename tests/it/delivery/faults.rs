//! I7: whatever call of AWS fails, and however, nothing is lost, and once it works again all is as if nothing
//! had been.

use super::traffic::Traffic;
use testkit::delivery::DeliveryHarness;
use testkit::function::Function;
use testkit::proxy::{Call, Fault, Proxy};

const fn call(service: &'static str, operation: &'static str) -> Call {
    Call {
        service,
        operation,
        body: None,
    }
}

const fn table(operation: &'static str, body: &'static str) -> Call {
    Call {
        service: "dynamodb",
        operation,
        body: Some(body),
    }
}

const fn queue(body: &'static str) -> Call {
    Call {
        service: "sqs",
        operation: "SendMessageBatch",
        body: Some(body),
    }
}

/// Every call of the function.
const CALLS: [Call; 21] = [
    table("BatchGetItem", "RequestItems.endpoints"),
    table("BatchGetItem", "RequestItems.deliveries"),
    table("BatchGetItem", "RequestItems.ledger"),
    table("Query", "KeyConditionExpression"),
    table("BatchWriteItem", "RequestItems"),
    table("TransactWriteItems", "TransactItems[0].Put"),
    table("PutItem", "Item"),
    table("UpdateItem", "contains(UpdateExpression, 'ADD failures')"),
    table("UpdateItem", "contains(UpdateExpression, 'SET opened_at')"),
    table("UpdateItem", "starts_with(UpdateExpression, 'SET notice')"),
    table(
        "UpdateItem",
        "starts_with(UpdateExpression, 'REMOVE failures')",
    ),
    table("UpdateItem", "UpdateExpression == 'REMOVE notice'"),
    table("UpdateItem", "contains(UpdateExpression, 'SET probe')"),
    table(
        "UpdateItem",
        "starts_with(UpdateExpression, 'REMOVE probe')",
    ),
    table("TransactWriteItems", "TransactItems[0].Update"),
    queue("ends_with(QueueUrl, 'deliveries')"),
    queue("ends_with(QueueUrl, 'events')"),
    queue("ends_with(QueueUrl, 'dead')"),
    call("sqs", "ChangeMessageVisibilityBatch"),
    call("kms", "Decrypt"),
    call("sns", "Publish"),
];

/// A function that tries each call once: what lasts is then over soon.
async fn hasty(world: &DeliveryHarness, proxy: &Proxy) -> Function {
    let once = [("AWS_MAX_ATTEMPTS", "1".to_owned())];
    world.function_with(&proxy.url(), &once).await
}

async fn nothing_is_lost(fault: Fault) {
    let world = DeliveryHarness::start().await;
    let proxy = Proxy::start(world.tap.url()).await;
    let calls = CALLS.into_iter().chain([call("s3", "GetObject")]);
    for (case, call) in (0..).zip(calls) {
        let what = format!("{fault:?} at {call:?}");
        let mut function = if fault.lasts() {
            hasty(&world, &proxy).await
        } else {
            world.function_behind(&proxy.url()).await
        };
        let traffic = Traffic::offer(&world, case).await;
        proxy.inject(call, fault).await;
        world.pump_into(&mut function, &proxy, 4, &what).await;
        proxy.heal().await;
        world.drain(&mut function).await;
        traffic.follow_up(&world).await;
        world.drain(&mut function).await;
        traffic.check(&world, &what).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_by_a_call_that_fails_for_a_while() {
    nothing_is_lost(Fault::Outage).await;
}

#[tokio::test]
async fn nothing_is_lost_by_a_call_whose_answers_are_lost_for_a_while() {
    nothing_is_lost(Fault::Losses).await;
}

#[tokio::test]
async fn nothing_is_lost_by_an_answer_that_is_lost() {
    nothing_is_lost(Fault::CutOff).await;
}
