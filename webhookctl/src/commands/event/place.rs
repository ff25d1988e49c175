//! A place in a list of events: where a list was cut, and from where on another one continues it.

use jiff::Timestamp;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::sync::Arc;

/// How many digits a time in milliseconds has.
const DIGITS: usize = 13;

/// The place of an event in a batch of the journal, or of a copy among those of its millisecond. Later in the
/// list is less: the newest come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The batch, which begins with its time; or only a time in milliseconds.
    id: Arc<str>,
    position: usize,
}

impl Place {
    pub(crate) fn of(id: Arc<str>, position: usize) -> Self {
        Self { id, position }
    }

    /// The place of a copy: how many of its millisecond were listed with it.
    pub(crate) fn of_copy(milliseconds: i64, listed: usize) -> Self {
        Self::of(format!("{milliseconds:013}").into(), listed)
    }

    pub(crate) fn milliseconds(&self) -> i64 {
        self.id[..DIGITS].parse().unwrap_or_default()
    }

    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.milliseconds()).unwrap_or_default()
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.position)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (id, position) = text.split_once('.')?;
            let (time, batch) = id.split_at_checked(DIGITS)?;
            let is_time = time.bytes().all(|b| b.is_ascii_digit());
            let is_batch = batch.bytes().all(|b| b == b'_' || b.is_ascii_hexdigit());
            let position = position.parse().ok()?;
            (is_time && is_batch).then(|| Self::of(id.into(), position))
        };
        read().ok_or("a place is what a list names that was cut, such as 1790000000000_0123abcd.7")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_printed() {
        for text in ["1790000000000_0123abcd.7", "1790000000000.12"] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
            assert_eq!(place.milliseconds(), 1_790_000_000_000);
        }
        for wrong in [
            "",
            ".",
            "1",
            "1790000000000",
            "1790000000000.",
            "1790000000000.-1",
            "179000000000x.1",
            "1790000000000#1.1",
            "éééééééééé.1",
            "2026-11-22",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_published_earlier_comes_later_in_the_list() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        let list = [
            "1790000000001_00000000.0",
            "1790000000000_b0000000.0",
            "1790000000000_a0000000.10",
            "1790000000000_a0000000.9",
        ];
        assert!(list.windows(2).all(|two| place(two[1]) < place(two[0])));
    }
}
