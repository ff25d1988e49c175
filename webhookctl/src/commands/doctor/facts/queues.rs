//! The queues as they are deployed, and the numbers of their messages.

use super::{Fact, read};
use crate::Result;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use std::time::Duration;
use webhook_gateway::aws::error::AwsError;

/// A queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) visibility: Duration,
    pub(crate) retention: Duration,
    /// The ARN of the dead-letter queue, and the number of receives after which a message goes there.
    pub(crate) redrive: Option<(String, u64)>,
    /// The messages that can be received.
    pub(crate) waiting: u64,
    /// The messages that were received or postponed.
    pub(crate) in_flight: u64,
    /// The messages with a delay that is not over.
    pub(crate) delayed: u64,
}

impl Queue {
    /// The number of all messages.
    pub(crate) fn depth(&self) -> u64 {
        self.waiting + self.in_flight + self.delayed
    }
}

pub(crate) struct Queues {
    client: Client,
}

impl Queues {
    pub(crate) fn of(stack: &Stack) -> Self {
        Self {
            client: stack.sqs(),
        }
    }

    /// The queue of this URL.
    pub(crate) async fn queue(&self, subject: &'static str, url: Result<&str>) -> Fact<Queue> {
        let queue = self.read_queue(url).await;
        read(subject, "sqs:GetQueueAttributes", queue)
    }

    pub(crate) async fn read_queue(&self, url: Result<&str>) -> Result<Queue> {
        let request = self.client.get_queue_attributes().queue_url(url?);
        let answer = request
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(AwsError::from)?;
        let attributes = answer.attributes.unwrap_or_default();
        let text = |name: QueueAttributeName| attributes.get(&name);
        let number = |name| {
            text(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default()
        };
        let seconds = |name| Duration::from_secs(number(name));
        Ok(Queue {
            arn: text(QueueAttributeName::QueueArn)
                .cloned()
                .unwrap_or_default(),
            visibility: seconds(QueueAttributeName::VisibilityTimeout),
            retention: seconds(QueueAttributeName::MessageRetentionPeriod),
            redrive: text(QueueAttributeName::RedrivePolicy).and_then(|policy| redrive(policy)),
            waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: number(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }
}

fn redrive(policy: &str) -> Option<(String, u64)> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let receives = &policy["maxReceiveCount"];
    // SQS returns the number as text if it was set as text.
    let receives = receives
        .as_u64()
        .or_else(|| receives.as_str()?.parse().ok());
    Some((
        policy["deadLetterTargetArn"].as_str()?.to_owned(),
        receives?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_with_its_number_in_either_form() {
        for count in ["50", "\"50\""] {
            let policy =
                format!(r#"{{"deadLetterTargetArn": "arn:a", "maxReceiveCount": {count}}}"#);
            assert_eq!(redrive(&policy), Some(("arn:a".to_owned(), 50)));
        }
        assert_eq!(redrive("{}"), None);
    }
}
