//! Why there is no reply, as history, metrics and the operator are told it.

use crate::delivery::http::guard::Denied;
use std::error::Error as _;
use std::io;
use tokio_rustls::rustls::{self, CertificateError};

/// Why there is no reply. The text names no address, and shows nothing of what was sent or received.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It may not be called.
    #[error(transparent)]
    Denied(Denied),
    /// The look-up failed or found nothing.
    #[error("the host cannot be looked up; check its DNS records")]
    Dns,
    /// Nobody listens.
    #[error("the host refuses connections; check the port, and that the endpoint is running")]
    Refused,
    /// There is no way to the host, or it does not answer.
    #[error("the host cannot be reached; check its address and its firewall")]
    Unreachable,
    /// There is nothing to check certificates against.
    #[error("no root certificate can be loaded here; install them, or name them by SSL_CERT_FILE")]
    NoRoots,
    /// The endpoint's certificate proves nothing.
    #[error("the endpoint's certificate {}", fault(.0))]
    Certificate(CertificateError),
    /// There is no TLS with the endpoint.
    #[error("TLS failed; the endpoint must speak TLS 1.2 or 1.3 and ask for no client certificate")]
    Tls,
    /// The deadline passed.
    #[error("there was no reply in time; answer first and work later, or allow more time")]
    Timeout,
    /// The connection was lost on the way.
    #[error("the endpoint closed the connection before it replied")]
    Reset,
    /// The reply cannot be read.
    #[error("the reply is not HTTP/1.1, or its header section is longer than 64 KB")]
    Protocol,
}

impl SendError {
    /// One stable word, for the history and the metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Denied(_) => "guard",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NoRoots | Self::Certificate(_) | Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
        }
    }

    /// What failed below HTTP, if it was TLS.
    pub(super) fn tls(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::InvalidCertificate(fault) => Some(Self::Certificate(fault.clone())),
            _ => Some(Self::Tls),
        }
    }
}

impl From<Denied> for SendError {
    /// No address is a failure of DNS, which may pass, and no verdict on the endpoint.
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoAddress => Self::Dns,
            _ => Self::Denied(denied),
        }
    }
}

impl From<hyper::Error> for SendError {
    fn from(error: hyper::Error) -> Self {
        let below = error
            .source()
            .and_then(|below| below.downcast_ref::<io::Error>());
        let malformed = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            )
        };
        match below.and_then(Self::tls) {
            Some(tls) => tls,
            None if error.is_parse() || below.is_some_and(malformed) => Self::Protocol,
            None => Self::Reset,
        }
    }
}

/// The library's own text for some of these holds names and addresses.
fn fault(certificate: &CertificateError) -> &'static str {
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::UnknownIssuer => {
            "is not from a known authority; let the endpoint send the whole chain"
        }
        _ => "is not valid",
    }
}
