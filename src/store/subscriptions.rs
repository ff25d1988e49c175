//! Subscriptions: which events go to which further consumer queues. Kept in the endpoints table, read by the
//! fan-out, written by the operator's tool.
//!
//! The subscription of a listener (`webhookctl listen`) ends by itself unless the listener extends it: a
//! listener that is killed leaves nothing behind that goes on.

use crate::aws::dynamodb::{
    self, Item, Put, number, number_of, put_if, query_all, text, text_of, update_if,
};
use crate::aws::error::AwsError;
use crate::store::cached::{Cached, Current};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A change is in force within half a minute; in between, a batch costs no read.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The `kind` of a subscription among the items of the endpoints table.
const KIND: &str = "subscription";

/// The attribute that only the subscriptions of listeners have.
const EXPIRES_AT: &str = "expires_at";

/// Events of these types, from these sources, to this queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Subscription {
    /// What the operator calls it.
    pub name: String,
    /// The URL of an SQS standard queue.
    pub queue_url: String,
    /// Event types, with `*` for any characters.
    pub events: Vec<String>,
    /// Names of sources; all if there are none.
    pub sources: Vec<String>,
    /// When it ends unless its listener extends it, in seconds. Only the subscription of a listener ends.
    #[serde(skip)]
    pub expires_at: Option<i64>,
}

/// Why a subscription was not added.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// There is one of that name already.
    #[error("there is a subscription {0} already; remove it first")]
    Exists(String),
    /// The table did not take it.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// An item among the subscriptions is not as one is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subscription {0:?} is not readable: remove it and add it again")]
pub struct UnreadableSubscription(pub String);

/// What stands in the table under the name of a subscription.
pub type Listed = Result<Subscription, UnreadableSubscription>;

impl Subscription {
    /// Whether the queue gets an event of this type from this source.
    pub fn matches(&self, event_type: &str, source: &str) -> bool {
        is_selected(&self.events, &self.sources, event_type, source)
    }

    /// Whether it belongs to a listener. Its queue may vanish at any time, and nobody misses its messages.
    pub fn is_of_listener(&self) -> bool {
        self.expires_at.is_some()
    }

    /// Whether it has ended.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now.as_second())
    }

    fn item(&self) -> Item {
        let list =
            |texts: &[String]| AttributeValue::L(texts.iter().map(|item| text(item)).collect());
        let mut item = key(&self.name);
        item.insert("queue_url".to_owned(), text(&self.queue_url));
        item.insert("events".to_owned(), list(&self.events));
        item.insert("sources".to_owned(), list(&self.sources));
        let end = self.expires_at.map(number);
        item.extend(end.map(|end| (EXPIRES_AT.to_owned(), end)));
        item
    }

    fn read(item: &Item) -> Option<Self> {
        let text = |name| text_of(item, name).map(str::to_owned);
        let list = |name| -> Option<Vec<String>> {
            let values = item.get(name)?.as_l().ok()?;
            values
                .iter()
                .map(|value| value.as_s().ok().cloned())
                .collect()
        };
        Some(Self {
            name: text("id")?,
            queue_url: text("queue_url")?,
            events: list("events")?,
            sources: list("sources").unwrap_or_default(),
            expires_at: match item.contains_key(EXPIRES_AT) {
                true => Some(number_of(item, EXPIRES_AT)?),
                false => None,
            },
        })
    }
}

fn key(name: &str) -> Item {
    dynamodb::key([("kind", KIND), ("id", name)])
}

/// Whether an event of this type from this source is among those that a subscription or an endpoint selects:
/// one of its patterns describes the type, and it names the source, or no source at all.
pub(crate) fn is_selected(
    events: &[String],
    sources: &[String],
    event_type: &str,
    source: &str,
) -> bool {
    let of_source = sources.is_empty() || sources.iter().any(|name| name == source);
    of_source && events.iter().any(|pattern| is_match(pattern, event_type))
}

/// Whether a text is what a pattern describes, in which `*` stands for any characters or none.
pub fn is_match(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    // Taking the first place for each part leaves the most for those after it.
    for part in parts {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        text = after;
    }
    text.ends_with(end)
}

/// The subscriptions in the endpoints table, and what was last read of them.
#[derive(Debug)]
pub struct Subscriptions {
    client: Client,
    table: String,
    cached: Cached<Current<Subscription>>,
}

