//! The outside as tests see it: a network that records, and servers on loopback.

mod connections;
mod exchange;
mod tls;
mod vectors;

use super::*;
use std::collections::VecDeque;
use std::sync::Mutex as Lock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longer than anything takes that is not meant to time out.
const AMPLE: Duration = Duration::from_secs(60);

/// An address that may be called, in answers to look-ups.
const PUBLIC: [u8; 4] = [93, 184, 215, 14];

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Answers look-ups as it is told, leads every address to one server, and records what it is asked.
struct Recorded {
    /// One after the other; the last again and again. `None` is a failure.
    answers: Lock<VecDeque<Option<Vec<IpAddr>>>>,
    server: SocketAddr,
    refusing: Vec<IpAddr>,
    silent: Vec<IpAddr>,
    lookups: AtomicUsize,
    dialled: Lock<Vec<(IpAddr, Instant)>>,
}

impl Recorded {
    fn leading_to(server: SocketAddr) -> Self {
        Self {
            answers: Lock::new([Some(vec![PUBLIC.into()])].into()),
            server,
            refusing: Vec::new(),
            silent: Vec::new(),
            lookups: AtomicUsize::new(0),
            dialled: Lock::default(),
        }
    }

    fn resolving(self, answers: impl IntoIterator<Item = Option<Vec<IpAddr>>>) -> Self {
        *self.answers.lock().unwrap() = answers.into_iter().collect();
        self
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    fn dialled(&self) -> Vec<IpAddr> {
        let dialled = self.dialled.lock().unwrap();
        dialled.iter().map(|(address, _)| *address).collect()
    }
}

impl Network for Recorded {
    async fn lookup(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        let addresses = answer.unwrap().ok_or(io::ErrorKind::Other)?;
        Ok(addresses
            .iter()
            .map(|address| (*address, port).into())
            .collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let dialled = (address.ip(), Instant::now());
        self.dialled.lock().unwrap().push(dialled);
        if self.refusing.contains(&address.ip()) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if self.silent.contains(&address.ip()) {
            std::future::pending::<()>().await;
        }
        let stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A sender for public names over HTTPS, or over HTTP too without `tls`.
fn sender(network: Recorded, tls: Option<TlsConnector>) -> Sender<Recorded> {
    Sender {
        policy: tls
            .as_ref()
            .map_or(Policy::Unrestricted, |_| Policy::Public),
        network,
        tls: OnceCell::new_with(tls),
        idle: Mutex::default(),
        good: Mutex::default(),
    }
}

fn request(url: &str) -> Request {
    Request {
        endpoint: "endpoint".to_owned(),
        target: Target::parse(url, Policy::Unrestricted).unwrap(),
        headers: HeaderMap::new(),
        spelled: Vec::new(),
        body: Bytes::from_static(b"{}"),
        timeout: AMPLE,
    }
}

/// Serves each connection, and counts them.
async fn server<S: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> S + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, connections)
}

/// Gives the same answer to every request on a connection, until the other side closes it.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl AsRef<[u8]>) {
    while read_request(&mut stream).await.is_some() {
        stream.write_all(answer.as_ref()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(request[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |digits| digits.parse().unwrap());
            if request.len() >= end + 4 + length {
                return Some(request);
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}
