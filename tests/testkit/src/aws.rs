//! An AWS of one test: ministack, called in the JSON protocols, with the resources of the template.
//!
//! The emulator accepts requests that AWS refuses. Therefore each request is checked against AWS's rules as
//! well (`infra/local/aws_rules.py`), and a test fails when one of its requests breaks a rule.

use crate::function::{Answer, Function};
use crate::template::{ACCOUNT, Template};
use crate::webhook::SECRET;
use crate::{eventually, free_port, tool};
use axum::http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A running AWS with the gateway's resources. It is killed when it is dropped.
pub struct Aws {
    _process: Child,
    directory: tempfile::TempDir,
    url: String,
    http: reqwest::Client,
    shard_iterator: String,
}

/// The file with the broken rules of AWS.
const BROKEN_RULES: &str = "broken-rules";

impl Drop for Aws {
    fn drop(&mut self) {
        let broken = self.broken_rules();
        if !std::thread::panicking() {
            assert!(broken.is_empty(), "AWS refuses such requests: {broken:#?}");
        }
    }
}

/// A message as a consumer receives it.
#[derive(Debug, Clone)]
pub struct Message {
    pub text: String,
    pub body: Value,
    pub attributes: Value,
}

impl Aws {
    /// Starts an AWS with the source `studio` of Creative Force. A test may replace the sources.
    pub async fn start() -> Self {
        let port = free_port();
        let directory = tempfile::tempdir().unwrap();
        let mut aws = Self {
            _process: emulator(port, directory.path()),
            directory,
            url: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            shard_iterator: String::new(),
        };
        // Any answer is enough: moto has no such path.
        let health = format!("{}/_ministack/health", aws.url);
        eventually("the emulator", || async {
            aws.http.get(&health).send().await.is_ok()
        })
        .await;
        aws.create().await;
        aws
    }

    /// Takes the rules of AWS that requests broke so far.
    pub fn broken_rules(&self) -> Vec<String> {
        let path = self.directory.path().join(BROKEN_RULES);
        let broken = std::fs::read_to_string(&path).unwrap_or_default();
        drop(std::fs::remove_file(path));
        broken.lines().map(str::to_owned).collect()
    }

    async fn create(&mut self) {
        let template = Template::deployed();
        for table in template.tables() {
            self.call("DynamoDB_20120810.CreateTable", &table).await;
        }
        for queue in template.queues() {
            self.call("AmazonSQS.CreateQueue", &queue).await;
        }
        // The queues of consumers.
        let search = json!({"QueueName": "search"});
        self.call("AmazonSQS.CreateQueue", &search).await;
        let bucket = self.object_request(Method::PUT, "");
        bucket.send().await.unwrap().error_for_status().unwrap();
        let studio = json!({"studio": {"provider": "creative-force", "secrets": [SECRET]}});
        let sources = json!({"sources": studio}).to_string();
        self.call(
            "secretsmanager.CreateSecret",
            &json!({"Name": "sources", "SecretString": sources}),
        )
        .await;
        self.shard_iterator = self.first_shard_iterator().await;
    }

    /// The URL of this AWS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The environment of the ingress function, which calls AWS at this endpoint.
    pub fn environment(&self, endpoint: &str) -> Vec<(&'static str, String)> {
        self.environment_of("IngressFunction", endpoint)
    }

    /// The environment of a function of the template, which calls AWS at this endpoint.
    pub(crate) fn environment_of(
        &self,
        function: &str,
        endpoint: &str,
    ) -> Vec<(&'static str, String)> {
        let mut environment = Template::deployed().environment(function, &self.url);
        environment.extend([
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            // On a busy machine a call takes longer than on AWS.
            ("REJECTED_PATIENCE_MS", "60000".to_owned()),
            ("ATTEMPT_TIMEOUT_MS", "60000".to_owned()),
        ]);
        environment
    }

    /// Starts the ingress function with a direct connection to this AWS.
    pub async fn ingress(&self) -> Function {
        self.ingress_behind(&self.url).await
    }

    /// Starts the ingress function behind a proxy at this endpoint.
    pub async fn ingress_behind(&self, endpoint: &str) -> Function {
        Function::start(&crate::binary("ingress"), &self.environment(endpoint)).await
    }

