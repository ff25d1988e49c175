//! What the tool says of an AWS that it cannot look into: denied, missing and out of reach are three things,
//! and none of them is well. And where it sends secrets: to AWS, or to this machine.
//!
//! Seen to fail: all of them, with a tool that takes whatever it cannot read for a warning.

use axum::Router;
use serde_json::{Value, json};
use testkit::aws::Aws;
use testkit::free_port;
use testkit::operator::{CommandOutput, Operator};
use testkit::proxy::Proxy;

const RECONCILE: [&str; 3] = ["reconcile", "--since", "1h"];

fn of_level(said: &CommandOutput, level: &str) -> Vec<Value> {
    let lines = said.lines().into_iter();
    lines.filter(|finding| finding["level"] == level).collect()
}

#[tokio::test]
async fn an_aws_out_of_reach_is_told_once_and_first() {
    let aws = Aws::start().await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let operator = Operator::behind(&aws, &nobody).await;
    let said = operator.run(&["doctor"]).await;
    assert!(
        said.error().starts_with("1 thing is wrong, and "),
        "{said:?}"
    );
    let lines = said.lines();
    assert_eq!(
        (&lines[0]["level"], &lines[0]["check"]),
        (&json!("wrong"), &json!("reach"))
    );
    assert_eq!(of_level(&said, "wrong").len(), 1);
    for command in [&RECONCILE[..], &["status"], &["event", "list"]] {
        let error = operator.run(command).await.error();
        assert!(error.contains("check the credentials"), "{error}");
    }
}

#[tokio::test]
async fn expired_credentials_are_told_once_and_first() {
    let aws = Aws::start().await;
    let expired = || async {
        let answer =
            json!({"__type": "ExpiredTokenException", "message": "The security token is expired"});
        (axum::http::StatusCode::BAD_REQUEST, answer.to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(expired);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let operator = Operator::behind(&aws, &url).await;
    let said = operator.run(&["doctor"]).await;
    said.error();
    let wrong = of_level(&said, "wrong");
    assert_eq!((wrong.len(), &wrong[0]), (1, &said.lines()[0]), "{said:?}");
    assert!(wrong[0]["what"].as_str().unwrap().contains("log in again"));
    for command in [&RECONCILE[..], &["status"]] {
        let error = operator.run(command).await.error();
        assert!(error.contains("log in again"), "{error}");
    }
}

#[tokio::test]
async fn what_is_missing_is_wrong() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    operator.run(&["doctor"]).await.lines();
    for table in ["journal", "deliveries"] {
        let table = json!({"TableName": table});
        aws.call("DynamoDB_20120810.DeleteTable", &table).await;
    }
    let queue = json!({"QueueUrl": aws.queue_url("quarantine")});
    aws.call("AmazonSQS.DeleteQueue", &queue).await;
    let said = operator.run(&["doctor"]).await;
    said.error();
    let wrong = of_level(&said, "wrong");
    let is_wrong = |subject| {
        wrong.iter().any(|finding| {
            finding["subject"] == subject
                && finding["what"].as_str().unwrap().starts_with("missing: ")
        })
    };
    for subject in ["journal", "deliveries", "quarantine", "endpoints"] {
        // The endpoints are read with what is held for them.
        assert!(
            is_wrong(subject) || subject == "endpoints",
            "{subject}: {said:?}"
        );
    }
    for command in [&RECONCILE[..], &["status"]] {
        let error = operator.run(command).await.error();
        assert!(error.contains("this is the right stack"), "{error}");
    }
}

#[tokio::test]
async fn what_is_denied_is_a_warning_that_names_the_permission_and_not_well() {
    let aws = Aws::start().await;
    let proxy = Proxy::start(aws.url()).await;
    let operator = Operator::behind(&aws, &proxy.url()).await;
    proxy
        .break_down("dynamodb", "Query", "AccessDeniedException", 400)
        .await;
    let said = operator.run(&["doctor"]).await;
    assert!(said.error().contains("could not be checked"), "{said:?}");
    let denied = of_level(&said, "warning");
    let names = |finding: &&Value| {
        finding["to_do"]
            .as_str()
            .unwrap()
            .contains("dynamodb:Query")
    };
    assert_eq!(denied.iter().filter(names).count(), 3, "{said:?}");
    assert!(denied.iter().all(|finding| names(&finding)), "{said:?}");
    proxy
        .break_down("cloudwatch", "GetMetricData", "AccessDenied", 403)
        .await;
    let said = operator.run(&["status"]).await;
    let error = said.error();
    assert!(
        error.contains("the permission cloudwatch:GetMetricData"),
        "{error}"
    );
    assert_eq!(said.lines()[0]["name"], "studio", "what is known is shown");
}

#[tokio::test]
async fn no_secret_goes_to_a_local_stack_that_is_elsewhere() {
    let aws = Aws::start().await;
    let operator = Operator::of(&aws).await;
    let add = [
        "source",
        "create",
        "hr",
        "--provider",
        "people-force",
        "--secret-stdin",
    ];
    for (name, url) in [
        ("AwsEndpointUrl", "http://10.255.255.1"),
        ("AwsEndpointUrl", "https://secretsmanager.example.com"),
        ("WebhookUrl", "https://evil.example.com/webhooks"),
    ] {
        operator.set_output("AwsEndpointUrl", aws.url());
        operator.set_output("WebhookUrl", &format!("{}/webhooks", aws.url()));
        operator.set_output(name, url);
        let error = operator.run_with(&add, "hunter2").await.error();
        assert!(error.contains("not on this machine"), "{error}");
    }
    for (variable, url) in [
        ("AWS_ENDPOINT_URL", "http://10.255.255.1"),
        ("AWS_ENDPOINT_URL", "https://evil.example.com"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://10.255.255.1"),
    ] {
        let list = ["--json", "--stack", "a", "source", "list"];
        let mut tool = operator.command(&list);
        tool.env("AWS_REGION", "us-east-1").env(variable, url);
        let error = testkit::operator::finish(tool.spawn().unwrap())
            .await
            .error();
        assert!(
            error.contains("Secrets are sent over HTTPS to AWS"),
            "{error}"
        );
    }
}
