//! A source with a silence threshold that sends nothing for longer: the operator is notified once, and again
//! after the source's next silence.

use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::inbox::Queue;
use crate::support::queue::OwnQueue;
use crate::support::source::{CREATIVE_FORCE, Source};
use serde_json::{Value, json};

/// Waits for this many events about silences on the events queue.
async fn silences(source: &Source<'_>, count: usize) -> Vec<Value> {
    eventually("silence", || async {
        let events = source.messages(Queue::Events).into_iter();
        let silent = events.filter(|event| event.attribute("ce-type").ends_with("source.silent"));
        let silent: Vec<_> = silent.map(|message| message.json()).collect();
        (silent.len() >= count).then_some(silent)
    })
    .await
}

#[tokio::test]
async fn a_source_that_falls_silent_is_told_of_and_watched_again_once_it_is_heard() {
    let gateway = Gateway::find().await;
    let mails = OwnQueue::of_notices(&gateway).await;
    let source = gateway
        .source(CREATIVE_FORCE, &["--silent-after", "2s"])
        .await;
    let never = silences(&source, 1).await;
    let data = json!({"source": source.name, "last_accepted_at": null, "silent_after": "2s"});
    assert_eq!(never[0]["data"], data);
    let subject = format!("Webhook source is silent: {}", source.name);
    let mail = eventually(&subject, || async {
        let received = mails.receive().await;
        received
            .into_iter()
            .find(|message| message["Subject"] == subject)
    })
    .await;
    let advice = format!("webhookctl source url {}", source.name);
    assert!(mail["Message"].as_str().unwrap().contains(&advice));

    source.event().await;
    let both = silences(&source, 2).await;
    assert_eq!(both.len(), 2);
    assert!(both[1]["data"]["last_accepted_at"].is_string(), "{both:?}");
}
