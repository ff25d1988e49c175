//! An endpoint of one test: the operator's tool creates it for the events of one source, with a receiver
//! behind it.

use super::gateway::{Gateway, MARK, name};
use super::source::Source;
use super::{PATIENCE, eventually, unique, within};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use testkit::operator::CommandOutput;
use testkit::receiver::{Receiver, Reply, Request};
use tokio::time::sleep;

/// The time after which a change of an endpoint applies to new events. It is not visible from outside
/// earlier, because each copy of the function reads the endpoints for itself.
const IN_FORCE: Duration = Duration::from_secs(30);

/// An endpoint that was created by the operator's tool.
pub(crate) struct Endpoint<'a> {
    gateway: &'a Gateway,
    pub(crate) receiver: Receiver,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) secret: String,
}

impl Gateway {
    /// Creates an endpoint for the events of a source, and waits until it gets them.
    pub(crate) async fn endpoint(&self, source: &Source<'_>, options: &[&str]) -> Endpoint<'_> {
        let endpoint = self.new_endpoint(source, options).await;
        in_force().await;
        endpoint
    }

    /// Creates an endpoint, which may take a while to get events. Its secret is generated, or free text with
    /// `--secret-stdin`.
    pub(crate) async fn new_endpoint(&self, source: &Source<'_>, options: &[&str]) -> Endpoint<'_> {
        let receiver = Receiver::start().await;
        let (name, url, given) = (name(), receiver.url(), format!("given-{}", unique()));
        let create = [
            "--json",
            "endpoint",
            "create",
            "--name",
            &name,
            "--url",
            &url,
            "--source",
            &source.name,
        ];
        let created = self
            .webhookctl_with(&[&create, options].concat(), &given)
            .await;
        let created = created.json().remove(0);
        Endpoint {
            gateway: self,
            receiver,
            id: created["id"].as_str().unwrap().to_owned(),
            name,
            secret: created["secret"].as_str().unwrap_or(&given).to_owned(),
        }
    }
}

/// Waits until a change is in force for new events.
pub(crate) async fn in_force() {
    sleep(IN_FORCE).await;
}

/// Removes the leftovers of earlier runs.
pub(super) async fn remove_earlier(gateway: &Gateway) {
    let listed = gateway.webhookctl(&["--json", "endpoint", "list"]).await;
    for endpoint in listed.json() {
        if endpoint["name"].as_str().unwrap().starts_with(MARK) {
            let id = endpoint["id"].as_str().unwrap();
            let delete = ["--json", "endpoint", "delete", id, "--discard-held"];
            gateway.webhookctl(&delete).await.json();
        }
    }
}

impl Endpoint<'_> {
    // ---- The operator's side ----

    /// Runs `webhookctl endpoint VERB ID`.
    pub(crate) async fn run(&self, verb: &str, options: &[&str]) -> CommandOutput {
        let command = ["--json", "endpoint", verb, &self.id];
        self.gateway.webhookctl(&[&command, options].concat()).await
    }

    /// The object that `webhookctl endpoint VERB ID` prints.
    pub(crate) async fn told(&self, verb: &str, options: &[&str]) -> Value {
        self.run(verb, options).await.json().remove(0)
    }

    /// Waits for a condition of the endpoint.
    pub(crate) async fn comes_to(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || async {
            Some(self.told("show", &[]).await).filter(&is_so)
        })
        .await
    }

    /// The state of each event's delivery, the oldest first.
    pub(crate) async fn deliveries(&self) -> Vec<Value> {
        let list = ["--json", "delivery", "list", "--endpoint", &self.id];
        let mut deliveries = self.gateway.webhookctl(&list).await.json();
        deliveries.reverse();
        deliveries
    }

    /// The deliveries of these events and no others, as soon as all of them are in a state.
    pub(crate) async fn all(&self, state: &str, events: &[String]) -> Vec<Value> {
        self.all_within(PATIENCE, state, events).await
    }

    /// The same, with another time limit.
    pub(crate) async fn all_within(
        &self,
        patience: Duration,
        state: &str,
        events: &[String],
    ) -> Vec<Value> {
        let what = format!("{state}: {} deliveries to {}", events.len(), self.id);
        within(patience, &what, || async {
            let deliveries = self.deliveries().await;
            let ids = deliveries
                .iter()
                .map(|delivery| delivery["event"].as_str().unwrap());
            let is_all =
                ids.eq(events) && deliveries.iter().all(|delivery| delivery["state"] == state);
            is_all.then_some(deliveries)
        })
        .await
    }

    /// The output of `delivery show`.
    pub(crate) async fn shown(&self, delivery: &Value) -> Value {
        let id = delivery["id"].as_str().unwrap();
        let show = ["--json", "delivery", "show", id];
        self.gateway.webhookctl(&show).await.json().remove(0)
    }

    /// The statuses and errors of the attempts of a delivery.
    pub(crate) async fn attempts(&self, delivery: &Value) -> Vec<Value> {
        let shown = self.shown(delivery).await;
        let attempts = shown["history"].as_array().unwrap().iter();
        let result = |attempt: &Value| match &attempt["status"] {
            Value::Null => attempt["error"].clone(),
            status => status.clone(),
        };
        attempts.map(result).collect()
    }

    /// Deletes the endpoint and drops its held deliveries.
    pub(crate) async fn delete(self) {
        let deleted = self.told("delete", &["--discard-held"]).await;
        assert_eq!(deleted["deleted"], json!(self.id));
    }

    // ---- The receiver's side ----

    /// Answers requests with these statuses in turn from now on, and then with 200.
    pub(crate) fn answers(&self, replies: impl Into<VecDeque<Reply>>) {
        let mut replies = replies.into();
        let next = move |_: &Request| replies.pop_front().unwrap_or(Reply::status(200));
        self.receiver.answer(next);
    }

    /// Waits for this many requests.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} requests to {}", self.id);
        eventually(&what, || async {
            Some(self.receiver.requests()).filter(|requests| requests.len() >= count)
        })
        .await
    }

    /// The ids of the events in the requests so far, in their order.
    pub(crate) fn events(&self) -> Vec<String> {
        let requests = self.receiver.requests();
        requests.iter().map(event).collect()
    }
}

/// The id of the event in a request.
pub(crate) fn event(request: &Request) -> String {
    let event: Value = serde_json::from_slice(&request.body).unwrap();
    event["id"].as_str().unwrap().to_owned()
}

/// Whether the official library accepts a request with this secret.
pub(crate) fn verifies(request: &Request, secret: &str) -> bool {
    let receiver = standardwebhooks::Webhook::new(secret).unwrap();
    receiver.verify(&request.body, &request.headers).is_ok()
}
