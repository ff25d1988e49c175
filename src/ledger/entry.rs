//! What is recorded of a webhook: how it is named, by the vendor's id or by its content. Pure.

use super::Entry;
use crate::event::Receipt;
use crate::signature::sha256;
use crate::sources::Source;
use crate::vendor::Verified;
use jiff::Timestamp;

impl Entry {
    /// What is to be recorded of an authentic webhook of this source, beside its body, with the headers worth keeping.
    pub fn of(
        name: String,
        source: &Source,
        webhook: Verified<'_>,
        headers: Vec<(String, String)>,
        accepted_at: Timestamp,
    ) -> Self {
        let digest = sha256(webhook.body());
        let matched = webhook.secret().and_then(|it| source.matched(it));
        let (id, event_type, reason) = match source.vendor.normalize(webhook) {
            Ok(event) => (
                event.id.map(String::from),
                Some(event.event_type.into_owned()),
                None,
            ),
            Err(error) => (None, None, Some(error.to_string())),
        };
        // Without an id of its own, a webhook is known by its content, and each time that it happens anew, after
        // the window, is an event of its own.
        let content = || format!("sha256:{}", hex::encode(digest));
        let occurrence = || format!("{}:{}", content(), accepted_at.as_millisecond());
        Self {
            key: id.clone().unwrap_or_else(content),
            receipt: Receipt {
                id: id.unwrap_or_else(occurrence),
                source: name,
                vendor: source.vendor,
                accepted_at,
                conflict: false,
                replayed: false,
            },
            event_type,
            reason,
            digest,
            matched,
            dedupe_window: source.dedupe_window,
            headers,
        }
    }
}
