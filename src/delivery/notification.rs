//! What the operator is notified of without asking: that an endpoint was disabled, that its circuit opened,
//! that it recovered, or that a source is silent. A notice goes to the SNS topic, and as an event to the
//! events queue. That one is due stands in the circuit, or in the charge of a source, until it was given, so
//! that none is lost. One comes twice only if the process ends between giving it and noting that, and then
//! its copies have one id.

use crate::aws::error::AwsError;
use crate::aws::sns::Topic;
use crate::aws::sqs::{Message, Queues, SendError};
use crate::event::CONTENT_TYPE;
use crate::store::endpoints::Endpoint;
use crate::store::endpoints::circuit::{EndpointEvent, MAX_FAILURES, Transition};
use crate::store::journal::SourceActivity;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A notice was not given; it is due until it is.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// SNS did not take it.
    #[error("the notice was not published: {0}")]
    Publish(#[from] AwsError),
    /// SQS did not take it.
    #[error("the notice is not on the events queue: {0}")]
    Send(#[from] SendError),
}

/// What the operator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    id: String,
    event_type: &'static str,
    subject: String,
    data: Value,
    title: String,
    text: String,
}

/// Where notices go.
#[derive(Debug)]
pub struct Notices {
    topic: Topic,
    events_queue_url: String,
}

impl Notices {
    /// The topic, and the events queue.
    pub fn new(topic: Topic, events_queue_url: String) -> Self {
        Self {
            topic,
            events_queue_url,
        }
    }

    /// Gives a notice.
    pub async fn give(
        &self,
        queues: &Queues,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<(), NoticeError> {
        self.queue(queues, notice, now).await?;
        self.publish(notice).await
    }

    /// Puts a notice onto the events queue, as what happened at a time.
    pub async fn queue(
        &self,
        queues: &Queues,
        notice: &Notice,
        at: Timestamp,
    ) -> Result<(), NoticeError> {
        let event = notice.event(at);
        Ok(queues.send_one(&self.events_queue_url, event).await?)
    }

    /// Publishes a notice on the topic.
    pub async fn publish(&self, notice: &Notice) -> Result<(), NoticeError> {
        Ok(self.topic.publish(&notice.title, &notice.text).await?)
    }
}

impl Notice {
    /// What happened to an endpoint; why, if it was disabled. The same for each copy.
    pub fn of_endpoint(endpoint: &Endpoint, transition: Transition, reason: Option<&str>) -> Self {
        let Endpoint { id, name, .. } = endpoint;
        let data = json!({"endpoint": id, "name": name, "reason": reason});
        let (event_type, title, text) = match transition.news {
            EndpointEvent::Disabled => (
                "io.webhook-gateway.endpoint.disabled",
                "Webhook endpoint disabled",
                format!(
                    "The endpoint {name} ({id}) is disabled: {}. Its deliveries are held. \
                     When it is well again:\n\n  webhookctl endpoint enable {id}\n",
                    reason.unwrap_or("the reason is not known any more")
                ),
            ),
            EndpointEvent::Opened => (
                "io.webhook-gateway.endpoint.circuit-opened",
                "Webhook endpoint is failing",
                format!(
                    "The endpoint {name} ({id}) is failing: {MAX_FAILURES} attempts in a row failed. \
                     Its deliveries are held and it is probed until it answers again. \
                     To see why:\n\n  webhookctl delivery list --endpoint {id}\n"
                ),
            ),
            EndpointEvent::Recovered => (
                "io.webhook-gateway.endpoint.recovered",
                "Webhook endpoint recovered",
                format!(
                    "The endpoint {name} ({id}) answers again. What was held for it is being delivered.\n"
                ),
            ),
        };
        Self {
            id: format!("{id}_{}_{}", transition.news.name(), transition.happened_at),
            event_type,
            subject: format!("endpoint/{id}"),
            data,
            title: format!("{title}: {name}"),
            text,
        }
    }

    /// That a source is silent which declares its longest gap, since it was due to be activity.
    pub fn of_silence(source: &str, activity: &SourceActivity, due: Timestamp) -> Self {
        // `1h30m`, as the operator writes it.
        let gap = format!("{:#}", activity.silent_after.unwrap_or_default()).replace(' ', "");
        let last = activity.last_accepted_at.map(|at| format!("{at:.3}"));
        let since = match &last {
            Some(at) => format!("has sent nothing since {at}"),
            None => "has never sent anything".to_owned(),
        };
        Self {
            // The same for each copy.
            id: format!("{source}_silent_{}", due.as_millisecond()),
            event_type: "io.webhook-gateway.source.silent",
            subject: format!("source/{source}"),
            data: json!({"source": source, "last_accepted_at": last, "silent_after": gap}),
            title: format!("Webhook source is silent: {source}"),
            text: format!(
                "The source {source} {since}, and declares {gap} as its longest gap. \
                 See that its provider still has the right URL and secret, \
                 and has not given up on it:\n\n  webhookctl source url {source}\n\n\
                 Its next webhook is taken as ever, and starts the watch again. \
                 If so long a gap is normal:\n\n  webhookctl source update {source} --silent-after DURATION\n"
            ),
        }
    }

