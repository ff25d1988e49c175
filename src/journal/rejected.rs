//! The newest requests of each source and day that were refused, so that a wrong secret on our own side loses nothing: a
//! ring of a hundred, however many come.
//!
//! To keep one takes two calls, three for a body that only the payload bucket can hold, without another try and within a
//! moment. After a failure none is kept for a second: a flood of forgeries does not hold up the function.

use super::{Item, Journal, JournalError, key, number, text};
use crate::deflate::{deflate, inflate};
use crate::ledger::StoredBody;
use crate::payloads::{PayloadError, Payloads};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// How many are kept of a source and a day.
pub const RING: u64 = 100;

/// For so long they are kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long keeping one may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// For so long none is kept after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// A longer body, after compression, does not fit into an item, which has at most 400 KB.
const MAX_BYTES: usize = 350 * 1024;

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The name of its source.
    pub source: String,
    /// When it came.
    pub at: Timestamp,
    /// Why it was refused.
    pub reason: String,
    /// The headers worth keeping, those of signatures among them.
    pub headers: Vec<(String, String)>,
}

/// One that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRejected {
    /// `<source>/<day>/<place>/<ms>`: a place is taken by another after a hundred more.
    pub id: String,
    /// The request.
    pub request: Rejected,
    /// Its exact bytes, or where they are.
    pub body: StoredBody,
    /// When it is to have been accepted, once the operator releases it.
    pub released_at: Option<Timestamp>,
    /// The id of the event that it was released as.
    pub released_as: Option<String>,
}

/// Why a request is not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl Journal {
    /// Keeps a request that was refused, if that takes no more than a moment.
    pub async fn keep_rejected(
        &self,
        rejected: &Rejected,
        body: Vec<u8>,
        payloads: &Payloads,
        now: Instant,
    ) {
        if self
            .resting_until
            .lock()
            .await
            .is_some_and(|until| now < until)
        {
            return;
        }
        let keep = self.try_keep(rejected, body, payloads);
        let failure = match tokio::time::timeout(PATIENCE, keep).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it takes too long".to_owned(),
        };
        tracing::warn!(
            source = rejected.source,
            failure,
            "rejected request is not kept"
        );
        *self.resting_until.lock().await = Some(now + PAUSE);
    }

    async fn try_keep(
        &self,
        rejected: &Rejected,
        body: Vec<u8>,
        payloads: &Payloads,
    ) -> Result<(), KeepError> {
        let kind = kind(&rejected.source, day(rejected.at));
        let expires_at = number(rejected.at.as_second() + RETENTION.as_secs());
        let place = format!("{:03}", self.count(&kind, &expires_at).await? % RING);
        let (name, body) = match fitting(body) {
            Ok((name, bytes)) => (name, AttributeValue::B(Blob::new(bytes))),
            Err(body) => {
                let place = format!("{}/{}/{place}", rejected.source, day(rejected.at));
                let key = payloads.put_rejected(&place, body).await?;
                ("body_s3", text(&key))
            }
        };
        let headers = rejected.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), text(value)));
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .item("kind", text(&kind))
            .item("id", text(&place))
            .item("at", number(rejected.at.as_millisecond()))
            .item("reason", text(&rejected.reason))
            .item("headers", AttributeValue::M(headers.collect()))
            .item(name, body)
            .item("expires_at", expires_at);
        let put = put.customize().config_override(once()).send().await;
        put.map_err(|error| JournalError::from(Box::new(error)))?;
        Ok(())
    }

    /// Counts one more of a source and a day; how many there were, this one included.
    async fn count(&self, kind: &str, expires_at: &AttributeValue) -> Result<u64, JournalError> {
        let count = self.client.update_item().table_name(&self.table);
        let count = count
            .set_key(Some(key(kind, "count")))
            .update_expression("ADD #count :one SET expires_at = :expires_at")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":expires_at", expires_at.clone())
            .return_values(ReturnValue::UpdatedNew);
        let count = count.customize().config_override(once()).send().await;
        let counted = count.map_err(Box::new)?.attributes.unwrap_or_default();
        let counted = counted
            .get("count")
            .and_then(|it| it.as_n().ok()?.parse().ok());
        Ok(counted.unwrap_or_default())
    }

    /// What is kept of a source and a day, the newest first.
    pub async fn rejected(
        &self,
        source: &str,
        day: Date,
    ) -> Result<Vec<KeptRejected>, JournalError> {
        let items = self.items_of(&kind(source, day)).await?;
        // That which counts them is none of them.
        let kept = items.iter().filter_map(|item| read(item, source, day));
        let mut kept: Vec<_> = kept.collect();
        kept.sort_by_key(|it| std::cmp::Reverse(it.request.at));
        Ok(kept)
    }

    /// Fixes when a request that is released was accepted, the first time that it is asked; `None` if another request
    /// has its place by now.
    pub async fn begin_release(
        &self,
        kept: &KeptRejected,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, JournalError> {
        let update = self.update_rejected(kept);
        let update = update
            .update_expression("SET released_at = if_not_exists(released_at, :now)")
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .return_values(ReturnValue::AllNew);
        let answer = match update.send().await {
            Ok(answer) => answer,
            Err(error) if is_refused(&error) => return Ok(None),
            Err(error) => return Err(Box::new(error).into()),
        };
        let item = answer.attributes.unwrap_or_default();
        let at = item
            .get("released_at")
            .and_then(|at| at.as_n().ok()?.parse().ok());
        Ok(at.and_then(|at| Timestamp::from_millisecond(at).ok()))
    }

    /// Notes as which event it was released.
    pub async fn end_release(&self, kept: &KeptRejected, event: &str) -> Result<(), JournalError> {
        let update = self.update_rejected(kept);
        let update = update
            .update_expression("SET released_as = :event")
            .expression_attribute_values(":event", text(event));
        match update.send().await {
            Err(error) if !is_refused(&error) => Err(Box::new(error).into()),
            // Another has its place: nothing is left to be released again.
            _ => Ok(()),
        }
    }

    fn update_rejected(
        &self,
        kept: &KeptRejected,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let request = &kept.request;
        let place = kept.id.split('/').nth(2).unwrap_or_default();
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&kind(&request.source, day(request.at)), place)))
            .condition_expression("#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", number(request.at.as_millisecond()))
    }
}

