//! A proxy for the function's calls of AWS. It records the requested delay or invisibility of a message
//! instead of applying it; therefore no test has to wait. It can hold a call until a test releases it, and it
//! can refuse single entries of a batch, or every message to a queue, with SQS's own errors. Everything else
//! passes unchanged.

use crate::PATIENCE;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// A message that the function sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The name of the queue.
    pub queue: String,
    pub body: Value,
    /// The delay in seconds.
    pub delay: u64,
    /// Its size as SQS counts it: the body and the names, types and values of the attributes.
    pub bytes: usize,
}

/// A queue's answer to a batch.
#[derive(Debug, Clone, Copy)]
pub enum Refusal {
    /// This status and error code, with the code in the header from which the SDKs read it.
    Code(u16, &'static str),
    /// Each message fails with this code, with or without the sender's fault.
    Entries(&'static str, bool),
    /// Nothing.
    Hang,
}

/// A call of DynamoDB or S3, with its answer.
#[derive(Debug, Clone)]
pub struct Called {
    /// The operation, such as `DynamoDB_20120810.PutItem`, or the method and the path of S3.
    pub operation: String,
    /// The request and the answer if they are JSON, or null.
    pub request: Value,
    pub answer: Value,
}

/// The point at which a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before it is applied.
    Before,
    /// After it is applied, and before the answer.
    After,
}

/// A call that is held, or will be. It fails when this is dropped.
pub struct Gate {
    reached: oneshot::Receiver<()>,
    open: oneshot::Sender<()>,
}

struct Barrier {
    point: Point,
    operation: &'static str,
    text: &'static str,
    /// The number of such calls that pass before it.
    before: usize,
    reached: oneshot::Sender<()>,
    open: oneshot::Receiver<()>,
}

/// A running tap. It is stopped when it is dropped.
pub struct Tap {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    sent: Mutex<Vec<Sent>>,
    waits: Mutex<Vec<(String, u64)>>,
    called: Mutex<Vec<Called>>,
    barrier: Mutex<Option<Barrier>>,
    refused: Mutex<Option<&'static str>>,
    closed: Mutex<HashMap<String, Refusal>>,
    closings: Mutex<Vec<String>>,
    slow: Mutex<Option<(&'static str, Duration)>>,
    hang: Mutex<Option<(&'static str, &'static str)>>,
    calls: Mutex<BTreeSet<String>>,
}

impl Tap {
    /// Starts a tap in front of an AWS.
    pub async fn start(upstream: &str) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            sent: Mutex::default(),
            waits: Mutex::default(),
            called: Mutex::default(),
            barrier: Mutex::default(),
            calls: Mutex::default(),
            refused: Mutex::default(),
            closed: Mutex::default(),
            closings: Mutex::default(),
            slow: Mutex::default(),
            hang: Mutex::default(),
        });
        let routes = Router::new()
            .fallback(forward)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            url,
            shared,
            server,
        }
    }

    /// The endpoint for the function.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Holds the next call of an operation whose request contains this text.
    pub fn hold(&self, point: Point, operation: &'static str, text: &'static str) -> Gate {
        self.hold_nth(0, point, operation, text)
    }

    /// Holds a call before it is applied, after this many others have passed.
    pub fn hold_any(&self, before: usize) -> Gate {
        self.hold_nth(before, Point::Before, "", "")
    }

    fn hold_nth(
        &self,
        before: usize,
        point: Point,
        operation: &'static str,
        text: &'static str,
    ) -> Gate {
        let (reached, is_reached) = oneshot::channel();
        let (open, is_open) = oneshot::channel();
        *self.shared.barrier.lock().unwrap() = Some(Barrier {
            point,
            operation,
            text,
            before,
            reached,
            open: is_open,
        });
        Gate {
            reached: is_reached,
            open,
        }
    }

    /// Makes SQS refuse each entry of a batch that contains this text, as the sender's fault, from now on; or
    /// no entry.
    pub fn refuse(&self, text: Option<&'static str>) {
        *self.shared.refused.lock().unwrap() = text;
    }

    /// Makes a queue refuse messages from now on.
    pub fn close(&self, queue: &str, refusal: Refusal) {
        let mut closed = self.shared.closed.lock().unwrap();
        closed.insert(queue.to_owned(), refusal);
    }

    /// Makes every queue accept messages again. Returns the queues that refused, once per refusal.
    pub fn heal(&self) -> Vec<String> {
        self.shared.closed.lock().unwrap().clear();
        std::mem::take(&mut *self.shared.closings.lock().unwrap())
    }

    /// Makes reads of an object whose path contains this text take this long from now on.
    pub fn slow_down(&self, path: &'static str, time: Duration) {
        *self.shared.slow.lock().unwrap() = Some((path, time));
    }

    /// Leaves calls of an operation whose request contains this text without an answer from now on.
    pub fn hang(&self, operation: &'static str, text: &'static str) {
        *self.shared.hang.lock().unwrap() = Some((operation, text));
    }

    /// Takes the IAM actions of the calls since the last time.
    pub fn calls(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.shared.calls.lock().unwrap())
    }

    /// Takes the messages that were sent since the last time.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.shared.sent.lock().unwrap())
    }

    /// Takes the messages that were delayed since the last time: their receipt handles, and the seconds of
    /// each.
    pub fn waits(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut *self.shared.waits.lock().unwrap())
    }

    /// Takes the calls of DynamoDB and S3 that were answered since the last time.
    pub fn called(&self) -> Vec<Called> {
        std::mem::take(&mut *self.shared.called.lock().unwrap())
    }
}

