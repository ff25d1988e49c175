//! How long a message waits: its schedule's wait with jitter, within what SQS allows. Pure.

use crate::messages::MAX_DELAY;
use std::time::Duration;

/// The longest [visibility
/// timeout](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html)
/// is 12 hours, counted from when the message was received. Lambda received it before the function heard of
/// it: while Lambda is throttled it holds a message for up to the queue's own visibility timeout, which is 6
/// minutes. One minute more is left for the invocation.
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 3600 - 6 * 60 - 60);

/// No message of ours waits on the queue for longer: another takes its place. The age of the oldest message
/// therefore says whether the queue is worked off.
pub const OLDEST: Duration = Duration::from_hours(3);

/// A wait, up to a fifth shorter or longer: what failed together is not tried again together. `jitter` is a
/// random number from 0 to 1.
pub fn jittered(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

/// The visibility timeout, in whole seconds, for a message that was received so long ago and is to wait so
/// long from now.
pub fn visibility(wait: Duration, received_ago: Duration) -> i32 {
    let most = MAX_VISIBILITY.saturating_sub(received_ago);
    let seconds = wait.min(most).as_millis().div_ceil(1000);
    // A second less, where rounding up would be one too many.
    i32::try_from(seconds.min(u128::from(most.as_secs()))).unwrap_or(i32::MAX)
}

/// How long a message of this age is put off that has to wait for so long: less, where it would become too
/// old. None if another message is to take its place.
pub fn stay(wait: Duration, age: Duration) -> Option<Duration> {
    let room = OLDEST.saturating_sub(age);
    // A new message waits for as long by itself.
    let is_worth_it = room > Duration::from_secs(MAX_DELAY.unsigned_abs().into());
    (wait <= room || is_worth_it).then_some(wait.min(room))
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
        assert_eq!(visibility(12 * HOUR, Duration::ZERO), 42_780);
        assert_eq!(visibility(12 * HOUR, Duration::from_secs(30)), 42_750);
        assert_eq!(visibility(13 * HOUR, Duration::from_millis(29_500)), 42_750);
        assert_eq!(visibility(HOUR, 13 * HOUR), 0);
    }

    #[test]
    fn a_part_of_a_second_is_a_second() {
        assert_eq!(visibility(Duration::from_millis(1), Duration::ZERO), 1);
        assert_eq!(visibility(Duration::from_millis(4_001), Duration::ZERO), 5);
        assert_eq!(visibility(Duration::ZERO, Duration::ZERO), 0);
    }

    #[test]
    fn a_message_that_has_to_wait_for_long_is_replaced_before_it_is_too_old() {
        let minutes = Duration::from_mins;
        for (wait, age, expected) in [
            (minutes(0), minutes(0), Some(minutes(0))),
            (minutes(180), minutes(0), Some(minutes(180))),
            (minutes(181), minutes(0), Some(minutes(180))),
            (12 * HOUR, minutes(15), Some(minutes(165))),
            (minutes(10), minutes(170), Some(minutes(10))),
            (minutes(11), minutes(170), None),
            (12 * HOUR, minutes(164), Some(minutes(16))),
            (12 * HOUR, minutes(165), None),
            (minutes(1), minutes(180), None),
            (minutes(1), 7 * 24 * HOUR, None),
            (minutes(0), minutes(181), Some(minutes(0))),
        ] {
            assert_eq!(stay(wait, age), expected, "{wait:?} {age:?}");
        }
    }
}
