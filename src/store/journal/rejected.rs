//! The newest rejected requests of each source and day: a ring of a hundred for those that may be genuine,
//! and one for those without a signature that could be right. Therefore a wrong secret on our own side loses
//! nothing. Handshakes that offer a secret have a third ring.
//!
//! To keep a request costs two write units whatever its size: one counts it, one holds it. A body for which a
//! write unit has no room goes to the payload bucket. Each copy of the function keeps a hundred of a source
//! and ring at once and then one a second, and four hundred of all and then two a second: a flood costs
//! little. Lambda stops the process after the answer. Therefore the sender has to wait for it, but never
//! longer than a moment.

use super::{Journal, key, unreadable, unwritten};
use crate::aws::dynamodb::{
    Item, WRITE_UNIT, binary, binary_of, item_size, number, number_of, query_all, text, text_of,
    time_of, update_if,
};
use crate::aws::error::AwsError;
use crate::crypto::mac::{Digest256, sha256};
use crate::providers::handshake;
use crate::store::deflate::{deflate, inflate};
use crate::store::ledger::StoredBody;
use crate::store::payloads::{PayloadError, Payloads};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures_util::future::try_join;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinError;

/// How many are kept of a source and a day in each ring.
pub const RING: u32 = 100;

/// For so long they are kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long one of the hundred of a ring that are kept at once takes to come back.
const INTERVAL: Duration = Duration::from_secs(1);

/// As many as so many rings have are kept at once of all together, and one comes back after half of that
/// time: a flood over all sources costs as little as one over two rings.
const RINGS: u32 = 4;

/// For so long a new process waits for DynamoDB before it takes its first request.
const CONNECT: Duration = Duration::from_secs(1);

/// A longer body is not worth compressing: it hardly ever fits into what a write unit has left.
const MAX_DEFLATED: usize = 8 * 1024;

/// So much of a header's value is kept; the signature of a public key of 2,048 bits has 344 characters.
const MAX_VALUE: usize = 400;

/// So much is kept of all headers, which leaves room for the rest of the item.
const MAX_HEADERS: usize = 512;

// A secret that is offered is kept whole.
const _: () = assert!(handshake::MAX_SECRET_BYTES <= MAX_VALUE);

/// So much of the path and the query is kept.
const MAX_TARGET: usize = 120;

/// What the places of handshakes begin with.
const HANDSHAKE: &str = "handshake-";

/// So much of the reason is kept.
const MAX_REASON: usize = 160;

/// A request that was rejected, or offers a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The name of its source.
    pub source: String,
    /// When it came.
    pub at: Timestamp,
    /// Why it was rejected.
    pub reason: String,
    /// Where it is kept.
    pub ring: Ring,
    /// Its path, and its query if it has one.
    pub target: String,
    /// The headers worth keeping, those of signatures first.
    pub headers: Vec<(String, String)>,
}

/// What a request pushes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ring {
    /// Requests with a signature that other secrets may make.
    Signed,
    /// Requests without one. Anybody can send them: they push out no signed one.
    Unsigned,
    /// Handshakes that offer a secret to a source that waits for it. Only other ones push them out.
    Handshakes,
}

/// One that is kept, but for its headers and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRejected {
    /// `<source>/<day>/<place>/<ms>`: a place is taken by another after a hundred more of its ring.
    pub id: String,
    /// The name of its source.
    pub source: String,
    /// When it came.
    pub at: Timestamp,
    /// Why it was rejected.
    pub reason: String,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
}

/// The rest of one that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRequest {
    /// Its path, and its query if it has one; empty if it was not kept. Its method is `POST`.
    pub target: String,
    /// The headers that were worth keeping, those of signatures among them.
    pub headers: Vec<(String, String)>,
    /// Its exact bytes, or where they are.
    pub body: StoredBody,
    /// The hash of a body in the bucket: another request may have overwritten the object since then.
    pub digest: Option<Digest256>,
}

