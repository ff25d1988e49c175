//! One message checks a source with a silence threshold, whatever happens in between. The operator is
//! notified once when the source is silent for longer.

use serde_json::{Value, json};
use testkit::cloudevents::assert_strict;
use testkit::delivery::{DeliveryHarness, now_ms};
use testkit::function::{Answer, Function};
use testkit::items::{item, plain};
use testkit::operator::Operator;
use testkit::proxy::{Call, Fault, Proxy};
use testkit::webhook::{SECRET, creative_force, signed};
use testkit::{PATIENCE, eventually};

/// The silence threshold, and the time after it at which the source counts as silent: its activity is
/// recorded every minute.
const GAP: u64 = 7_200;
const DUE: u64 = GAP + 60;

/// The longest delay of a new message on a queue.
const DELAY: u64 = 900;

/// A setting in which `studio` may be silent for this long.
async fn world(silent_after: Value) -> DeliveryHarness {
    let world = DeliveryHarness::start().await;
    declare(&world, silent_after).await;
    world
}

async fn declare(world: &DeliveryHarness, silent_after: Value) {
    let studio =
        json!({"provider": "creative-force", "secrets": [SECRET], "silent_after": silent_after});
    world.aws.put_sources(&json!({"studio": studio})).await;
}

/// Sends a webhook to a copy of the function that has recorded nothing yet.
async fn hear(world: &mut DeliveryHarness, id: &str) {
    let mut ingress = world.aws.ingress_behind(world.tap.url()).await;
    ingress
        .accept(&signed("studio", &creative_force(id, "")))
        .await;
    world.aws.drain_stream(&mut ingress).await;
    world.aws.drain("events").await;
}

/// The journal's item of the source.
async fn noted(world: &DeliveryHarness) -> Value {
    let key = item(&json!({"kind": "source", "id": "studio"}));
    let request = json!({"TableName": "journal", "Key": key});
    let answer = world.aws.call("DynamoDB_20120810.GetItem", &request).await;
    answer.get("Item").map(plain).unwrap_or_default()
}

/// Changes the journal's item of the source.
async fn note(world: &DeliveryHarness, members: &Value) {
    let mut noted = noted(world).await;
    for (name, value) in members.as_object().unwrap() {
        noted[name] = value.clone();
    }
    let request = json!({"TableName": "journal", "Item": item(&noted)});
    world.aws.call("DynamoDB_20120810.PutItem", &request).await;
}

/// Moves the source's last activity and its threshold back by the time after which it counts as silent.
async fn become_silent(world: &DeliveryHarness) {
    let at = now_ms() - DUE * 1_000;
    note(world, &json!({"last_accepted_at": at, "declared_at": at})).await;
}

/// The silences that consumers and operators are notified of. Both get the same number.
async fn told(world: &DeliveryHarness) -> Vec<Value> {
    let events = world.aws.drain("events").await;
    let silent = "io.webhook-gateway.source.silent";
    assert_strict(
        &events
            .iter()
            .map(|event| event.text.clone())
            .collect::<Vec<_>>(),
    );
    let events: Vec<_> = events.into_iter().map(|event| event.body).collect();
    assert!(
        events.iter().all(|event| event["type"] == silent),
        "{events:?}"
    );
    assert_eq!(world.aws.drain("notices").await.len(), events.len());
    events
}

/// Waits for the line of a silence.
async fn silence(function: &Function) -> Value {
    let lines = async || {
        let output = function.output().await.into_iter();
        output
            .filter(|line| line.contains("\"silent\":1"))
            .collect::<Vec<_>>()
    };
    eventually("a line", || async { !lines().await.is_empty() }).await;
    serde_json::from_str(&lines().await[0]).unwrap()
}

/// Passes the one message on the queue to the function, with this number of receives. Returns whether the
/// function keeps it.
async fn look(world: &DeliveryHarness, function: &mut Function, receives: u32) -> bool {
    let mut batch = world.receive().await;
    assert_eq!(batch.len(), 1, "{batch:?}");
    batch[0]["attributes"]["ApproximateReceiveCount"] = json!(receives.to_string());
    !world.run(function, batch).await.is_empty()
}

