//! `webhookctl endpoint ping`: a test request to an endpoint, and its answer.

use super::random_hex;
use crate::Result;
use crate::find;
use crate::output::Output;
use crate::stack::Stack;
use clap::Args;
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use webhook_gateway::messages::{self, Message};
use webhook_gateway::store::deliveries::{Deliveries, Delivery, State};
use webhook_gateway::store::endpoints::delivery_id;

/// The longest wait for the answer: longer than an attempt with a cold start and the queue before it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two reads of the table.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends a test event to an endpoint in any state, and shows the answer.
#[derive(Debug, Args)]
#[command(after_help = "\
The request is signed like any other. Its event has the type io.webhook-gateway.endpoint.ping. The command
fails unless the event is delivered.

With --json: {\"delivery\": …, \"state\": …, \"reason\": …, \"status\": …, \"error\": …, \"duration_ms\": …,
\"response\": …}.

Example:
  webhookctl endpoint ping search")]
pub(crate) struct Ping {
    /// The id or the name of the endpoint.
    #[arg(value_name = "ENDPOINT")]
    which: String,
}

/// The answer to a ping.
#[derive(Debug, Serialize)]
struct Answer {
    delivery: String,
    state: State,
    reason: Option<String>,
    status: Option<u16>,
    error: Option<String>,
    duration_ms: Option<u64>,
    response: Option<String>,
}

pub(crate) async fn run(arguments: Ping, stack: &Stack, output: &Output) -> Result<()> {
    let endpoints = stack.endpoints()?;
    let endpoint = find::status(&arguments.which, &endpoints)
        .await?
        .endpoint
        .id;
    let ping = messages::Ping {
        id: format!("ping_{}", random_hex()?),
        endpoint,
        at: Timestamp::now().as_millisecond(),
    };
    let delivery = delivery_id(&ping.endpoint, &ping.event());
    let endpoint = ping.endpoint.clone();
    let history = stack.deliveries()?;
    stack.send_to_delivery(&Message::Ping(ping)).await?;
    let record = wait(&endpoint, &delivery, &history, output).await?;
    let answer = Answer::of(record);
    output.details(&answer, Answer::COLUMNS)?;
    answer.judge()
}

/// Waits for the record of a delivery that was tried.
async fn wait(
    endpoint: &str,
    delivery: &str,
    history: &Deliveries,
    output: &Output,
) -> Result<Delivery> {
    let bar = if output.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner().with_message("waiting for the endpoint's answer")
    };
    let wanted = BTreeSet::from([(endpoint, delivery)]);
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        tokio::time::sleep(PAUSE).await;
        bar.tick();
        let records = history.records(&wanted).await;
        let record = records?.remove(delivery);
        if let Some(record) =
            record.filter(|record| record.attempts > 0 || record.state != State::Pending)
        {
            bar.finish_and_clear();
            return Ok(record);
        }
    }
    bar.finish_and_clear();
    Err(format!(
        "there is no answer after {}s. Read the log of the delivery function: it may not run, or \
        be throttled. `webhookctl endpoint show {endpoint}` shows the condition of the endpoint",
        PATIENCE.as_secs()
    )
    .into())
}

impl Answer {
    fn of(record: Delivery) -> Self {
        let attempt = record.history.into_iter().next_back();
        let duration_ms = attempt.as_ref().map(|attempt| attempt.duration_ms);
        let (status, error, reason, response) = attempt
            .map(|attempt| {
                (
                    attempt.status,
                    attempt.error,
                    attempt.reason,
                    attempt.response,
                )
            })
            .unwrap_or_default();
        Self {
            delivery: record.id,
            state: record.state,
            reason: record.reason.or(reason),
            status,
            error,
            duration_ms,
            response,
        }
    }

    fn judge(&self) -> Result<()> {
        if self.state == State::Delivered {
            return Ok(());
        }
        let why = match (&self.status, &self.error, &self.reason) {
            (Some(status), _, None) => format!("it answered {status}"),
            (Some(status), _, Some(reason)) => format!("it answered {status}: {reason}"),
            (None, Some(error), Some(reason)) => format!("{error}: {reason}"),
            (None, Some(why), None) | (None, None, Some(why)) => why.clone(),
            (None, None, None) => format!("it is {}", self.state.name()),
        };
        Err(format!("the ping was not delivered: {why}").into())
    }
}

impl Answer {
    pub(crate) const COLUMNS: &[&str] = &[
        "delivery",
        "state",
        "reason",
        "status",
        "error",
        "duration_ms",
        "response",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use webhook_gateway::store::deliveries::{Attempt, Sent};

    fn record(state: State, status: Option<u16>, error: Option<&str>) -> Delivery {
        let ping = messages::Ping {
            endpoint: "ep_1".to_owned(),
            id: "ping_1".to_owned(),
            at: 1_790_000_000_000,
        };
        let event = ping.event();
        let mut record = Delivery::new("ep_1", delivery_id("ep_1", &event), event);
        let attempt = Attempt {
            at: 1_790_000_000_100,
            duration_ms: 12,
            status,
            error: error.map(str::to_owned),
            reason: error.map(|_| "there was no reply in time".to_owned()),
            response: status.map(|_| "thank you".to_owned()),
        };
        let sent = Sent {
            url: String::new(),
            headers: Vec::new(),
        };
        record.tried(attempt, sent);
        record.turn(state, None, Timestamp::UNIX_EPOCH);
        record
    }

    #[test]
    fn the_last_attempt_is_what_is_told() {
        let answer = Answer::of(record(State::Delivered, Some(204), None));
        assert!(answer.judge().is_ok());
        let expected = json!({
            "delivery": "ep_1_1790000000000_6bcab0608b01123e", "state": "delivered", "reason": null,
            "status": 204,
            "error": null, "duration_ms": 12, "response": "thank you",
        });
        assert_eq!(json!(answer), expected);
    }

    #[test]
    fn only_a_delivered_test_is_a_success() {
        for (state, status, error, why) in [
            (State::Exhausted, Some(500), None, "answered 500"),
            (
                State::Exhausted,
                None,
                Some("timeout"),
                "timeout: there was no reply in time",
            ),
            (State::Skipped, None, None, "skipped"),
        ] {
            let refused = Answer::of(record(state, status, error)).judge();
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
