//! Events listed and shown.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::function::Function;
use testkit::items::item;
use testkit::operator::{Operator, accept, column};
use testkit::webhook::{creative_force, request, signed};
use webhook_gateway::event::EventMeta;
use webhook_gateway::store::journal::Published;

/// Puts a batch into the journal, as if it had been published at this moment.
async fn note(aws: &Aws, place: u32, now: Timestamp, events: &[Published]) {
    let day = now.strftime("%F");
    let at = now.as_millisecond();
    let mut batch = item(&json!({
        "kind": format!("published#{day}"), "id": format!("{at:013}_{place:08x}"), "at": at,
    }));
    let bytes = serde_json::to_vec(events).unwrap();
    batch["events"] = json!({"B": STANDARD.encode(bytes)});
    let put = json!({"TableName": "journal", "Item": batch});
    aws.call("DynamoDB_20120810.PutItem", &put).await;
}

/// Some accepted, one quarantined and one in conflict.
async fn variety(aws: &mut Aws, function: &mut Function) {
    accept(aws, function, &["a", "b"]).await;
    function.accept(&signed("studio", "{}")).await;
    let conflict = creative_force("b", "another");
    function.accept(&signed("studio", &conflict)).await;
    aws.drain_stream(function).await;
    accept(aws, function, &["c"]).await;
}

#[tokio::test]
async fn events_are_listed_the_newest_first_and_by_what_is_asked_for() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    variety(&mut aws, &mut function).await;

    let listed = operator.run(&["event", "list"]).await.json();
    let ids = column(&listed, "id");
    assert_eq!((ids.len(), ids[0]), (5, "c"));
    assert_eq!(ids[3..], ["b", "a"]);
    assert!(listed.iter().all(|row| row["published_at"].is_string()));
    for (filter, count) in [
        (["--state", "accepted"], 3),
        (["--state", "quarantined"], 1),
        (["--state", "conflict"], 1),
        (["--source", "studio"], 5),
        (["--source", "hr"], 0),
        (["--type", "io.creativeforce.product.*"], 4),
        (["--type", "io.peopleforce.*"], 0),
        (["--until", "2000-01-01"], 0),
        (["--limit", "2"], 2),
    ] {
        let command = [&["event", "list"][..], &filter].concat();
        let listed = operator.run(&command).await;
        assert_eq!(listed.json().len(), count, "{filter:?}");
    }
    let wrong = operator.run(&["event", "list", "--state", "lost"]).await;
    assert_eq!(wrong.code, Some(2));
}

#[tokio::test]
async fn a_list_goes_on_over_pages_and_days_and_has_each_event_once() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let now = Timestamp::now();
    let day = jiff::SignedDuration::from_hours(24);
    let published = |number: u32, at: Timestamp| Published {
        event: EventMeta {
            key: format!("studio#{}-{number}", "x".repeat(100)),
            id: number.to_string(),
            event_type: "a.b".to_owned(),
            source: "studio".to_owned(),
            provider: "creative-force".to_owned(),
            accepted_at: at.as_millisecond(),
            conflict: false,
            replayed: false,
        },
        quarantined: false,
    };
    // Four of these are more than a page, which is 1 MB.
    let batch = |batch: u32, at| {
        Vec::from_iter((0..1500).map(|number| published(batch * 1500 + number, at)))
    };
    for (number, at) in [(0, now - day), (1, now), (2, now), (3, now), (4, now)] {
        note(&aws, number, at, &batch(number, at)).await;
    }
    // Offered again by the stream.
    note(&aws, 5, now, &batch(4, now)).await;

    let listed = operator
        .run(&["event", "list", "--since", "2d"])
        .await
        .json();
    let ids = listed.iter().map(|row| row["id"].as_str().unwrap());
    let ids: Vec<u32> = ids.map(|id| id.parse().unwrap()).collect();
    assert!(ids.iter().copied().eq((0..7500).rev()), "{}", ids.len());
    let listed = operator.run(&["event", "list", "--since", "1h"]).await;
    assert_eq!(listed.json().len(), 6000);
    let limited = ["event", "list", "--since", "2d", "--limit", "6001"];
    let listed = operator.run(&limited).await.json();
    assert_eq!((listed.len(), &listed[6000]["id"]), (6001, &json!("1499")));
    // All have the time of another thousand.
    let mut pages = vec![listed];
    while let Some(last) = pages.last().and_then(|page| page.last()) {
        let place = last["place"].as_str().unwrap();
        let next = [
            "event", "list", "--since", "2d", "--limit", "700", "--after", place,
        ];
        pages.push(operator.run(&next).await.json());
    }
    let ids = pages
        .iter()
        .flatten()
        .map(|row| row["id"].as_str().unwrap());
    let ids: Vec<u32> = ids.map(|id| id.parse().unwrap()).collect();
    assert!(ids.iter().copied().eq((0..7500).rev()), "{}", ids.len());
    let cut = ["event", "list", "--limit", "3"];
    let table = operator.run_plain(&cut, "").await;
    let (_, place) = table.notes.split_once("--after ").unwrap();
    let place = place.split(' ').next().unwrap();
    let next = [&cut[..], &["--after", place]].concat();
    assert_eq!(operator.run(&next).await.json()[0]["id"], "7496");
}

