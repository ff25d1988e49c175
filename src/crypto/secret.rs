//! A webhook secret: held as bytes, never printed.

use crate::crypto::mac::hmac_sha256;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use std::fmt;
use std::str::FromStr;

/// A key of fewer bytes can be guessed.
const MIN_BYTES: usize = 16;

/// The shared secret of a source, exactly the bytes that key the MAC.
///
/// Not even `Debug` shows it: no log line and no error can.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The secret in a configured string, or `None` if it is empty or blank: such a key verifies nothing.
    ///
    /// What [`trimmed`] drops is an accident of copying; nothing else is changed. All four
    /// providers key the MAC with the string as it is, even where it looks like Base64 or a GUID.
    pub fn new(configured: &str) -> Option<Self> {
        let secret = trimmed(configured);
        (!secret.is_empty()).then(|| Self(secret.as_bytes().into()))
    }

    /// The secret that a configured text stands for, or `None` if it has no bytes.
    pub(crate) fn from_bytes(key: impl Into<Box<[u8]>>) -> Option<Self> {
        let key = key.into();
        (!key.is_empty()).then_some(Self(key))
    }

    /// Whether it is so short that it can be guessed, which is worth a warning.
    pub fn is_short(&self) -> bool {
        self.0.len() < MIN_BYTES
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What tells it from other secrets, and nothing of what it is: 8 hexadecimal digits.
    ///
    /// A MAC that is keyed by the secret tells no more of it than the signatures that providers send.
    pub fn id(&self) -> String {
        let mac = hmac_sha256(self.as_bytes(), b"the id of this secret");
        hex::encode(mac.get(..4).unwrap_or_default())
    }
}

/// A configured secret without white space around it, and without the byte order marks that files begin with.
pub fn trimmed(configured: &str) -> &str {
    configured.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// The first invisible character of a secret, such as a zero-width space. It came along when the secret was
/// copied, and the provider's secret does not have it.
pub fn invisible(secret: &str) -> Option<char> {
    let category = CodePointMapData::<GeneralCategory>::new();
    let is_invisible = |c: &char| category.get(*c) == GeneralCategory::Format;
    trimmed(secret).chars().find(is_invisible)
}

/// Which of its source's secrets a webhook was signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// Its position among them then, counted from 0.
    pub position: usize,
    /// Its [`id`](Secret::id).
    pub id: String,
}

impl fmt::Display for Matched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.position, self.id)
    }
}

/// A text is not what [`Matched`] is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the position and the id of a secret")]
pub struct NotMatched;

impl FromStr for Matched {
    type Err = NotMatched;

    fn from_str(text: &str) -> Result<Self, NotMatched> {
        let (position, id) = text.split_once(':').ok_or(NotMatched)?;
        let is_id = id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let position = position.parse().ok().filter(|_| is_id).ok_or(NotMatched)?;
        Ok(Self {
            position,
            id: id.to_owned(),
        })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_blank_secret_is_none() {
        for blank in [
            "",
            " ",
            "\n",
            "\t \r\n",
            "\u{a0}",
            "\u{feff}",
            " \u{feff}\n",
        ] {
            assert_eq!(Secret::new(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn only_white_space_around_a_secret_is_dropped() {
        let secret = Secret::new(" 8/+6 zg==\n").unwrap();
        assert_eq!(secret.as_bytes(), b"8/+6 zg==");
        let of_a_file = Secret::new("\u{feff}8/+6 zg==\r\n").unwrap();
        assert_eq!(of_a_file, secret);
    }

    #[test]
    fn a_character_that_nobody_sees_is_found() {
        for (secret, found) in [
            ("s3cret\u{200b}", '\u{200b}'),
            ("\u{200e}s3cret", '\u{200e}'),
            ("s3\u{ad}cret", '\u{ad}'),
            ("s3\u{feff}cret", '\u{feff}'),
            ("\u{feff}\u{2060}s3cret", '\u{2060}'),
            ("s3cret\u{202e} ", '\u{202e}'),
            ("s3\u{e0041}cret", '\u{e0041}'),
        ] {
            assert_eq!(invisible(secret), Some(found), "{secret:?}");
        }
        for visible in ["", "s3cret", "\u{feff} clé-密鑰 😀\n", "two words"] {
            assert_eq!(invisible(visible), None, "{visible:?}");
        }
    }

    #[test]
    fn an_id_tells_secrets_apart() {
        let id = |text| Secret::new(text).unwrap().id();
        assert_eq!(id("a").len(), 8);
        assert_eq!(id("a"), id(" a\n"));
        assert_ne!(id("a"), id("b"));
        let matched = Matched {
            position: 1,
            id: id("a"),
        };
        assert_eq!(matched.to_string().parse(), Ok(matched));
        for wrong in ["", "1", "1:", "x:01234567", "1:0123456", "1:0123456g"] {
            assert_eq!(wrong.parse::<Matched>(), Err(NotMatched), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Some([REDACTED])");
    }
}