#[tokio::test]
async fn a_source_is_watched_while_it_is_heard_and_told_of_once_when_it_is_not() {
    let mut world = world(json!("2h")).await;
    hear(&mut world, "a").await;
    let sent = world.tap.sent();
    let watch = sent
        .iter()
        .find(|message| message.queue == "deliveries")
        .unwrap();
    assert_eq!(watch.body["kind"], "watch/1");
    assert_eq!(watch.delay, DELAY);
    assert_eq!(noted(&world).await["watch"], watch.body["id"]);

    let mut function = world.function().await;
    assert!(look(&world, &mut function, 1).await, "it is put off");
    let waits = world.tap.waits();
    let late = PATIENCE.as_secs();
    assert!((DUE - late..=DUE).contains(&waits[0].1), "{waits:?}");
    let due = noted(&world).await["watch_due_at"].as_u64().unwrap();
    assert!(due > now_ms() + (DUE - 2 * late) * 1_000, "{due}");
    hear(&mut world, "b").await;
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
    assert_eq!(told(&world).await.len(), 0);

    become_silent(&world).await;
    let batch = world.receive().await;
    assert_eq!(world.run(&mut function, batch.clone()).await.len(), 0);
    let events = told(&world).await;
    assert_eq!(events.len(), 1);
    let noted_at = noted(&world).await["last_accepted_at"].as_i64().unwrap();
    let last: jiff::Timestamp = events[0]["data"]["last_accepted_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(last.as_millisecond(), noted_at);
    assert_eq!(events[0]["subject"], "source/studio");
    assert_eq!(events[0]["data"]["source"], "studio");
    assert_eq!(events[0]["data"]["silent_after"], "2h");
    let line = silence(&function).await;
    assert_eq!(line["source"], "studio");
    let metrics = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Dimensions"], json!([["source"], []]));

    // A copy, which the queue may deliver.
    let copy = function.invoke(&json!({"Records": batch})).await;
    assert!(matches!(copy, Answer::Success(_)), "{copy:?}");
    assert_eq!(told(&world).await.len(), 0);
    let silent = noted(&world).await;
    assert!(silent["silent_since"].is_i64() && silent.get("watch").is_none());

    hear(&mut world, "c").await;
    let heard = noted(&world).await;
    assert!(heard.get("silent_since").is_none() && heard["watch"].is_string());
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
    become_silent(&world).await;
    assert!(!look(&world, &mut function, 1).await);
    assert_eq!(told(&world).await.len(), 1);
}

#[tokio::test]
async fn silence_that_cannot_be_told_is_told_later() {
    let mut world = world(json!("2h")).await;
    hear(&mut world, "a").await;
    become_silent(&world).await;
    let proxy = Proxy::start(world.aws.url()).await;
    let mut function = world.function_behind(&proxy.url()).await;
    for receives in [1, 10] {
        proxy
            .break_down("sns", "Publish", "AuthorizationError", 403)
            .await;
        let is_kept = look(&world, &mut function, receives).await;
        assert_eq!(is_kept, receives == 1, "an old one is sent anew");
        assert!(noted(&world).await.get("silent_since").is_none());
        world.aws.drain("events").await;
    }
    proxy.heal().await;
    assert!(!look(&world, &mut function, 1).await);
    assert_eq!(told(&world).await.len(), 1);
    assert!(noted(&world).await["silent_since"].is_i64());
}

#[tokio::test]
async fn a_message_is_sent_anew_before_its_queue_gives_up_on_it() {
    let mut world = world(json!("30d")).await;
    hear(&mut world, "a").await;
    let old = noted(&world).await["watch"].clone();
    let mut function = world.function().await;
    world.tap.sent();
    assert!(look(&world, &mut function, 9).await);
    let waits = world.tap.waits();
    assert!((10_000..=10_800).contains(&waits[0].1), "{waits:?}");
    assert!(!look(&world, &mut function, 10).await);
    let sent = world.tap.sent();
    assert_eq!((sent.len(), &sent[0].body["replaces"]), (1, &old));
    let new = noted(&world).await["watch"].clone();
    assert_eq!(new, sent[0].body["id"]);
    assert_ne!(new, old);
    assert!(look(&world, &mut function, 1).await);
}

#[tokio::test]
async fn a_watch_that_is_lost_is_made_up_for_and_of_two_one_ends() {
    let mut world = world(json!("2h")).await;
    hear(&mut world, "a").await;
    let lost = world.receive().await;
    let overdue = now_ms() - 3_700_000;
    note(&world, &json!({"watch_due_at": overdue})).await;
    hear(&mut world, "b").await;
    let mut function = world.function().await;
    assert!(look(&world, &mut function, 1).await);
    world.put_back(&lost).await;
    world.pump(&mut function).await;
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_watch_that_does_not_begin_holds_up_nothing_and_begins_later() {
    let mut world = world(json!("2h")).await;
    note(
        &world,
        &json!({"kind": "source", "id": "studio", "silent_since": 1}),
    )
    .await;
    let proxy = Proxy::start(world.aws.url()).await;
    let call = Call {
        service: "sqs",
        operation: "SendMessageBatch",
        body: Some("contains(QueueUrl, 'deliveries')"),
    };
    proxy.inject(call, Fault::Outage).await;
    let mut ingress = world.aws.ingress_behind(&proxy.url()).await;
    ingress
        .accept(&signed("studio", &creative_force("a", "")))
        .await;
    let (batch, after) = world.aws.next_batch().await;
    assert!(matches!(ingress.invoke(&batch).await, Answer::Success(_)));
    assert!(proxy.fired().await > 0, "nothing failed");
    world.aws.acknowledge(after);
    let heard = noted(&world).await;
    assert!(heard.get("silent_since").is_none() && heard.get("watch").is_none());
    assert_eq!(world.aws.drain_event_ids().await, ["a"]);
    hear(&mut world, "b").await;
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_source_that_declares_nothing_is_not_watched() {
    let mut world = world(Value::Null).await;
    hear(&mut world, "a").await;
    assert_eq!(world.queued().await.len(), 0);

    declare(&world, json!("2h")).await;
    hear(&mut world, "b").await;
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
    // As if the threshold had been set some time ago.
    note(&world, &json!({"declared_at": now_ms() - 60_000})).await;
    declare(&world, Value::Null).await;
    hear(&mut world, "c").await;
    let noted = noted(&world).await;
    assert!(noted.get("silent_after").is_none() && noted.get("watch").is_none());
    let mut function = world.function().await;
    assert!(!look(&world, &mut function, 1).await);
}

#[tokio::test]
async fn what_is_published_once_more_does_not_make_a_source_silent() {
    let mut world = world(json!("2h")).await;
    hear(&mut world, "a").await;
    let later = now_ms() + 60_000;
    note(&world, &json!({"last_accepted_at": later})).await;
    hear(&mut world, "b").await;
    assert_eq!(noted(&world).await["last_accepted_at"], later);
}

#[tokio::test]
async fn the_operator_has_a_source_watched_that_never_sends() {
    let world = world(Value::Null).await;
    let operator = Operator::behind(&world.aws, world.tap.url()).await;
    let refused = ["source", "update", "studio", "--silent-after", "31d"];
    let error = operator.run(&refused).await.error();
    assert!(error.contains("from \"1s\" to \"30d\""), "{error}");

    let update = |gap| ["source", "update", "studio", "--silent-after", gap];
    let shown = operator.run(&update("2h")).await.json();
    assert_eq!(shown[0]["silent_after"], "2h");
    let mut function = world.function().await;
    assert!(look(&world, &mut function, 1).await);
    // The check comes earlier after the threshold became shorter.
    operator.run(&update("1h")).await.json();
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 2)].into());
    world.tap.waits();
    world.pump(&mut function).await;
    let waits = world.tap.waits();
    assert_eq!(waits.len(), 1);
    assert!((3_600..=3_660).contains(&waits[0].1), "{waits:?}");

    note(&world, &json!({"declared_at": now_ms() - DUE * 1_000})).await;
    assert!(!look(&world, &mut function, 1).await);
    let events = told(&world).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["last_accepted_at"], Value::Null);
    assert_eq!(events[0]["data"]["silent_after"], "1h");

    operator.run(&update("2h")).await.json();
    assert!(look(&world, &mut function, 1).await);
    let cleared = ["source", "update", "studio", "--no-silent-after"];
    let shown = operator.run(&cleared).await.json();
    assert_eq!(shown[0]["silent_after"], Value::Null);
    assert!(!look(&world, &mut function, 1).await);

    let add = [
        "source",
        "create",
        "shop",
        "--provider",
        "creads",
        "--silent-after",
        "1d",
    ];
    operator.run(&add).await.json();
    let listed = operator.run(&["source", "list"]).await.json();
    let shop = listed.iter().find(|row| row["name"] == "shop").unwrap();
    assert_eq!(shop["silent_after"], "1d");
    assert!(look(&world, &mut function, 1).await);
    operator.run(&["source", "delete", "shop"]).await.json();
    assert!(!look(&world, &mut function, 1).await);
    assert_eq!(told(&world).await.len(), 0);
}

