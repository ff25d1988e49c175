//! A source of one test, and webhooks as its provider sends them.

use super::eventually;
use super::gateway::{Gateway, name};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;
use sha2::Sha256;

/// A source that the operator's tool created.
pub(crate) struct Source<'a> {
    gateway: &'a Gateway,
    pub(crate) name: String,
    pub(crate) secret: String,
    provider: Provider,
}

/// The form of a provider's requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) signature_header: &'static str,
    signature_prefix: &'static str,
    content_type: &'static str,
}

const fn provider(name: &'static str, signature_header: &'static str) -> Provider {
    Provider {
        name,
        signature_header,
        signature_prefix: "",
        content_type: "application/json",
    }
}

pub(crate) const CREATIVE_FORCE: Provider = provider("creative-force", "X-CF-Signature");
pub(crate) const CREADS: Provider = provider("creads", "X-Partners-Signature");
pub(crate) const WOODWING: Provider = Provider {
    content_type: "application/cloudevents+json",
    ..provider("woodwing", "X-Hook-Signature")
};
pub(crate) const PEOPLE_FORCE: Provider = Provider {
    signature_prefix: "sha256=",
    ..provider("people-force", "X-PeopleForce-Signature")
};

/// An answer of the gateway.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The status in the body of an authentic webhook's answer, and the id; asserts 200.
    pub(crate) fn outcome(&self) -> (&str, &str) {
        assert_eq!(self.status, 200, "{self:?}");
        let text = |name: &str| self.body[name].as_str().unwrap();
        (text("status"), text("id"))
    }
}

/// Sends a request.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default(),
    }
}

impl Gateway {
    /// Creates a source with a known secret, and waits until the gateway knows it.
    pub(crate) async fn source(&self, provider: Provider, options: &[&str]) -> Source<'_> {
        let source = self.new_source(provider);
        let mut arguments = vec![
            "source",
            "create",
            &source.name,
            "--provider",
            provider.name,
        ];
        arguments.extend(["--secret-stdin"]);
        arguments.extend(options);
        let guard = self.change().await;
        let added = self.webhookctl_with(&arguments, &source.secret).await;
        drop(guard);
        assert!(added.is_success(), "{added:?}");
        source
    }

    /// A source that the gateway does not have yet.
    pub(crate) fn new_source(&self, provider: Provider) -> Source<'_> {
        Source {
            gateway: self,
            name: name(),
            secret: format!("secret-{}", super::unique()),
            provider,
        }
    }
}

impl Source<'_> {
    /// The value of the signature header.
    pub(crate) fn signature(&self, secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let digits = hex::encode(mac.finalize().into_bytes());
        format!("{}{digits}", self.provider.signature_prefix)
    }

    /// A `POST` without a signature.
    pub(crate) fn unsigned(&self, body: &[u8]) -> RequestBuilder {
        let request = self.gateway.request("POST", &self.name);
        request
            .header("content-type", self.provider.content_type)
            .body(body.to_vec())
    }

    /// A `POST` with the signature of a secret.
    pub(crate) fn signed_with(&self, secret: &str, body: &[u8]) -> RequestBuilder {
        self.unsigned(body)
            .header(self.provider.signature_header, self.signature(secret, body))
    }

    /// Sends a webhook. A function that does not know the source yet answers 404, for at most a minute.
    pub(crate) async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.known(|| self.signed_with(&self.secret, body.as_ref()))
            .await
    }

    /// Sends an event that the gateway accepts. Returns its id.
    pub(crate) async fn event(&self) -> String {
        let id = super::unique();
        let answer = self.post(product_reset(&id, "")).await;
        assert_eq!(answer.outcome(), ("accepted", &*id));
        id
    }

    /// Sends this many events, one after the other. Returns their ids.
    pub(crate) async fn events(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.event().await);
        }
        ids
    }

    /// Sends a request until the source is known.
    pub(crate) async fn known(&self, request: impl Fn() -> RequestBuilder) -> Answer {
        eventually("a new source", || async {
            Some(send(request()).await).filter(|answer| answer.status != 404)
        })
        .await
    }
}

/// A webhook of Creative Force.
pub(crate) fn product_reset(payload_id: &str, note: &str) -> String {
    format!(
        r#"{{"PayloadId":"{payload_id}","EventGroupName":"product","Action":"ProductReset","ProductId":"7a782d57-b0bf-4743-8f02-2b1a1e229869","Note":"{note}"}}"#
    )
}
