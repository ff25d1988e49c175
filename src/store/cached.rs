//! What was last read of something that changes seldom. It is kept for a while: reading costs a call.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The items of one kind that are readable, and how many are not.
pub type Current<T> = (Arc<[T]>, usize);

/// A value that is read anew once it is too old.
#[derive(Debug)]
pub(super) struct Cached<T> {
    max_age: Duration,
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Nothing yet; a value is used for so long.
    pub(super) fn new(max_age: Duration) -> Self {
        Self {
            max_age,
            last: Mutex::default(),
        }
    }

    /// The value, which is read if the last one is too old. Those who ask meanwhile wait for it. An error is
    /// not kept: whoever asks next reads again.
    pub(super) async fn get<E>(
        &self,
        now: Instant,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut last = self.last.lock().await;
        if let Some((read_at, value)) = &*last
            && now.saturating_duration_since(*read_at) < self.max_age
        {
            return Ok(value.clone());
        }
        Ok(last.insert((now, read.await?)).1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_is_used_until_it_is_too_old_and_an_error_is_not_kept() {
        let cached = Cached::new(Duration::from_secs(30));
        let start = Instant::now();
        for (second, read, expected) in [
            (0, Err("down"), Err("down")),
            (0, Ok(1), Ok(1)),
            (29, Ok(2), Ok(1)),
            (29, Err("down"), Ok(1)),
            (30, Err("down"), Err("down")),
            (30, Ok(3), Ok(3)),
            (59, Ok(4), Ok(3)),
            (60, Ok(5), Ok(5)),
        ] {
            let now = start + Duration::from_secs(second);
            let got = cached.get(now, async { read }).await;
            assert_eq!(got, expected, "{second}");
        }
    }
}
