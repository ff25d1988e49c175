//! Which URLs and addresses a delivery may go to: pure, and the only place that decides it. Looking names up,
//! and connecting to nothing but what was checked, is left to `sender`.

use http::{HeaderValue, uri::PathAndQuery};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{fmt, str::FromStr};
use url::{Host, Position, Url};

/// Names that lead into a network, around a check, or back to a provider; with all that is below them.
const FORBIDDEN_NAMES: [&str; 12] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "creativeforce.io",
    "metadata.google",
    "metadata.google.com",
    "burpcollaborator.net",
    "ram.aliyuncs.com",
    "fuf.me",
    "localtest.me",
    "ulh.us",
];

/// The longest URL, in characters: longer ones are refused by many a server, and are no URLs of webhooks.
const MAX_URL: usize = 2048;

/// What is not globally reachable in the [IANA
/// registry](https://www.iana.org/assignments/iana-ipv4-special-registry) or not for one host: network, and
/// length of its prefix.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only space that [IANA](https://www.iana.org/assignments/ipv6-address-space) has given out for hosts.
const UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is special inside it: protocols, documentation, and tunnels that carry an IPv4 address.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Where deliveries may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// To public names over HTTPS.
    Public,
    /// Anywhere, over HTTP too: for a local stack, never for one that others can register endpoints at.
    Unrestricted,
}

impl fmt::Display for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Public => "public",
            Self::Unrestricted => "unrestricted",
        })
    }
}

/// There is no policy of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy {0:?}: use public or unrestricted")]
pub struct UnknownPolicy(pub String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        match name {
            "public" => Ok(Self::Public),
            "unrestricted" => Ok(Self::Unrestricted),
            _ => Err(UnknownPolicy(name.to_owned())),
        }
    }
}

/// Why an endpoint is not called. Nothing of the URL or of an address is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not a URL, or one that readers of URLs understand differently.
    #[error(
        "the URL is not valid; give all of it, as in https://hooks.example.com/path, \
         without spaces or backslashes"
    )]
    Invalid,
    /// Longer than servers take.
    #[error("the URL is longer than {MAX_URL} characters; give the endpoint a shorter one")]
    TooLong,
    /// Port 0, at which nobody can listen.
    #[error("the URL has the port 0; give the port that the endpoint listens at, or none")]
    Port,
    /// Another scheme than the policy allows.
    #[error("the URL must begin with https://; http:// is for local stacks only")]
    Scheme,
    /// A user or a password, also empty ones: they would end up in logs.
    #[error(
        "the URL must not hold a user or a password; check the signature of deliveries instead"
    )]
    Credentials,
    /// An address in any spelling, or what some reader may take for one.
    #[error("the host must be a name, not an address; give the endpoint a public name")]
    IpAddress,
    /// A name of one label, which only a network's own search list completes.
    #[error("the host must be a full name, as in hooks.example.com")]
    ShortName,
    /// A name that is never called, or one below it.
    #[error(
        "the host is or belongs to a name that is never called; give the endpoint another name"
    )]
    Forbidden,
    /// The look-up found nothing.
    #[error("the host has no address; check its DNS records")]
    NoAddress,
    /// An address that is not globally routable. Which one is not told: that would map somebody's network.
    #[error(
        "the host has an address that is not public; let its DNS records hold public ones only"
    )]
    NotPublic,
}

/// A URL that may be called, as far as its text tells; its addresses are checked by [`check_addresses`].
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    https: bool,
    host: Host,
    port: u16,
    host_header: HeaderValue,
    path: PathAndQuery,
}

