//! Why a message is on the dead-letter queue, and where it belongs. Pure.

use clap::ValueEnum;
use webhook_gateway::messages::Message;

/// Why a message is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A subscribed queue refused the event.
    Refused,
    /// The delivery function cannot read it.
    Unreadable,
    /// The delivery queue gave up on it after 50 receives.
    GivenUp,
    /// The gateway did not write it.
    Unknown,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::GivenUp => "given-up",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a message is there, and the queue that it belongs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) kind: Kind,
    pub(crate) detail: Option<String>,
    /// The URL of the queue that it is sent back to.
    pub(crate) queue: Option<String>,
    /// The endpoint that the message is about, which is its message group there.
    pub(crate) endpoint: Option<String>,
    /// The event that the message has delivered.
    pub(crate) event: Option<String>,
    /// The source of that event, or the source that the message watches.
    pub(crate) source: Option<String>,
}

impl Reason {
    /// The reason by the attributes `queue` and `reason`, and by the body.
    pub(crate) fn of(
        queue: Option<&str>,
        reason: Option<&str>,
        body: &str,
        delivery_queue: &str,
    ) -> Self {
        let message = serde_json::from_str::<Message>(body).ok();
        let kind = match (queue, &message) {
            (Some(queue), _) if queue == delivery_queue => Kind::Unreadable,
            (Some(_), _) => Kind::Refused,
            (None, Some(_)) => Kind::GivenUp,
            (None, None) => Kind::Unknown,
        };
        let endpoint = message.as_ref().and_then(Message::endpoint);
        let endpoint = endpoint.map(str::to_owned);
        let detail = match kind {
            Kind::GivenUp => Some("the delivery queue gave up on it after 50 receives".to_owned()),
            Kind::Refused | Kind::Unreadable | Kind::Unknown => reason.map(str::to_owned),
        };
        let (event, source) = match message {
            Some(Message::Delivery(order)) => (Some(order.event.id), Some(order.event.source)),
            Some(Message::SilenceCheck(check)) => (None, Some(check.source)),
            Some(Message::Probe(_) | Message::Ping(_)) | None => (None, None),
        };
        let of_deliveries = (kind == Kind::GivenUp).then_some(delivery_queue);
        Self {
            kind,
            detail,
            queue: queue.or(of_deliveries).map(str::to_owned),
            endpoint,
            event,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_onto_the_queue_has_its_reason() {
        let order = r#"{"kind":"ping/1","endpoint":"ep_1","id":"p","at":1}"#;
        let of = |queue, body| Reason::of(queue, Some("why"), body, "deliveries");
        let refused = of(Some("search"), "{}");
        assert_eq!(
            (refused.kind, refused.queue.as_deref()),
            (Kind::Refused, Some("search"))
        );
        assert_eq!(refused.detail.as_deref(), Some("why"));
        let unreadable = of(Some("deliveries"), "{");
        assert_eq!(unreadable.kind, Kind::Unreadable);
        assert_eq!(unreadable.queue.as_deref(), Some("deliveries"));
        let given_up = of(None, order);
        assert_eq!(given_up.kind, Kind::GivenUp);
        assert_eq!(given_up.queue.as_deref(), Some("deliveries"));
        assert_eq!(given_up.endpoint.as_deref(), Some("ep_1"));
        let event =
            r#"{"key":"k","id":"1","type":"a","source":"s","provider":"creads","accepted_at":1}"#;
        let order = format!(r#"{{"kind":"delivery/1","endpoint":"ep_1","event":{event}}}"#);
        let given_up = of(None, &order);
        assert_eq!(
            (given_up.event.as_deref(), given_up.source.as_deref()),
            (Some("1"), Some("s"))
        );
        let unknown = of(None, "hello");
        assert_eq!((unknown.kind, unknown.queue), (Kind::Unknown, None));
    }
}
