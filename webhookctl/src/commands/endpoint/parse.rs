//! The parsers of an endpoint's flags. A value that is not valid is an error of the command line.

use crate::find::ID_PREFIX;
use crate::time::{exact, seconds};
use reqwest::header::HeaderName;
use serde::de::DeserializeOwned;
use webhook_gateway::delivery::signing::is_reserved;
use webhook_gateway::store::endpoints::MAX_TIMEOUT;
use webhook_gateway::store::sources::is_source_name;

/// The longest name of an endpoint, in characters: tables show it.
const MAX_NAME: usize = 100;

/// The most attempts after the first.
const MAX_WAITS: usize = 30;

/// The longest wait before an attempt: SQS hides a message for at most that long.
const MAX_WAIT: u64 = 12 * 3600;

/// The longest schedule. Waits vary by a fifth, and the queue keeps a message for seven days.
const MAX_SCHEDULE: u64 = 5 * 24 * 3600;

/// The longest time for which a secret and its successor both sign.
const MAX_OVERLAP: u64 = 30 * 24 * 3600;

type Parsed<T> = std::result::Result<T, String>;

/// The waits between attempts, in seconds. An endpoint without waits gets a single attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waits(pub(crate) Vec<u64>);

/// The name of an endpoint. It must not look like an id: commands take either.
pub(crate) fn name(text: &str) -> Parsed<String> {
    let length = text.chars().count();
    if text.trim() != text || text.contains(char::is_control) || !(1..=MAX_NAME).contains(&length) {
        return Err(format!(
            "a name has 1 to {MAX_NAME} characters, without spaces at its ends"
        ));
    }
    if text.starts_with(ID_PREFIX) {
        return Err(format!("a name must not begin with {ID_PREFIX}, as ids do"));
    }
    Ok(text.to_owned())
}

/// A pattern of event types.
pub(crate) fn pattern(text: &str) -> Parsed<String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("a pattern is a type such as io.peopleforce.*, without spaces".to_owned());
    }
    Ok(text.to_owned())
}

/// The name of a source.
pub(crate) fn source(text: &str) -> Parsed<String> {
    if !is_source_name(text) {
        return Err("this is not the name of a source: see `webhookctl source list`".to_owned());
    }
    Ok(text.to_owned())
}

/// A further header, `NAME: VALUE`.
pub(crate) fn header(text: &str) -> Parsed<(String, String)> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    let value = value.trim();
    if value.is_empty() {
        return Err("the header has no value".to_owned());
    }
    Ok((header_name(name.trim())?, printable(value)?))
}

/// The name of a header that the operator may set.
pub(crate) fn header_name(name: &str) -> Parsed<String> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is not the name of a header"))?;
    if is_reserved(name) {
        return Err(format!("{name} is reserved: it cannot be set"));
    }
    Ok(name.to_owned())
}

/// The value of a header: receivers read any other byte differently.
pub(crate) fn printable(text: &str) -> Parsed<String> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err("the value of a header must be printable ASCII".to_owned());
    }
    Ok(text.to_owned())
}

/// The text before a signature.
pub(crate) fn prefix(text: &str) -> Parsed<String> {
    if text.is_empty() {
        return Err("the prefix is empty: use --no-signature-prefix to remove it".to_owned());
    }
    printable(text)
}

/// The timeout of an attempt, in seconds.
pub(crate) fn timeout(text: &str) -> Parsed<u64> {
    let longest = MAX_TIMEOUT.as_secs();
    let seconds = seconds(text)?;
    if !(1..=longest).contains(&seconds) {
        return Err(format!("a timeout is 1s to {longest}s"));
    }
    Ok(seconds)
}

/// The waits between attempts, separated by commas.
pub(crate) fn waits(text: &str) -> Parsed<Waits> {
    let waits = text.split(',').map(|wait| seconds(wait.trim()));
    let waits = waits.collect::<Parsed<Vec<_>>>()?;
    if waits.len() > MAX_WAITS {
        return Err(format!("there are at most {MAX_WAITS} waits"));
    }
    if !waits.iter().all(|wait| (1..=MAX_WAIT).contains(wait)) {
        return Err(format!("each wait is 1s to {}", exact(MAX_WAIT)));
    }
    if waits.iter().sum::<u64>() > MAX_SCHEDULE {
        return Err(format!(
            "all waits together are at most {}",
            exact(MAX_SCHEDULE)
        ));
    }
    Ok(Waits(waits))
}

/// How long the previous secrets keep signing, in seconds.
pub(crate) fn overlap(text: &str) -> Parsed<u64> {
    let seconds = seconds(text)?;
    if seconds > MAX_OVERLAP {
        return Err(format!("an overlap is at most {}", exact(MAX_OVERLAP)));
    }
    Ok(seconds)
}

/// A value by its name in the endpoints table.
pub(crate) fn named<T: DeserializeOwned>(name: String) -> serde_json::Result<T> {
    serde_json::from_value(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_within_its_bounds() {
        assert_eq!(timeout("1s"), Ok(1));
        assert_eq!(timeout("30s"), Ok(30));
        for wrong in ["0s", "31s", "1m"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_schedule_is_within_its_bounds() {
        assert_eq!(waits("5s, 5m,12h"), Ok(Waits(vec![5, 300, 43_200])));
        assert!(waits(&["1s"; 30].join(",")).is_ok());
        assert!(waits(&["12h"; 10].join(",")).is_ok());
        for wrong in ["", "5s,", "0s", "12h1s", "none"] {
            assert!(waits(wrong).is_err(), "{wrong}");
        }
        let many = waits(&["1s"; 31].join(",")).unwrap_err();
        assert!(many.contains("30 waits"), "{many}");
        let long = waits(&format!("{},1s", ["12h"; 10].join(","))).unwrap_err();
        assert!(long.contains("5d"), "{long}");
    }

    #[test]
    fn a_header_is_one_that_the_gateway_leaves_free() {
        let parsed = header("X-Env:  a b ").unwrap();
        assert_eq!(parsed, ("X-Env".to_owned(), "a b".to_owned()));
        assert_eq!(header("Authorization: Basic a:b=").unwrap().1, "Basic a:b=");
        for wrong in [
            "X-Env",
            ": a",
            "X-Env:",
            "X Env: a",
            "X-Env: ä",
            "X-Env: a\tb",
            "X-Env: a\r\nHost: b",
            "X-\r\nEnv: a",
        ] {
            assert!(header(wrong).is_err(), "{wrong:?}");
        }
        for reserved in ["HOST", "Webhook-Id", "transfer-encoding", "Content-Length"] {
            let wrong = format!("{reserved}: a");
            assert!(header(&wrong).unwrap_err().contains("reserved"), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_and_a_source_have_no_white_space() {
        assert!(pattern("io.peopleforce.*").is_ok() && source("studio").is_ok());
        for wrong in ["", " ", " *", "a b", "a\n"] {
            assert!(
                pattern(wrong).is_err() && source(wrong).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_name_cannot_be_taken_for_an_id() {
        assert!(name("Search, staging").is_ok());
        for wrong in ["", " a", "a\nb", "ep_0123456789abcdef", &"x".repeat(101)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_overlap_ends() {
        assert_eq!(overlap("0s"), Ok(0));
        assert_eq!(overlap("30d"), Ok(MAX_OVERLAP));
        assert!(overlap("31d").is_err());
    }
}
