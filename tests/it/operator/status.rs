//! That the tool shows what the functions counted.
//!
//! Seen to fail: with the name of a metric changed.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::function::Function;
use testkit::operator::Operator;
use testkit::receiver::{Receiver, Reply};
use testkit::webhook::{creative_force, signed};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Makes metrics of the lines of a function, as CloudWatch does.
async fn publish_metrics(aws: &Aws, function: &Function) {
    for line in function.output().await {
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        for directive in line["_aws"]["CloudWatchMetrics"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let data = data_of(&line, directive);
            let request = json!({"Namespace": directive["Namespace"], "MetricData": data});
            aws.call("GraniteServiceVersion20100801.PutMetricData", &request)
                .await;
        }
    }
}

fn data_of(line: &Value, directive: &Value) -> Vec<Value> {
    let mut data = Vec::new();
    for metric in directive["Metrics"].as_array().unwrap() {
        let value = &line[metric["Name"].as_str().unwrap()];
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let names = dimensions.as_array().unwrap().iter();
            let dimensions =
                names.map(|name| json!({"Name": name, "Value": line[name.as_str().unwrap()]}));
            let mut datum = json!({
                "MetricName": metric["Name"], "Dimensions": dimensions.collect::<Vec<_>>(),
                "Timestamp": line["_aws"]["Timestamp"].as_f64().unwrap() / 1000.0,
            });
            match value {
                Value::Number(_) => datum["Value"] = value.clone(),
                Value::Object(_) => {
                    datum["Values"] = value["Values"].clone();
                    datum["Counts"] = value["Counts"].clone();
                }
                _ => continue,
            }
            data.push(datum);
        }
    }
    data
}

#[tokio::test]
async fn sources_and_endpoints_are_shown_with_what_was_counted() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let mut delivery = world.function().await;
    let (well, ill) = (Receiver::start().await, Receiver::start().await);
    ill.always(Reply::status(500));
    world.endpoint("ep_ill", &ill.url(), &json!({})).await;
    let paused = json!({"state": "paused"});
    world.endpoint("ep_paused", &ill.url(), &paused).await;
    world.endpoint("ep_well", &well.url(), &json!({})).await;
    let bodies = [
        creative_force("a", ""),
        creative_force("b", ""),
        creative_force("b", ""),
        "{}".to_owned(),
    ];
    for body in &bodies {
        ingress.accept(&signed("studio", body)).await;
    }
    let mut forged = signed("studio", &bodies[0]);
    forged["body"] = json!("another");
    ingress.answered(&forged, 401).await;
    world.aws.drain_stream(&mut ingress).await;
    world.pump(&mut delivery).await;
    publish_metrics(&world.aws, &ingress).await;
    publish_metrics(&world.aws, &delivery).await;

    let operator = Operator::of(&world.aws).await;
    let said = operator.run(&["status"]).await;
    assert_eq!(said.notes.lines().count(), 1, "{said:?}");
    let shown = said.json();
    let kinds: Vec<_> = shown
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    let expected = ["source", "endpoint", "endpoint", "endpoint", "gateway"];
    assert_eq!(kinds, expected);
    let expected = json!({"accepted": 2, "duplicates": 1, "quarantined": 1, "rejected": 1});
    assert_eq!(
        (&shown[0]["hour"], &shown[0]["day"]),
        (&expected, &expected)
    );
    assert!(shown[0]["last_event_at"].is_string(), "{shown:?}");
    let hours = shown[0]["hours"].as_array().unwrap();
    let by_hour = hours.iter().map(|hour| hour["accepted"].as_u64().unwrap());
    assert_eq!((hours.len(), by_hour.sum::<u64>()), (24, 2));
    let gateway = &shown[4];
    assert!(gateway["first_attempt"]["p99_ms"].is_u64(), "{gateway}");
    let by_hour = gateway["hours"].as_array().unwrap().iter();
    let known = by_hour.filter(|hour| hour["p99_ms"].is_u64()).count();
    assert!((1..=2).contains(&known), "{gateway}");
    assert_endpoints(&shown);
}

fn assert_endpoints(shown: &[Value]) {
    for (place, id, condition, delivered, failed, held) in [
        (1, "ep_ill", "active", 0, 2, 0),
        (2, "ep_paused", "paused", 0, 0, 2),
        (3, "ep_well", "active", 2, 0, 0),
    ] {
        let endpoint = &shown[place];
        assert_eq!(
            (&endpoint["id"], &endpoint["condition"]),
            (&json!(id), &json!(condition))
        );
        assert_eq!(endpoint["day"]["delivered"], delivered, "{endpoint}");
        assert_eq!(endpoint["day"]["failed"], failed, "{endpoint}");
        assert_eq!(endpoint["held"], held, "{endpoint}");
        assert_eq!(endpoint["p99_ms"].is_u64(), id != "ep_paused", "{endpoint}");
    }
    assert_eq!(shown[3]["hour"]["success"], 1.0);
    assert!(shown[1]["next_attempt_at"].is_string(), "{shown:?}");
    assert!(shown[3]["next_attempt_at"].is_null(), "{shown:?}");
}

#[tokio::test]
async fn it_is_shown_again_and_again() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let mut tool = operator.start(&["status", "--watch", "--interval", "1s"]);
    let mut lines = BufReader::new(tool.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = lines.next_line().await.unwrap().unwrap();
        let source: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(source["name"], "studio");
    }
    tool.kill().await.unwrap();
}
