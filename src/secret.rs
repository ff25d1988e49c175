//! A webhook secret: held as bytes, never printed. Where it comes from is left to `sources`.

use std::fmt;

/// The shared secret of a source, exactly the bytes that key the MAC.
///
/// Not even `Debug` shows it, so that no log line or error can.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The secret in a configured string, or `None` if it is empty or blank: such a key verifies nothing.
    ///
    /// White space around it is an accident of copying and is dropped; nothing else is changed. All four
    /// vendors key the MAC with the string as it is, even where it looks like Base64 or a GUID.
    pub fn new(configured: &str) -> Option<Self> {
        let secret = configured.trim();
        (!secret.is_empty()).then(|| Self(secret.as_bytes().into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
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
        for blank in ["", " ", "\n", "\t \r\n", "\u{a0}"] {
            assert_eq!(Secret::new(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn only_white_space_around_a_secret_is_dropped() {
        let secret = Secret::new(" 8/+6 zg==\n").unwrap();
        assert_eq!(secret.as_bytes(), b"8/+6 zg==");
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Some([REDACTED])");
    }
}
