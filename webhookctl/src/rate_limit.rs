//! Work at a steady rate, with progress, that Ctrl-C ends between two batches.

use crate::Result;
use crate::progress::Progress;
use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use webhook_gateway::aws::sqs::MAX_ENTRIES;

/// The operator interrupted the work.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// Handles items batch by batch at a rate per second. `handle` returns the number of items that are done so
/// far, which is the progress. The first error ends the work; so does an interruption, between two batches.
pub(crate) async fn paced<T>(
    items: &[T],
    rate: NonZeroU32,
    mut progress: Progress,
    interrupted: impl Future<Output = ()>,
    mut handle: impl AsyncFnMut(&[T]) -> Result<usize>,
) -> Result<()> {
    let mut interrupted = pin!(interrupted);
    let mut due = Instant::now();
    for batch in items.chunks(batch_size(rate)) {
        tokio::select! {
            // The interruption first: it has to be waited for before anything is sent.
            biased;
            () = &mut interrupted => return Err(Interrupted.into()),
            () = sleep_until(due) => {}
        }
        due = Instant::now() + pause(batch.len(), rate);
        progress.at(handle(batch).await?);
    }
    Ok(())
}

/// The number of items of a batch: no more than are due in a second.
fn batch_size(rate: NonZeroU32) -> usize {
    usize::try_from(rate.get()).map_or(MAX_ENTRIES, |rate| rate.min(MAX_ENTRIES))
}

/// The time between the beginnings of a batch and the next one.
fn pause(sent: usize, rate: NonZeroU32) -> Duration {
    Duration::from_secs_f64(sent as f64 / f64::from(rate.get()))
}

/// Waits for Ctrl-C.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Only the end of the process can interrupt the work then.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_than_the_rate() {
        for (per_second, at_once, wait) in [
            (1, 1, Duration::from_secs(1)),
            (4, 4, Duration::from_secs(1)),
            (10, 10, Duration::from_secs(1)),
            (50, 10, Duration::from_millis(200)),
        ] {
            let per_second = NonZeroU32::new(per_second).unwrap();
            assert_eq!(batch_size(per_second), at_once);
            assert_eq!(pause(at_once, per_second), wait);
        }
    }
}
