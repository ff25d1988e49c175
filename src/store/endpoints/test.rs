use super::*;

/// An endpoint that gets everything.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        id: "ep_1".to_owned(),
        version: 1,
        name: "search".to_owned(),
        url: "https://hooks.example.com/".to_owned(),
        description: None,
        events: vec!["*".to_owned()],
        sources: Vec::new(),
        headers: Vec::new(),
        timeout: 20,
        retry: DEFAULT_RETRY.to_vec(),
        rate: None,
        format: Format::CloudEvents,
        signature: Scheme::StandardWebhooks,
        signature_header: None,
        signature_prefix: None,
        secrets: Vec::new(),
        state: State::Active,
        reason: None,
        created_at: 0,
        updated_at: 0,
        selected_at: None,
    }
}

/// An event of the source `studio`.
pub(crate) fn event() -> EventMeta {
    EventMeta {
        key: "studio#1".to_owned(),
        id: "1".to_owned(),
        event_type: "io.creativeforce.product.reset".to_owned(),
        source: "studio".to_owned(),
        provider: "creative-force".to_owned(),
        accepted_at: 1_790_000_000_000,
        conflict: false,
        replayed: false,
    }
}

#[test]
fn an_endpoint_gets_the_types_and_sources_it_wants() {
    let mut endpoint = endpoint();
    assert!(endpoint.matches("a.b", "studio"));
    endpoint.events = vec!["a.*".to_owned(), "c".to_owned()];
    endpoint.sources = vec!["studio".to_owned()];
    assert!(endpoint.matches("a.b", "studio"));
    assert!(endpoint.matches("c", "studio"));
    assert!(!endpoint.matches("b.a", "studio"));
    assert!(!endpoint.matches("a.b", "hr"));
}

#[test]
fn what_an_endpoint_gets_is_in_force_half_a_minute_after_it_was_last_changed() {
    let mut endpoint = endpoint();
    endpoint.created_at = 1_000;
    assert_eq!(endpoint.wants_since(), 31_000);
    endpoint.selected_at = Some(5_000);
    assert_eq!(endpoint.wants_since(), 35_000);
}

#[test]
fn a_delivery_is_known_by_its_event_and_its_endpoint() {
    let id = delivery_id("ep_1", &event());
    assert_eq!(id, "ep_1_1790000000000_4d12f79c77a45164");
    assert_eq!(endpoint_of(&id), Some("ep_1"));
    assert_eq!(endpoint_of("ep"), None);
    let later = EventMeta {
        accepted_at: 1_790_000_000_001,
        ..event()
    };
    assert!(delivery_id("ep_1", &later) > id);
    // Standard Webhooks separates what it signs by full stops.
    assert!(!id.contains('.'));
}
