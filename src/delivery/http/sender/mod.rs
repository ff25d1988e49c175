//! One HTTP exchange with an endpoint: look-up, check, connection, request and reply, under one deadline.
//! What may be called is decided by `guard`. What a reply means, and when there is another attempt, is left
//! to others.
//!
//! A name is looked up once for an attempt, and only the addresses that were checked are connected to.
//! Nothing else leaves this module: no redirect is followed, and no proxy is taken from the environment.

mod error;
mod head;
mod stream;

pub use error::SendError;

use crate::delivery::http::guard::{Denied, Policy, Target, check_addresses};
use futures_util::future::{Either, join, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::{collections::HashMap, io, pin::pin, sync::Arc, time::Duration};
use stream::{ReceivedBytes, Recorded, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, OnceCell};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName};
use url::Host;

/// How long it may take until a request can be sent: TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one address has to itself before the next is tried beside it: what
/// [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305#section-8) recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// How long the body of a reply may take once its head is there: it is for the operator to read, and nothing
/// else.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Longer idle connections are not used: a function is frozen between invocations, and networks forget.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// How many connections are kept for one endpoint.
const MAX_IDLE_CONNECTIONS: usize = 10;

/// The largest header section of a reply.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// How much of a reply's body is read.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What is posted, and where to.
pub struct Request {
    /// The endpoint's id: connections are reused for the same endpoint only.
    pub endpoint: String,
    /// Its URL.
    pub target: Target,
    /// The headers, without `Host` and those that frame the body.
    pub headers: HeaderMap,
    /// The names of headers that are not spelled in lower case, as some receivers read one spelling alone.
    pub spelled: Vec<String>,
    /// The exact bytes.
    pub body: Bytes,
    /// The time from the look-up to the reply.
    pub timeout: Duration,
}

/// What an endpoint answered; redirects and failures too.
pub struct Reply {
    /// The status of the final response.
    pub status: u16,
    /// The value of `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// The value of `Location`, as it was sent.
    pub location: Option<String>,
    /// The beginning of the body, 16 KB at most.
    pub body: Vec<u8>,
}

/// The two things that touch the outside.
pub trait Network: Sync {
    /// All addresses of a name.
    fn lookup(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A TCP connection to this very address.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

/// The network of the machine.
pub struct System;

impl Network for System {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Sends requests to endpoints, and keeps their connections for a while.
pub struct Sender<N = System> {
    policy: Policy,
    network: N,
    tls: OnceCell<TlsConnector>,
    idle: Mutex<HashMap<Origin, Vec<Connection>>>,
    /// The address that an endpoint was last connected to at, if it has several.
    good: Mutex<HashMap<String, IpAddr>>,
}

impl Sender {
    /// A sender that lets connections be made as far as `policy` allows.
    ///
    /// The root certificates of the machine, or of `SSL_CERT_FILE`, are loaded when they are first needed.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            network: System,
            tls: OnceCell::new(),
            idle: Mutex::default(),
            good: Mutex::default(),
        }
    }
}

impl<N: Network> Sender<N> {
    /// Posts a request, once, and returns the reply, whatever its status. It stands once its head is there,
    /// whatever becomes of its body.
    ///
    /// An error does not mean that the endpoint did not get the request. `sent` is notified when there is a
    /// connection and the request begins to be sent.
    pub async fn post(&self, request: Request, sent: &Notify) -> Result<Reply, SendError> {
        let deadline = Instant::now() + request.timeout;
        let answer = timeout_at(deadline, self.attempt(&request, sent)).await;
        let (response, connection) = match answer.unwrap_or(Err(SendError::Timeout))? {
            Answer::Whole(reply) => return Ok(reply),
            Answer::Begun(response, connection) => (response, connection),
        };
        let until = deadline.min(Instant::now() + BODY_TIMEOUT);
        let (reply, connection) = connection.finish(response, until).await;
        self.keep(Origin::of(&request), connection).await;
        Ok(reply)
    }

