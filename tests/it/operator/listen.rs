//! `webhookctl listen`: what it shows and posts, and what it leaves behind.
//!
//! Seen to fail: with copies that are signed for another time, with a terminal that is not restored, with a
//! listener that keeps its queue or its messages, and with one that removes any queue that the table names.

use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::operator::{Listening, Operator, accept};
use testkit::receiver::{Receiver, Reply, Request};
use testkit::webhook::{creative_force, signed};
use testkit::{PATIENCE, eventually};

/// The names of the subscriptions.
async fn subscriptions(operator: &Operator) -> Vec<Value> {
    operator.run(&["subscription", "list"]).await.json()
}

/// The queues of listeners.
async fn queues(aws: &Aws) -> Vec<Value> {
    let list = json!({"QueueNamePrefix": "WebhookGateway-listen-"});
    let listed = aws.call("AmazonSQS.ListQueues", &list).await;
    let queues = listed["QueueUrls"].as_array().cloned();
    queues.unwrap_or_default()
}

/// Whether the official library accepts a request with this secret.
fn verifies(request: &Request, secret: &str) -> bool {
    let receiver = standardwebhooks::Webhook::new(secret).unwrap();
    receiver.verify(&request.body, &request.headers).is_ok()
}

#[tokio::test]
async fn events_are_shown_and_posted_as_an_endpoint_gets_them() {
    let mut aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let receiver = Receiver::start().await;
    let mut answers = [307, 500, 204].into_iter();
    let elsewhere = format!("{}-elsewhere", receiver.url());
    receiver.answer(move |_| {
        let headers = vec![("location", elsewhere.clone())];
        Reply::Whole(answers.next().unwrap(), headers, String::new())
    });
    let listen = ["listen", "--source", "studio", "--forward", &receiver.url()];
    let mut listening = Listening::of(operator.start(&listen)).await;

    let listed = subscriptions(&operator).await;
    assert_eq!(listed[0]["name"], listening.name());
    assert_eq!(listed[0]["queue_url"], listening.queue_url());
    assert!(listed[0]["listener_until"].is_string(), "{listed:?}");

    let mut ingress = aws.ingress().await;
    let large = creative_force("p-3", &"x".repeat(1_200_000));
    for body in [creative_force("p-1", ""), creative_force("p-2", ""), large] {
        ingress.accept(&signed("studio", &body)).await;
        aws.drain_stream(&mut ingress).await;
    }
    let mut lines = Vec::new();
    for _ in 0..6 {
        lines.push(listening.line().await);
    }
    let (events, posted): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .partition(|line| line["forwarded"].is_null());
    let secret = listening.secret().to_owned();
    let requests = receiver.requests();
    for (at, (id, status)) in [("p-1", 307), ("p-2", 500), ("p-3", 204)]
        .iter()
        .enumerate()
    {
        let (event, posted, request) = (&events[at], &posted[at], &requests[at]);
        assert_eq!(
            (&event["id"], &event["source"]),
            (&json!(id), &json!("studio"))
        );
        assert_eq!(event["type"], "io.creativeforce.product.reset");
        assert!(event["at"].is_string());
        assert_eq!(
            (&posted["forwarded"], &posted["status"]),
            (&json!(id), &json!(status))
        );
        assert_eq!(posted["error"], Value::Null);
        assert_eq!(posted["webhook_id"], request.id());
        assert!(verifies(request, &secret), "{id}");
        let names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
        for name in ["content-type", "user-agent", "host", "content-length"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(names.len(), 7, "{names:?}");
        assert_eq!(
            request.header("content-type"),
            "application/cloudevents+json"
        );
        let agent = request.header("user-agent");
        assert!(agent.starts_with("webhook-gateway/"), "{agent}");
    }
    for (request, message) in requests.iter().zip(aws.drain("events").await) {
        assert_eq!(request.body, aws.event(message).await.into_bytes());
    }
    assert_eq!(requests.len(), 3, "a redirect was followed");
    eventually("an empty queue", || async {
        let names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let ask = json!({"QueueUrl": listening.queue_url(), "AttributeNames": names});
        let found = aws.call("AmazonSQS.GetQueueAttributes", &ask).await;
        names.iter().all(|name| found["Attributes"][name] == "0")
    })
    .await;

    let ended = listening.end("-TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(subscriptions(&operator).await, [] as [Value; 0]);
    assert_eq!(queues(&aws).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_consumer_that_is_down_ends_nothing_and_may_have_an_event_again() {
    let mut aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let nobody = format!("http://127.0.0.1:{}/", testkit::free_port());
    let listen = ["listen", "--forward", &nobody];
    let mut listening = Listening::of(operator.start(&listen)).await;
    let mut ingress = aws.ingress().await;
    for id in ["p-1", "p-2"] {
        accept(&mut aws, &mut ingress, &[id]).await;
        assert_eq!(listening.line().await["id"], id);
        let failed = listening.line().await;
        assert_eq!(
            (&failed["forwarded"], &failed["status"]),
            (&json!(id), &Value::Null)
        );
        assert!(failed["error"].is_string(), "{failed}");
    }
    let replay = [
        "event",
        "replay",
        "--id",
        "p-1",
        "--queue",
        listening.name(),
    ];
    operator.run(&replay).await.json();
    assert_eq!(listening.line().await["id"], "p-1");
    assert_eq!(listening.end("-INT").await.code, Some(0));
}

#[tokio::test]
async fn keys_post_the_last_event_again_and_end_the_command() {
    let mut aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let listen = ["listen", "--forward", &url];
    let steps = [
        ("q ends", "r"),
        ("no event yet", "x"),
        ("200 in", "r"),
        ("200 in", "q"),
    ];
    let publish = async {
        eventually("a listener", || async {
            !subscriptions(&operator).await.is_empty()
        })
        .await;
        let mut ingress = aws.ingress().await;
        accept(&mut aws, &mut ingress, &["p-1"]).await;
    };
    let typed = operator.type_at_terminal(&listen, &steps);
    let (said, ()) = tokio::join!(typed, publish);
    assert_eq!(said.code, Some(0), "{said:?}");
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2, "{said:?}");
    assert_eq!(requests[0].id(), requests[1].id());
    assert_eq!(requests[0].body, requests[1].body);
    let (_, secret) = said.output.split_once("whsec_").unwrap();
    let secret = format!("whsec_{}", secret.lines().next().unwrap().trim());
    assert!(requests.iter().all(|request| verifies(request, &secret)));
    assert_eq!(said.output.matches("whsec_").count(), 1, "{said:?}");
    assert!(
        said.output
            .contains("  studio  io.creativeforce.product.reset  p-1")
    );
    assert_eq!(queues(&aws).await, [] as [Value; 0]);
}

#[tokio::test]
async fn ctrl_c_ends_the_command_as_q_does() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let steps = [("q ends", "r"), ("no --forward", "\u{3}")];
    let said = operator.type_at_terminal(&["listen"], &steps).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.output.contains("whsec_"), "{said:?}");
    assert_eq!(queues(&aws).await, [] as [Value; 0]);
}

#[tokio::test]
async fn what_a_killed_listener_leaves_is_named_and_removed_by_the_next_one() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let killed = Listening::of(operator.start(&["listen"])).await;
    let (name, queue) = (killed.name().to_owned(), killed.queue_url().to_owned());
    assert_eq!(killed.started["secret"], Value::Null);
    killed.end("-KILL").await;

    // Until its end it may be alive.
    let other = Listening::of(operator.start(&["listen"])).await;
    assert_eq!(other.end("-INT").await.code, Some(0));
    assert_eq!(queues(&aws).await, [json!(queue)]);

    aws.subscribe_listener(&name, &queue, 1).await;
    aws.subscribe_listener("listen-by-hand", &aws.queue_url("search"), 1)
        .await;
    let findings = operator.run(&["doctor"]).await.lines();
    let finding = findings.iter().find(|finding| finding["subject"] == *name);
    let finding = finding.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!(finding["level"], "warning");
    let listed = operator.run(&["subscription", "list"]).await;
    assert!(listed.notes.contains(&name), "{listed:?}");
    let replay = ["event", "replay", "--since", "1h", "--queue", &name];
    assert!(
        operator
            .run(&replay)
            .await
            .error()
            .contains("no subscription")
    );

    let next = Listening::of(operator.start(&["listen"])).await;
    let ended = next.end("-INT").await;
    assert!(ended.notes.contains(&name), "{ended:?}");
    assert_eq!(subscriptions(&operator).await, [] as [Value; 0]);
    assert_eq!(queues(&aws).await, [] as [Value; 0]);
    // A queue that no listener created stays, whatever the table says of it.
    assert_eq!(aws.drain("search").await.len(), 0);
}

#[tokio::test]
async fn a_listener_without_its_subscription_or_its_queue_ends_with_an_error() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let listening = Listening::of(operator.start(&["listen"])).await;
    let delete = json!({"QueueUrl": listening.queue_url()});
    aws.call("AmazonSQS.DeleteQueue", &delete).await;
    let ended = tokio::time::timeout(PATIENCE, listening.finish()).await;
    let error = ended.unwrap().error();
    assert!(error.contains("no events are received"), "{error}");
    assert_eq!(subscriptions(&operator).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_stack_that_allows_no_listener_gets_none() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    operator.remove_output("ListenerQueuePrefix");
    let refused = operator.run(&["listen"]).await.error();
    assert!(refused.contains("ListenerQueuePrefix"), "{refused}");
    let remote = ["listen", "--forward", "https://example.com/hook"];
    let refused = operator.run(&remote).await.error();
    assert!(refused.contains("--allow-remote"), "{refused}");
    assert_eq!(queues(&aws).await, [] as [Value; 0]);
}
