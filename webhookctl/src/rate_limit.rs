//! A steady rate for what is put onto queues, and its end by the operator.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use webhook_gateway::aws::sqs::MAX_ENTRIES;

/// The turns of batches that go at a steady rate, until somebody interrupts them.
pub(crate) struct Pace<'i> {
    rate: NonZeroU32,
    due: Instant,
    interrupted: Pin<Box<dyn Future<Output = ()> + 'i>>,
}

/// Somebody interrupted it.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl<'i> Pace<'i> {
    /// The first turn is at once.
    pub(crate) fn new(rate: NonZeroU32, interrupted: impl Future<Output = ()> + 'i) -> Self {
        Self {
            rate,
            due: Instant::now(),
            interrupted: Box::pin(interrupted),
        }
    }

    /// Waits until it is the turn of a batch of so many.
    pub(crate) async fn turn(&mut self, count: usize) -> Result<(), Interrupted> {
        tokio::select! {
            // The interruption first: it has to be waited for before anything is sent.
            biased;
            () = &mut self.interrupted => return Err(Interrupted),
            () = sleep_until(self.due) => {}
        }
        self.due = Instant::now() + pause(count, self.rate);
        Ok(())
    }
}

/// How many go at once: no more than are due in a second.
pub(crate) fn batch_size(rate: NonZeroU32) -> usize {
    usize::try_from(rate.get()).map_or(MAX_ENTRIES, |rate| rate.min(MAX_ENTRIES))
}

/// How long after the beginning of a batch the next one is due.
fn pause(sent: usize, rate: NonZeroU32) -> Duration {
    Duration::from_secs_f64(sent as f64 / f64::from(rate.get()))
}

/// Waits for Ctrl-C.
pub(crate) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Nobody can interrupt then but by ending the process.
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
