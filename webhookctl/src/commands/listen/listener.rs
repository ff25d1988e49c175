//! The queue and the subscription of a session: created at its start, kept alive while it runs, and removed
//! at its end.

use crate::Result;
use crate::hint::Kind;
use crate::output::Output;
use crate::stack::Stack;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use std::error::Error;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use webhook_gateway::aws::error::AwsError;
use webhook_gateway::aws::sqs::MAX_BYTES;
use webhook_gateway::store::sources::is_source_name;
use webhook_gateway::store::subscriptions::{Subscription, Subscriptions};

/// How long the subscription lasts after the last sign of life, and how long the queue keeps a message. It
/// allows for a few lost signs, for the half minute that a function uses what it read, and for a wrong clock.
pub(crate) const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long a message that was received is hidden: it is shown and deleted at once.
const HIDDEN: Duration = Duration::from_secs(60);

/// The bytes of the random part of a name. Twice as many digits are what the stack's template allows.
const RANDOM_BYTES: usize = 6;

/// The longest name of a queue.
const MAX_NAME: usize = 80;

/// What the names of the subscriptions begin with. The random part of the queue's name follows.
const PREFIX: &str = "listen-";

/// A queue with its subscription.
pub(crate) struct Listener {
    pub(crate) sqs: Client,
    subscriptions: Subscriptions,
    /// The name of the subscription.
    pub(crate) name: String,
    pub(crate) queue_url: String,
}

impl Listener {
    /// Creates a queue and subscribes it.
    pub(crate) async fn create(
        events: Vec<String>,
        sources: Vec<String>,
        stack: &Stack,
    ) -> Result<Self> {
        refuse_invalid(&events, &sources)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let id = hex::encode(random);
        let queue = queue_name(stack.listener_queue_prefix()?, &id)?;
        let sqs = stack.sqs();
        let listener = Self {
            queue_url: create_queue(&sqs, &queue).await?,
            name: format!("{PREFIX}{id}"),
            subscriptions: stack.subscriptions()?,
            sqs,
        };
        let subscription = Subscription {
            name: listener.name.clone(),
            queue_url: listener.queue_url.clone(),
            events,
            sources,
            expires_at: Some(end(Timestamp::now())),
        };
        if let Err(error) = listener.subscriptions.add(&subscription).await {
            // The error of the subscription is the one to show.
            delete_queue(&listener.sqs, &listener.queue_url).await.ok();
            return Err(error.into());
        }
        Ok(listener)
    }

    /// Puts off the end of the subscription again and again. Comes back only if the subscription is gone.
    pub(crate) async fn keep_alive(&self, output: &Output) -> Result<()> {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            heartbeat.tick().await;
            let end = end(Timestamp::now());
            match self.subscriptions.extend(&self.name, end).await {
                Ok(true) => {}
                Ok(false) => {
                    let name = &self.name;
                    return Err(format!("somebody removed the subscription {name}").into());
                }
                Err(error) => output.note(&error.to_string()),
            }
        }
    }

    /// Removes the subscription and the queue. Functions may send to the queue for another half minute; they
    /// drop what it no longer takes.
    pub(crate) async fn remove(&self) -> Result<()> {
        let removed = self.subscriptions.remove(&self.name).await;
        let deleted = delete_queue(&self.sqs, &self.queue_url).await;
        let first = removed.map(|_| ()).and(deleted);
        first.map_err(|error| self.left_behind(&error.to_string()))
    }

    /// The error of a session that could not remove what it created.
    pub(crate) fn left_behind(&self, why: &str) -> Box<dyn Error + Send + Sync> {
        let (name, minutes) = (&self.name, LIFETIME.as_secs() / 60);
        format!(
            "{name} was not removed: {why}. It ends by itself within {minutes} minutes, and the next \
             `webhookctl listen` removes its queue"
        )
        .into()
    }
}

/// When a subscription that shows a sign of life now ends, in seconds.
fn end(now: Timestamp) -> i64 {
    now.as_second().saturating_add_unsigned(LIFETIME.as_secs())
}

/// Rejects patterns and sources that never match.
fn refuse_invalid(events: &[String], sources: &[String]) -> Result<()> {
    let is_odd = |event: &&String| event.trim() != *event || event.is_empty();
    if let Some(event) = events.iter().find(is_odd) {
        return Err(format!("{event:?} is not a pattern of event types").into());
    }
    match sources.iter().find(|source| !is_source_name(source)) {
        Some(source) => Err(format!("{source:?} is not the name of a source").into()),
        None => Ok(()),
    }
}

fn queue_name(prefix: &str, id: &str) -> Result<String> {
    let name = format!("{prefix}{id}");
    if name.len() > MAX_NAME {
        let excess = name.len() - MAX_NAME;
        return Err(format!(
            "the name of the stack is {excess} characters too long for the queue of a listener"
        )
        .into());
    }
    Ok(name)
}

/// The name of the subscription of a listener's queue; none if no listener of this stack created the queue.
pub(crate) fn subscription_of(queue_url: &str, prefix: &str) -> Option<String> {
    let (_, queue) = queue_url.rsplit_once('/')?;
    let id = queue.strip_prefix(prefix)?;
    let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let is_id = id.len() == 2 * RANDOM_BYTES && id.bytes().all(is_digit);
    is_id.then(|| format!("{PREFIX}{id}"))
}

