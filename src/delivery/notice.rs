//! What the operator is told without asking: that an endpoint was disabled, that its circuit opened, that it recovered.
//! A notice goes to the SNS topic, and as an event to the events queue. That one is due stands in the circuit until it
//! was given, so that none is lost; one may come twice.

use crate::causes::Causes;
use crate::event::CONTENT_TYPE;
use crate::queues::{Message, Queues, SendError};
use aws_sdk_sns::Client;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::publish::PublishError;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// The most characters of a [subject](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
const MAX_SUBJECT: usize = 99;

/// A notice was not given; it is due until it is.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// SNS did not take it.
    #[error("the notice was not published: {}", Causes(.0))]
    Publish(#[from] Box<SdkError<PublishError>>),
    /// SQS did not take it.
    #[error("the notice is not on the events queue: {0}")]
    Send(#[from] SendError),
}

/// What happened to an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// In one word: `disabled`, `opened`, `recovered`.
    pub news: &'a str,
    /// The id of the endpoint.
    pub endpoint: &'a str,
    /// What the operator calls it.
    pub name: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Where notices go.
#[derive(Debug)]
pub struct Notices {
    client: Client,
    topic: String,
    events_queue_url: String,
}

impl Notices {
    /// The topic of this ARN, and the events queue.
    pub fn new(client: Client, topic: String, events_queue_url: String) -> Self {
        Self {
            client,
            topic,
            events_queue_url,
        }
    }

    /// Gives a notice.
    pub async fn give(
        &self,
        queues: &Queues,
        notice: Notice<'_>,
        now: Timestamp,
    ) -> Result<(), NoticeError> {
        let event = Arc::new(notice.event(now));
        queues.send(&self.events_queue_url, vec![event]).await?;
        let publish = self.client.publish().topic_arn(&self.topic);
        let publish = publish.subject(notice.subject()).message(notice.text());
        publish.send().await.map_err(Box::new)?;
        Ok(())
    }
}

impl Notice<'_> {
    fn event_type(&self) -> &'static str {
        match self.news {
            "disabled" => "io.webhook-gateway.endpoint.disabled",
            "opened" => "io.webhook-gateway.endpoint.circuit-opened",
            _ => "io.webhook-gateway.endpoint.recovered",
        }
    }

    fn event(&self, now: Timestamp) -> Message {
        let id = format!("{}_{}_{}", self.endpoint, self.news, now.as_millisecond());
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": "urn:webhook-gateway",
            "type": self.event_type(),
            "subject": format!("endpoint/{}", self.endpoint),
            "time": now.to_string(),
            "datacontenttype": "application/json",
            "data": {"endpoint": self.endpoint, "name": self.name, "reason": self.reason},
        });
        Message {
            body: event.to_string(),
            attributes: vec![
                ("content-type", CONTENT_TYPE.to_owned()),
                ("ce-id", id),
                ("ce-source", "urn:webhook-gateway".to_owned()),
                ("ce-type", self.event_type().to_owned()),
            ],
            offloaded_bytes: None,
            group: None,
            delay: None,
        }
    }

    /// In the characters that a subject may have.
    fn subject(&self) -> String {
        let what = match self.news {
            "disabled" => "Webhook endpoint disabled",
            "opened" => "Webhook endpoint is failing",
            _ => "Webhook endpoint recovered",
        };
        let printable = |c: char| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        };
        let subject = format!("{what}: {}", self.name);
        subject.chars().map(printable).take(MAX_SUBJECT).collect()
    }

    fn text(&self) -> String {
        let Self { endpoint, name, .. } = self;
        let reason = self.reason.unwrap_or("10 attempts in a row failed");
        match self.news {
            "disabled" => format!(
                "The endpoint {name} ({endpoint}) is disabled: {reason}. Its deliveries are held. When it is well again:\n\n  webhookctl endpoint enable {endpoint}\n"
            ),
            "opened" => format!(
                "The endpoint {name} ({endpoint}) is failing: {reason}. Its deliveries are held and it is probed until it answers again. To see why:\n\n  webhookctl delivery list --endpoint {endpoint}\n"
            ),
            _ => format!(
                "The endpoint {name} ({endpoint}) answers again. What was held for it is being delivered.\n"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTICE: Notice<'_> = Notice {
        news: "disabled",
        endpoint: "ep_1",
        name: "Büro\n<search>",
        reason: Some("it answered 410 Gone"),
    };

    #[test]
    fn a_notice_says_what_to_do() {
        assert!(NOTICE.text().contains("it answered 410 Gone"));
        assert!(NOTICE.text().contains("webhookctl endpoint enable ep_1"));
    }

    #[test]
    fn a_subject_is_printable_and_short() {
        assert_eq!(NOTICE.subject(), "Webhook endpoint disabled: B?ro?<search>");
        let name = "x".repeat(200);
        assert_eq!(
            Notice {
                name: &name,
                ..NOTICE
            }
            .subject()
            .len(),
            MAX_SUBJECT
        );
    }

    #[test]
    fn a_notice_is_an_event() {
        let message = NOTICE.event(Timestamp::UNIX_EPOCH);
        let event: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(event["type"], "io.webhook-gateway.endpoint.disabled");
        assert_eq!(event["data"]["endpoint"], "ep_1");
        assert_eq!(event["data"]["reason"], "it answered 410 Gone");
    }
}
