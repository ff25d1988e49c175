//! How far a long command of the operator's has come, so that it can go on after an interruption.

use super::{Journal, JournalError, number, text};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

/// The `kind` of a checkpoint among the items of the journal.
const KIND: &str = "checkpoint";

/// For so long the command can go on.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far a command has come that goes through events, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The events are those accepted from then on,
    pub since: Timestamp,
    /// and before then.
    pub until: Timestamp,
    /// The last that is done: when it was accepted, in milliseconds, and its key.
    pub last: Option<(i64, String)>,
    /// How many are done.
    pub done: usize,
}

impl Journal {
    /// How far the command of this name came.
    pub async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, JournalError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(key(name))).consistent_read(true);
        let answer = get.send().await.map_err(Box::new)?;
        Ok(answer.item.as_ref().and_then(read))
    }

    /// Notes how far the command of this name has come.
    pub async fn save(&self, name: &str, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        let expires_at = Timestamp::now().as_second() + RETENTION.as_secs();
        let done = i64::try_from(checkpoint.done).unwrap_or(i64::MAX);
        let mut item = key(name);
        let mut set = |name: &str, value| item.insert(name.to_owned(), value);
        set("since", number(checkpoint.since.as_millisecond()));
        set("until", number(checkpoint.until.as_millisecond()));
        set("done", number(done));
        set("expires_at", number(expires_at));
        if let Some((at, key)) = &checkpoint.last {
            set("last_at", number(*at));
            set("last_key", text(key));
        }
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(item)).send().await.map_err(Box::new)?;
        Ok(())
    }

    /// Forgets the checkpoint of a command that is done.
    pub async fn forget(&self, name: &str) -> Result<(), JournalError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.set_key(Some(key(name)));
        delete.send().await.map_err(Box::new)?;
        Ok(())
    }
}

fn key(name: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("kind".to_owned(), text(KIND)),
        ("id".to_owned(), text(name)),
    ])
}

fn read(item: &HashMap<String, AttributeValue>) -> Option<Checkpoint> {
    let number = |name: &str| -> Option<i64> { item.get(name)?.as_n().ok()?.parse().ok() };
    let time = |name| Timestamp::from_millisecond(number(name)?).ok();
    let key = item.get("last_key").and_then(|key| key.as_s().ok());
    Some(Checkpoint {
        since: time("since")?,
        until: time("until")?,
        last: number("last_at").zip(key.cloned()),
        done: usize::try_from(number("done")?).ok()?,
    })
}
