//! A proxy between a function and its AWS that passes every call on, and keeps the requests and answers.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// A call of AWS.
pub struct Call {
    /// The operation, such as `DynamoDB_20120810.PutItem`, or the method of S3.
    pub operation: String,
    /// The request and the answer if they are JSON, or null.
    pub request: Value,
    pub answer: Value,
}

/// A running meter.
pub struct Meter {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    calls: Mutex<Vec<Call>>,
}

impl Meter {
    /// Starts a meter in front of an AWS.
    pub async fn start(upstream: &str) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            calls: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, shared }
    }

    /// Takes the calls since the last time.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.shared.calls.lock().unwrap())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let operation = parts.headers.get("x-amz-target");
    let operation = operation.and_then(|value| value.to_str().ok());
    let operation = operation.unwrap_or(parts.method.as_str()).to_owned();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let request = serde_json::from_slice(&body).unwrap_or_default();
    let url = format!("{}{}", shared.upstream, parts.uri);
    let call = shared
        .http
        .request(parts.method, url)
        .headers(parts.headers);
    let answer = call.body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    let bytes = answer.bytes().await.unwrap();
    shared.calls.lock().unwrap().push(Call {
        operation,
        request,
        answer: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    response.body(Body::from(bytes)).unwrap()
}
