//! An endpoint: a real HTTP server on loopback that records every request to the byte and gives a test's
//! answers.

use crate::PATIENCE;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Semaphore};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub at: SystemTime,
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status, headers and a body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// A status, as soon as the barrier's number of requests has arrived.
    Together(Arc<Barrier>, u16),
    /// The same, as soon as the test gives a permit.
    Gated(Arc<Semaphore>, u16),
    /// The same, after a while.
    Late(Duration, u16),
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection is closed.
    Drop,
    /// An endless body, byte by byte.
    Drip,
}

type Answers = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A running endpoint. It is stopped when it is dropped.
pub struct Receiver {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    answers: Mutex<Answers>,
    came: tokio::sync::Notify,
}

impl Reply {
    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self::Whole(status, Vec::new(), String::new())
    }

    /// A status with `Retry-After`.
    pub fn retry_after(status: u16, seconds: u32) -> Self {
        Self::Whole(
            status,
            vec![("retry-after", seconds.to_string())],
            String::new(),
        )
    }
}

impl Request {
    /// A header, which must be there.
    pub fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"));
        value.to_str().unwrap()
    }

    /// The id of the delivery.
    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }

    /// Whether the body contains this text.
    pub fn has(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }
}

impl Receiver {
    /// Starts an endpoint that answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            answers: Mutex::new(Box::new(|_| Reply::status(200))),
            came: tokio::sync::Notify::new(),
        });
        let serving = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            // All connections end with this task.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self {
            url,
            shared,
            server,
        }
    }

    /// Starts an endpoint that answers everything with this status.
    pub async fn answering(status: u16) -> Self {
        let receiver = Self::start().await;
        receiver.always(Reply::status(status));
        receiver
    }

    /// The endpoint's URL.
    pub fn url(&self) -> String {
        format!("{}/hooks?of=gateway", self.url)
    }

    /// Answers requests in this way from now on.
    pub fn answer(&self, answers: impl FnMut(&Request) -> Reply + Send + 'static) {
        *self.shared.answers.lock().unwrap() = Box::new(answers);
    }

    /// Gives this answer to requests from now on.
    pub fn always(&self, reply: Reply) {
        self.answer(move |_| reply.clone());
    }

    /// All requests so far, in their order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Takes the requests since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// Waits for this many requests.
    pub async fn got(&self, count: usize) {
        let wait = async {
            loop {
                let came = self.shared.came.notified();
                if self.requests().len() >= count {
                    return;
                }
                came.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("{count} requests did not come"));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let reply = (shared.answers.lock().unwrap())(&request);
        shared.requests.lock().unwrap().push(request);
        shared.came.notify_waiters();
        if write(&mut stream, reply).await.is_none() {
            return;
        }
    }
}

/// The next request of a connection; none at its end.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream
        .read_line(&mut line)
        .await
        .ok()
        .filter(|count| *count > 0)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.append(
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let length = headers.get("content-length").expect("a length");
    let mut body = vec![0; length.to_str().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
        at: SystemTime::now(),
    })
}

/// Answers, or returns nothing at the end of the connection.
async fn write(stream: &mut BufReader<TcpStream>, reply: Reply) -> Option<()> {
    let (status, headers, body) = match reply {
        Reply::Whole(status, headers, body) => (status, headers, body),
        Reply::Together(all, status) => {
            all.wait().await;
            (status, Vec::new(), String::new())
        }
        Reply::Gated(gate, status) => {
            gate.acquire().await.ok()?.forget();
            (status, Vec::new(), String::new())
        }
        Reply::Late(wait, status) => {
            tokio::time::sleep(wait).await;
            (status, Vec::new(), String::new())
        }
        Reply::Hang => std::future::pending().await,
        Reply::Drop => return None,
        Reply::Drip => return drip(stream).await,
    };
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let text = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()
}

async fn drip(stream: &mut BufReader<TcpStream>) -> Option<()> {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.ok()?;
    loop {
        stream.write_all(b"1\r\n.\r\n").await.ok()?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