/// Why a request is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// Each copy of the function keeps so many, and no more.
    #[error(
        "too many were kept a moment ago: {RING} of a source at once and then one a second, \
         two of all together"
    )]
    TooMany,
    /// The sender waits for its answer. It may be kept all the same, once the function runs again.
    #[error("it takes longer than {0:?}")]
    TooSlow(Duration),
    /// The journal did not take it.
    #[error(transparent)]
    Journal(#[from] AwsError),
    /// The payload bucket did not take its body.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The task that keeps it ended before it was done.
    #[error("keeping it was broken off: {0}")]
    BrokenOff(#[from] JoinError),
}

/// How many more requests may be kept.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    of_rings: HashMap<(String, Ring), Bucket>,
    of_all: Bucket,
}

impl Allowance {
    /// Takes one of those that are left, if both its ring and all together have one.
    fn take(&mut self, source: &str, ring: Ring, now: Instant) -> bool {
        let of_ring = self.of_rings.entry((source.to_owned(), ring));
        let of_ring = of_ring.or_default();
        let ring = of_ring.after_one(now, RING, INTERVAL);
        let all = self.of_all.after_one(now, RINGS * RING, INTERVAL / 2);
        let (Some(ring), Some(all)) = (ring, all) else {
            return false;
        };
        (*of_ring, self.of_all) = (ring, all);
        true
    }
}

/// So many at once, of which one comes back after each interval: when all of them are back.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// The bucket after one more was taken, if one is left.
    fn after_one(self, now: Instant, most: u32, interval: Duration) -> Option<Self> {
        let whole_at = self.0.map_or(now, |at| at.max(now)) + interval;
        (whole_at.duration_since(now) <= interval * most).then_some(Self(Some(whole_at)))
    }
}

/// Has one thing done at a time, and waits for it no longer than a moment.
#[derive(Debug, Default)]
pub(super) struct Lane(Arc<Mutex<()>>);

impl Lane {
    /// Does it, unless what was begun before is not done in time. What is not done in time goes on as long as
    /// the process runs: a connection that was slow to come up serves the next one.
    async fn pass(
        &self,
        patience: Duration,
        keep: impl Future<Output = Result<(), NotKept>> + Send + 'static,
    ) -> Result<(), NotKept> {
        let turn = Arc::clone(&self.0).lock_owned();
        let done = async move {
            let turn = turn.await;
            let task = tokio::spawn(async move {
                let kept = keep.await;
                drop(turn);
                kept
            });
            task.await?
        };
        let done = tokio::time::timeout(patience, done).await;
        done.unwrap_or(Err(NotKept::TooSlow(patience)))
    }
}

