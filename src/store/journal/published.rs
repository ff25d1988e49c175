//! The index of events by time: one item for each batch that was fanned out, which lists what was published.
//! It costs a part of a write unit per event, and is the proof that an event was published.

use super::{Journal, unreadable, unwritten};
use crate::aws::dynamodb::{Item, binary, binary_of, number, text, text_of, time_of};
use crate::aws::error::AwsError;
use crate::event::EventMeta;
use crate::store::deflate::{deflate, inflate};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// An event that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The event. If the webhook was not understood, its type is that of quarantined events.
    #[serde(flatten)]
    pub event: EventMeta,
    /// Whether it went to quarantine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
}

/// The size of the item of a batch without its events, in bytes.
const REST: usize = 128;

/// What was published at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its place among those of its day.
    pub id: String,
    /// When it was published.
    pub at: Timestamp,
    /// In the order in which it was recorded.
    pub events: Vec<Published>,
}

impl Journal {
    /// Notes what was published, to be kept for `retention`.
    pub async fn note_published(
        &self,
        events: &[Published],
        retention: SignedDuration,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        if events.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_vec(events).map_err(AwsError::other);
        let json = json.map_err(unwritten)?;
        let (name, bytes) = match deflate(&json, REST) {
            Some(deflated) => ("events_z", deflated),
            None => ("events", json),
        };
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .item("kind", text(&kind(now)))
            .item(
                "id",
                text(&place(now, getrandom::u32().unwrap_or_default())),
            )
            .item("at", number(now.as_millisecond()))
            .item(name, binary(bytes))
            .item("expires_at", number(now.as_second() + retention.as_secs()));
        put.send().await.map_err(unwritten)?;
        Ok(())
    }

    /// A page of what was published on a day, the newest first, and the place of its last batch unless it is
    /// the last page. Only what was published from `since` on, and in places before `before`.
    ///
    /// A page is at most 1 MB of the table, which is some 20,000 events, or 128 read units.
    pub async fn published(
        &self,
        day: Date,
        since: Timestamp,
        before: Option<&str>,
    ) -> Result<(Vec<Batch>, Option<String>), AwsError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("kind = :kind AND id BETWEEN :first AND :last")
            .expression_attribute_values(":kind", text(&kind_of(day)))
            .expression_attribute_values(":first", text(&format!("{:013}", since.as_millisecond())))
            .expression_attribute_values(":last", text(before.unwrap_or("~")))
            .scan_index_forward(false);
        let answer = query.send().await.map_err(unreadable)?;
        let batches = answer.items.unwrap_or_default().into_iter().map(read);
        let batches = batches.filter(|batch| before != Some(&*batch.id)).collect();
        let last = answer.last_evaluated_key.as_ref();
        let last = last.and_then(|key| text_of(key, "id")).map(str::to_owned);
        Ok((batches, last))
    }
}

/// The days that a time span touches, the newest first.
pub fn days(since: Timestamp, until: Timestamp) -> impl Iterator<Item = Date> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let first = day(since);
    std::iter::successors(Some(day(until)), |day| day.yesterday().ok())
        .take_while(move |day| *day >= first)
}

fn kind(now: Timestamp) -> String {
    kind_of(now.to_zoned(TimeZone::UTC).date())
}

fn kind_of(day: Date) -> String {
    format!("published#{day}")
}

/// Sorts by time, and is unique.
fn place(now: Timestamp, random: u32) -> String {
    format!("{:013}_{random:08x}", now.as_millisecond())
}

/// A batch as it was noted; without events if they cannot be read.
fn read(item: Item) -> Batch {
    let json = match binary_of(&item, "events_z") {
        Some(deflated) => inflate(deflated),
        None => binary_of(&item, "events").map(<[u8]>::to_vec),
    };
    let id = text_of(&item, "id");
    let events = json.and_then(|json| serde_json::from_slice(&json).ok());
    if events.is_none() {
        tracing::error!(batch = ?id, "what was published is not readable");
    }
    Batch {
        id: id.unwrap_or_default().to_owned(),
        at: time_of(&item, "at").unwrap_or_default(),
        events: events.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::endpoints::test::event;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_days_of_a_time_span_are_whole_and_the_newest_comes_first() {
        let days = |since, until| days(at(since), at(until)).map(|day| day.to_string());
        let span: Vec<_> = days("2026-02-27T23:59:59.999Z", "2026-03-01T00:00:00Z").collect();
        assert_eq!(span, ["2026-03-01", "2026-02-28", "2026-02-27"]);
        assert_eq!(
            days("2026-03-01T10:00:00Z", "2026-03-01T09:00:00Z").count(),
            1
        );
        assert_eq!(
            days("2026-03-02T00:00:00Z", "2026-03-01T09:00:00Z").count(),
            0
        );
    }

    #[test]
    fn places_sort_by_time() {
        let early = place(at("1970-01-01T00:00:00Z"), u32::MAX);
        let late = place(at("2026-03-01T00:00:00Z"), 0);
        assert!(early < late && late < place(at("2026-03-01T00:00:00.001Z"), 0));
        assert!(late.as_str() < "~");
    }

    #[test]
    fn a_batch_is_read_as_it_was_noted_and_costs_little() {
        let published = |number: i64| Published {
            event: EventMeta {
                id: format!(
                    "{:032x}",
                    0x9e37_79b9_7f4a_7c15_u128.wrapping_mul(number as u128 + 1)
                ),
                key: format!("studio#{number}"),
                accepted_at: 1_790_000_000_000 + number * 37,
                ..event()
            },
            quarantined: number % 10 == 0,
        };
        let events: Vec<_> = (0..100).map(published).collect();
        let deflated = deflate(&serde_json::to_vec(&events).unwrap(), REST).unwrap();
        // A write unit is a kilobyte, of a hundred events.
        assert!(deflated.len() < 100 * 80, "{}", deflated.len());
        let item = Item::from([
            ("id".to_owned(), text("1790000000000_00000000")),
            ("at".to_owned(), number(1_790_000_000_000)),
            ("events_z".to_owned(), binary(deflated)),
        ]);
        assert_eq!(read(item).events, events);
        assert!(read(Item::new()).events.is_empty());
    }
}