impl Gate {
    /// Waits until the call is held, which must be soon.
    pub async fn reached(&mut self) {
        let reached = tokio::time::timeout(PATIENCE, self.met()).await;
        reached.expect("a call to hold up");
    }

    /// Whether the call is still to come.
    pub fn is_waiting(&mut self) -> bool {
        self.reached.try_recv().is_err()
    }

    /// Releases the call.
    pub fn open(self) {
        self.open.send(()).expect("a call that is held up");
    }

    /// Waits until the call is held.
    pub async fn met(&mut self) {
        (&mut self.reached).await.unwrap();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let target = headers.get("x-amz-target");
    let target = target
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let action = action(&target, &method, &uri);
    shared.calls.lock().unwrap().insert(action);
    if method == Method::GET {
        let slow = *shared.slow.lock().unwrap();
        if let Some((_, time)) = slow.filter(|(path, _)| uri.path().contains(path)) {
            tokio::time::sleep(time).await;
        }
    }
    let hang = *shared.hang.lock().unwrap();
    let text = String::from_utf8_lossy(&body);
    if hang.is_some_and(|(operation, part)| target.ends_with(operation) && text.contains(part)) {
        std::future::pending::<()>().await;
    }
    if target == "AmazonSQS.SendMessageBatch" {
        let request = serde_json::from_slice(&body).unwrap();
        if let Some(answer) = shared.closed(&request).await {
            return answer;
        }
    }
    let (body, refused) = match &*target {
        "AmazonSQS.SendMessageBatch" => shared.note(&body, "DelaySeconds"),
        "AmazonSQS.ChangeMessageVisibilityBatch" => shared.note(&body, "VisibilityTimeout"),
        _ => (body, Vec::new()),
    };
    if !refused.is_empty() {
        return shared.call_without(refused, uri, headers, &body).await;
    }
    let barrier = shared.barrier(&target, &body);
    let point = barrier.as_ref().map(|barrier| barrier.point);
    let wait = async {
        let Some(barrier) = barrier else {
            return true;
        };
        let _ = barrier.reached.send(());
        barrier.open.await.is_ok()
    };
    if point == Some(Point::Before) {
        return match wait.await {
            true => shared.call(method, &uri, headers, body).await,
            false => failed(),
        };
    }
    let answer = shared.call(method, &uri, headers, body).await;
    match wait.await {
        true => answer,
        false => failed(),
    }
}

/// The IAM action of a request.
fn action(target: &str, method: &Method, uri: &Uri) -> String {
    let path = uri.path();
    let Some((service, operation)) = target.split_once('.') else {
        return match path.rsplit_once("/operation/") {
            Some((_, operation)) => format!("cloudwatch:{operation}"),
            None if path.ends_with("/configuration") => {
                "lambda:GetFunctionConfiguration".to_owned()
            }
            None if path.contains("/event-source-mappings") => {
                "lambda:ListEventSourceMappings".to_owned()
            }
            None if method == Method::PUT => "s3:PutObject".to_owned(),
            None => "s3:GetObject".to_owned(),
        };
    };
    let service = match service {
        "AmazonSQS" => "sqs",
        "TrentService" => "kms",
        "Logs_20140328" => "logs",
        "GraniteServiceVersion20100801" => "cloudwatch",
        "secretsmanager" => "secretsmanager",
        _ => "dynamodb",
    };
    // IAM has no actions for SQS batches; the names of DynamoDB's batch actions begin with the word.
    let operation = match operation {
        "TransactWriteItems" => "UpdateItem",
        other => other.strip_suffix("Batch").unwrap_or(other),
    };
    format!("{service}:{operation}")
}

fn failed() -> (StatusCode, HeaderMap, Bytes) {
    (StatusCode::BAD_GATEWAY, HeaderMap::new(), Bytes::new())
}

impl Shared {
    /// The hold of a call, if this call is to be held.
    fn barrier(&self, target: &str, body: &[u8]) -> Option<Barrier> {
        let body = String::from_utf8_lossy(body);
        self.barrier.lock().unwrap().take_if(|barrier| {
            let is_such = target.ends_with(barrier.operation) && body.contains(barrier.text);
            let is_met = is_such && barrier.before == 0;
            barrier.before -= usize::from(is_such && !is_met);
            is_met
        })
    }

