//! A body as it is printed: its text, or its bytes in Base64 if they are no text.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

/// The members of a body in an object: `body`, or `body_base64` if it is not UTF-8.
#[derive(Debug, Serialize)]
pub(crate) struct Body {
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl Body {
    /// The body of these bytes, if they are known.
    pub(crate) fn of(bytes: Option<Vec<u8>>) -> Self {
        let (body, body_base64) = match bytes.map(String::from_utf8) {
            Some(Ok(text)) => (Some(text), None),
            Some(Err(error)) => (None, Some(STANDARD.encode(error.as_bytes()))),
            None => (None, None),
        };
        Self { body, body_base64 }
    }

    /// A request or a webhook as it is written by hand: its headers, an empty line, and this body.
    pub(crate) fn after_headers<N, V>(&self, headers: impl IntoIterator<Item = (N, V)>) -> String
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut text = String::new();
        for (name, value) in headers {
            text += &format!("{}: {}\n", name.as_ref(), value.as_ref());
        }
        match (&self.body, &self.body_base64) {
            (Some(body), _) => text + "\n" + body,
            (None, Some(digits)) => text + "\n(not UTF-8; in Base64:)\n" + digits,
            (None, None) => text,
        }
    }
}
