//! The listeners: none was killed and left its queue behind.

use super::super::finding::Finding;
use crate::time::ago;
use jiff::Timestamp;
use webhook_gateway::store::subscriptions::Subscription;

const CHECK: &str = "listeners";

pub(crate) fn listeners(listeners: &[Subscription], now: Timestamp) -> Vec<Finding> {
    let of = |listener: &Subscription| {
        let end = listener.expires_at.unwrap_or_default();
        let end = Timestamp::from_second(end).unwrap_or_default();
        let when = ago(end, now);
        match listener.has_expired(now) {
            false => Finding::ok(CHECK, &listener.name, format!("it listens; it ends {when}")),
            true => Finding::warning(
                CHECK,
                &listener.name,
                format!(
                    "it ended {when} without removing its queue {}",
                    listener.queue_url
                ),
                "run `webhookctl listen`, and end it with q: it removes what is left",
            ),
        }
    };
    match listeners {
        [] => vec![Finding::ok(CHECK, "stack", "there is none")],
        listeners => listeners.iter().map(of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn a_listener_that_ended_without_removing_its_queue_is_named() {
        let now = Timestamp::from_second(1_000).unwrap();
        let listener = |expires_at| Subscription {
            name: "listen-0123456789ab".to_owned(),
            queue_url: "https://sqs.example.com/1/prod-listen-0123456789ab".to_owned(),
            events: vec!["*".to_owned()],
            sources: Vec::new(),
            expires_at: Some(expires_at),
        };
        let found = listeners(&[listener(1_300), listener(700)], now);
        let levels: Vec<_> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Ok, Level::Warning]);
        assert_eq!(found[0].what, "it listens; it ends in 5m");
        assert!(
            found[1].what.starts_with("it ended 5m ago"),
            "{}",
            found[1].what
        );
        assert_eq!(listeners(&[], now)[0].level, Level::Ok);
    }
}