impl Journal {
    /// Connects to DynamoDB, if that takes no longer than a second: a request that is rejected has no time
    /// for it.
    pub async fn connect(&self) {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(key("connection", "-")));
        let get = get.customize().config_override(once());
        tokio::time::timeout(CONNECT, get.send()).await.ok();
    }

    /// Keeps a request that was rejected, if that takes no longer than `patience` and not too many were kept
    /// before.
    pub async fn keep_rejected(
        &self,
        rejected: Rejected,
        body: Vec<u8>,
        payloads: &Payloads,
        patience: Duration,
        now: Instant,
    ) -> Result<(), NotKept> {
        let mut allowance = self.allowance.lock().await;
        let is_allowed = allowance.take(&rejected.source, rejected.ring, now);
        drop(allowance);
        if !is_allowed {
            return Err(NotKept::TooMany);
        }
        let rings = Rings {
            client: self.client.clone(),
            table: self.table.clone(),
            payloads: payloads.clone(),
        };
        let keep = async move { rings.keep(&rejected, body).await };
        self.lane.pass(patience, keep).await
    }

    /// What is kept of a source and a day, the newest first. No body and no header is read.
    pub async fn rejected(&self, source: &str, day: Date) -> Result<Vec<KeptRejected>, AwsError> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("#kind = :kind")
            .projection_expression("#id, #at, #reason, #event")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_names("#event", "released_as")
            .expression_attribute_values(":kind", text(&kind(source, day)));
        let items = query_all(query).await.map_err(unreadable)?;
        // Those which count them are none of them.
        let kept = items.iter().filter_map(|item| read(item, source, day));
        let mut kept: Vec<_> = kept.collect();
        // Of several in one millisecond, the later one has the higher place, unless the ring begins anew.
        kept.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        Ok(kept)
    }

    /// The rest of one that is kept; `None` if another request has its place by now.
    pub async fn rejected_request(
        &self,
        kept: &KeptRejected,
    ) -> Result<Option<RejectedRequest>, AwsError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(kept.key())).consistent_read(true);
        let item = get.send().await.map_err(unreadable)?.item;
        let item = item.filter(|item| item.get("at") == Some(&kept.at()));
        Ok(item.and_then(|item| read_request(&item, kept)))
    }

    /// Fixes when a request that is released was accepted, the first time that it is asked; `None` if another
    /// request has its place by now.
    pub async fn begin_release(
        &self,
        kept: &KeptRejected,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AwsError> {
        let update = self.update_rejected(kept);
        let update = update
            .update_expression("SET released_at = if_not_exists(released_at, :now)")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .return_values(ReturnValue::AllNew);
        let item = update_if(update).await.map_err(unwritten)?;
        Ok(item.and_then(|item| time_of(&item, "released_at")))
    }

    /// Notes as which event it was released.
    pub async fn end_release(&self, kept: &KeptRejected, event: &str) -> Result<(), AwsError> {
        let update = self.update_rejected(kept);
        let update = update
            .update_expression("SET released_as = :event")
            .expression_attribute_values(":event", text(event));
        // If another has its place, nothing is left to be released again.
        update_if(update).await.map_err(unwritten)?;
        Ok(())
    }

    fn update_rejected(&self, kept: &KeptRejected) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(kept.key()))
            .condition_expression("#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", kept.at())
    }
}

impl KeptRejected {
    /// Whether it is a handshake that offers a secret. It was not rejected.
    pub fn is_handshake(&self) -> bool {
        self.place().starts_with(HANDSHAKE)
    }

    /// Its place among those of its source and day.
    fn place(&self) -> &str {
        self.id.split('/').nth(2).unwrap_or_default()
    }

    fn key(&self) -> Item {
        key(&kind(&self.source, day(self.at)), self.place())
    }

    fn at(&self) -> AttributeValue {
        number(self.at.as_millisecond())
    }
}

/// Where requests are kept, for a task that outlives the one who waits for it.
struct Rings {
    client: Client,
    table: String,
    payloads: Payloads,
}

impl Rings {
    async fn keep(&self, rejected: &Rejected, body: Vec<u8>) -> Result<(), NotKept> {
        let place = rejected.ring.place(self.count(rejected).await?);
        let (item, is_whole) = item(rejected, &place, &body);
        let put = self.client.put_item().table_name(&self.table);
        let put = put.set_item(Some(item));
        let put = async {
            let put = put.customize().config_override(once()).send().await;
            put.map_err(|error| NotKept::from(unwritten(error)))
        };
        if is_whole {
            put.await?;
            return Ok(());
        }
        let object = object(&rejected.source, day(rejected.at), &place);
        // Side by side, as there is little time. Whoever reads an item whose body did not arrive sees that by
        // its hash.
        let stored = async { Ok(self.payloads.put_rejected(&object, body).await?) };
        try_join(put, stored).await?;
        Ok(())
    }

