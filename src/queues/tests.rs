use super::*;
use aws_sdk_sqs::Config;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::ErrorMetadata;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/events";

fn queues(rules: &[&Rule]) -> Queues {
    let answers = MockResponseInterceptor::new().rule_mode(RuleMode::Sequential);
    let answers = rules.iter().fold(answers, |all, rule| all.with_rule(rule));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(create_mock_http_client())
        .interceptor(answers);
    Queues::new(Client::from_conf(config.build()))
}

/// The batch of these bodies, answered entry by entry: sent, or failed by whose fault.
fn batch(bodies: &'static [&str], fault: &'static [Option<bool>]) -> Rule {
    mock!(Client::send_message_batch)
        .match_requests(move |request| {
            let sent = request.entries().iter().map(|entry| entry.message_body());
            request.queue_url() == Some(QUEUE) && sent.eq(bodies.iter().copied())
        })
        .then_output(move || {
            let mut answer = SendMessageBatchOutput::builder()
                .set_successful(Some(Vec::new()))
                .set_failed(Some(Vec::new()));
            for (id, fault) in fault.iter().enumerate() {
                answer = match fault {
                    None => answer.successful(
                        SendMessageBatchResultEntry::builder()
                            .id(id.to_string())
                            .message_id("m")
                            .md5_of_message_body("d")
                            .build()
                            .unwrap(),
                    ),
                    Some(fault) => answer.failed(
                        BatchResultErrorEntry::builder()
                            .id(id.to_string())
                            .code("Code")
                            .sender_fault(*fault)
                            .build()
                            .unwrap(),
                    ),
                };
            }
            answer.build().unwrap()
        })
}

fn refused_batch(bodies: &'static [&str], code: &'static str) -> Rule {
    mock!(Client::send_message_batch)
        .match_requests(move |request| {
            let sent = request.entries().iter().map(|entry| entry.message_body());
            sent.eq(bodies.iter().copied())
        })
        .then_error(move || {
            SendMessageBatchError::generic(ErrorMetadata::builder().code(code).build())
        })
}

async fn send(rules: &[&Rule], bodies: &[&str]) -> Result<Vec<(String, String)>, SendError> {
    let message = |body: &&str| {
        Arc::new(Message {
            body: (*body).to_owned(),
            attributes: Vec::new(),
            offloaded_bytes: None,
            group: None,
            delay: None,
        })
    };
    let messages = bodies.iter().map(message).collect();
    let refused = queues(rules).send(QUEUE, messages).await?;
    for rule in rules {
        assert_eq!(rule.num_calls(), 1);
    }
    let pair = |refused: Refused| (refused.message.body.clone(), refused.code);
    Ok(refused.into_iter().map(pair).collect())
}

#[tokio::test]
async fn of_a_part_failed_batch_only_what_failed_is_sent_again() {
    let first = batch(&["a", "b", "c"], &[None, Some(false), None]);
    let again = batch(&["b"], &[None]);
    assert_eq!(send(&[&first, &again], &["a", "b", "c"]).await.unwrap(), []);
}

#[tokio::test]
async fn what_an_answer_does_not_list_is_not_sent() {
    let first = batch(&["a", "b"], &[None]);
    let again = batch(&["b"], &[None]);
    assert_eq!(send(&[&first, &again], &["a", "b"]).await.unwrap(), []);
}

#[tokio::test]
async fn what_fails_by_our_fault_comes_back_and_the_rest_goes_on() {
    let first = batch(&["a", "b", "c"], &[Some(true), Some(false), None]);
    let again = batch(&["b"], &[None]);
    let refused = send(&[&first, &again], &["a", "b", "c"]).await.unwrap();
    assert_eq!(refused, [("a".to_owned(), "Code".to_owned())]);
}

#[tokio::test]
async fn what_fails_every_time_is_an_error() {
    let failing: Vec<Rule> = (0..TRIES).map(|_| batch(&["a"], &[Some(false)])).collect();
    let failing: Vec<&Rule> = failing.iter().collect();
    let error = send(&failing, &["a"]).await.unwrap_err();
    assert!(matches!(error, SendError::PartlySent(1)), "{error}");
}

#[tokio::test]
async fn one_message_that_spoils_a_batch_is_found_and_the_rest_is_sent() {
    let whole = refused_batch(&["a", "b", "c"], "InvalidMessageContents");
    let second_half = refused_batch(&["b", "c"], "InvalidMessageContents");
    let c = batch(&["c"], &[None]);
    let b = refused_batch(&["b"], "InvalidMessageContents");
    let a = batch(&["a"], &[None]);
    let refused = send(&[&whole, &second_half, &c, &b, &a], &["a", "b", "c"])
        .await
        .unwrap();
    assert_eq!(
        refused,
        [("b".to_owned(), "InvalidMessageContents".to_owned())]
    );
}

#[tokio::test]
async fn a_queue_that_refuses_is_told_from_a_fault_that_may_pass() {
    let gone = refused_batch(&["a"], "AWS.SimpleQueueService.NonExistentQueue");
    let error = send(&[&gone], &["a"]).await.unwrap_err();
    assert!(
        matches!(&error, SendError::QueueRefuses { code, .. } if code == "NonExistentQueue"),
        "{error}"
    );
    for (code, expected) in [
        ("AccessDenied", Blame::Queue("AccessDenied".to_owned())),
        ("KmsDisabled", Blame::Queue("KmsDisabled".to_owned())),
        (
            "BatchRequestTooLong",
            Blame::Messages("BatchRequestTooLong".to_owned()),
        ),
        ("RequestThrottled", Blame::Circumstances),
        ("ExpiredToken", Blame::Circumstances),
        ("", Blame::Circumstances),
    ] {
        assert_eq!(blame(code), expected, "{code}");
    }
}

#[test]
fn the_size_of_a_message_counts_its_attributes() {
    let mut message = Message {
        body: "12345".to_owned(),
        attributes: vec![("ce-id", "1".to_owned())],
        offloaded_bytes: None,
        group: None,
        delay: None,
    };
    assert_eq!(message.size(), 5 + "ce-id".len() + "String".len() + 1);
    message.offloaded_bytes = Some(1_234_567);
    let pointer = "ExtendedPayloadSize".len() + "Number".len() + 7;
    assert_eq!(message.size(), 5 + 12 + pointer);
}
