//! One HTTP exchange with an endpoint: look-up, check, connection, request and reply, under one deadline. What may
//! be called is decided by `guard`. What a reply means, and when there is another attempt, is left to others.
//!
//! A name is looked up once for an attempt, and only the addresses that were checked are connected to. Nothing else
//! leaves this module: no redirect is followed, and no proxy is taken from the environment.

mod error;

pub use error::SendError;

use crate::delivery::guard::{Denied, Policy, Target, check_addresses};
use futures_util::future::{Either, select};
use http::{HeaderMap, Method, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::{collections::HashMap, io, pin::pin, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, OnceCell};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, pki_types::ServerName};
use url::Host;

/// How long it may take until a request can be sent: TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// The exact bytes.
    pub body: Bytes,
    /// The time from the look-up to the last byte of the reply.
    pub timeout: Duration,
}

/// What an endpoint answered; redirects and failures too.
pub struct Reply {
    /// The status of the final response.
    pub status: u16,
    /// The value of `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
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
        }
    }
}

impl<N: Network> Sender<N> {
    /// Posts a request, once, and returns the reply, whatever its status.
    ///
    /// An error does not mean that the endpoint did not get the request. `sent` is notified when there is a connection
    /// and the request begins to be sent.
    pub async fn post(&self, request: Request, sent: &Notify) -> Result<Reply, SendError> {
        let attempt = timeout(request.timeout, self.attempt(&request, sent)).await;
        attempt.unwrap_or(Err(SendError::Timeout))
    }

    async fn attempt(&self, request: &Request, sent: &Notify) -> Result<Reply, SendError> {
        let addresses = self.look_up(&request.target).await?;
        let origin = Origin::of(request);
        // Lets the runtime hear of connections that were closed while they were idle.
        tokio::task::yield_now().await;
        loop {
            let idle = self.take(&origin, &addresses).await;
            let reused = idle.is_some();
            let connection = match idle {
                Some(connection) => connection,
                None => self.connect(&request.target, &addresses).await?,
            };
            sent.notify_one();
            match connection.exchange(message(request)).await {
                Ok((reply, connection)) => {
                    self.keep(origin, connection).await;
                    return Ok(reply);
                }
                // Nothing was sent, as it was closed before; there are finitely many of these.
                Err(error) if reused && error.is_canceled() => {}
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

    async fn connect(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Result<Connection, SendError> {
        let until = Instant::now() + CONNECT_TIMEOUT;
        if !target.is_https() {
            let (peer, stream) = self.dial(addresses).await?;
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
        let (peer, stream) = self.dial(addresses).await?;
        let handshake = timeout_at(until, tls.connect(name, stream)).await;
        let stream = handshake
            .map_err(|_| SendError::Tls)?
            .map_err(|error| SendError::tls(&error).unwrap_or(SendError::Tls))?;
        Connection::over(peer, Box::new(stream)).await
    }

    /// Tries one address after the other; one that does not answer leaves time for the others.
    async fn dial(&self, addresses: &[SocketAddr]) -> Result<(SocketAddr, TcpStream), SendError> {
        let mut failure = SendError::Unreachable;
        let share = CONNECT_TIMEOUT.div_f64(addresses.len().max(1) as f64);
        for &address in addresses {
            match timeout(share, self.network.connect(address)).await {
                Ok(Ok(stream)) => return Ok((address, stream)),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    failure = SendError::Refused;
                }
                _ => {}
            }
        }
        Err(failure)
    }

    /// An idle connection to one of the addresses that were just checked.
    async fn take(&self, origin: &Origin, addresses: &[SocketAddr]) -> Option<Connection> {
        let mut idle = self.idle.lock().await;
        idle.retain(|_, kept| {
            kept.retain(|it| it.since.elapsed() < MAX_IDLE);
            !kept.is_empty()
        });
        let kept = idle.get_mut(origin)?;
        let position = kept.iter().rposition(|it| addresses.contains(&it.peer))?;
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

fn message(request: &Request) -> http::Request<Full<Bytes>> {
    let mut message = http::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = Uri::from(request.target.path().clone());
    *message.headers_mut() = request.headers.clone();
    let host = request.target.host_header().clone();
    message.headers_mut().insert(header::HOST, host);
    message
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

/// A stream with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to an endpoint. No task of its own drives it, so that it ends with the attempt that uses it.
struct Connection {
    peer: SocketAddr,
    since: Instant,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>,
}

impl Connection {
    async fn over(peer: SocketAddr, stream: Box<dyn Stream>) -> Result<Self, SendError> {
        let mut http = http1::Builder::new();
        let http = http.max_header_size(MAX_HEADER_BYTES);
        let (sender, driver) = http.handshake(TokioIo::new(stream)).await?;
        Ok(Self {
            peer,
            since: Instant::now(),
            sender,
            driver,
        })
    }

    /// The reply to a message, and the connection if it can take another one.
    async fn exchange(
        mut self,
        message: http::Request<Full<Bytes>>,
    ) -> hyper::Result<(Reply, Option<Self>)> {
        let sent = self.sender.send_request(message);
        let reply = pin!(async { read(sent.await?).await });
        let (reply, whole) = match select(reply, &mut self.driver).await {
            Either::Left((reply, _)) => reply?,
            // The connection is at its end; what it had received is the reply all the same.
            Either::Right((_, reply)) => {
                drop(self.driver);
                return Ok((reply.await?.0, None));
            }
        };
        // It is ready when it is done with both the request and the reply, and does not have to close.
        let open = whole && self.sender.is_ready();
        Ok((reply, open.then_some(self)))
    }
}

/// The reply, and whether it was read to its end.
async fn read(response: Response<Incoming>) -> hyper::Result<(Reply, bool)> {
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let mut reply = Reply {
        status: response.status().as_u16(),
        retry_after: retry_after
            .and_then(|it| it.to_str().ok())
            .map(str::to_owned),
        body: Vec::new(),
    };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame?.into_data() else {
            continue;
        };
        let room = MAX_BODY_BYTES - reply.body.len();
        let whole = data.len() <= room;
        data.truncate(room);
        reply.body.extend_from_slice(&data);
        if !whole {
            return Ok((reply, false));
        }
    }
    Ok((reply, true))
}

#[cfg(test)]
mod tests;
