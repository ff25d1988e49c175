//! Why an event is where it is, and why it is not elsewhere.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::delivery::DeliveryHarness;
use testkit::function::Function;
use testkit::operator::{Operator, accept, column};
use testkit::receiver::{Receiver, Reply};
use testkit::tap::{Point, Tap};
use testkit::webhook::{SECRET, creative_force, request, signed};

/// Puts what a function has written into its log, as Lambda does.
async fn log(aws: &Aws, function: &Function) {
    let group = json!({"logGroupName": "ingress"});
    aws.call("Logs_20140328.CreateLogGroup", &group).await;
    let stream = json!({"logGroupName": "ingress", "logStreamName": "1"});
    aws.call("Logs_20140328.CreateLogStream", &stream).await;
    let now = jiff::Timestamp::now().as_millisecond();
    let lines = function.output().await;
    let events = lines
        .iter()
        .map(|line| json!({"timestamp": now, "message": line}));
    let events: Vec<_> = events.collect();
    let put = json!({"logGroupName": "ingress", "logStreamName": "1", "logEvents": events});
    aws.call("Logs_20140328.PutLogEvents", &put).await;
}

async fn explained(operator: &Operator, id: &str) -> Value {
    let told = operator.run(&["event", "explain", id]).await;
    told.json().remove(0)
}

/// Asserts that these things are told of, each in its own step, in this order.
fn assert_told(explained: &Value, whats: &[&str]) {
    let steps = explained["steps"].as_array().unwrap();
    let mut told = column(steps, "what").into_iter();
    for what in whats {
        assert!(
            told.any(|line| line.contains(what)),
            "{what}: {explained:#}"
        );
    }
}

#[tokio::test]
async fn every_endpoint_has_its_reason() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let (well, ill) = (Receiver::start().await, Receiver::answering(500).await);
    let url = well.url();
    for (id, members) in [
        ("ep_type", json!({"events": ["io.peopleforce.*"]})),
        ("ep_source", json!({"sources": ["hr"]})),
        ("ep_paused", json!({"state": "paused"})),
        ("ep_disabled", json!({"state": "disabled"})),
        ("ep_well", json!({})),
        ("ep_gone", json!({})),
    ] {
        world.endpoint(id, &url, &members).await;
    }
    world
        .endpoint("ep_once", &ill.url(), &json!({"retry": []}))
        .await;
    world.endpoint("ep_ill", &ill.url(), &json!({})).await;
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    let mut delivery = world.function().await;
    let on_the_way = world.receive().await;
    let operator = Operator::of(&world.aws).await;
    let before = explained(&operator, "a").await;
    assert_eq!(account(&before, "ep_well")["state"], "on-its-way");
    assert!(
        account(&before, "ep_paused")["reason"]
            .as_str()
            .unwrap()
            .contains("about to be held")
    );
    world.put_back(&on_the_way).await;
    world.pump(&mut delivery).await;
    let later = json!({"created_at": i64::MAX});
    world.endpoint("ep_later", &url, &later).await;
    operator
        .run(&["endpoint", "delete", "ep_gone"])
        .await
        .json();

    let listed = operator.run(&["event", "list", "--deliveries"]).await;
    let listed = listed.json().remove(0);
    let states = listed["deliveries"].as_array().unwrap();
    let mut states: Vec<_> = states
        .iter()
        .map(|at| [&at["endpoint"], &at["state"]].map(|text| text.as_str().unwrap()))
        .collect();
    states.sort_unstable();
    let expected = [
        ["ep_disabled", "held"],
        ["ep_ill", "pending"],
        ["ep_once", "exhausted"],
        ["ep_paused", "held"],
        ["ep_well", "delivered"],
    ];
    assert_eq!(states, expected);

    let told = explained(&operator, "a").await;
    let groups = told["groups"].as_array().unwrap();
    assert!(
        groups.is_empty(),
        "each has a reason of its own: {groups:?}"
    );
    assert_eq!(account(&told, "ep_type")["nothing"], "type");
    for (id, state, reason, attempts, last) in [
        ("ep_type", "none", "io.peopleforce.*", 0, json!(null)),
        ("ep_source", "none", "only events of hr", 0, json!(null)),
        (
            "ep_paused",
            "held",
            "the endpoint is paused",
            0,
            json!(null),
        ),
        (
            "ep_disabled",
            "held",
            "the endpoint is disabled",
            0,
            json!(null),
        ),
        ("ep_well", "delivered", "", 1, json!(200)),
        ("ep_gone", "delivered", "", 1, json!(200)),
        ("ep_once", "exhausted", "", 1, json!(500)),
        ("ep_ill", "pending", "", 1, json!(500)),
        (
            "ep_later",
            "none",
            "event replay --id a --endpoint ep_later",
            0,
            json!(null),
        ),
    ] {
        let account = account(&told, id);
        assert_eq!(account["state"], state, "{account}");
        let why = account["reason"].as_str().unwrap_or_default();
        assert!(why.contains(reason), "{account}");
        assert_eq!(
            (&account["attempts"], &account["last"]),
            (&json!(attempts), &last),
            "{account}"
        );
        assert_eq!(
            account["updated_at"].is_string(),
            state != "none",
            "{account}"
        );
    }
    assert!(account(&told, "ep_ill")["next_attempt_at"].is_string());
    assert!(account(&told, "ep_gone")["removed_at"].is_string());
    let shown = operator.run(&["event", "show", "a"]).await.json().remove(0);
    assert_eq!(shown["deliveries"].as_array().unwrap().len(), 6);
}