async fn create_queue(sqs: &Client, name: &str) -> std::result::Result<String, AwsError> {
    use QueueAttributeName as Attribute;
    let attributes = [
        (Attribute::MaximumMessageSize, MAX_BYTES.to_string()),
        (Attribute::MessageRetentionPeriod, seconds(LIFETIME)),
        (Attribute::VisibilityTimeout, seconds(HIDDEN)),
        (Attribute::SqsManagedSseEnabled, "true".to_owned()),
    ];
    let create = sqs.create_queue().queue_name(name);
    let create = create.set_attributes(Some(attributes.into_iter().collect()));
    let created = create.send().await;
    let created =
        created.map_err(|error| AwsError::from(error).context("the queue was not created"))?;
    Ok(created.queue_url.unwrap_or_default())
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
}

/// Deletes a queue. That it does not exist is fine.
pub(crate) async fn delete_queue(
    sqs: &Client,
    queue_url: &str,
) -> std::result::Result<(), AwsError> {
    let deleted = sqs.delete_queue().queue_url(queue_url).send().await;
    match deleted.map_err(AwsError::from) {
        Err(error) if Kind::of(&error) != Kind::Missing => {
            Err(error.context("the queue was not deleted"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
    use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
    use aws_smithy_mocks::{Rule, mock};

    /// A listener whose updates of the table get these answers in turn.
    fn listener(rules: &[&Rule]) -> Listener {
        let client = testkit::mock!(aws_sdk_dynamodb, rules);
        let none: [&Rule; 0] = [];
        Listener {
            sqs: testkit::mock!(aws_sdk_sqs, none),
            subscriptions: Subscriptions::new(client, "endpoints".to_owned()),
            name: "listen-0123456789ab".to_owned(),
            queue_url: "https://sqs.example.com/1/prod-listen-0123456789ab".to_owned(),
        }
    }

    fn extends() -> Rule {
        mock!(aws_sdk_dynamodb::Client::update_item)
            .match_requests(|request| {
                let key = request.key().unwrap();
                let values = request.expression_attribute_values().unwrap();
                let end: i64 = values[":end"].as_n().unwrap().parse().unwrap();
                let left = end - Timestamp::now().as_second();
                key["id"].as_s().unwrap() == "listen-0123456789ab" && (290..=300).contains(&left)
            })
            .then_output(|| UpdateItemOutput::builder().build())
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_a_minute_keeps_the_subscription_until_somebody_removes_it() {
        let fails = mock!(aws_sdk_dynamodb::Client::update_item).then_error(|| {
            let denied = ErrorMetadata::builder().code("AccessDeniedException");
            UpdateItemError::generic(denied.build())
        });
        let removed = mock!(aws_sdk_dynamodb::Client::update_item).then_error(|| {
            let unmet = ConditionalCheckFailedException::builder().build();
            UpdateItemError::ConditionalCheckFailedException(unmet)
        });
        let (first, later) = (extends(), extends());
        let listener = listener(&[&first, &fails, &later, &removed]);
        let begin = Instant::now();
        let output = Output::standard(true);
        let ended = listener.keep_alive(&output).await.unwrap_err();
        assert!(
            ended.to_string().contains("removed the subscription"),
            "{ended}"
        );
        assert_eq!(begin.elapsed().as_secs() / 60, 4);
        assert_eq!((first.num_calls(), later.num_calls()), (1, 1));
    }

    #[test]
    fn a_queue_has_the_name_that_the_template_allows() {
        let name = queue_name("webhook-gateway-listen-", "0123456789ab").unwrap();
        assert_eq!(name, "webhook-gateway-listen-0123456789ab");
        let longest = queue_name(&"a".repeat(68), "0123456789ab").unwrap();
        assert_eq!(longest.len(), 80);
        let refused = queue_name(&"a".repeat(70), "0123456789ab").unwrap_err();
        assert!(refused.to_string().contains("2 characters too long"));
    }

    #[test]
    fn only_a_queue_that_a_listener_of_this_stack_created_is_one() {
        let host = "https://sqs.eu-central-1.amazonaws.com/123456789012";
        let of = |queue: &str| subscription_of(&format!("{host}/{queue}"), "prod-listen-");
        let own = of("prod-listen-0123456789ab");
        assert_eq!(own.as_deref(), Some("listen-0123456789ab"));
        for other in [
            "prod-EventsQueue-1X2Y3Z",
            "prod-listen-0123456789a",
            "prod-listen-0123456789abc",
            "prod-listen-0123456789AB",
            "prod-listen-b-listen-0123456789ab",
            "test-listen-0123456789ab",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_subscription_outlives_lost_signs_of_life_and_what_a_function_still_uses() {
        let cached = Duration::from_secs(30);
        assert!(LIFETIME > 3 * HEARTBEAT + cached);
        let now = Timestamp::from_second(1_000).unwrap();
        assert_eq!(end(now), 1_300);
    }

    #[test]
    fn what_never_matches_is_refused() {
        let texts = |texts: &[&str]| -> Vec<_> {
            let texts = texts.iter();
            texts.map(|text| (*text).to_owned()).collect()
        };
        assert!(refuse_invalid(&texts(&["*", "a.*"]), &texts(&["studio"])).is_ok());
        assert!(refuse_invalid(&texts(&[" *"]), &[]).is_err());
        assert!(refuse_invalid(&texts(&[""]), &[]).is_err());
        assert!(refuse_invalid(&texts(&["*"]), &texts(&["a/b"])).is_err());
    }
}
