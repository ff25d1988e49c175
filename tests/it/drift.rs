//! New types and members in a provider's webhooks are reported once, by the path of the member. Then every
//! copy of the function knows them.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::eventually;
use testkit::function::{Answer, Function};
use testkit::items::plain;
use testkit::proxy::{Call, Fault, Proxy};
use testkit::webhook::{request, signed};

/// The text in every value.
const CANARY: &str = "canary-of-the-body";

/// A webhook of Creative Force, with these members.
fn product(action: &str, members: &Value) -> String {
    let mut product = json!({
        "PayloadId": format!("{CANARY}-{}", uuid::Uuid::new_v4()), "EventGroupName": "product",
        "Action": action,
        "ProductId": CANARY, "Assets": [{"Name": CANARY, "Width": 4000}], "Retired": null,
    });
    for (name, value) in members.as_object().unwrap() {
        product[name] = value.clone();
    }
    product.to_string()
}

/// Sends a webhook and publishes it.
async fn hear(aws: &mut Aws, function: &mut Function, body: &str) {
    function.accept(&signed("studio", body)).await;
    aws.drain_stream(function).await;
}

/// The lines about drift that a function has written so far: type and path.
async fn told(function: &mut Function) -> Vec<(String, String)> {
    // After one more rejected request, all earlier lines have been read.
    let count = async |function: &Function| {
        let output = function.output().await;
        let refused = output.iter().filter(|line| line.contains("\"status\":405"));
        refused.count()
    };
    let before = count(function).await;
    let refused = request("PUT", "studio", "", &[]);
    function.answered(&refused, 405).await;
    let function = &*function;
    eventually("a line", || async { count(function).await > before }).await;
    let output = function.output().await;
    let lines = output
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines = lines.filter(|line: &Value| line["drift"] == 1);
    let text = |member: &Value| member.as_str().unwrap().to_owned();
    lines
        .map(|line| (text(&line["event.type"]), text(&line["path"])))
        .collect()
}

/// The drift of documented types, by its paths.
fn of_resets(paths: &[&str]) -> Vec<(String, String)> {
    let reset = "io.creativeforce.product.reset";
    let drift = paths
        .iter()
        .map(|path| (reset.to_owned(), (*path).to_owned()));
    drift.collect()
}

#[tokio::test]
async fn a_shape_that_was_never_seen_is_told_once_and_then_known_everywhere() {
    let mut aws = Aws::start().await;
    let mut one = aws.ingress().await;
    let mut other = aws.ingress().await;
    let known = product("ProductReset", &json!({}));
    let new = json!({"Assets": [{"Name": CANARY}, {"New": {"Deep": CANARY}}], "Zoo": CANARY});
    hear(&mut aws, &mut one, &known).await;
    hear(&mut aws, &mut other, &known).await;
    for _ in 0..2 {
        hear(&mut aws, &mut one, &product("ProductReset", &new)).await;
        hear(&mut aws, &mut other, &product("Product Reset", &new)).await;
    }
    assert_eq!(told(&mut one).await, of_resets(&["$.Assets[*].New"]));
    assert_eq!(told(&mut other).await, of_resets(&[]));

    // The shape knows null and a missing member; it does not know another kind of value.
    let compatible = json!({"Retired": CANARY, "Assets": null, "ProductId": null});
    hear(&mut aws, &mut other, &product("ProductReset", &compatible)).await;
    assert_eq!(told(&mut other).await, of_resets(&[]));
    let changed = json!({"ProductId": 1, "Retired": CANARY});
    hear(&mut aws, &mut other, &product("ProductReset", &changed)).await;
    assert_eq!(told(&mut other).await, of_resets(&["$.ProductId"]));

    let mut third = aws.ingress().await;
    for members in [&new, &compatible, &changed] {
        hear(&mut aws, &mut third, &product("ProductReset", members)).await;
    }
    assert_eq!(told(&mut third).await, of_resets(&[]));
    for function in [one, other, third] {
        let output = function.output().await;
        for line in output.iter().filter(|text| text.contains("\"drift\":1")) {
            assert!(!line.contains(CANARY), "{line}");
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                (&line["source"], &line["provider"]),
                (&json!("studio"), &json!("creative-force"))
            );
            let metrics = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(metrics["Dimensions"], json!([["source"], []]));
            assert_eq!(metrics["Metrics"], json!([{"Name": "drift"}]));
        }
    }
}

