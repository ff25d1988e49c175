//! A function as Lambda runs it: the real binary behind a Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use crate::PATIENCE;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, oneshot};

/// The default time of an invocation.
const LIMIT: Duration = Duration::from_mins(1);

/// The result of an invocation.
#[must_use = "a test that ignores an answer blames something else for a request that failed"]
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The function's answer.
    Success(Value),
    /// The error that the function reported: API Gateway answers 500, a stream offers the batch again.
    Error(Value),
    /// The process ended.
    Died,
}

type Reply = oneshot::Sender<Answer>;

/// An event, the time limit of its invocation, and the receiver of the answer.
type Invocation = (String, Duration, Reply);

struct Api {
    events: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    waiting: Mutex<Option<Reply>>,
}

/// A running function. It is killed when it is dropped.
pub struct Function {
    process: Child,
    events: mpsc::UnboundedSender<Invocation>,
    server: tokio::task::JoinHandle<()>,
    /// The output of the process. A file has each line before the answer that follows it; a pipe would need a
    /// reader first.
    output: tempfile::NamedTempFile,
}

impl Function {
    /// Starts a binary with this environment and no other.
    pub async fn start(binary: &str, environment: &[(&str, String)]) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let api = Arc::new(Api {
            events: Mutex::new(receiver),
            waiting: Mutex::default(),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(api);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "function".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        let output = tempfile::Builder::new().append(true).tempfile().unwrap();
        let process = Command::new(binary)
            .env_clear()
            .envs(lambda)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdout(output.as_file().try_clone().unwrap())
            .stderr(output.as_file().try_clone().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            process,
            events,
            server,
            output,
        }
    }

    /// Starts an invocation. The receiver gets its result.
    pub fn begin(&self, event: &Value) -> oneshot::Receiver<Answer> {
        self.begin_within(event, LIMIT)
    }

    /// Starts an invocation with this time limit.
    pub fn begin_within(&self, event: &Value, left: Duration) -> oneshot::Receiver<Answer> {
        self.begin_text(event.to_string(), left)
    }

    fn begin_text(&self, event: String, left: Duration) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.events.send((event, left, sender)).unwrap();
        receiver
    }

    /// Invokes the function.
    pub async fn invoke(&mut self, event: &Value) -> Answer {
        self.invoke_text(event.to_string()).await
    }

    /// Invokes the function with an event that may be no value of `serde_json`.
    pub async fn invoke_text(&mut self, event: String) -> Answer {
        let answer = self.begin_text(event, LIMIT);
        tokio::select! {
            answer = tokio::time::timeout(PATIENCE, answer) => answer.expect("an answer in time").unwrap(),
            _ = self.process.wait() => Answer::Died,
        }
    }

    /// Passes a webhook to the function, which must accept it.
    pub async fn accept(&mut self, webhook: &Value) {
        self.answered(webhook, 200).await;
    }

    /// Passes a request to the function, which must answer with this status.
    #[track_caller]
    pub fn answered(&mut self, request: &Value, status: u16) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.invoke(request).await;
            let is_expected = matches!(&answer, Answer::Success(it) if it["statusCode"] == status);
            let output = self.output().await;
            assert!(
                is_expected,
                "{caller}: {answer:?} is not {status}: {output:#?}"
            );
        }
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// The peak memory of the process, as the kernel counts it.
    pub fn peak_megabytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let mut lines = status.lines();
        let peak = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes = peak.trim().trim_end_matches(" kB").parse::<usize>();
        kilobytes.unwrap() / 1024
    }

    /// Kills the process, as Lambda may at any point.
    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// The output of the process so far, line by line.
    pub async fn output(&self) -> Vec<String> {
        let output = std::fs::read_to_string(self.output.path()).unwrap();
        // The last line may be incomplete.
        let (whole, _) = output.rsplit_once('\n').unwrap_or_default();
        whole.lines().map(str::to_owned).collect()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some((event, left, reply)) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    *api.waiting.lock().await = Some(reply);
    let deadline = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        + left;
    let headers = HeaderMap::from_iter([
        (
            "lambda-runtime-aws-request-id".parse().unwrap(),
            "request".parse().unwrap(),
        ),
        (
            "lambda-runtime-deadline-ms".parse().unwrap(),
            deadline.as_millis().to_string().parse().unwrap(),
        ),
        (
            "lambda-runtime-invoked-function-arn".parse().unwrap(),
            "arn:aws:lambda:us-east-1:000000000000:function:function"
                .parse()
                .unwrap(),
        ),
    ]);
    (headers, event).into_response()
}

async fn response(
    State(api): State<Arc<Api>>,
    Path(_id): Path<String>,
    body: String,
) -> StatusCode {
    reply(&api, Answer::Success(serde_json::from_str(&body).unwrap())).await
}

async fn error(State(api): State<Arc<Api>>, Path(_id): Path<String>, body: String) -> StatusCode {
    reply(&api, Answer::Error(serde_json::from_str(&body).unwrap())).await
}

async fn reply(api: &Api, answer: Answer) -> StatusCode {
    if let Some(waiting) = api.waiting.lock().await.take() {
        // The test may no longer wait for the answer.
        let _ = waiting.send(answer);
    }
    StatusCode::ACCEPTED
}