fn account<'a>(explained: &'a Value, endpoint: &str) -> &'a Value {
    let mut endpoints = explained["endpoints"].as_array().unwrap().iter();
    let found = endpoints.find(|account| account["endpoint"] == endpoint);
    found.unwrap_or_else(|| panic!("{endpoint}: {explained:#}"))
}

#[tokio::test]
async fn what_happened_to_an_event_is_told_in_order() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    let search = aws.queue_url("search");
    aws.subscribe("search", &search, &["io.creativeforce.*"], &[])
        .await;
    aws.subscribe("hr", &search, &["io.peopleforce.*"], &["hr"])
        .await;
    accept(&mut aws, &mut function, &["a"]).await;
    let told = explained(&operator, "a").await;
    assert_told(&told, &["from the source studio", "copies are not known"]);

    let again = signed("studio", &creative_force("a", ""));
    function.accept(&again).await;
    function.accept(&again).await;
    log(&aws, &function).await;
    let told = explained(&operator, "a").await;
    let copy = "a copy came";
    assert_told(
        &told,
        &[
            "from the source studio",
            "position 0 of its source, where it still is",
            "authenticity signature: ",
            "accepted as io.creativeforce.product.reset",
            "to the events queue",
            "for the subscription search",
            copy,
            copy,
            "subscription hr: nothing",
        ],
    );
    assert_eq!(told["secret_position"], 0);
    let steps = told["steps"].as_array().unwrap();
    let times: Vec<_> = steps
        .iter()
        .filter_map(|step| step["at"].as_str())
        .collect();
    assert!(times.is_sorted() && times.len() == 8, "{told:#}");
    // The secret is rotated, and gone.
    aws.put_sources(&json!({"studio": {"provider": "creative-force", "secrets": ["another"]}}))
        .await;
    let text = explained(&operator, "a").await.to_string();
    assert!(
        text.contains("not among them any more") && !text.contains("another"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_quarantined_or_in_conflict_says_why() {
    let mut aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    accept(&mut aws, &mut function, &["a"]).await;
    for body in [&*creative_force("a", "another"), "{}"] {
        function.accept(&signed("studio", body)).await;
    }
    aws.drain_stream(&mut function).await;
    let id = async |state: &str| {
        let listed = operator
            .run(&["event", "list", "--state", state])
            .await
            .json();
        listed[0]["id"].as_str().unwrap().to_owned()
    };
    let conflict = explained(&operator, &id("conflict").await).await;
    assert_eq!(conflict["state"], "conflict");
    assert_told(
        &conflict,
        &[
            "in conflict: the event a has the same id",
            "to the events queue",
        ],
    );
    let aside = explained(&operator, &id("quarantined").await).await;
    assert_told(&aside, &["quarantined, because", "to the quarantine queue"]);
    assert_eq!(
        (&aside["state"], &aside["endpoints"]),
        (&json!("quarantined"), &json!([]))
    );
}

#[tokio::test]
async fn what_is_recorded_and_not_published_is_said_to_be() {
    let aws = Aws::start().await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    function
        .accept(&signed("studio", &creative_force("a", "")))
        .await;
    let told = explained(&operator, "a").await;
    assert_told(
        &told,
        &["accepted as", "not published, according to the journal"],
    );
    assert_eq!(told.get("published_at"), None);
}

#[tokio::test]
async fn an_endpoint_that_recovered_is_told_with_all_its_attempts() {
    let mut world = DeliveryHarness::start().await;
    let mut ingress = world.aws.ingress().await;
    let receiver = Receiver::start().await;
    let mut answers = [503, 500, 200].into_iter();
    receiver.answer(move |_| Reply::status(answers.next().unwrap()));
    world.endpoint("ep_a", &receiver.url(), &json!({})).await;
    accept(&mut world.aws, &mut ingress, &["a"]).await;
    let mut delivery = world.function().await;
    world.drain(&mut delivery).await;
    let operator = Operator::of(&world.aws).await;
    let told = explained(&operator, "a").await;
    let account = account(&told, "ep_a");
    assert_eq!(
        (&account["state"], &account["attempts"], &account["last"]),
        (&json!("delivered"), &json!(3), &json!(200))
    );
}

#[tokio::test]
async fn an_event_whose_body_came_again_is_told_of_as_it_was_then() {
    let mut aws = Aws::start().await;
    aws.put_sources(&json!({"hr": {"provider": "people-force", "unsigned": true}}))
        .await;
    let mut function = aws.ingress().await;
    let operator = Operator::of(&aws).await;
    let body = r#"{"action":"employee_update","data":{"id":7}}"#;
    for _ in 0..2 {
        function.accept(&request("POST", "hr", body, &[])).await;
        aws.drain_stream(&mut function).await;
        // Its window is over.
        let mut recorded = aws.recorded().await.remove(0);
        recorded["dedupe_until"] = json!({"N": "0"});
        aws.put_item(&recorded).await;
    }
    let listed = operator.run(&["event", "list"]).await.json();
    let ids = column(&listed, "id");
    assert_eq!(ids.len(), 2);
    let last = explained(&operator, ids[0]).await;
    assert_told(&last, &["unsigned", "accepted as", "to the events queue"]);
    let first = explained(&operator, ids[1]).await;
    assert_told(
        &first,
        &[
            "accepted as",
            "to the events queue",
            "the same body came again",
        ],
    );
    assert!(!first.to_string().contains("unsigned"), "{first:#}");
    assert_eq!(first["accepted_at"], listed[1]["accepted_at"]);
    assert_eq!(first["published_at"], listed[1]["published_at"]);
    // And it is that one which is replayed.
    aws.drain("events").await;
    let replay = ["event", "replay", "--id", ids[1], "--queue", "events"];
    operator.run(&replay).await.json();
    assert_eq!(aws.drain_event_ids().await, [ids[1]]);
}

#[tokio::test]
async fn what_was_dropped_as_a_copy_is_listed_with_the_event_it_was_taken_for() {
    let mut aws = Aws::start().await;
    let studio = json!({"provider": "creative-force", "secrets": [SECRET]});
    let shop = json!({"provider": "creads", "unsigned": true});
    aws.put_sources(&json!({"studio": studio, "shop": shop}))
        .await;
    let mut function = aws.ingress().await;
    let update = r#"{"event":"resource.updated","resource_type":"Project","resource_gid":"5"}"#;
    for event in [
        signed("studio", &creative_force("a", "")),
        signed("studio", &creative_force("a", "another body")),
        signed("studio", &creative_force("a", "")),
        request("POST", "shop", update, &[]),
        request("POST", "shop", update, &[]),
        // It is no copy, whatever it says.
        signed("studio", &creative_force("duplicate", "")),
    ] {
        function.accept(&event).await;
    }
    aws.drain_stream(&mut function).await;
    let first = aws.drain_event_ids().await;
    let update = first.iter().find(|id| id.to_string().contains("sha256"));
    log(&aws, &function).await;

    let operator = Operator::of(&aws).await;
    let list = ["event", "list", "--state", "duplicate"];
    let listed = operator.run(&list).await.json();
    let told = |row: &Value| [&row["id"], &row["source"], &row["state"]].map(Value::clone);
    let of_studio = [json!("a"), json!("studio"), json!("duplicate")];
    let of_shop = [update.unwrap().clone(), json!("shop"), json!("duplicate")];
    let newest_first = [&of_shop, &of_studio];
    assert!(listed.iter().map(told).eq(newest_first.map(Clone::clone)));
    let at = listed[0]["at"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().unwrap() <= jiff::Timestamp::now());

    let of = async |options: &[&str]| operator.run(&[&list[..], options].concat()).await;
    let of_one = of(&["--source", "studio", "--since", "1d"]).await.json();
    assert!(of_one.iter().map(told).eq([of_studio]));
    assert_eq!(of(&["--limit", "1"]).await.json(), listed[..1]);
    assert!(of(&["--until", "1h"]).await.json().is_empty());
    let refused = of(&["--type", "com.creads.*"]).await.error();
    assert!(refused.contains("--type"), "{refused}");
}

#[tokio::test]
async fn the_log_is_searched_in_a_span_of_time_that_has_an_end() {
    let mut aws = Aws::start().await;
    let mut ingress = aws.ingress().await;
    accept(&mut aws, &mut ingress, &["a"]).await;
    let tap = Tap::start(aws.url()).await;
    let operator = Operator::behind(&aws, tap.url()).await;
    let mut gate = tap.hold(Point::Before, "FilterLogEvents", "\"endTime\"");
    let mut explained = operator.start(&["event", "explain", "a"]);
    tokio::select! {
        () = gate.met() => {}
        _ = explained.wait() => panic!("no end was asked for"),
    }
    gate.open();
    testkit::operator::finish(explained).await.json();
}