    /// The URL of a queue.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.url)
    }

    /// Replaces the sources.
    pub async fn put_sources(&self, sources: &Value) {
        let text = json!({"sources": sources}).to_string();
        self.put_sources_text(&text).await;
    }

    /// Replaces the sources' document by a text.
    pub async fn put_sources_text(&self, text: &str) {
        self.call(
            "secretsmanager.PutSecretValue",
            &json!({"SecretId": "sources", "SecretString": text}),
        )
        .await;
    }

    /// Subscribes a queue to events.
    pub async fn subscribe(&self, name: &str, queue_url: &str, events: &[&str], sources: &[&str]) {
        self.put_subscription(name, queue_url, events, sources, None)
            .await;
    }

    /// Subscribes the queue of a listener to all events, until a time in seconds.
    pub async fn subscribe_listener(&self, name: &str, queue_url: &str, expires_at: i64) {
        self.put_subscription(name, queue_url, &["*"], &[], Some(expires_at))
            .await;
    }

    async fn put_subscription(
        &self,
        name: &str,
        queue_url: &str,
        events: &[&str],
        sources: &[&str],
        expires_at: Option<i64>,
    ) {
        let list = |texts: &[&str]| {
            json!({
                "L": texts.iter().map(|text| json!({"S": text})).collect::<Vec<_>>(),
            })
        };
        let mut item = json!({
            "kind": {"S": "subscription"}, "id": {"S": name}, "queue_url": {"S": queue_url},
            "events": list(events), "sources": list(sources),
        });
        if let Some(end) = expires_at {
            item["expires_at"] = json!({"N": end.to_string()});
        }
        self.call(
            "DynamoDB_20120810.PutItem",
            &json!({"TableName": "endpoints", "Item": item}),
        )
        .await;
    }

    /// The items of the ledger.
    pub async fn recorded(&self) -> Vec<Value> {
        let answer = self
            .call("DynamoDB_20120810.Scan", &json!({"TableName": "ledger"}))
            .await;
        answer["Items"].as_array().unwrap().clone()
    }

    /// An item of the ledger, changed by a test.
    pub async fn put_item(&self, item: &Value) {
        self.call(
            "DynamoDB_20120810.PutItem",
            &json!({"TableName": "ledger", "Item": item}),
        )
        .await;
    }

    /// Deletes an item of the ledger.
    pub async fn delete_item(&self, pk: &Value) {
        let request = json!({"TableName": "ledger", "Key": {"pk": pk}});
        self.call("DynamoDB_20120810.DeleteItem", &request).await;
    }

    /// Takes all messages off a queue.
    pub async fn drain(&self, queue: &str) -> Vec<Message> {
        let url = self.queue_url(queue);
        let mut messages = Vec::new();
        loop {
            let answer = self.call("AmazonSQS.ReceiveMessage", &json!({
                "QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"],
                "WaitTimeSeconds": 0,
            })).await;
            let received = answer["Messages"].as_array().cloned().unwrap_or_default();
            if received.is_empty() {
                return messages;
            }
            for message in received {
                let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
                self.call("AmazonSQS.DeleteMessage", &delete).await;
                let text = message["Body"].as_str().unwrap();
                // A provider's JSON may contain a part that this parser rejects, such as half a surrogate
                // pair.
                let body = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
                messages.push(Message {
                    text: text.to_owned(),
                    body,
                    attributes: message["MessageAttributes"].clone(),
                });
            }
        }
    }

    /// The event in a message, or the event that the message points to.
    pub async fn event(&self, message: Message) -> String {
        match message.body[1]["s3Key"].as_str() {
            Some(key) => String::from_utf8(self.object(key).await).unwrap(),
            None => message.text,
        }
    }

    /// Takes all events off their queue. Returns their ids.
    pub async fn drain_event_ids(&self) -> Vec<Value> {
        let events = self.drain("events").await.into_iter();
        events.map(|mut event| event.body["id"].take()).collect()
    }

    /// The journal's items whose kind has this prefix.
    pub async fn noted(&self, kind: &str) -> Vec<Value> {
        let scan = json!({"TableName": "journal"});
        let mut answer = self.call("DynamoDB_20120810.Scan", &scan).await;
        let mut items: Vec<_> = std::mem::take(answer["Items"].as_array_mut().unwrap());
        items.retain(|item| item["kind"]["S"].as_str().unwrap().starts_with(kind));
        items
    }

    /// A request for an object of the bucket, or for the bucket itself.
    fn object_request(&self, method: Method, key: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/payloads/{key}", self.url);
        let url = url.trim_end_matches('/');
        let request = self.http.request(method, url);
        request.header("authorization", credential("s3"))
    }

    /// The object of a bucket.
    pub async fn object(&self, key: &str) -> Vec<u8> {
        let get = self.object_request(Method::GET, key);
        let answer = get.send().await.unwrap();
        answer
            .error_for_status()
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec()
    }

    /// Puts an object into the bucket.
    pub async fn put_object(&self, key: &str, bytes: Vec<u8>) {
        let put = self.object_request(Method::PUT, key);
        answer("PutObject", put.body(bytes)).await;
    }

    /// The keys of the bucket's objects with this prefix.
    pub async fn objects(&self, prefix: &str) -> Vec<String> {
        let url = format!("{}/payloads?list-type=2&prefix={prefix}", self.url);
        let listed = answer("ListObjectsV2", self.http.get(url)).await;
        let keys = listed.split("<Key>").skip(1);
        keys.map(|part| part.split("</Key>").next().unwrap().to_owned())
            .collect()
    }

    /// Deletes an object of the bucket.
    pub async fn delete_object(&self, key: &str) {
        let delete = self.object_request(Method::DELETE, key);
        let answer = delete.send().await.unwrap();
        answer.error_for_status().unwrap();
    }

    /// The next batch of the ledger's stream, as Lambda offers it, and the position after it.
    pub async fn next_batch(&self) -> (Value, String) {
        let request = json!({"ShardIterator": self.shard_iterator, "Limit": 100});
        let mut answer = self
            .call("DynamoDBStreams_20120810.GetRecords", &request)
            .await;
        let after = answer["NextShardIterator"].as_str().unwrap().to_owned();
        (json!({"Records": answer["Records"].take()}), after)
    }

    /// Continues after a handled batch.
    pub fn acknowledge(&mut self, after: String) {
        self.shard_iterator = after;
    }

    /// Continues as Lambda's mapping does after a success: after the batch, or at the function's position.
    pub async fn go_on(&mut self, answer: &Value, after: String) {
        let first = &answer["batchItemFailures"][0]["itemIdentifier"];
        self.shard_iterator = match first.as_str() {
            Some(first) => self.shard_iterator_at(first).await,
            None => after,
        };
    }

    /// Offers the stream until it is drained. A failed batch comes again, as from Lambda's mapping.
    pub async fn drain_stream(&mut self, function: &mut Function) {
        let mut failures = 0;
        loop {
            let (batch, after) = self.next_batch().await;
            if batch["Records"].as_array().unwrap().is_empty() {
                return;
            }
            match function.invoke(&batch).await {
                Answer::Success(answer) => self.go_on(&answer, after).await,
                failed => {
                    failures += 1;
                    assert!(failures < 10, "the stream does not drain: {failed:?}");
                }
            }
        }
    }

    async fn first_shard_iterator(&self) -> String {
        let place = json!({"ShardIteratorType": "TRIM_HORIZON"});
        self.shard_iterator_of(place).await
    }

    async fn shard_iterator_at(&self, record: &str) -> String {
        let place = json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": record});
        self.shard_iterator_of(place).await
    }

    async fn shard_iterator_of(&self, mut request: Value) -> String {
        let streams = self
            .call(
                "DynamoDBStreams_20120810.ListStreams",
                &json!({"TableName": "ledger"}),
            )
            .await;
        let stream = &streams["Streams"][0]["StreamArn"];
        let described = self
            .call(
                "DynamoDBStreams_20120810.DescribeStream",
                &json!({"StreamArn": stream}),
            )
            .await;
        request["StreamArn"] = stream.clone();
        request["ShardId"] = described["StreamDescription"]["Shards"][0]["ShardId"].clone();
        let answer = self
            .call("DynamoDBStreams_20120810.GetShardIterator", &request)
            .await;
        answer["ShardIterator"].as_str().unwrap().to_owned()
    }

    /// Calls an operation of a service with a JSON protocol.
    pub async fn call(&self, target: &str, request: &Value) -> Value {
        let text = answer(target, self.json(target, request)).await;
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The same, whatever the answer is.
    pub async fn send(&self, target: &str, request: &Value) {
        self.json(target, request).send().await.unwrap();
    }

    fn json(&self, target: &str, request: &Value) -> reqwest::RequestBuilder {
        let scope = match target.split_once('.').unwrap().0 {
            "AmazonSQS" => "sqs",
            "secretsmanager" => "secretsmanager",
            "TrentService" => "kms",
            "Logs_20140328" => "logs",
            "GraniteServiceVersion20100801" => "monitoring",
            _ => "dynamodb",
        };
        self.http
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", credential(scope))
            .body(request.to_string())
    }

    /// Calls SNS, whose protocol is forms and XML.
    pub async fn call_sns(&self, parameters: &[(&str, &str)]) -> String {
        answer("SNS", self.form(parameters)).await
    }

    /// The same, whatever the answer is.
    pub async fn send_sns(&self, parameters: &[(&str, &str)]) {
        self.form(parameters).send().await.unwrap();
    }

    fn form(&self, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.http
            .post(&self.url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", credential("sns"))
            .body(form)
    }
}

/// Starts the emulator that `AWS_EMULATOR` names: ministack if it is not set, or `moto`.
///
/// Only ministack checks requests against AWS's rules.
fn emulator(port: u16, directory: &Path) -> Child {
    let mut command = match std::env::var("AWS_EMULATOR").as_deref() {
        Err(_) | Ok("ministack") => {
            let mut command = Command::new(tool("python"));
            command
                .arg(crate::root().join("infra/local/emulator.py"))
                .env("BROKEN_RULES", directory.join(BROKEN_RULES))
                .env("GATEWAY_PORT", port.to_string())
                .env("BIND_HOST", "127.0.0.1")
                .env("MINISTACK_REGION", "us-east-1")
                .env("S3_DATA_DIR", directory.join("s3"))
                .env("STATE_DIR", directory.join("state"));
            command
        }
        Ok("moto") => {
            let mut command = Command::new(tool("moto_server"));
            command
                .args(["--host", "127.0.0.1", "--port", &port.to_string()])
                .env("MOTO_ACCOUNT_ID", ACCOUNT);
            command
        }
        Ok(other) => panic!("AWS_EMULATOR is {other}, and not ministack or moto"),
    };
    let command = command
        .env("TMPDIR", directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().unwrap()
}

fn credential(scope: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/{scope}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

async fn answer(what: &str, call: reqwest::RequestBuilder) -> String {
    let answer = call.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{what}: {status} {text}");
    text
}