#[tokio::test]
async fn an_event_is_shown_as_it_came_and_as_it_was_published() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    // One too large for the ledger, and one not even for a queue.
    let large = creative_force("large", &"é".repeat(200_000));
    let larger = creative_force("larger", &"x".repeat(1_100_000));
    for body in [&creative_force("a", "ü \u{ffff}"), &large, &larger] {
        function.accept(&signed("studio", body)).await;
    }
    aws.drain_stream(&mut function).await;
    let published = aws.drain("events").await;
    for (id, body) in [
        ("a", &creative_force("a", "ü \u{ffff}")),
        ("large", &large),
        ("larger", &larger),
    ] {
        let shown = operator.run(&["event", "show", id]).await;
        let message = published.iter().find(|message| message.body["id"] == id);
        let text = match message {
            Some(message) => message.text.clone(),
            None => pointed_to(&aws, &published).await,
        };
        assert!(shown.output.contains(&format!("\"event\":{text}")), "{id}");
        let shown = shown.json().remove(0);
        assert_eq!(shown["body"], **body, "{id}");
        assert_eq!(shown["headers"]["content-type"], "application/json");
        assert_eq!(shown["deliveries"], json!([]));
        let key = format!("studio#{id}");
        let raw = operator.run(&["event", "show", &key, "--raw"]).await;
        assert!(raw.output == **body, "{id}");
    }
    let error = operator.run(&["event", "show", "b"]).await.error();
    assert!(error.contains("there is no event b"), "{error}");
}

/// The event that is too large for a message.
async fn pointed_to(aws: &Aws, messages: &[testkit::aws::Message]) -> String {
    let pointer = messages
        .iter()
        .find(|message| message.body.is_array())
        .unwrap();
    let object = aws.object(pointer.body[1]["s3Key"].as_str().unwrap()).await;
    String::from_utf8(object).unwrap()
}

#[tokio::test]
async fn what_is_not_understood_is_shown_to_the_byte() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"hr": {"provider": "people-force", "unsigned": true}}))
        .await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    let mut webhook = request("POST", "hr", &STANDARD.encode(b"\xff\0{"), &[]);
    webhook["isBase64Encoded"] = json!(true);
    function.accept(&webhook).await;
    aws.drain_stream(&mut function).await;
    let listed = operator.run(&["event", "list"]).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    let shown = operator.run(&["event", "show", id]).await.json().remove(0);
    assert_eq!(
        (&shown["state"], &shown["event"]),
        (&json!("quarantined"), &Value::Null)
    );
    assert_eq!(
        (&shown["body"], &shown["body_base64"]),
        (&Value::Null, &json!("/wB7"))
    );
    assert!(
        shown["reason"].as_str().unwrap().contains("UTF-8"),
        "{shown}"
    );
}

#[tokio::test]
async fn an_id_that_several_sources_have_needs_one_to_be_named() {
    let mut aws = Aws::start().await;
    let unsigned = json!({"provider": "creative-force", "unsigned": true});
    aws.put_sources(&json!({"one": unsigned, "two": unsigned}))
        .await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    for source in ["one", "two"] {
        let webhook = request("POST", source, &creative_force("a", source), &[]);
        function.accept(&webhook).await;
    }
    aws.drain_stream(&mut function).await;
    let error = operator.run(&["event", "show", "a"]).await.error();
    assert!(error.contains("--source (one, two)"), "{error}");
    for which in [&["a", "--source", "two"][..], &["two#a"]] {
        let command = [&["event", "show"][..], which].concat();
        let shown = operator.run(&command).await.json();
        assert_eq!(column(&shown, "source"), ["two"]);
    }
}
