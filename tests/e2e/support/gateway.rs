//! The deployed gateway, found by the outputs of its stack, with its AWS and the operator's tool.

use super::{endpoint, inbox, queue};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::operator::{CommandOutput, finish_with};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The prefix of every name that these tests create.
pub(super) const MARK: &str = "e2e-";

/// One test at a time changes the sources, because the tool rejects the second of two changes.
static CHANGES: Mutex<()> = Mutex::const_new(());

/// When the first test began, in milliseconds.
static PREPARED: OnceCell<u64> = OnceCell::const_new();

/// The gateway. Each test has its own, because a client does not outlive its runtime.
pub(crate) struct Gateway {
    outputs: Value,
    http: reqwest::Client,
    home: tempfile::TempDir,
}

/// The folder of the local stack's files.
fn folder() -> PathBuf {
    let name = std::env::var_os("LOCAL_DIR").unwrap_or_else(|| ".local".into());
    testkit::root().join(name)
}

/// A name for a resource of a test.
pub(crate) fn name() -> String {
    format!("{MARK}{}", super::unique())
}

impl Gateway {
    pub(crate) async fn find() -> Self {
        let outputs = std::fs::read(folder().join("outputs.json"))
            .expect("there is no local stack: run `make e2e`, or `make up` before");
        let home = tempfile::tempdir().unwrap();
        // The tool looks for `.local` in its own folder.
        std::os::unix::fs::symlink(folder(), home.path().join(".local")).unwrap();
        let gateway = Self {
            outputs: serde_json::from_slice(&outputs).unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            home,
        };
        PREPARED.get_or_init(|| gateway.prepare()).await;
        gateway
    }

    /// Removes the leftovers of earlier runs and starts to receive. Returns the time of this.
    async fn prepare(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let earlier = |name: &String| name.starts_with(MARK);
        let _guard = self.change().await;
        self.edit_sources(|sources| {
            for name in sources
                .keys()
                .filter(|source| earlier(source))
                .cloned()
                .collect::<Vec<_>>()
            {
                sources.remove(&name);
            }
        })
        .await;
        endpoint::remove_earlier(self).await;
        queue::remove_earlier(self).await;
        inbox::start();
        now.as_secs() * 1000
    }

    /// An output of the stack.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs[name].as_str().unwrap()
    }

    /// The Payload URL of a source.
    pub(crate) fn payload_url(&self, source: &str) -> String {
        format!("{}/{source}", self.output("WebhookUrl"))
    }

    /// A request to the gateway.
    pub(crate) fn request(&self, method: &str, source: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.http.request(method, self.payload_url(source))
    }

    /// The log of the local AWS itself. It contains a function's output that did not reach its log group.
    pub(crate) fn emulator_log(&self) -> String {
        let log = std::fs::read(folder().join("ministack.log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    // ---- The operator's tool ----

    /// Runs the tool to its end.
    pub(crate) async fn webhookctl(&self, arguments: &[&str]) -> CommandOutput {
        self.webhookctl_with(arguments, "").await
    }

    /// Runs the tool with a standard input.
    pub(crate) async fn webhookctl_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        finish_with(self.start_webhookctl(arguments), input).await
    }

    /// Starts the tool. It waits for its standard input if it reads one.
    pub(crate) fn start_webhookctl(&self, arguments: &[&str]) -> Child {
        self.command().args(arguments).spawn().unwrap()
    }

    /// The tool, with the stack and its credentials.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(testkit::binary("webhookctl"));
        command
            .current_dir(self.home.path())
            .env_remove("WEBHOOK_GATEWAY_STACK")
            .env("AWS_ENDPOINT_URL", self.output("AwsEndpointUrl"))
            .env("AWS_REGION", self.output("AwsRegion"))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Keeps the other tests from changing the sources.
    pub(crate) async fn change(&self) -> MutexGuard<'static, ()> {
        CHANGES.lock().await
    }

    /// Changes the sources without the tool. The caller holds [`change`](Self::change).
    pub(crate) async fn edit_sources(
        &self,
        edit: impl FnOnce(&mut serde_json::Map<String, Value>),
    ) {
        let secret = json!({"SecretId": self.output("SourcesSecretArn")});
        let read = self.aws("secretsmanager.GetSecretValue", &secret).await;
        let mut document: Value =
            serde_json::from_str(read["SecretString"].as_str().unwrap()).unwrap();
        edit(document["sources"].as_object_mut().unwrap());
        let mut put = secret;
        put["SecretString"] = json!(document.to_string());
        self.aws("secretsmanager.PutSecretValue", &put).await;
    }

    // ---- AWS ----

    /// Calls AWS as its root user in a JSON protocol.
    pub(crate) async fn aws(&self, target: &str, request: &Value) -> Value {
        let scope = match target.split_once('.').unwrap().0 {
            "AmazonSQS" => "sqs",
            "Logs_20140328" => "logs",
            other => other,
        };
        let call = self.http.post(self.output("AwsEndpointUrl"));
        let call = call
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", credential(scope))
            .body(request.to_string());
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Calls SNS, which has another protocol. Returns its answer in XML.
    pub(crate) async fn sns(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .extend_pairs(parameters)
            .finish();
        let call = self.http.post(self.output("AwsEndpointUrl"));
        let call = call
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", credential("sns"))
            .body(body);
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{action}: {status} {text}");
        text
    }

    /// Gets the resource of AWS at a path.
    pub(crate) async fn get(&self, scope: &str, path: &str) -> Vec<u8> {
        let url = format!("{}/{path}", self.output("AwsEndpointUrl"));
        let call = self
            .http
            .get(url)
            .header("authorization", credential(scope));
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {bytes:?}");
        bytes.to_vec()
    }

    /// The log of a function from the beginning of the tests.
    pub(crate) async fn log(&self, function: &str) -> Vec<String> {
        let function = self.output(function);
        let path = format!("2015-03-31/functions/{function}/configuration");
        let configuration: Value =
            serde_json::from_slice(&self.get("lambda", &path).await).unwrap();
        let group = &configuration["LoggingConfig"]["LogGroup"];
        let request = json!({"logGroupName": group, "startTime": PREPARED.get()});
        let answer = self.aws("Logs_20140328.FilterLogEvents", &request).await;
        let events = answer["events"].as_array().unwrap();
        let text = |event: &Value| event["message"].as_str().unwrap().to_owned();
        events.iter().map(text).collect()
    }
}

/// The local AWS reads the caller's identity, and checks no signature.
fn credential(scope: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/{scope}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}
