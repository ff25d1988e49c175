//! HTTPS, and what the environment has a say in.

use super::*;
use futures_util::FutureExt;
use rcgen::{Certificate, CertificateParams, DnType, KeyPair};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::{WebPkiClientVerifier, danger::ClientCertVerifier};
use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};

/// Where the process that has another environment finds the endpoint.
const URL_VARIABLE: &str = "WEBHOOK_GATEWAY_TEST_URL";

/// A certificate that is its own authority, called like the first of its names.
pub(super) fn certificate(names: &[&str]) -> (Certificate, KeyPair) {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(names.clone()).unwrap();
    parameters
        .distinguished_name
        .push(DnType::CommonName, &names[0]);
    (parameters.self_signed(&key).unwrap(), key)
}

/// A client that trusts this certificate alone.
pub(super) fn trusting((certificate, _): &(Certificate, KeyPair)) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    super::super::tls(roots).ok().unwrap()
}

/// A server's end of TLS with this certificate.
pub(super) fn acceptor(certificate: &(Certificate, KeyPair)) -> TlsAcceptor {
    asking(certificate, WebPkiClientVerifier::no_client_auth())
}

fn asking(
    (certificate, key): &(Certificate, KeyPair),
    clients: Arc<dyn ClientCertVerifier>,
) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A server that answers over TLS.
async fn secure(acceptor: TlsAcceptor) -> SocketAddr {
    let serve = move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
                answer(stream, OK).await;
            }
        }
    };
    server(serve).await.0
}

async fn post(url: &str, server: SocketAddr, tls: TlsConnector) -> Result<u16, SendError> {
    let sender = sender(Recorded::leading_to(server), Some(tls));
    sender
        .post(request(url), &Notify::new())
        .await
        .map(|reply| reply.status)
}

#[tokio::test]
async fn an_endpoint_that_proves_its_name_is_posted_to_over_one_connection() {
    let certificate = certificate(&["hooks.example.com"]);
    let server = secure(acceptor(&certificate)).await;
    let sender = sender(Recorded::leading_to(server), Some(trusting(&certificate)));
    for url in ["https://hooks.example.com./", "https://HOOKS.example.com/a"] {
        let reply = sender.post(request(url), &Notify::new()).await;
        assert_eq!(reply.map(|reply| reply.status).unwrap(), 200);
    }
    assert_eq!(sender.network.dialled(), [IpAddr::from(PUBLIC)]);
}

#[tokio::test]
async fn an_end_of_tls_that_is_not_said_is_an_end() {
    let certificate = certificate(&["hooks.example.com"]);
    let acceptor = acceptor(&certificate);
    let server = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_request(&mut stream).await;
            let answer = b"HTTP/1.0 200 OK\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            // The connection is closed below TLS, as Python's http.server does.
        }
    });
    let network = Recorded::leading_to(server.await.0);
    let sender = sender(network, Some(trusting(&certificate)));
    let reply = sender
        .post(request("https://hooks.example.com/"), &Notify::new())
        .await;
    let reply = reply.ok().unwrap();
    assert_eq!((reply.status, &*reply.body), (200, &b"ok"[..]));
}

#[tokio::test]
async fn an_endpoint_that_does_not_prove_its_name_is_not_posted_to() {
    let hooks = certificate(&["hooks.example.com"]);
    let another = certificate(&["other.example.com"]);
    let server = secure(acceptor(&hooks)).await;
    let error = post("https://hooks.example.com/", server, trusting(&another)).await;
    let error = error.unwrap_err();
    assert_eq!(error.class(), "tls");
    assert!(error.to_string().contains("known authority"), "{error}");
    let error = post("https://other.example.com/", server, trusting(&hooks)).await;
    let error = error.unwrap_err();
    assert_eq!(error.class(), "tls");
    assert!(error.to_string().contains("another name"), "{error}");
}

#[tokio::test]
async fn an_endpoint_without_tls_is_not_posted_to() {
    let certificate = certificate(&["hooks.example.com"]);
    let plain = server(|mut stream| async move {
        stream.write_all(OK.as_bytes()).await.ok();
        assert!(read_request(&mut stream).await.is_none());
    });
    let plain = plain.await.0;
    let error = post("https://hooks.example.com/", plain, trusting(&certificate)).await;
    assert_eq!(error.unwrap_err().class(), "tls");
}

#[tokio::test]
async fn a_connection_without_tls_is_not_used_with_it() {
    let certificate = certificate(&["hooks.example.com"]);
    let (plain, _) = server(|stream| answer(stream, OK)).await;
    let mut sender = sender(Recorded::leading_to(plain), Some(trusting(&certificate)));
    sender.policy = Policy::Unrestricted;
    let first = sender
        .post(request("http://hooks.example.com:443/"), &Notify::new())
        .await;
    assert_eq!(first.ok().unwrap().status, 200);
    let mut second = request("https://hooks.example.com/");
    second.timeout = Duration::from_millis(200);
    let second = sender.post(second, &Notify::new()).await;
    assert!(second.is_err(), "nobody speaks TLS there");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_client_certificate_is_a_failure_of_tls() {
    let certificate = certificate(&["hooks.example.com"]);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.0.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
    let server = secure(asking(&certificate, clients.build().unwrap())).await;
    let tls = trusting(&certificate);
    // The client may send its request before it is told.
    let error = post("https://hooks.example.com/", server, tls).await;
    assert_eq!(error.unwrap_err().class(), "tls");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_end_is_given_up() {
    let certificate = certificate(&["hooks.example.com"]);
    let silent = server(|mut stream| async move {
        read_request(&mut stream).await;
    });
    let start = Instant::now();
    let silent = silent.await.0;
    let error = post("https://hooks.example.com/", silent, trusting(&certificate)).await;
    assert_eq!(error.unwrap_err().class(), "tls");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[test]
fn without_a_root_certificate_nothing_is_trusted() {
    let error = super::super::tls(RootCertStore::empty()).err().unwrap();
    assert!(matches!(error, SendError::NoRoots));
}

#[tokio::test]
async fn the_environment_names_the_roots_but_no_proxy() {
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        let sender = Sender::new(Policy::Unrestricted);
        let reply = sender.post(request(&url), &Notify::new()).await;
        assert_eq!(reply.map(|reply| reply.status).unwrap(), 200);
        return;
    }
    let certificate = certificate(&["localhost"]);
    let server = secure(acceptor(&certificate)).await;
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&roots, certificate.0.pem()).unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([
        "--exact",
        "delivery::http::sender::tests::tls::the_environment_names_the_roots_but_no_proxy",
    ]);
    again.env(
        URL_VARIABLE,
        format!("https://localhost:{}/", server.port()),
    );
    again
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", roots.path());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        again
            .env(name, &proxy_url)
            .env(name.to_lowercase(), &proxy_url);
    }
    let output = again.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    assert!(
        proxy.accept().now_or_never().is_none(),
        "the proxy was called"
    );
}