#[tokio::test]
async fn a_watch_that_the_queue_refuses_does_not_count_as_begun() {
    let mut world = world(json!("2h")).await;
    world.tap.refuse(Some("watch/1"));
    hear(&mut world, "a").await;
    assert!(noted(&world).await.get("watch").is_none());
    world.tap.refuse(None);
    hear(&mut world, "b").await;
    assert!(noted(&world).await["watch"].is_string());
    assert_eq!(world.queued().await, [("watch/1".to_owned(), 1)].into());
}

#[tokio::test]
async fn the_message_that_watches_never_grows_old_however_long_the_gap_is() {
    const OLDEST: u64 = 3 * 3_600;
    for gap in ["10m", "5h", "30d"] {
        let mut world = world(json!(gap)).await;
        hear(&mut world, "a").await;
        let mut function = world.function().await;
        let (mut age, mut renewals) = (DELAY, 0);
        for _ in 0..12 {
            world.tap.waits();
            world.tap.sent();
            let mut batch = world.receive().await;
            assert_eq!(batch.len(), 1);
            let sent = now_ms() - age * 1_000;
            batch[0]["attributes"]["SentTimestamp"] = json!(sent.to_string());
            world.run(&mut function, batch).await;
            match (&world.tap.waits()[..], &world.tap.sent()[..]) {
                ([(_, wait)], []) => age += wait,
                ([], [new]) => {
                    assert_eq!(new.body["kind"], "watch/1");
                    assert!(new.delay <= DELAY);
                    (age, renewals) = (new.delay, renewals + 1);
                }
                other => panic!("{gap}: {other:?}"),
            }
            assert!(age <= OLDEST, "{gap}: {age} s");
        }
        assert!(renewals > 0, "{gap}");
    }
}

