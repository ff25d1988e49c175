//! What the tool releases, and that it does so once.

use serde_json::{Value, json};
use testkit::aws::{Aws, Message};
use testkit::operator::{Operator, column};
use testkit::tap::{Called, Tap};
use testkit::webhook::{SECRET, creative_force, request, sign, signed};

#[tokio::test]
async fn a_wrong_secret_of_our_own_loses_nothing() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    for id in ["a", "b"] {
        let webhook = signed("studio", &creative_force(id, ""));
        function.answered(&webhook, 401).await;
    }
    let forged = request(
        "POST",
        "studio",
        "{}",
        &[("x-cf-signature", &"0".repeat(64))],
    );
    function.answered(&forged, 401).await;
    let operator = Operator::of(&aws).await;
    let listed = operator
        .run(&["quarantine", "list", "--rejected"])
        .await
        .json();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|row| row["state"] == "rejected"));

    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": [SECRET]}}))
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
        lines
            .by_ref()
            .filter(|line| line["outcome"] == wanted)
            .count()
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
        .find(|row| row["outcome"] == "would-be-released")
        .unwrap();
    assert_eq!(one["was"], listed[0]["reason"]);
    assert_eq!(one["cloudevent"]["type"], "io.creativeforce.product.reset");
    assert_eq!(outcomes(dry, "would-be-released"), 2);
    assert_eq!(aws.recorded().await.len(), 0);
    let newest = [&["quarantine", "list", "--rejected"][..], &["--limit", "1"]].concat();
    assert_eq!(operator.run(&newest).await.json(), listed[..1]);
    for (wanted, count) in [("released", 1), ("released-before", 1)] {
        let of_one = ["quarantine", "release", "--rejected", id];
        let said = operator.run(&of_one).await.json();
        assert_eq!(column(&said, "id"), [id]);
        assert_eq!(outcomes(said, wanted), count);
        assert_eq!(aws.recorded().await.len(), 1);
    }
    let other = ["quarantine", "release", "--rejected", id, "--source", "hr"];
    let refused = operator.run(&other).await.error();
    assert!(refused.contains("of the source studio"), "{refused}");
    for (wanted, count) in [("released", 1), ("released-before", 2)] {
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
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    // Half as long when compressed, which is too long for the journal still.
    let noise: String = (0..14_000_u32)
        .map(|number| sign("noise", &number.to_be_bytes()))
        .collect();
    let body = creative_force("large", &noise);
    function.answered(&signed("studio", &body), 401).await;
    let operator = Operator::of(&aws).await;
    let list = ["quarantine", "list", "--rejected"];
    let listed = operator.run(&list).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let (place, _) = id.rsplit_once('/').unwrap();
    let kept = aws.object(&format!("rejected/{place}")).await;
    assert_eq!(kept, body.as_bytes());

    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": [SECRET]}}))
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

/// Whether anything in an answer has a body, or the headers of a request.
fn has_body(answer: &Value) -> bool {
    let text = answer.to_string();
    ["body", "body_z", "headers"]
        .iter()
        .any(|name| text.contains(&format!("\"{name}\":")))
}

#[tokio::test]
async fn listing_reads_no_bodies_and_releasing_reads_one_at_a_time() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    for id in ["a", "b", "c"] {
        let body = creative_force(id, &"x".repeat(4_000));
        function.answered(&signed("studio", &body), 401).await;
    }
    let tap = Tap::start(aws.url()).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    let list = ["quarantine", "list", "--rejected"];
    assert_eq!(operator.run(&list).await.json().len(), 3);
    assert!(!tap.called().iter().any(|call| has_body(&call.answer)));

    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": [SECRET]}}))
        .await;
    let release = ["quarantine", "release", "--rejected"];
    let dry = operator.run(&[&release[..], &["--dry-run"]].concat()).await;
    assert_eq!(dry.json().len(), 3);
    let read = tap.called();
    let read: Vec<_> = read.iter().filter(|call| has_body(&call.answer)).collect();
    assert_eq!(read.len(), 3);
    let is_one = |call: &&Called| call.operation.ends_with(".GetItem");
    assert!(read.iter().all(is_one), "{read:?}");

    // The same of what is quarantined, by a function that knows the right secret.
    let mut function = aws.ingress().await;
    for number in 0..3 {
        let body = format!("{{\"not\": \"understood {number} {}\"}}", "x".repeat(4_000));
        function.accept(&signed("studio", &body)).await;
    }
    aws.drain_stream(&mut function).await;
    tap.called();
    let listed = operator.run(&["quarantine", "list"]).await.json();
    assert_eq!(column(&listed, "state"), ["quarantined"; 3]);
    assert!(listed.iter().all(|row| row["reason"].is_string()));
    assert!(!tap.called().iter().any(|call| has_body(&call.answer)));
    operator.run(&["quarantine", "release"]).await;
    let read = tap.called();
    let bodies = |call: &Called| call.answer.to_string().matches("\"body_z\":").count();
    let bodies: Vec<_> = read
        .iter()
        .map(bodies)
        .filter(|bodies| *bodies > 0)
        .collect();
    assert_eq!(bodies, [1, 1, 1]);
}