    /// Counts one more of a source, a day and a ring; how many there were, this one included.
    async fn count(&self, rejected: &Rejected) -> Result<u32, AwsError> {
        let kind = kind(&rejected.source, day(rejected.at));
        let count = self.client.update_item().table_name(&self.table);
        let count = count
            .set_key(Some(key(&kind, rejected.ring.counter())))
            .update_expression("ADD #count :one SET expires_at = :expires_at")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":expires_at", expires_at(rejected.at))
            .return_values(ReturnValue::UpdatedNew);
        let count = count.customize().config_override(once()).send().await;
        let counted = count.map_err(unwritten)?.attributes.unwrap_or_default();
        Ok(number_of(&counted, "count").unwrap_or_default())
    }
}

impl Ring {
    fn counter(self) -> &'static str {
        match self {
            Self::Signed => "count",
            Self::Unsigned => "unsigned-count",
            Self::Handshakes => "handshake-count",
        }
    }

    /// The place of a request of which so many were counted.
    fn place(self, count: u32) -> String {
        let place = count % RING;
        match self {
            Self::Signed => format!("{place:03}"),
            Self::Unsigned => format!("unsigned-{place:03}"),
            Self::Handshakes => format!("{HANDSHAKE}{place:03}"),
        }
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn kind(source: &str, day: Date) -> String {
    format!("rejected#{source}#{day}")
}

/// The object that holds the body of the request in a place.
fn object(source: &str, day: Date, place: &str) -> String {
    format!("{source}/{day}/{place}")
}

fn expires_at(at: Timestamp) -> AttributeValue {
    number(at.as_second() + RETENTION.as_secs())
}

fn once() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder().retry_config(RetryConfig::disabled())
}

/// The item of a request, at most a write unit, and whether its body has room in it.
fn item(rejected: &Rejected, place: &str, body: &[u8]) -> (Item, bool) {
    let mut item = key(&kind(&rejected.source, day(rejected.at)), place);
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    set("at", number(rejected.at.as_millisecond()));
    set("reason", text(beginning(&rejected.reason, MAX_REASON)));
    set("headers", AttributeValue::M(bounded(&rejected.headers)));
    set("expires_at", expires_at(rejected.at));
    set("target", text(beginning(&rejected.target, MAX_TARGET)));
    let deflated = if body.len() <= MAX_DEFLATED {
        deflate(body, item_size(&item))
    } else {
        None
    };
    let (name, bytes) = match &deflated {
        Some(deflated) => ("body_z", &deflated[..]),
        None => ("body", body),
    };
    if item_size(&item) + name.len() + bytes.len() <= WRITE_UNIT {
        item.insert(name.to_owned(), binary(bytes));
        return (item, true);
    }
    let digest = binary(sha256(body));
    item.insert("body_sha256".to_owned(), digest);
    (item, false)
}

/// The first of the headers, as far as they fit.
fn bounded(headers: &[(String, String)]) -> Item {
    let mut left = MAX_HEADERS;
    let mut bounded = Item::new();
    for (name, value) in headers {
        let value = beginning(value, MAX_VALUE);
        if let Some(rest) = left.checked_sub(name.len() + value.len()) {
            left = rest;
            bounded.insert(name.clone(), text(value));
        }
    }
    bounded
}

fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn read(item: &Item, source: &str, day: Date) -> Option<KeptRejected> {
    let at = time_of(item, "at")?;
    let place = text_of(item, "id")?;
    Some(KeptRejected {
        id: format!("{source}/{day}/{place}/{}", at.as_millisecond()),
        source: source.to_owned(),
        at,
        reason: text_of(item, "reason")?.to_owned(),
        released_as: text_of(item, "released_as").map(str::to_owned),
    })
}