/// An invocation for a probe or a silence check looks for lost ones, once an hour.
#[tokio::test]
async fn what_is_lost_of_others_is_replaced_by_an_invocation_that_watches() {
    let mut world = world(json!("2h")).await;
    let overdue = now_ms() - 3_700_000;
    let lost = json!({
        "kind": "source", "id": "lost", "last_accepted_at": overdue, "silent_after": 86_400, "watch": "gone",
        "watch_due_at": overdue,
    });
    let silent = json!({
        "kind": "source", "id": "silent", "last_accepted_at": overdue, "silent_after": 60,
        "silent_since": overdue,
    });
    for source in [lost, silent] {
        let request = json!({"TableName": "journal", "Item": item(&source)});
        world.aws.call("DynamoDB_20120810.PutItem", &request).await;
    }
    for (id, due) in [("ep_lost", overdue), ("ep_well", now_ms())] {
        world
            .endpoint(id, "http://127.0.0.1:9", &json!({"sources": ["other"]}))
            .await;
        let circuit = json!({"probe": "gone", "probe_due_at": due});
        world.put_circuit(id, &circuit).await;
    }
    hear(&mut world, "a").await;
    world.tap.sent();
    let mut function = world.function().await;
    assert!(look(&world, &mut function, 1).await);
    let mut sent = world.tap.sent();
    sent.sort_by_key(|message| message.body["kind"].to_string());
    let of = |index: usize| [&sent[index].body["endpoint"], &sent[index].body["source"]];
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(of(0), [&json!("ep_lost"), &Value::Null]);
    assert_eq!(of(1), [&Value::Null, &json!("lost")]);
    let circuit = world.standing("circuit", "ep_lost").await;
    assert_eq!(circuit["probe"], sent[0].body["id"]);

    world
        .put_circuit(
            "ep_lost",
            &json!({"probe": "gone", "probe_due_at": overdue}),
        )
        .await;
    world.pump_kind(&mut function, "watch/1").await;
    let sent = world.tap.sent();
    assert_eq!(sent.len(), 0, "it has looked already: {sent:?}");
}
