//! Deliveries put on the delivery queue at a steady rate.

use crate::Result;
use crate::progress::Progress;
use crate::rate_limit::{Interrupted, paced};
use std::num::NonZeroU32;
use std::sync::Arc;
use webhook_gateway::aws::sqs::Queues;
use webhook_gateway::messages::{DeliverEvent, Message};

/// The delivery queue, and how many messages are put on it per second.
pub(crate) struct PacedSender<'a> {
    pub(crate) queues: Queues,
    pub(crate) queue_url: &'a str,
    pub(crate) rate: NonZeroU32,
}

/// What became of the messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The number of messages that are on the queue for certain.
    pub(crate) sent: usize,
    /// Why the others are not.
    pub(crate) problem: Option<String>,
}

impl PacedSender<'_> {
    /// Sends the orders. An interruption ends it between two batches.
    pub(crate) async fn send(
        &self,
        orders: Vec<DeliverEvent>,
        progress: Progress,
        interrupted: impl Future<Output = ()>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let orders: Vec<_> = orders.into_iter().map(Message::Delivery).collect();
        let ended = paced(&orders, self.rate, progress, interrupted, async |batch| {
            self.send_batch(batch, &mut outcome).await?;
            Ok(outcome.sent)
        });
        if let Err(error) = ended.await {
            outcome.problem = Some(match error.is::<Interrupted>() {
                true => "interrupted; the other deliveries are unchanged".to_owned(),
                false => error.to_string(),
            });
        }
        outcome
    }

    /// Sends a batch. A message that the queue refuses does not stop the others.
    async fn send_batch(&self, batch: &[Message], outcome: &mut Outcome) -> Result<()> {
        let messages = batch.iter().map(|message| message.queued(0).map(Arc::new));
        let messages = messages.collect::<std::result::Result<Vec<_>, _>>()?;
        let sent = self.queues.send(self.queue_url, messages).await;
        let refused = sent.map_err(|error| {
            let count = batch.len();
            format!("{error}; some of the next {count} may be on the queue too")
        })?;
        outcome.sent += batch.len() - refused.len();
        if let Some(refused) = refused.first() {
            outcome.problem = Some(format!("the queue refuses some of them: {}", refused.code));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use crate::samples::delivery;
    use aws_sdk_sqs::Client;
    use aws_sdk_sqs::error::ErrorMetadata;
    use aws_sdk_sqs::operation::send_message_batch::{
        SendMessageBatchError, SendMessageBatchOutput,
    };
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
    use aws_smithy_mocks::{Rule, mock};
    use std::future::pending;
    use tokio::sync::Notify;
    use webhook_gateway::store::deliveries::State;

    const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/deliveries";

    fn rate(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).unwrap()
    }

    fn orders(range: std::ops::Range<usize>) -> Vec<DeliverEvent> {
        let order = |number: usize| {
            let mut event = delivery(State::Exhausted).event;
            event.id = number.to_string();
            DeliverEvent {
                endpoint: "ep_1".to_owned(),
                event,
                resend: Some("r".to_owned()),
                not_before: None,
            }
        };
        range.map(order).collect()
    }

    /// The batch of these orders, of the group of their endpoint, all taken, or but for the first.
    fn batch(range: std::ops::Range<usize>, refuses: bool, told: Arc<Notify>) -> Rule {
        let bodies = orders(range.clone()).into_iter().map(Message::Delivery);
        let bodies: Vec<_> = bodies
            .map(|order| serde_json::to_string(&order).unwrap())
            .collect();
        mock!(Client::send_message_batch)
            .match_requests(move |request| {
                let entries = request.entries();
                request.queue_url() == Some(QUEUE)
                    && entries.iter().map(|entry| entry.message_body()).eq(&bodies)
                    && entries
                        .iter()
                        .all(|entry| entry.message_group_id() == Some("ep_1"))
                    && entries.iter().all(|entry| entry.delay_seconds().is_none())
            })
            .then_output(move || {
                told.notify_one();
                let taken = SendMessageBatchResultEntry::builder()
                    .message_id("m")
                    .md5_of_message_body("d");
                let taken = (usize::from(refuses)..range.len())
                    .map(|id| taken.clone().id(id.to_string()).build().unwrap());
                let failed = BatchResultErrorEntry::builder()
                    .id("0")
                    .code("Bad")
                    .sender_fault(true);
                let failed = refuses.then(|| failed.build().unwrap());
                SendMessageBatchOutput::builder()
                    .set_successful(Some(taken.collect()))
                    .set_failed(Some(failed.into_iter().collect()))
                    .build()
                    .unwrap()
            })
    }

    fn whole(range: std::ops::Range<usize>) -> Rule {
        batch(range, false, Arc::default())
    }

    async fn send(
        rules: &[&Rule],
        rate: NonZeroU32,
        interrupted: impl Future<Output = ()>,
    ) -> Outcome {
        let sending = PacedSender {
            queues: Queues::new(testkit::mock!(aws_sdk_sqs, rules)),
            queue_url: QUEUE,
            rate,
        };
        let progress = Progress::begin(25, "sent", &Output::standard(true));
        let outcome = sending.send(orders(0..25), progress, interrupted).await;
        for rule in rules {
            assert_eq!(rule.num_calls(), 1);
        }
        outcome
    }

    #[tokio::test]
    async fn orders_go_in_their_turn_ten_at_once() {
        let rules = [whole(0..10), whole(10..20), whole(20..25)];
        let outcome = send(&rules.each_ref(), rate(1_000_000), pending()).await;
        let expected = Outcome {
            sent: 25,
            problem: None,
        };
        assert_eq!(outcome, expected);
    }

    #[tokio::test]
    async fn what_the_queue_refuses_is_not_counted_and_does_not_stop_the_rest() {
        let refusing = batch(0..10, true, Arc::default());
        let rules = [refusing, whole(10..20), whole(20..25)];
        let outcome = send(&rules.each_ref(), rate(1_000_000), pending()).await;
        assert_eq!(outcome.sent, 24);
        assert!(outcome.problem.unwrap().contains("Bad"));
    }

    #[tokio::test]
    async fn a_queue_that_is_gone_ends_it_and_what_was_sent_is_known() {
        let gone = mock!(Client::send_message_batch).then_error(|| {
            let gone = ErrorMetadata::builder().code("AWS.SimpleQueueService.NonExistentQueue");
            SendMessageBatchError::generic(gone.build())
        });
        let rules = [whole(0..10), gone];
        let outcome = send(&rules.each_ref(), rate(1_000_000), pending()).await;
        assert_eq!(outcome.sent, 10);
        let problem = outcome.problem.unwrap();
        assert!(problem.contains("NonExistentQueue"), "{problem}");
    }

    #[tokio::test]
    async fn an_interruption_ends_it_between_two_batches() {
        let told = Arc::new(Notify::new());
        let first = batch(0..10, false, Arc::clone(&told));
        // The next batch would be due in a second.
        let outcome = send(&[&first], rate(10), told.notified()).await;
        assert_eq!(outcome.sent, 10);
        assert!(outcome.problem.unwrap().contains("interrupted"));

        let outcome = send(&[], rate(10), std::future::ready(())).await;
        assert_eq!(outcome.sent, 0);
    }
}
