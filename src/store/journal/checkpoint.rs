//! How far a replay has come: after an interruption, it goes on from there.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::{Item, number, number_of, text, text_of, time_of};
use crate::aws::error::AwsError;
use jiff::{SignedDuration, Timestamp};

/// The `kind` of a checkpoint among the items of the journal.
const KIND: &str = "replay";

/// For so long a replay can go on.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far a replay has come, which goes through events, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The id of the replay. A delivery that it asks for twice is made once, by this id.
    pub replay: String,
    /// The events are those accepted from then on,
    pub since: Timestamp,
    /// and before then.
    pub until: Timestamp,
    /// The last that is done: when it was accepted, in milliseconds, and its key.
    pub last: Option<(i64, String)>,
    /// How many are done, whatever became of them.
    pub done: usize,
    /// How many of these the ledger had forgotten.
    pub forgotten: usize,
    /// How many of these no queue and no endpoint wanted.
    pub unwanted: usize,
}

impl Journal {
    /// How far the replay under this name came.
    pub async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, AwsError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(key(KIND, name))).consistent_read(true);
        let answer = get.send().await.map_err(unreadable)?;
        Ok(answer.item.as_ref().and_then(Checkpoint::read))
    }

    /// Notes how far the replay under this name has come.
    pub async fn save(&self, name: &str, checkpoint: &Checkpoint) -> Result<(), AwsError> {
        let mut item = checkpoint.item();
        item.extend(key(KIND, name));
        let expires_at = Timestamp::now().as_second() + RETENTION.as_secs();
        item.insert("expires_at".to_owned(), number(expires_at));
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(item)).send().await.map_err(unwritten)?;
        Ok(())
    }

    /// Forgets the checkpoint of a replay that is done.
    pub async fn forget(&self, name: &str) -> Result<(), AwsError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.set_key(Some(key(KIND, name)));
        delete.send().await.map_err(unwritten)?;
        Ok(())
    }
}

impl Checkpoint {
    fn item(&self) -> Item {
        let count = |count: usize| number(i64::try_from(count).unwrap_or(i64::MAX));
        let mut item = vec![
            ("replay", text(&self.replay)),
            ("since", number(self.since.as_millisecond())),
            ("until", number(self.until.as_millisecond())),
            ("done", count(self.done)),
            ("forgotten", count(self.forgotten)),
            ("unwanted", count(self.unwanted)),
        ];
        if let Some((at, key)) = &self.last {
            item.extend([("last_at", number(*at)), ("last_key", text(key))]);
        }
        let item = item.into_iter();
        item.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn read(item: &Item) -> Option<Self> {
        let last_key = text_of(item, "last_key").map(str::to_owned);
        Some(Self {
            replay: text_of(item, "replay")?.to_owned(),
            since: time_of(item, "since")?,
            until: time_of(item, "until")?,
            last: number_of(item, "last_at").zip(last_key),
            done: number_of(item, "done")?,
            forgotten: number_of(item, "forgotten")?,
            unwanted: number_of(item, "unwanted")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_noted() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let mut checkpoint = Checkpoint {
            replay: "r".to_owned(),
            since: at(1_790_000_000_001),
            until: at(1_790_000_000_002),
            last: None,
            done: 3,
            forgotten: 2,
            unwanted: 1,
        };
        assert_eq!(
            Checkpoint::read(&checkpoint.item()),
            Some(checkpoint.clone())
        );
        checkpoint.last = Some((1_790_000_000_003, "studio#1".to_owned()));
        let mut item = checkpoint.item();
        assert_eq!(Checkpoint::read(&item), Some(checkpoint));
        item.remove("until");
        assert_eq!(Checkpoint::read(&item), None);
    }
}