impl Target {
    /// Takes a URL apart, if `policy` lets it be called.
    ///
    /// The parts are those of the [URL standard](https://url.spec.whatwg.org): the host in lower case and
    /// ASCII, without the dot of the root. A fragment is dropped, as it is never sent.
    pub fn parse(url: &str, policy: Policy) -> Result<Self, Denied> {
        if url.chars().nth(MAX_URL).is_some() {
            return Err(Denied::TooLong);
        }
        let parsed = Url::parse(url).map_err(|_| Denied::Invalid)?;
        let https = match (parsed.scheme(), policy) {
            ("https", _) => true,
            ("http", Policy::Unrestricted) => false,
            _ => return Err(Denied::Scheme),
        };
        if authority(url, parsed.scheme())?.contains('@') {
            return Err(Denied::Credentials);
        }
        if parsed.port() == Some(0) {
            return Err(Denied::Port);
        }
        let host = match parsed.host().ok_or(Denied::Invalid)? {
            Host::Domain(name) => Host::Domain(name.strip_suffix('.').unwrap_or(name).to_owned()),
            address => address.to_owned(),
        };
        if policy == Policy::Public {
            check_host(&host)?;
        }
        let host_header = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path = &parsed[Position::BeforePath..Position::AfterQuery];
        Ok(Self {
            https,
            host,
            port: parsed.port_or_known_default().ok_or(Denied::Invalid)?,
            host_header: host_header.try_into().map_err(|_| Denied::Invalid)?,
            path: path.try_into().map_err(|_| Denied::Invalid)?,
        })
    }

    /// Whether it is called over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The name to look up, or under [`Policy::Unrestricted`] perhaps an address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, written out or the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: with the port unless it is the scheme's own.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The path and the query, as they stand in the request line.
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }
}

/// Shows neither path nor query: many a service puts its secret there.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Target({}:{})", self.host, self.port)
    }
}

/// A URL as it may be stored and shown: without a user, a query and a fragment, where many a service puts a
/// secret.
pub fn without_query(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || scheme.ends_with(':') => {
            let path = rest.find(['/', '\\']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(path);
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}//{host}{path}")
        }
        _ => url.to_owned(),
    }
}

/// What stands between `://` and the path, before any repair.
///
/// The URL standard repairs missing and additional slashes, backslashes, and white space and controls at the
/// ends or amid; other readers then see another host, so that all of these are refused.
fn authority<'a>(url: &'a str, scheme: &str) -> Result<&'a str, Denied> {
    let repaired =
        |character: char| character.is_whitespace() || character.is_control() || character == '\\';
    let rest = url
        .get(scheme.len()..)
        .and_then(|rest| rest.strip_prefix("://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    authority
        .filter(|authority| !authority.is_empty() && !url.contains(repaired))
        .ok_or(Denied::Invalid)
}

fn check_host(host: &Host) -> Result<(), Denied> {
    let Host::Domain(name) = host else {
        return Err(Denied::IpAddress);
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(Denied::Invalid);
    }
    if FORBIDDEN_NAMES
        .iter()
        .any(|other| is_at_or_below(name, other))
    {
        return Err(Denied::Forbidden);
    }
    let (_, last) = name.rsplit_once('.').ok_or(Denied::ShortName)?;
    // No top-level domain begins with a digit, but some readers take 0o1 and the like for numbers.
    if last.starts_with(|character: char| character.is_ascii_digit()) {
        return Err(Denied::IpAddress);
    }
    Ok(())
}

/// Letters, digits and hyphens amid them, and the underscore that some services use: what a certificate can
/// name.
fn is_label(label: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let edged = label.starts_with('-') || label.ends_with('-');
    (1..=63).contains(&label.len()) && label.bytes().all(usable) && !edged
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Says whether a host with these addresses may be called: with one bad address it may not.
///
/// To leave out the bad ones would be to call a name that changes what it resolves to.
pub fn check_addresses(addresses: &[IpAddr], policy: Policy) -> Result<(), Denied> {
    if addresses.is_empty() {
        return Err(Denied::NoAddress);
    }
    match policy {
        Policy::Public if !addresses.iter().all(is_public) => Err(Denied::NotPublic),
        _ => Ok(()),
    }
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| is_in_v4(*address, *net)),
        IpAddr::V6(address) => {
            is_in_v6(*address, UNICAST_V6) && !SPECIAL_V6.iter().any(|net| is_in_v6(*address, *net))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

fn is_in_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests;