    async fn attempt(&self, request: &Request, sent: &Notify) -> Result<Answer, SendError> {
        let addresses = self.look_up(&request.target).await?;
        let origin = Origin::of(request);
        let spelling = spelling(&request.spelled).await;
        // Lets the runtime hear of connections that were closed while they were idle.
        tokio::task::yield_now().await;
        let mut idle = self.take(&origin, &addresses).await;
        loop {
            let reused = idle.is_some();
            let mut connection = match idle.take() {
                Some(connection) => connection,
                None => self.connect(request, &addresses).await?,
            };
            sent.notify_one();
            match connection.exchange(message(request, &spelling)).await {
                Ok(response) => {
                    return Ok(Answer::Begun(response, Box::new(connection)));
                }
                // The endpoint closed it, at the latest while this was sent, and said nothing: a new one will
                // tell.
                Err(_) if reused && connection.received.is_empty() => {}
                Err(error) if error.is_parse() => {
                    let reply = connection.salvage().await;
                    return reply.map(Answer::Whole).ok_or(error.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The only look-up of an attempt; nothing but what it returns is connected to.
    async fn look_up(&self, target: &Target) -> Result<Vec<SocketAddr>, SendError> {
        let port = target.port();
        let addresses = match target.host() {
            Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
            Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
            Host::Domain(name) => {
                let found = self.network.lookup(name, port).await;
                found.map_err(|_| SendError::Dns)?
            }
        };
        let checked: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
        check_addresses(&checked, self.policy)?;
        Ok(addresses)
    }

    /// A new connection, to the address that was good before, if it is among these.
    async fn connect(
        &self,
        request: &Request,
        addresses: &[SocketAddr],
    ) -> Result<Connection, SendError> {
        let good = self.good.lock().await.get(&request.endpoint).copied();
        let addresses = ordered(addresses, good);
        let connection = self.connect_to(&request.target, &addresses).await?;
        if addresses.len() > 1 {
            let endpoint = request.endpoint.clone();
            self.good
                .lock()
                .await
                .insert(endpoint, connection.peer.ip());
        }
        Ok(connection)
    }

    async fn connect_to(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Result<Connection, SendError> {
        let until = Instant::now() + CONNECT_TIMEOUT;
        if !target.is_https() {
            let (peer, stream) = self.dial(addresses, until).await?;
            return Connection::over(peer, Box::new(stream)).await;
        }
        let tls = self.tls.get_or_try_init(native_tls).await?;
        let name = match target.host() {
            Host::Domain(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Denied::Invalid)?
            }
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
        };
        let (peer, stream) = self.dial(addresses, until).await?;
        let handshake = timeout_at(until, tls.connect(name, stream)).await;
        let stream = handshake
            .map_err(|_| SendError::Tls)?
            .map_err(|error| SendError::tls(&error).unwrap_or(SendError::Tls))?;
        Connection::over(peer, Box::new(stream)).await
    }

    /// Tries the addresses in their order: the next one when one fails, or beside it when it does not answer
    /// soon.
    async fn dial(
        &self,
        addresses: &[SocketAddr],
        until: Instant,
    ) -> Result<(SocketAddr, TcpStream), SendError> {
        let mut failure = SendError::Unreachable;
        let mut left = addresses.iter();
        let mut tries = FuturesUnordered::new();
        loop {
            if let Some(&address) = left.next() {
                tries.push(async move { (address, self.network.connect(address).await) });
            }
            let next = match left.len() {
                0 => until,
                _ => until.min(Instant::now() + HEAD_START),
            };
            match timeout_at(next, tries.next()).await {
                Ok(Some((address, Ok(stream)))) => return Ok((address, stream)),
                Ok(Some((_, Err(error)))) => {
                    if error.kind() == io::ErrorKind::ConnectionRefused {
                        failure = SendError::Refused;
                    }
                }
                Err(_) if next < until => {}
                Ok(None) | Err(_) => return Err(failure),
            }
        }
    }

    /// An idle connection to one of the addresses that were just checked.
    async fn take(&self, origin: &Origin, addresses: &[SocketAddr]) -> Option<Connection> {
        let mut idle = self.idle.lock().await;
        idle.retain(|_, kept| {
            kept.retain(|one| one.since.elapsed() < MAX_IDLE);
            !kept.is_empty()
        });
        let kept = idle.get_mut(origin)?;
        let position = kept.iter().rposition(|one| addresses.contains(&one.peer))?;
        Some(kept.remove(position))
    }

    async fn keep(&self, origin: Origin, connection: Option<Connection>) {
        let Some(mut connection) = connection else {
            return;
        };
        connection.since = Instant::now();
        let mut idle = self.idle.lock().await;
        let kept = idle.entry(origin).or_default();
        if kept.len() < MAX_IDLE_CONNECTIONS {
            kept.push(connection);
        }
    }
}

/// Whose a connection is, and what for: no endpoint gets one of another. The port is its peer's.
#[derive(PartialEq, Eq, Hash)]
struct Origin {
    endpoint: String,
    https: bool,
    host: Host,
}

impl Origin {
    fn of(request: &Request) -> Self {
        Self {
            endpoint: request.endpoint.clone(),
            https: request.target.is_https(),
            host: request.target.host().clone(),
        }
    }
}

/// What is there of a reply.
enum Answer {
    /// All that is read of it.
    Whole(Reply),
    /// Its head, and the connection that its body comes on.
    Begun(Response<Incoming>, Box<Connection>),
}

/// The good address first, and the families in turn: where one does not work, the other may.
fn ordered(addresses: &[SocketAddr], good: Option<IpAddr>) -> Vec<SocketAddr> {
    let is_first = |address: &SocketAddr| {
        addresses.first().map(SocketAddr::is_ipv4) == Some(address.is_ipv4())
    };
    let (first, second): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(is_first);
    let mut second = second.into_iter();
    let mut ordered = Vec::new();
    for address in first {
        ordered.push(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered.sort_by_key(|address| good != Some(address.ip()));
    ordered
}

fn message(request: &Request, spelling: &Extensions) -> http::Request<Full<Bytes>> {
    let mut message = http::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = Uri::from(request.target.path().clone());
    *message.headers_mut() = request.headers.clone();
    *message.extensions_mut() = spelling.clone();
    let host = request.target.host_header().clone();
    message.headers_mut().insert(header::HOST, host);
    message
}

/// What has hyper spell these names as they are. It spells names like the ones that it has read, and has no
/// other way to be told, so that it is given a reply with these names to read.
async fn spelling(names: &[String]) -> Extensions {
    if names.is_empty() {
        return Extensions::new();
    }
    let lines: String = names.iter().map(|name| format!("{name}: \r\n")).collect();
    let reply = format!("HTTP/1.1 204 No Content\r\n{lines}\r\n");
    let (ours, mut theirs) = duplex(MAX_HEADER_BYTES);
    let mut http = http1::Builder::new();
    let http = http.preserve_header_case(true);
    let Ok((mut sender, driver)) = http.handshake(TokioIo::new(ours)).await else {
        return Extensions::new();
    };
    let response = sender.send_request(http::Request::new(Full::<Bytes>::default()));
    let serve = async {
        let read = theirs.read(&mut [0; 1024]).await;
        read.and(theirs.write_all(reply.as_bytes()).await)
    };
    match select(pin!(response), pin!(join(serve, driver))).await {
        Either::Left((Ok(response), _)) => response.into_parts().0.extensions,
        _ => Extensions::new(),
    }
}

async fn native_tls() -> Result<TlsConnector, SendError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    tls(roots)
}

fn tls(roots: RootCertStore) -> Result<TlsConnector, SendError> {
    if roots.is_empty() {
        return Err(SendError::NoRoots);
    }
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| SendError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What makes a connection go on.
type Driver = http1::Connection<TokioIo<Recorded>, Full<Bytes>>;

/// A connection to an endpoint. No task of its own drives it, so that it ends with the attempt that uses it.
struct Connection {
    peer: SocketAddr,
    since: Instant,
    sender: http1::SendRequest<Full<Bytes>>,
    /// None when it is at its end.
    driver: Option<Driver>,
    /// The stream that it was driven over, then.
    rest: Option<Recorded>,
    /// What was received since the last message began to be sent.
    received: ReceivedBytes,
}

impl Connection {
    async fn over(peer: SocketAddr, stream: Box<dyn Stream>) -> Result<Self, SendError> {
        let received = ReceivedBytes::default();
        let stream = Recorded::new(stream, received.clone());
        let mut http = http1::Builder::new();
        let http = http.max_header_size(MAX_HEADER_BYTES);
        let (sender, driver) = http.handshake(TokioIo::new(stream)).await?;
        Ok(Self {
            peer,
            since: Instant::now(),
            sender,
            driver: Some(driver),
            rest: None,
            received,
        })
    }

    /// The head of the reply to a message.
    async fn exchange(
        &mut self,
        message: http::Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.received.clear();
        let response = self.sender.send_request(message);
        drive(&mut self.driver, &mut self.rest, response).await
    }

    /// The reply whose head hyper does not take, if it has a status all the same. The connection is not used
    /// again: it is not known where the reply ends.
    async fn salvage(mut self) -> Option<Reply> {
        let stream = self.driver.take().map(stream_of);
        let mut stream = stream.or(self.rest.take())?;
        let mut buffer = vec![0; 4096];
        let (head, body) = loop {
            if let Some(head) = self.received.head() {
                break head;
            }
            let is_too_long = self.received.is_full();
            if is_too_long || stream.read(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        Some(Reply {
            status: head.status,
            retry_after: head.retry_after,
            location: head.location,
            body,
        })
    }

    /// The reply with as much of its body as comes in time, and the connection if it can take another
    /// message.
    async fn finish(
        mut self,
        response: Response<Incoming>,
        until: Instant,
    ) -> (Reply, Option<Self>) {
        let (head, mut incoming) = response.into_parts();
        let field = |name| {
            let value = head.headers.get(name).map(HeaderValue::as_bytes);
            value.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let mut reply = Reply {
            status: head.status.as_u16(),
            retry_after: field(header::RETRY_AFTER),
            location: field(header::LOCATION),
            body: Vec::new(),
        };
        let reading = drive(
            &mut self.driver,
            &mut self.rest,
            read(&mut incoming, &mut reply.body),
        );
        let is_whole = timeout_at(until, reading).await.unwrap_or(false);
        // It is ready when it is done with both the request and the reply, and does not have to close.
        let is_open = is_whole && self.driver.is_some() && self.sender.is_ready();
        (reply, is_open.then_some(self))
    }
}

/// Waits for what a connection does, and has it do it. At its end it lets go of what it was asked for.
async fn drive<T>(
    driver: &mut Option<Driver>,
    rest: &mut Option<Recorded>,
    work: impl Future<Output = T>,
) -> T {
    let work = pin!(work);
    let Some(connection) = driver else {
        return work.await;
    };
    match select(work, connection).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => {
            *rest = driver.take().map(stream_of);
            work.await
        }
    }
}

fn stream_of(driver: Driver) -> Recorded {
    driver.into_parts().io.into_inner()
}

/// Reads a body to its end; false if it is too long or faulty.
async fn read(incoming: &mut Incoming, body: &mut Vec<u8>) -> bool {
    while let Some(frame) = incoming.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        let room = MAX_BODY_BYTES - body.len();
        let is_whole = data.len() <= room;
        data.truncate(room);
        body.extend_from_slice(&data);
        if !is_whole {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