fn read_request(item: &Item, kept: &KeptRejected) -> Option<RejectedRequest> {
    let object = || object(&kept.source, day(kept.at), kept.place());
    let body = match (binary_of(item, "body_z"), binary_of(item, "body")) {
        (Some(deflated), _) => StoredBody::Inline(inflate(deflated)?),
        (None, Some(body)) => StoredBody::Inline(body.to_vec()),
        (None, None) => StoredBody::InBucket(Payloads::rejected_key(&object())),
    };
    let headers = item.get("headers")?.as_m().ok()?.iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
    Some(RejectedRequest {
        target: text_of(item, "target").unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
        digest: binary_of(item, "body_sha256").and_then(|digest| digest.try_into().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::sync::oneshot;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn noise(bytes: usize) -> Vec<u8> {
        let mut random = 1_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        };
        std::iter::repeat_with(&mut next).take(bytes).collect()
    }

    fn rejected(source: &str, reason: &str, headers: &[(&str, &str)]) -> Rejected {
        let headers = headers.iter();
        Rejected {
            source: source.to_owned(),
            at: Timestamp::from_millisecond(1_790_000_000_123).unwrap(),
            reason: reason.to_owned(),
            ring: Ring::Unsigned,
            target: "/webhooks/studio".repeat(source.len()),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn an_item_is_one_write_unit_whatever_a_stranger_sends_and_holds_a_body_that_fits() {
        let (long, wide) = ("x".repeat(10_000), "\u{20ac}".repeat(4_000));
        let signature = "ab".repeat(32);
        let usual = rejected(
            "studio",
            "the signature matches none of the secrets",
            &[
                ("x-cf-signature", &signature),
                ("content-type", "application/json"),
                ("user-agent", "CreativeForce-Webhook/1.0"),
            ],
        );
        let all = ["x-cf-signature", "x-token", "x-timestamp", "x-hmac"].map(|name| (name, &*long));
        let others = [("content-type", &*wide), ("user-agent", &*long)];
        let all = [&all[..], &others, &[("x-cf-event", &*long)]].concat();
        let hostile = rejected(&"s".repeat(64), &wide, &all);
        let place = Ring::Unsigned.place(99);
        for (request, body, is_whole) in [
            (&usual, b"{}".to_vec(), true),
            (&usual, b"{\"a\":1}".repeat(500), true),
            (&usual, noise(500), true),
            (&usual, noise(1_024), false),
            (&usual, vec![b'x'; 4_500_000], false),
            (&hostile, Vec::new(), true),
            (&hostile, noise(300), false),
            (&hostile, noise(4_500_000), false),
        ] {
            let (mut item, is_kept) = item(request, &place, &body);
            assert_eq!(is_kept, is_whole, "{} bytes", body.len());
            assert!(
                item_size(&item) <= WRITE_UNIT,
                "{} bytes: {}",
                body.len(),
                item_size(&item)
            );
            item.insert("released_as".to_owned(), text("e"));
            let kept = read(&item, &request.source, day(request.at)).unwrap();
            assert_eq!((kept.place(), kept.at), (&*place, request.at));
            let request = read_request(&item, &kept).unwrap();
            match request.body {
                StoredBody::Inline(bytes) => assert!(is_whole && bytes == body),
                StoredBody::InBucket(key) => {
                    assert!(!is_whole && key.ends_with(&format!("/{place}")));
                    assert_eq!(request.digest, Some(sha256(&body)));
                }
            }
        }
        let (item, _) = item(&usual, &place, b"");
        let kept = read(&item, "studio", day(usual.at)).unwrap();
        let request = read_request(&item, &kept).unwrap();
        let signature = ("x-cf-signature".to_owned(), signature);
        assert!(request.headers.len() == 3 && request.headers.contains(&signature));
    }

    #[test]
    fn a_hundred_are_kept_at_once_and_then_one_a_second_of_each_source_and_ring() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        let mut taken = |source, ring, ms: u64, tries: usize| {
            let now = start + Duration::from_millis(ms);
            let tries = (0..tries).filter(|_| allowance.take(source, ring, now));
            tries.count()
        };
        assert_eq!(taken("hr", Ring::Signed, 0, 500), 100);
        assert_eq!(taken("hr", Ring::Unsigned, 0, 500), 100);
        assert_eq!(taken("studio", Ring::Signed, 0, 1), 1);
        assert_eq!(taken("hr", Ring::Signed, 999, 500), 0);
        assert_eq!(taken("hr", Ring::Signed, 1_000, 500), 1);
        assert_eq!(taken("hr", Ring::Signed, 3_500, 500), 2);
        assert_eq!(taken("hr", Ring::Signed, 3_999, 1), 0);
        assert_eq!(taken("hr", Ring::Signed, 4_000, 1), 1);
        // A flood of hours is kept at the same rate, and a pause gives no more than a hundred back.
        let flood = (5..3_605).map(|second| taken("hr", Ring::Signed, second * 1_000, 50));
        assert_eq!(flood.sum::<usize>(), 3_600);
        assert_eq!(taken("hr", Ring::Signed, 86_400_000, 500), 100);
    }

    #[test]
    fn a_flood_over_all_sources_is_kept_like_one_over_two_rings() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        let sources: Vec<_> = (0..5).map(|number| number.to_string()).collect();
        let mut flood = |ms: u64| {
            let now = start + Duration::from_millis(ms);
            let rings = [Ring::Signed, Ring::Unsigned];
            let all = (0..100).flat_map(|_| &sources);
            let all = all.flat_map(|source| rings.map(|ring| (source, ring)));
            all.filter(|(source, ring)| allowance.take(source, *ring, now))
                .count()
        };
        assert_eq!(flood(0), 400);
        assert_eq!(flood(499), 0);
        assert_eq!(flood(500), 1);
        let hour: usize = (1..=3_600).map(|second| flood(second * 1_000)).sum();
        assert_eq!(hour, 7_199);
    }

    #[test]
    fn each_ring_has_a_hundred_places_and_none_of_the_other() {
        let places = |ring: Ring| {
            let places = (1..=250).map(|count| ring.place(count));
            places.collect::<std::collections::BTreeSet<_>>()
        };
        let rings = [Ring::Signed, Ring::Unsigned, Ring::Handshakes];
        let mut all = std::collections::BTreeSet::from(rings.map(|ring| ring.counter().to_owned()));
        assert_eq!(all.len(), 3);
        for ring in rings {
            assert_eq!(places(ring).len(), 100, "{ring:?}");
            all.extend(places(ring));
        }
        assert_eq!(all.len(), 303);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_a_moment_and_what_was_begun_goes_on() {
        let (lane, start) = (Lane::default(), tokio::time::Instant::now());
        let after = |ms: u64| start + Duration::from_millis(ms);
        assert!(lane.pass(PATIENCE, async { Ok(()) }).await.is_ok());
        assert_eq!(tokio::time::Instant::now(), start);

        let (release, released) = oneshot::channel::<()>();
        let (done, mut is_done) = oneshot::channel::<()>();
        let slow = async move {
            released.await.ok();
            done.send(()).ok();
            Ok(())
        };
        let kept = lane.pass(PATIENCE, slow).await;
        assert!(matches!(kept, Err(NotKept::TooSlow(PATIENCE))));
        assert_eq!(tokio::time::Instant::now(), after(50));
        // The next waits for it as well, and is not begun in the meantime.
        let next = lane.pass(PATIENCE, async { panic!("side by side") }).await;
        assert!(matches!(next, Err(NotKept::TooSlow(PATIENCE))));
        assert_eq!(tokio::time::Instant::now(), after(100));

        assert!(is_done.try_recv().is_err());
        release.send(()).unwrap();
        assert!(lane.pass(PATIENCE, async { Ok(()) }).await.is_ok());
        is_done.await.unwrap();
        assert_eq!(tokio::time::Instant::now(), after(100));

        let hangs = lane.pass(PATIENCE, pending()).await;
        assert!(matches!(hangs, Err(NotKept::TooSlow(PATIENCE))));
        assert_eq!(tokio::time::Instant::now(), after(150));
    }
}
