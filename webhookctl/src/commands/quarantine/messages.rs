//! The messages of what is quarantined: deleted when it is released, which ends the alarm on their queue.

use crate::peek::Peek;
use std::collections::BTreeSet;

/// The most receives, of ten messages each.
const MAX_RECEIVES: usize = 100;

/// Deletes the messages of released webhooks. A message that cannot be deleted stays on the queue.
pub(crate) async fn forget(mut ids: BTreeSet<&str>, queue: &Peek) {
    let mut others = Vec::new();
    for _ in 0..MAX_RECEIVES {
        if ids.is_empty() {
            break;
        }
        let received = queue.next(usize::MAX).await.unwrap_or_default();
        if received.is_empty() {
            break;
        }
        for message in received {
            let receipt = message.receipt_handle.unwrap_or_default();
            let attributes = message.message_attributes.unwrap_or_default();
            let id = attributes.get("ce-id").and_then(|id| id.string_value());
            if id.is_some_and(|id| ids.remove(id)) {
                queue.delete(&receipt).await.ok();
            } else {
                others.push(receipt);
            }
        }
    }
    queue.put_back(others.iter().map(String::as_str)).await;
}
