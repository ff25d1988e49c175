//! What the tool releases, and that it does so once.

use crate::support::aws::Aws;
use crate::support::function::Answer;
use crate::support::operator::Operator;
use crate::support::webhook::{SECRET, creative_force, request, sign, signed};
use serde_json::{Value, json};

#[tokio::test]
async fn a_wrong_secret_of_our_own_loses_nothing() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"studio": {"vendor": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    for id in ["a", "b"] {
        let answer = function
            .invoke(&signed("studio", &creative_force(id, "")))
            .await;
        assert!(matches!(answer, Answer::Success(it) if it["statusCode"] == 401));
    }
    let forged = request(
        "POST",
        "studio",
        "{}",
        &[("x-cf-signature", &"0".repeat(64))],
    );
    function.invoke(&forged).await;
    let operator = Operator::of(&aws).await;
    let listed = operator
        .run(&["quarantine", "list", "--rejected"])
        .await
        .json();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|it| it["state"] == "rejected"));

    aws.put_sources(&json!({"studio": {"vendor": "creative-force", "secrets": [SECRET]}}))
        .await;
    let release = [
        "quarantine",
        "release",
        "--rejected",
        "--source",
        "studio",
        "--since",
        "1d",
    ];
    let outcomes = |lines: Vec<Value>, wanted: &str| {
        let mut lines = lines.into_iter();
        lines.by_ref().filter(|it| it["outcome"] == wanted).count()
    };
    let id = listed.last().unwrap()["id"].as_str().unwrap();
    let shown = operator
        .run(&["quarantine", "show", "--rejected", id])
        .await;
    assert!(
        !shown
            .output
            .contains(&sign(SECRET, creative_force("a", "").as_bytes()))
    );
    let shown = shown.json().remove(0);
    assert_eq!(shown["body"], creative_force("a", ""));
    assert_eq!(shown["today"]["outcome"], "would-be-released");

    let dry = operator.run(&[&release[..], &["--dry-run"]].concat()).await;
    let dry = dry.lines();
    let one = dry
        .iter()
        .find(|it| it["outcome"] == "would-be-released")
        .unwrap();
    assert_eq!(one["was"], listed[0]["reason"]);
    assert_eq!(one["cloudevent"]["type"], "io.creativeforce.product.reset");
    assert_eq!(outcomes(dry, "would-be-released"), 2);
    assert_eq!(aws.recorded().await.len(), 0);
    for (wanted, count) in [("released", 2), ("released-before", 2)] {
        let said = operator.run(&release).await;
        // The forged one stays, and is said to.
        assert_eq!(said.code, Some(1));
        assert_eq!(outcomes(said.lines(), wanted), count);
        assert_eq!(aws.recorded().await.len(), 2);
    }
    aws.drain_stream(&mut function).await;
    let mut ids = aws.drain_event_ids().await;
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, ["a", "b"]);
}

#[tokio::test]
async fn a_rejected_body_that_only_the_bucket_holds_is_released_too() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"studio": {"vendor": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    // Half as long when compressed, which is too long for the journal still.
    let noise: String = (0..14_000_u32)
        .map(|number| sign("noise", &number.to_be_bytes()))
        .collect();
    let body = creative_force("large", &noise);
    let answer = function.invoke(&signed("studio", &body)).await;
    assert!(matches!(answer, Answer::Success(it) if it["statusCode"] == 401));
    let operator = Operator::of(&aws).await;
    let list = ["quarantine", "list", "--rejected"];
    let listed = operator.run(&list).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let (place, _) = id.rsplit_once('/').unwrap();
    let kept = aws.object(&format!("rejected/{place}")).await;
    assert_eq!(kept, body.as_bytes());

    aws.put_sources(&json!({"studio": {"vendor": "creative-force", "secrets": [SECRET]}}))
        .await;
    let show = ["quarantine", "show", "--rejected", id];
    assert_eq!(operator.run(&show).await.json()[0]["body"], body);
    let release = ["quarantine", "release", "--rejected"];
    let released = operator.run(&release).await;
    assert_eq!(released.code, Some(0), "{}", released.output);
    // What was rejected is forgotten after a week, what was released is not.
    aws.delete_object(&format!("rejected/{place}")).await;
    aws.drain_stream(&mut function).await;
    assert_eq!(aws.drain_event_ids().await, ["large"]);
    let again = operator.run(&release).await.json();
    assert_eq!(again[0]["outcome"], "released-before");
}

#[tokio::test]
async fn only_the_newest_hundred_are_kept() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    for number in 0..150 {
        let body = creative_force(&format!("r-{number}"), "");
        let forged = request(
            "POST",
            "studio",
            &body,
            &[("x-cf-signature", &sign("x", b""))],
        );
        function.invoke(&forged).await;
    }
    let operator = Operator::of(&aws).await;
    let listed = operator
        .run(&["quarantine", "list", "--rejected"])
        .await
        .json();
    assert_eq!(listed.len(), 100);
    let scan = aws
        .call("DynamoDB_20120810.Scan", &json!({"TableName": "journal"}))
        .await;
    assert_eq!(scan["Count"], 101);
}

#[tokio::test]
async fn what_is_understood_by_now_is_released_once() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    // Recorded as if the code of that time did not understand it.
    for id in ["a", "b"] {
        function
            .invoke(&signed("studio", &creative_force(id, "")))
            .await;
    }
    for mut item in aws.recorded().await {
        aws.delete_item(&item["pk"]).await;
        let hash = item["body_sha256"]["B"]
            .as_str()
            .unwrap()
            .replace(['/', '+', '='], "0");
        item["pk"] = json!({"S": format!("studio#sha256:{hash}")});
        item["id"] = json!({"S": format!("sha256:{hash}:1")});
        item["state"] = json!({"S": "quarantined"});
        item["reason"] = json!({"S": "not understood then"});
        aws.put_item(&item).await;
    }
    function.invoke(&signed("studio", "{")).await;
    aws.drain_stream(&mut function).await;
    aws.drain("events").await;
    let operator = Operator::of(&aws).await;
    let listed = operator.run(&["quarantine", "list"]).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let shown = operator.run(&["quarantine", "show", id]).await.json();
    assert!(shown[0]["today"]["outcome"].is_string());
    let release = [
        "quarantine",
        "release",
        "--source",
        "studio",
        "--since",
        "1d",
    ];
    let both = tokio::join!(operator.run(&release), operator.run(&release));
    assert_eq!((both.0.code, both.1.code), (Some(1), Some(1)));
    operator.run(&release).await;
    aws.drain_stream(&mut function).await;
    let mut ids = aws.drain_event_ids().await;
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, ["a", "b"]);
    let listed = operator.run(&["quarantine", "list"]).await.json();
    let released = listed.iter().filter(|it| it["state"] == "released");
    assert_eq!(released.count(), 2);
    // What is not understood today either is all that is left.
    assert_eq!(aws.drain("quarantine").await.len(), 1);
}
