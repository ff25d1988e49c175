use super::*;
use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_smithy_mocks::{MockResponseInterceptor, Rule, create_mock_http_client, mock};

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
pub(crate) fn event() -> EventRef {
    EventRef {
        key: "studio#1".to_owned(),
        id: "1".to_owned(),
        event_type: "io.creativeforce.product.reset".to_owned(),
        source: "studio".to_owned(),
        vendor: "creative-force".to_owned(),
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
    let later = EventRef {
        accepted_at: 1_790_000_000_001,
        ..event()
    };
    assert!(delivery_id("ep_1", &later) > id);
    // Standard Webhooks separates what it signs by full stops.
    assert!(!id.contains('.'));
}

/// What is written of an endpoint under this condition, where what is there by then has another name, or is the same.
fn refused(condition: &'static str, there: Option<&'static str>) -> Rule {
    let mut item: HashMap<_, _> = serde_dynamo::to_item(endpoint()).unwrap();
    item.insert("kind".to_owned(), text(KIND));
    mock!(aws_sdk_dynamodb::Client::put_item)
        .match_requests(move |request| {
            let before = request.expression_attribute_values();
            let before = before.and_then(|it| it.get(":before")?.as_n().ok());
            request.condition_expression() == Some(condition) && before.is_none_or(|it| it == "6")
        })
        .then_error(move || {
            let mut item = item.clone();
            let version = if condition.contains("before") {
                "7"
            } else {
                "1"
            };
            item.insert("version".to_owned(), AttributeValue::N(version.to_owned()));
            if let Some(name) = there {
                item.insert("name".to_owned(), text(name));
            }
            let refusal = ConditionalCheckFailedException::builder().set_item(Some(item));
            PutItemError::ConditionalCheckFailedException(refusal.build())
        })
}

async fn put(version: u64, rule: &Rule) -> Result<(), EndpointError> {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(create_mock_http_client())
        .interceptor(MockResponseInterceptor::new().with_rule(rule));
    let client = Client::from_conf(config.build());
    let mut endpoint = endpoint();
    endpoint.version = version;
    let endpoints = Endpoints::new(client, "endpoints".to_owned());
    let put = endpoints.put(&mut endpoint).await;
    assert_eq!(rule.num_calls(), 1);
    put
}

#[tokio::test]
async fn what_somebody_else_wrote_is_not_overwritten_and_what_was_written_is_not_taken_for_that() {
    for (version, condition) in [(0, "attribute_not_exists(id)"), (6, "version = :before")] {
        let theirs = put(version, &refused(condition, Some("theirs"))).await;
        assert!(matches!(theirs, Err(EndpointError::Changed(id)) if id == "ep_1"));
        let ours = put(version, &refused(condition, None)).await;
        assert!(ours.is_ok(), "{ours:?}");
    }
}