#[tokio::test]
async fn a_type_that_the_provider_does_not_document_is_told_once_by_what_names_it() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for _ in 0..2 {
        hear(
            &mut aws,
            &mut function,
            &product("ProductPainted", &json!({})),
        )
        .await;
        let group = json!({"EventGroupName": "zoo"});
        hear(&mut aws, &mut function, &product("Opened", &group)).await;
    }
    let pair = |event_type: &str, path: &str| (event_type.to_owned(), path.to_owned());
    let types = [
        pair("io.creativeforce.product.painted", "$.Action"),
        pair("io.creativeforce.zoo.opened", "$.EventGroupName"),
    ];
    assert_eq!(told(&mut function).await, types);
    // Another copy, which has read the known shapes before one is added.
    let mut other = aws.ingress().await;
    hear(&mut aws, &mut other, &product("ProductPainted", &json!({}))).await;
    let hung = product("ProductHung", &json!({}));
    hear(&mut aws, &mut function, &hung).await;
    hear(&mut aws, &mut other, &hung).await;
    assert_eq!(told(&mut function).await.len(), 3);
    assert_eq!(told(&mut other).await, []);

    let mut function = aws.ingress().await;
    let new = json!({"New": 1});
    hear(&mut aws, &mut function, &product("ProductPainted", &new)).await;
    let shape = [pair("io.creativeforce.product.painted", "$.New")];
    assert_eq!(told(&mut function).await, shape);
}

#[tokio::test]
async fn what_is_known_costs_no_call_and_what_is_quarantined_is_not_looked_at() {
    let mut aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    hear(
        &mut aws,
        &mut function,
        &product("ProductReset", &json!({})),
    )
    .await;
    for operation in ["UpdateItem", "GetItem"] {
        let call = Call {
            service: "dynamodb",
            operation,
            // The activity of the source is recorded once a minute.
            body: Some("starts_with(Key.kind.S, 'shapes#')"),
        };
        proxy.trace(call).await;
        hear(
            &mut aws,
            &mut function,
            &product("ProductReset", &json!({})),
        )
        .await;
        let unnamed = product("ProductReset", &json!({"PayloadId": null, "New": 1}));
        hear(&mut aws, &mut function, &unnamed).await;
        assert_eq!(proxy.fired().await, 0, "{operation}");
    }
    assert_eq!(told(&mut function).await, []);
    let scan = json!({"TableName": "journal"});
    let items = aws.call("DynamoDB_20120810.Scan", &scan).await;
    let items = items["Items"].as_array().unwrap().iter().map(plain);
    let shapes: Vec<_> = items
        .filter(|item| item["kind"] == "shapes#creative-force")
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(shapes, ["io.creativeforce.product.reset"]);
}

#[tokio::test]
async fn a_journal_that_is_out_of_reach_holds_up_nothing_and_drift_is_told_later() {
    let mut aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let mut function = aws.ingress().await;
    hear(
        &mut aws,
        &mut function,
        &product("ProductReset", &json!({})),
    )
    .await;
    let mut function = aws.ingress_behind(&proxy.url()).await;
    aws.drain("events").await;
    for operation in ["GetItem", "UpdateItem"] {
        let call = Call {
            service: "dynamodb",
            operation,
            body: Some("Key.kind.S == 'shapes#creative-force'"),
        };
        proxy.inject(call, Fault::Outage).await;
        let body = product("ProductReset", &json!({"New": 1}));
        function.accept(&signed("studio", &body)).await;
        let (batch, after) = aws.next_batch().await;
        assert!(matches!(function.invoke(&batch).await, Answer::Success(_)));
        assert!(
            proxy.fired().await > 0,
            "{operation} did not fail: {batch} {:#?}",
            function.output().await
        );
        aws.acknowledge(after);
        assert_eq!(aws.drain("events").await.len(), 1);
        proxy.heal().await;
        assert_eq!(told(&mut function).await, []);
        let output = function.output().await;
        let faults = output
            .iter()
            .filter(|line| line.contains("what was seen of payloads"));
        assert_eq!(faults.count(), if operation == "GetItem" { 1 } else { 2 });
    }
    hear(
        &mut aws,
        &mut function,
        &product("ProductReset", &json!({"New": 1})),
    )
    .await;
    assert_eq!(told(&mut function).await, of_resets(&["$.New"]));
}
