//! Where copies of events go: requests as an endpoint gets them, signed with a secret of this session alone.

use super::event::Event;
use crate::Result;
use crate::commands::endpoint::{blank, generate_secret};
use jiff::Timestamp;
use reqwest::Url;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use url::Host;
use webhook_gateway::crypto::secret::Secret;
use webhook_gateway::delivery::http::guard::{Policy, Target};
use webhook_gateway::delivery::http::sender::{Request, Sender};
use webhook_gateway::delivery::signing::{header_map, headers, signatures};
use webhook_gateway::event::CONTENT_TYPE;
use webhook_gateway::store::endpoints::Endpoint;

/// A URL that copies are posted to.
pub(crate) struct Forward {
    /// What a request is made for: the defaults of an endpoint.
    endpoint: Endpoint,
    target: Target,
    secret: String,
    sender: Sender,
}

/// What became of a copy.
#[derive(Debug, Serialize)]
pub(crate) struct Posted {
    /// The id of the event.
    forwarded: String,
    webhook_id: String,
    status: Option<u16>,
    duration_ms: u64,
    error: Option<String>,
}

impl Forward {
    /// A URL on this machine, or also elsewhere, with a new secret.
    pub(crate) fn to(url: &Url, allow_remote: bool) -> Result<Self> {
        if !allow_remote && !is_on_this_machine(url) {
            let host = url.host_str().unwrap_or("no host");
            return Err(format!(
                "--forward names {host}, and not localhost, 127.0.0.1 or [::1]: whoever answers there sees \
                 the events. --allow-remote allows it"
            )
            .into());
        }
        let target = Target::parse(url.as_str(), Policy::Unrestricted);
        let target = target.map_err(|denied| format!("--forward: {denied}"))?;
        let (name, url) = ("listener".to_owned(), url.to_string());
        Ok(Self {
            endpoint: blank(name.clone(), name, url, Timestamp::now()),
            target,
            secret: generate_secret()?,
            sender: Sender::new(Policy::Unrestricted),
        })
    }

    /// The secret that signs.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// Posts a copy of an event, once. That it fails is a result.
    pub(crate) async fn post(&self, event: Arc<Event>) -> Posted {
        let started = Instant::now();
        let status = self.send(&event, Timestamp::now()).await;
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Posted {
            forwarded: event.id().to_owned(),
            webhook_id: event.webhook_id.clone(),
            status: status.as_ref().ok().copied(),
            duration_ms,
            error: status.err().map(|error| error.to_string()),
        }
    }

    /// The status of the answer.
    async fn send(&self, event: &Event, now: Timestamp) -> Result<u16> {
        let body = event.body.clone()?;
        let secrets: Vec<_> = Secret::new(&self.secret).into_iter().collect();
        let (id, seconds) = (&event.webhook_id, now.as_second());
        let signatures = signatures(&self.endpoint, &secrets, id, seconds, &body)?;
        let headers = headers(&self.endpoint, CONTENT_TYPE, &signatures);
        let request = Request {
            endpoint: self.endpoint.id.clone(),
            target: self.target.clone(),
            headers: header_map(&headers)?,
            spelled: Vec::new(),
            body: body.into(),
            timeout: self.endpoint.timeout(),
        };
        Ok(self.sender.post(request, &Notify::new()).await?.status)
    }
}

impl Posted {
    /// The result in a line, below that of its event.
    pub(crate) fn text(&self) -> String {
        let Self {
            forwarded,
            duration_ms,
            ..
        } = self;
        match (&self.status, &self.error) {
            (Some(status), _) => format!("  {status} in {duration_ms} ms  {forwarded}"),
            (None, Some(error)) => format!("  failed: {error}  {forwarded}"),
            (None, None) => format!("  failed  {forwarded}"),
        }
    }
}

/// Whether a URL is on this machine for certain: a name below `localhost` is only if the resolver says so.
fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str, allow_remote: bool) -> std::result::Result<Forward, String> {
        let url = Url::parse(url).unwrap();
        Forward::to(&url, allow_remote).map_err(|error| error.to_string())
    }

    #[test]
    fn copies_leave_this_machine_only_if_that_is_said() {
        for url in [
            "http://localhost:3000/hook",
            "https://localhost/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
        ] {
            assert!(to(url, false).is_ok(), "{url}");
        }
        for url in [
            "https://example.com/hook",
            "http://localhost.example.com/",
            "http://app.localhost/",
            "http://10.0.0.1/",
            "http://0.0.0.0:3000/",
        ] {
            let refused = to(url, false).err().unwrap();
            assert!(refused.contains("--allow-remote"), "{refused}");
            assert!(to(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn only_a_url_of_http_without_a_password_is_taken() {
        for url in ["ftp://localhost/", "http://u:hunter2@localhost/"] {
            let refused = to(url, false).err().unwrap();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_copy_is_told_by_its_answer_or_its_error() {
        let posted = |status, error: Option<&str>| Posted {
            forwarded: "p-1".to_owned(),
            webhook_id: "listen-a_1".to_owned(),
            status,
            duration_ms: 12,
            error: error.map(str::to_owned),
        };
        assert_eq!(posted(Some(500), None).text(), "  500 in 12 ms  p-1");
        let refused = posted(None, Some("no server listens there"));
        assert_eq!(refused.text(), "  failed: no server listens there  p-1");
    }

    #[test]
    fn each_session_has_a_secret_of_its_own() {
        let url = "http://localhost:1/";
        let (one, other) = (to(url, false).unwrap(), to(url, false).unwrap());
        assert!(one.secret().starts_with("whsec_") && one.secret() != other.secret());
    }
}
