//! How long a message waits: its schedule's wait with jitter, within what SQS allows. Pure.

use std::time::Duration;

/// The longest [visibility timeout](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html)
/// is 12 hours, counted from when the message was received: that was a little before the function heard of it.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600 - 60);

/// A wait, up to a fifth shorter or longer: what failed together is not tried again together. `jitter` is a random
/// number from 0 to 1.
pub fn jittered(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

/// The visibility timeout, in whole seconds, for a message that was received so long ago and is to wait so long from now.
pub fn visibility(wait: Duration, received_ago: Duration) -> i32 {
    let most = MAX_VISIBILITY.saturating_sub(received_ago);
    let seconds = wait.min(most).as_millis().div_ceil(1000);
    // A second less, where rounding up would be one too many.
    i32::try_from(seconds.min(u128::from(most.as_secs()))).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn jitter_is_a_fifth_either_way() {
        assert_eq!(jittered(HOUR, 0.0), Duration::from_mins(48));
        assert_eq!(jittered(HOUR, 0.5), HOUR);
        assert_eq!(jittered(HOUR, 1.0), Duration::from_mins(72));
        assert_eq!(jittered(HOUR, 7.0), Duration::from_mins(72));
    }

    #[test]
    fn a_wait_ends_at_most_twelve_hours_after_the_receive() {
        assert_eq!(visibility(5 * HOUR, Duration::from_secs(30)), 5 * 3600);
        assert_eq!(visibility(12 * HOUR, Duration::ZERO), 43_140);
        assert_eq!(visibility(12 * HOUR, Duration::from_secs(30)), 43_110);
        assert_eq!(visibility(13 * HOUR, Duration::from_millis(29_500)), 43_110);
        assert_eq!(visibility(HOUR, 13 * HOUR), 0);
    }

    #[test]
    fn a_part_of_a_second_is_a_second() {
        assert_eq!(visibility(Duration::from_millis(1), Duration::ZERO), 1);
        assert_eq!(visibility(Duration::from_millis(4_001), Duration::ZERO), 5);
        assert_eq!(visibility(Duration::ZERO, Duration::ZERO), 0);
    }
}