fn is_refused(
    error: &aws_sdk_dynamodb::error::SdkError<
        aws_sdk_dynamodb::operation::update_item::UpdateItemError,
    >,
) -> bool {
    let error = error.as_service_error();
    error.is_some_and(|it| it.is_conditional_check_failed_exception())
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn kind(source: &str, day: Date) -> String {
    format!("rejected#{source}#{day}")
}

fn once() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder().retry_config(RetryConfig::disabled())
}

/// The attribute that a body is kept in and its value, or the body itself if it does not fit.
fn fitting(body: Vec<u8>) -> Result<(&'static str, Vec<u8>), Vec<u8>> {
    match deflate(&body) {
        Some(deflated) if deflated.len() <= MAX_BYTES => Ok(("body_z", deflated)),
        None if body.len() <= MAX_BYTES => Ok(("body", body)),
        _ => Err(body),
    }
}

fn read(item: &Item, source: &str, day: Date) -> Option<KeptRejected> {
    let string = |name| Some(item.get(name)?.as_s().ok()?.clone());
    let time = |name| {
        let ms = item.get(name)?.as_n().ok()?.parse().ok()?;
        Timestamp::from_millisecond(ms).ok()
    };
    let binary = |name| Some(item.get(name)?.as_b().ok()?.as_ref());
    let body = match (binary("body_z"), binary("body")) {
        (Some(deflated), _) => StoredBody::Inline(inflate(deflated)?),
        (None, Some(body)) => StoredBody::Inline(body.to_vec()),
        (None, None) => StoredBody::Claimed(string("body_s3")?),
    };
    let headers = item.get("headers")?.as_m().ok()?.iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
    let at = time("at")?;
    Some(KeptRejected {
        id: format!("{source}/{day}/{}/{}", string("id")?, at.as_millisecond()),
        request: Rejected {
            source: source.to_owned(),
            at,
            reason: string("reason")?,
            headers: headers.collect(),
        },
        body,
        released_at: time("released_at"),
        released_as: string("released_as"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_if_it_fits() {
        assert_eq!(fitting(b"{}".to_vec()), Ok(("body", b"{}".to_vec())));
        let name = fitting(vec![b'x'; 4_000_000]).map(|(name, _)| name);
        assert_eq!(name, Ok("body_z"));
        let mut random = 1_u32;
        let mut noise: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .take(MAX_BYTES + 1)
        .collect();
        assert_eq!(fitting(noise.clone()), Err(noise.clone()));
        noise.pop();
        assert_eq!(fitting(noise.clone()), Ok(("body", noise)));
    }
}