#[tokio::test]
async fn a_source_that_is_unsigned_by_now_releases_nothing_unless_told_so() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": ["wrong"]}}))
        .await;
    let mut function = aws.ingress().await;
    let (signature, without) = (("x-cf-signature", "0".repeat(64)), creative_force("b", ""));
    let forged = creative_force("a", "");
    for event in [
        request("POST", "studio", &forged, &[(signature.0, &signature.1)]),
        request("POST", "studio", &without, &[]),
    ] {
        function.answered(&event, 401).await;
    }
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "unsigned": true}}))
        .await;
    let operator = Operator::of(&aws).await;
    let release = ["quarantine", "release", "--rejected"];
    for options in [&[][..], &["--dry-run"], &["--source", "studio"]] {
        let said = operator.run(&[&release[..], options].concat()).await;
        assert_eq!(said.code, Some(1), "{said:?}");
        let kept = said.lines();
        assert_eq!(column(&kept, "outcome"), ["kept", "kept"]);
        let reason = kept[0]["reason"].as_str().unwrap();
        assert!(reason.contains("--unsigned-too"), "{reason}");
        let id = kept[0]["id"].as_str().unwrap();
        let shown = operator
            .run(&["quarantine", "show", "--rejected", id])
            .await;
        assert_eq!(shown.json()[0]["today"]["outcome"], "kept");
    }
    assert_eq!(aws.recorded().await.len(), 0);
    let told = [&release[..], &["--unsigned-too"]].concat();
    let released = operator.run(&told).await.json();
    assert_eq!(column(&released, "outcome"), ["released", "released"]);
    aws.drain_stream(&mut function).await;
    assert_eq!(aws.drain_event_ids().await, ["a", "b"]);
    // It says nothing of what is quarantined.
    let misplaced = ["quarantine", "release", "--unsigned-too"];
    assert_eq!(operator.run(&misplaced).await.code, Some(2));
}

/// Moves a request that is kept by so many seconds, within its day.
async fn moved(aws: &Aws, mut item: Value, seconds: i64) {
    let at: i64 = item["at"]["N"].as_str().unwrap().parse().unwrap();
    item["at"] = json!({"N": (at + seconds * 1_000).to_string()});
    let put = json!({"TableName": "journal", "Item": item});
    aws.call("DynamoDB_20120810.PutItem", &put).await;
}

#[tokio::test]
async fn changes_that_were_rejected_are_released_as_they_came_and_their_copies_are_not() {
    let mut aws = Aws::start().await;
    let source = |secret: &str| json!({"shop": {"provider": "creads", "secrets": [secret]}});
    aws.put_sources(&source("wrong")).await;
    let mut function = aws.ingress().await;
    let update = |status: &str| {
        format!(
            r#"{{"event":"resource.updated","resource_type":"Project","resource_gid":"5","resource":{{"status":"{status}"}}}}"#
        )
    };
    let (a, b) = (update("draft"), update("live"));
    for body in [&a, &a, &b, &a] {
        let signature = sign(SECRET, body.as_bytes());
        let event = request(
            "POST",
            "shop",
            body,
            &[("x-partners-signature", &signature)],
        );
        function.answered(&event, 401).await;
    }
    // The first came twice within a minute, the others a quarter of an hour later each; whatever day it is by
    // then.
    let mut items = aws.noted("rejected#").await;
    items.retain(|item| item["at"].is_object());
    items.sort_by_key(|item| item["id"]["S"].to_string());
    let at: i64 = items[0]["at"]["N"].as_str().unwrap().parse().unwrap();
    let is_early = at % 86_400_000 < 43_200_000;
    let ages = if is_early {
        [0, 60, 900, 1_800]
    } else {
        [-1_800, -1_740, -900, 0]
    };
    for (item, seconds) in items.into_iter().zip(ages) {
        moved(&aws, item, seconds).await;
    }
    aws.put_sources(&source(SECRET)).await;
    let operator = Operator::of(&aws).await;
    let release = ["quarantine", "release", "--rejected", "--source", "shop"];
    let released = operator.run(&release).await.json();
    assert_eq!(column(&released, "outcome"), ["released"; 4]);
    let events = column(&released, "event");
    assert_eq!(events[0], events[1]);
    aws.drain_stream(&mut function).await;
    let published = aws.drain("events").await;
    let status = |message: &Message| message.body["data"]["resource"]["status"].clone();
    let states: Vec<_> = published.iter().map(status).collect();
    assert_eq!(states, ["draft", "live", "draft"]);
    let ids: Vec<_> = published
        .iter()
        .map(|message| message.body["id"].clone())
        .collect();
    assert_eq!(ids, events[1..]);
}

#[tokio::test]
async fn what_is_understood_by_now_is_released_once() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    // Recorded as if the code of that time did not understand it.
    for id in ["a", "b"] {
        function
            .accept(&signed("studio", &creative_force(id, "")))
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
    function.accept(&signed("studio", "{")).await;
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
    let released = listed.iter().filter(|row| row["state"] == "released");
    assert_eq!(released.count(), 2);
    // What is not understood today either is all that is left.
    assert_eq!(aws.drain("quarantine").await.len(), 1);
}