impl Subscriptions {
    /// The subscriptions in the table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self {
            client,
            table,
            cached: Cached::new(MAX_AGE),
        }
    }

    /// The subscriptions as they were at most half a minute ago, without those that have ended.
    ///
    /// There is no going on without them: an event would miss the queues that are subscribed to it.
    pub async fn current(&self, now: Instant) -> Result<Current<Subscription>, AwsError> {
        let current = async {
            let listed = self.list().await?;
            let all = listed.len();
            let log = |error: &_| tracing::error!(%error, "subscription is ignored");
            let readable = listed
                .into_iter()
                .filter_map(|subscription| subscription.inspect_err(log).ok());
            let subscriptions: Arc<[_]> = readable.collect();
            let unreadable = all - subscriptions.len();
            Ok((subscriptions, unreadable))
        };
        let last_read: Result<_, AwsError> = self.cached.get(now, current).await;
        let (subscriptions, unreadable) = last_read?;
        Ok((lasting(subscriptions, Timestamp::now()), unreadable))
    }

    /// All subscriptions, by name. One that is not readable is an error of its own, and does not hide the
    /// others.
    pub async fn list(&self) -> Result<Vec<Listed>, AwsError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND));
        let items = query_all(query).await;
        let items = items.map_err(|error| error.context("the subscriptions cannot be read"))?;
        let read = |item: &Item| {
            let name = text_of(item, "id").unwrap_or_default();
            let unreadable = || UnreadableSubscription(name.to_owned());
            Subscription::read(item).ok_or_else(unreadable)
        };
        Ok(items.iter().map(read).collect())
    }

    /// Adds a subscription under a name that is not taken.
    pub async fn add(&self, subscription: &Subscription) -> Result<(), SubscriptionError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(subscription.item()));
        let added = put_if(put.condition_expression("attribute_not_exists(id)")).await;
        match added.map_err(|error| error.context("the subscription was not written"))? {
            Put::Written => Ok(()),
            Put::Unmet(_) => Err(SubscriptionError::Exists(subscription.name.clone())),
        }
    }

    /// Puts off the end of a listener's subscription; false if the subscription is not there any more.
    pub async fn extend(&self, name: &str, expires_at: i64) -> Result<bool, AwsError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(name)))
            .update_expression("SET expires_at = :end")
            .condition_expression("attribute_exists(expires_at)")
            .expression_attribute_values(":end", number(expires_at));
        let extended = update_if(update).await;
        let extended =
            extended.map_err(|error| error.context("the subscription was not extended"))?;
        Ok(extended.is_some())
    }

    /// Removes a subscription; whether there was one.
    pub async fn remove(&self, name: &str) -> Result<bool, AwsError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(name)));
        let deleted = delete.return_values(ReturnValue::AllOld).send().await;
        let not_removed = |error| AwsError::from(error).context("the subscription was not removed");
        Ok(deleted
            .map_err(not_removed)?
            .attributes()
            .is_some_and(|attributes| !attributes.is_empty()))
    }
}

/// These subscriptions without those that have ended. Mostly there are none of these, and nothing is copied.
fn lasting(subscriptions: Arc<[Subscription]>, now: Timestamp) -> Arc<[Subscription]> {
    let has_expired = |subscription: &Subscription| subscription.has_expired(now);
    if !subscriptions.iter().any(has_expired) {
        return subscriptions;
    }
    let lasting = subscriptions
        .iter()
        .filter(|subscription| !has_expired(subscription));
    lasting.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_search(expires_at: Option<i64>) -> Subscription {
        Subscription {
            name: "search".to_owned(),
            queue_url: "https://sqs.eu-central-1.amazonaws.com/1/search".to_owned(),
            events: vec!["*".to_owned()],
            sources: Vec::new(),
            expires_at,
        }
    }

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        let event_type = "io.creativeforce.product.reset";
        for pattern in [
            "*",
            "**",
            event_type,
            "io.creativeforce.*",
            "*.reset",
            "io.*.product.*",
            "*product*reset*",
            "io.creativeforce.product.reset*",
            "i*o*.*.*.*t",
        ] {
            assert!(is_match(pattern, event_type), "{pattern}");
        }
        for pattern in [
            "",
            "io.creativeforce",
            "io.creativeforce.product",
            "*.product",
            "io.*.sample.*",
            "*reset*product*",
            "io.creativeforce.product.reset*t",
            "IO.*",
            "io.?reativeforce.*",
        ] {
            assert!(!is_match(pattern, event_type), "{pattern}");
        }
        assert!(is_match("a*a", "aa") && !is_match("a*a", "a"));
        assert!(is_match("*ab*ab", "abab") && !is_match("*ab*ab", "aab"));
    }

    #[test]
    fn a_subscription_matches_by_type_and_source() {
        let subscription = |sources: &[&str]| Subscription {
            events: vec!["io.peopleforce.*".to_owned(), "*.reset".to_owned()],
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            ..to_search(None)
        };
        assert!(subscription(&[]).matches("a.reset", "studio"));
        assert!(subscription(&["hr", "studio"]).matches("io.peopleforce.x", "studio"));
        assert!(!subscription(&["hr"]).matches("a.reset", "studio"));
        assert!(!subscription(&[]).matches("a.created", "studio"));
    }

    #[test]
    fn an_item_is_read_as_it_was_written() {
        for subscription in [to_search(None), to_search(Some(1_790_000_000))] {
            assert_eq!(Subscription::read(&subscription.item()), Some(subscription));
        }
        assert_eq!(Subscription::read(&key("search")), None);
        // An end that cannot be read must not make a subscription that never ends.
        let mut item = to_search(None).item();
        item.insert(EXPIRES_AT.to_owned(), text("tomorrow"));
        assert_eq!(Subscription::read(&item), None);
    }

    #[test]
    fn only_the_subscription_of_a_listener_ends_and_at_its_second() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let subscriptions: Arc<[_]> = [to_search(None), to_search(Some(100))].into();
        let before = lasting(Arc::clone(&subscriptions), at(99));
        assert!(Arc::ptr_eq(&before, &subscriptions));
        for second in [100, 101] {
            let after = lasting(Arc::clone(&subscriptions), at(second));
            assert_eq!(*after, [to_search(None)]);
        }
    }
}
