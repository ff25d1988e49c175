//! URLs that a provider may have signed instead of the configured one.

use super::{Request, Suspect};

/// Headers in which a proxy says what host was called.
const HOSTS: [&str; 3] = ["x-forwarded-host", "x-original-host", "host"];

/// The other URLs, the likeliest first.
pub(super) fn variants(configured: &str, suspect: &Suspect<'_>, request: &Request) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let mut add = |url: String| {
        if url != configured && !urls.contains(&url) {
            urls.push(url);
        }
    };
    for url in [suspect.tried_url, Some(suspect.payload_url)]
        .into_iter()
        .flatten()
    {
        add(url.to_owned());
    }
    let told = HOSTS.iter().filter_map(|name| request.headers.get(*name));
    let told = told.filter_map(|value| value.to_str().ok());
    let hosts: Vec<&str> = told
        .chain(suspect.hosts.iter().map(String::as_str))
        .collect();
    let bases = [
        Some(configured),
        Some(suspect.payload_url),
        suspect.tried_url,
    ];
    for base in bases.into_iter().flatten() {
        let Some((scheme, authority, path)) = parts(base) else {
            continue;
        };
        let mut paths = vec![path];
        if !request.path.is_empty() && request.path != path {
            paths.push(&request.path);
        }
        let other = if scheme == "https" { "http" } else { "https" };
        for host in std::iter::once(authority).chain(hosts.iter().copied()) {
            for scheme in [scheme, other] {
                for path in &paths {
                    let slashed = match path.strip_suffix('/') {
                        Some(bare) => bare.to_owned(),
                        None => format!("{path}/"),
                    };
                    for path in [*path, &slashed] {
                        add(format!("{scheme}://{host}{path}"));
                        if !request.query.is_empty() {
                            add(format!("{scheme}://{host}{path}?{}", request.query));
                        }
                    }
                }
            }
        }
    }
    urls
}

/// The scheme, the host with its port, and the path.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (rest, _) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    Some((scheme, authority, path))
}

/// The host of a URL, with its port.
pub(crate) fn host(url: &str) -> Option<&str> {
    parts(url).map(|(_, authority, _)| authority)
}