    async fn call(
        &self,
        method: Method,
        uri: &Uri,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, HeaderMap, Bytes) {
        for name in ["host", "content-length"] {
            headers.remove(name);
        }
        let operation = match headers.get("x-amz-target") {
            Some(target) => target.to_str().unwrap().to_owned(),
            None => format!("{method} {}", uri.path()),
        };
        let asked = serde_json::from_slice(&body).unwrap_or_default();
        let request = self.http.request(method, format!("{}{uri}", self.upstream));
        // Without an answer the test has ended, and so has its AWS.
        let Ok(answer) = request.headers(headers).body(body).send().await else {
            return failed();
        };
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove("transfer-encoding");
        let answer = answer.bytes().await.unwrap_or_default();
        let is_of_store = !operation.contains('.') || operation.starts_with("DynamoDB_");
        if is_of_store {
            self.called.lock().unwrap().push(Called {
                operation,
                request: asked,
                answer: serde_json::from_slice(&answer).unwrap_or_default(),
            });
        }
        (status, headers, answer)
    }

    /// A queue's answer to a batch, if it refuses a part of it.
    async fn closed(&self, request: &Value) -> Option<(StatusCode, HeaderMap, Bytes)> {
        let queue = request["QueueUrl"].as_str().unwrap().rsplit('/').next();
        let queue = queue.unwrap();
        let refusal = *self.closed.lock().unwrap().get(queue)?;
        let entries = request["Entries"].as_array().unwrap();
        self.closings.lock().unwrap().push(queue.to_owned());
        let mut headers = HeaderMap::new();
        let (status, body) = match refusal {
            Refusal::Hang => std::future::pending().await,
            Refusal::Code(status, code) => {
                let error = format!(
                    "{code};{}",
                    if status < 500 { "Sender" } else { "Receiver" }
                );
                headers.insert("x-amzn-query-error", error.parse().unwrap());
                (
                    status,
                    json!({"__type": "com.amazonaws.sqs#SomeShape", "message": "Said."}),
                )
            }
            Refusal::Entries(code, sender_fault) => {
                let failed = |entry: &Value| {
                    json!({
                        "Id": entry["Id"], "Code": code, "SenderFault": sender_fault,
                    })
                };
                let failed: Vec<_> = entries.iter().map(failed).collect();
                (200, json!({"Successful": [], "Failed": failed}))
            }
        };
        let status = status.try_into().unwrap();
        Some((status, headers, body.to_string().into()))
    }

    /// Makes a call without the refused entries, and adds their refusal to the answer.
    async fn call_without(
        &self,
        refused: Vec<Value>,
        uri: Uri,
        headers: HeaderMap,
        body: &Bytes,
    ) -> (StatusCode, HeaderMap, Bytes) {
        let left: Value = serde_json::from_slice(body).unwrap();
        let (mut answer, mut headers) = match left["Entries"] == json!([]) {
            true => (json!({"Successful": []}), HeaderMap::new()),
            false => {
                let called = self.call(Method::POST, &uri, headers, body.clone()).await;
                (serde_json::from_slice(&called.2).unwrap(), called.1)
            }
        };
        let failed = refused.iter().map(|entry| {
            json!({
                "Id": entry["Id"], "SenderFault": true, "Code": "InvalidParameterValue",
                "Message": "by the test",
            })
        });
        answer["Failed"] = failed.collect();
        headers.remove("content-length");
        (StatusCode::OK, headers, answer.to_string().into())
    }

    /// Records the requests of a batch and removes their waits. Takes out the entries that are to be refused.
    fn note(&self, body: &Bytes, wait: &str) -> (Bytes, Vec<Value>) {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        let queue = request["QueueUrl"].as_str().unwrap().rsplit('/').next();
        let queue = queue.unwrap().to_owned();
        let text = *self.refused.lock().unwrap();
        let is_refused =
            |entry: &Value| text.is_some_and(|refused| entry.to_string().contains(refused));
        let entries = request["Entries"].as_array_mut().unwrap();
        let refused = entries.extract_if(.., |entry| is_refused(entry)).collect();
        for entry in entries {
            let seconds = entry[wait].as_u64().unwrap_or_default();
            if let Some(receipt) = entry["ReceiptHandle"].as_str() {
                let receipt = receipt.to_owned();
                self.waits.lock().unwrap().push((receipt, seconds));
            } else {
                let body = entry["MessageBody"].as_str().unwrap();
                self.sent.lock().unwrap().push(Sent {
                    queue: queue.clone(),
                    body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
                    delay: seconds,
                    bytes: size(entry),
                });
            }
            entry[wait] = json!(0);
        }
        (request.to_string().into(), refused)
    }
}

/// The attributes of a message, with their types and values.
fn attributes(entry: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let attributes = entry["MessageAttributes"].as_object();
    attributes.into_iter().flatten().map(|(name, attribute)| {
        let text = |name: &str| attribute[name].as_str().unwrap();
        (&**name, text("DataType"), text("StringValue"))
    })
}

fn size(entry: &Value) -> usize {
    let attribute = |(name, kind, value): (&str, &str, &str)| name.len() + kind.len() + value.len();
    let body = entry["MessageBody"].as_str().unwrap();
    body.len() + attributes(entry).map(attribute).sum::<usize>()
}
