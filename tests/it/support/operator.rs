//! The operator's tool beside an AWS of a test's own, which it takes for the local stack.

use super::aws::Aws;
use super::function::{Answer, Function};
use super::webhook::{creative_force, signed};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// A folder in which the tool finds the stack.
pub(crate) struct Operator {
    home: tempfile::TempDir,
}

/// What the tool says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) notes: String,
}

impl Said {
    /// The lines of the output as JSON; asserts success.
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.lines()
    }

    /// The lines of the output as JSON, of a command that may have failed in part.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.output.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The error of a command that was refused or failed, in `--json`.
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let error: Value = serde_json::from_str(self.notes.lines().last().unwrap()).unwrap();
        error["error"].as_str().unwrap().to_owned()
    }
}

impl Operator {
    /// Of this AWS, whose key encrypts the endpoints' secrets.
    pub(crate) async fn of(aws: &Aws) -> Self {
        Self::behind(aws, aws.url()).await
    }

    /// The same, with an endpoint in between.
    pub(crate) async fn behind(aws: &Aws, endpoint: &str) -> Self {
        let key = aws.call("TrentService.CreateKey", &json!({})).await;
        let outputs = json!({
            "AwsEndpointUrl": endpoint, "AwsRegion": "us-east-1",
            "WebhookUrl": format!("{}/webhooks", aws.url()),
            "LedgerTableName": "ledger", "EndpointsTableName": "endpoints", "DeliveriesTableName": "deliveries",
            "JournalTableName": "journal", "PayloadBucketName": "payloads", "SourcesSecretArn": "sources",
            "EventsQueueUrl": aws.queue_url("events"), "QuarantineQueueUrl": aws.queue_url("quarantine"),
            "DeliveryQueueUrl": aws.queue_url("deliveries"), "DeadLetterQueueUrl": aws.queue_url("dead"),
            "SecretsKeyArn": key["KeyMetadata"]["Arn"], "EndpointPolicy": "unrestricted",
            "IngressLogGroupName": "ingress", "RetentionDays": "30",
            "Version": env!("CARGO_PKG_VERSION"), "MetricsNamespace": "WebhookGateway",
        });
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".local")).unwrap();
        std::fs::write(home.path().join(".local/outputs.json"), outputs.to_string()).unwrap();
        Self { home }
    }

    /// Runs the tool with `--json` to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "").await
    }

    /// The same, with a standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut tool = self.start(arguments);
        let mut stdin = tool.stdin.take().unwrap();
        // A tool that reads none may be gone already.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
        Self::finish(tool).await
    }

    /// Waits for the end of a tool that was started.
    pub(crate) async fn finish(tool: Child) -> Said {
        let done = tool.wait_with_output().await.unwrap();
        Said {
            code: done.status.code(),
            output: String::from_utf8(done.stdout).unwrap(),
            notes: String::from_utf8(done.stderr).unwrap(),
        }
    }

    /// Starts the tool with `--json`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_webhookctl"))
            .arg("--json")
            .args(arguments)
            .current_dir(self.home.path())
            .env_remove("WEBHOOK_GATEWAY_STACK")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

/// Has webhooks of Creative Force with these ids accepted and published.
pub(crate) async fn accept(aws: &mut Aws, ingress: &mut Function, ids: &[&str]) {
    for id in ids {
        let webhook = signed("studio", &creative_force(id, ""));
        assert!(matches!(ingress.invoke(&webhook).await, Answer::Success(_)));
    }
    aws.drain_stream(ingress).await;
}

/// A member of each of these objects.
pub(crate) fn column<'a>(objects: &'a [Value], name: &str) -> Vec<&'a str> {
    objects
        .iter()
        .map(|it| it[name].as_str().unwrap())
        .collect()
}
