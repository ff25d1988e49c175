//! A proxy between the function and its AWS that makes calls fail: microburst, with its audit log.

use crate::{eventually, free_port, tool};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answered with a server error, not applied.
    Error,
    /// Throttled, not applied.
    Throttle,
    /// The connection is reset, not applied.
    Reset,
    /// Applied, and then the connection is cut off before the answer.
    CutOff,
    /// Answered with a server error at each try.
    Outage,
    /// Applied and cut off at each try.
    Losses,
    /// Applied, with the end of the answer missing at each try.
    Garbling,
    /// Held, not applied, until the process is killed.
    KillBefore,
    /// Applied; the answer is cut off and the next try held until the process is killed.
    KillAfter,
}

impl Fault {
    /// The faults that could lose data in different ways.
    pub const ALL: [Self; 8] = [
        Self::Error,
        Self::Throttle,
        Self::Reset,
        Self::CutOff,
        Self::Outage,
        Self::Losses,
        Self::KillBefore,
        Self::KillAfter,
    ];

    /// Whether the test must kill the process as soon as a call is held.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillAfter)
    }

    /// Whether the fault lasts until the test ends it.
    pub fn lasts(self) -> bool {
        matches!(self, Self::Outage | Self::Losses | Self::Garbling)
    }

    /// The number of entries in the audit log after which the test must kill the process.
    pub fn traces(self) -> usize {
        if self == Self::KillAfter { 2 } else { 1 }
    }

    fn rules(self, call: Call) -> Value {
        let Call {
            service,
            operation,
            body,
        } = call;
        let rule = |effect: Value| {
            let mut rule = json!({"service": service, "operation": operation});
            if !self.lasts() {
                rule["times"] = json!(1);
            }
            if let Some(body) = body {
                rule["body"] = json!(body);
            }
            rule.as_object_mut()
                .unwrap()
                .extend(effect.as_object().unwrap().clone());
            rule
        };
        let held = || rule(json!({"latency": {"min": 60_000, "max": 60_000}, "reset": true}));
        let cut_off = || rule(json!({"response": {"abort_bytes": 0}}));
        match self {
            Self::Error | Self::Outage => json!([rule(
                json!({"error": {"code": "InternalServerError", "status": 500}})
            )]),
            Self::Throttle => json!([rule(
                json!({"error": {"code": throttled(service), "status": 400}})
            )]),
            Self::Reset => json!([rule(json!({"reset": true}))]),
            Self::CutOff | Self::Losses => json!([cut_off()]),
            Self::Garbling => json!([rule(json!({"response": {"truncate_frac": 0.95}}))]),
            Self::KillBefore => json!([held()]),
            Self::KillAfter => json!([cut_off(), held()]),
        }
    }
}

/// The calls of which a fault affects the first.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub service: &'static str,
    pub operation: &'static str,
    /// A JMESPath expression that is true for the request.
    pub body: Option<&'static str>,
}

fn throttled(service: &str) -> &'static str {
    match service {
        "dynamodb" => "ProvisionedThroughputExceededException",
        "sqs" => "RequestThrottled",
        "s3" => "SlowDown",
        _ => "ThrottlingException",
    }
}

/// A running proxy. It is killed when it is dropped.
pub struct Proxy {
    _process: Child,
    url: String,
    http: reqwest::Client,
}

impl Proxy {
    /// Starts a proxy in front of an AWS.
    pub async fn start(upstream: &str) -> Self {
        let port = free_port();
        let process = Command::new(tool("microburst"))
            .args([
                "--upstream",
                upstream,
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let proxy = Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let health = format!("{}/_microburst/health", proxy.url);
        eventually("microburst", || async {
            proxy.http.get(&health).send().await.is_ok()
        })
        .await;
        proxy
    }

    /// The endpoint for the function.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Makes the next such call fail.
    pub async fn inject(&self, call: Call, fault: Fault) {
        self.replace(&fault.rules(call)).await;
    }

    /// Makes every call of an operation fail with an error code from now on.
    pub async fn break_down(&self, service: &str, operation: &str, code: &str, status: u16) {
        let error = json!({"code": code, "status": status});
        self.replace(&json!([{"service": service, "operation": operation, "error": error}]))
            .await;
    }

    /// Makes such calls leave a trace, and changes nothing else.
    pub async fn trace(&self, call: Call) {
        let mut rule = json!({
            "service": call.service, "operation": call.operation, "latency": {"min": 0, "max": 0},
        });
        if let Some(body) = call.body {
            rule["body"] = json!(body);
        }
        self.replace(&json!([rule])).await;
    }

    /// Lets all calls through.
    pub async fn heal(&self) {
        self.replace(&json!([])).await;
    }

    async fn replace(&self, rules: &Value) {
        let fired = format!("{}/_microburst/fired", self.url);
        self.http
            .delete(fired)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        let url = format!("{}/_microburst/rules", self.url);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json");
        request
            .body(rules.to_string())
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }

    /// The number of failed calls since the rules were set.
    pub async fn fired(&self) -> usize {
        let url = format!("{}/_microburst/fired", self.url);
        let log = self
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        serde_json::from_str::<Vec<Value>>(&log).unwrap().len()
    }
}