    fn event(&self, now: Timestamp) -> Message {
        let event = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": "urn:webhook-gateway",
            "type": self.event_type,
            "subject": self.subject,
            "time": now.to_string(),
            "datacontenttype": "application/json",
            "data": self.data,
        });
        Message {
            body: event.to_string(),
            attributes: vec![
                ("content-type", CONTENT_TYPE.to_owned()),
                ("ce-id", self.id.clone()),
                ("ce-source", "urn:webhook-gateway".to_owned()),
                ("ce-type", self.event_type.to_owned()),
            ],
            offloaded_bytes: None,
            group: None,
            delay: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::endpoint;
    use jiff::SignedDuration;

    fn disabled(name: &str) -> Notice {
        let endpoint = Endpoint {
            name: name.to_owned(),
            ..endpoint()
        };
        let disabled = Transition::new(EndpointEvent::Disabled, Timestamp::UNIX_EPOCH);
        Notice::of_endpoint(&endpoint, disabled, Some("it answered 410 Gone"))
    }

    fn event(notice: &Notice) -> Value {
        serde_json::from_str(&notice.event(Timestamp::UNIX_EPOCH).body).unwrap()
    }

    #[test]
    fn a_notice_says_what_to_do() {
        let text = disabled("search").text;
        assert!(text.contains("it answered 410 Gone"), "{text}");
        assert!(text.contains("webhookctl endpoint enable ep_1"), "{text}");
    }

    #[test]
    fn each_transition_has_its_notice_and_each_copy_of_that_one_id() {
        for (news, event_type, says) in [
            (
                EndpointEvent::Disabled,
                "disabled",
                "is disabled: the reason",
            ),
            (
                EndpointEvent::Opened,
                "circuit-opened",
                "10 attempts in a row failed",
            ),
            (EndpointEvent::Recovered, "recovered", "answers again"),
        ] {
            let at = Timestamp::from_millisecond(1_790_000_000_000).unwrap();
            let transition = Transition::new(news, at);
            let notice = Notice::of_endpoint(&endpoint(), transition, None);
            let event_of = event(&notice);
            let event_type = format!("io.webhook-gateway.endpoint.{event_type}");
            assert_eq!(event_of["type"], event_type);
            let id = format!("ep_1_{}_1790000000000", news.name());
            assert_eq!(event_of["id"], id);
            assert!(notice.text.contains(says), "{}", notice.text);
            let claimed = Transition {
                claimed_until: 7,
                is_queued: true,
                ..transition
            };
            assert_eq!(Notice::of_endpoint(&endpoint(), claimed, None), notice);
        }
    }

    #[test]
    fn a_notice_is_an_event() {
        let event = event(&disabled("search"));
        assert_eq!(event["type"], "io.webhook-gateway.endpoint.disabled");
        assert_eq!(event["data"]["endpoint"], "ep_1");
        assert_eq!(event["data"]["reason"], "it answered 410 Gone");
    }

    #[test]
    fn silence_is_told_with_its_gap_and_the_last_that_was_heard() {
        let mut activity = SourceActivity {
            silent_after: Some(SignedDuration::from_mins(90)),
            ..SourceActivity::default()
        };
        let notice = Notice::of_silence("studio", &activity, Timestamp::UNIX_EPOCH);
        assert!(notice.text.contains("never sent"), "{}", notice.text);
        assert_eq!(
            event(&notice)["data"],
            json!({"source": "studio", "last_accepted_at": null, "silent_after": "1h30m"})
        );
        activity.last_accepted_at = Some("2026-11-22T10:00:00Z".parse().unwrap());
        let notice = Notice::of_silence("studio", &activity, Timestamp::UNIX_EPOCH);
        assert!(notice.text.contains("since 2026-11-22"), "{}", notice.text);
        let event = event(&notice);
        assert_eq!(event["type"], "io.webhook-gateway.source.silent");
        assert_eq!(event["subject"], "source/studio");
        assert_eq!(
            event["data"]["last_accepted_at"],
            "2026-11-22T10:00:00.000Z"
        );
    }
}
