//! HTTP: which hosts are this machine or AWS, and how much of an answer is read.

use crate::Result;
use crate::output::chain;
use reqwest::{Response, Url};
use url::Host;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// The domains of AWS's endpoints, in all its partitions.
const AWS: [&str; 6] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws",
];

/// Whether a URL is on this machine: requests to it go over no network.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether secrets may be sent to a configured AWS endpoint: one on this machine, or one of AWS over HTTPS.
pub(crate) fn is_aws_or_loopback(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else {
        return false;
    };
    let is_of = |domain: &&str| {
        let name = url.host_str().and_then(|host| host.strip_suffix(domain));
        name.is_some_and(|name| name.ends_with('.'))
    };
    is_loopback(&url) || (url.scheme() == "https" && AWS.iter().any(is_of))
}

/// The body of an answer, up to the longest that is read.
pub(crate) async fn body(mut answer: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER => {
                return Err(format!("the answer is longer than {} MB", MAX_ANSWER >> 20).into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(chain(&error.without_url()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let is = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in [
            "http://localhost:4566",
            "http://LOCALHOST./",
            "http://api.localhost",
            "http://127.0.0.1",
            "http://127.9.9.9",
            "http://0x7f.1",
            "https://[::1]:1",
        ] {
            assert!(is(url), "{url}");
        }
        for url in [
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://localhost@example.com",
            "file:///tmp",
        ] {
            assert!(!is(url), "{url}");
        }
    }

    #[test]
    fn secrets_go_to_aws_or_to_this_machine() {
        for (endpoint, is_right) in [
            ("http://localhost:4566", true),
            ("https://sqs.eu-central-1.amazonaws.com", true),
            ("https://vpce-1.kms.eu-central-1.vpce.amazonaws.com", true),
            ("https://sqs.cn-north-1.amazonaws.com.cn", true),
            ("http://sqs.eu-central-1.amazonaws.com", false),
            ("https://evilamazonaws.com", false),
            ("https://amazonaws.com.example.com", false),
            ("https://example.com", false),
            ("http://10.0.0.1:4566", false),
            ("localhost:4566", false),
            ("", false),
        ] {
            assert_eq!(is_aws_or_loopback(endpoint), is_right, "{endpoint}");
        }
    }
}
