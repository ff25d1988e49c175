use super::*;
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::ErrorMetadata;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};
use aws_smithy_mocks::{Rule, mock};

const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/events";

fn queues(rules: &[&Rule]) -> Queues {
    Queues::new(testkit::mock!(aws_sdk_sqs, rules))
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
    assert!(
        matches!(&error, SendError::PartlySent { messages: 1, code } if code == "Code"),
        "{error}"
    );
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

/// The error code that SQS sends in its header, for each error that the SDK knows of this call; and some that
/// it does not know. Each beside the name in the body, which is the shape's; and what it means.
const CODES: [(&str, &str, Fault); 24] = [
    (
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchEntryIdsNotDistinct",
        Fault::Messages,
    ),
    (
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchRequestTooLong",
        Fault::Messages,
    ),
    (
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "EmptyBatchRequest",
        Fault::Messages,
    ),
    ("InvalidAddress", "InvalidAddress", Fault::Queue),
    (
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        "InvalidBatchEntryId",
        Fault::Messages,
    ),
    ("InvalidSecurity", "InvalidSecurity", Fault::Queue),
    ("KMS.AccessDeniedException", "KmsAccessDenied", Fault::Queue),
    ("KMS.DisabledException", "KmsDisabled", Fault::Queue),
    (
        "KMS.InvalidKeyUsageException",
        "KmsInvalidKeyUsage",
        Fault::Queue,
    ),
    ("KMS.InvalidStateException", "KmsInvalidState", Fault::Queue),
    ("KMS.NotFoundException", "KmsNotFound", Fault::Queue),
    ("KMS.OptInRequired", "KmsOptInRequired", Fault::Queue),
    ("KMS.ThrottlingException", "KmsThrottled", Fault::Transient),
    (
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        Fault::Queue,
    ),
    ("RequestThrottled", "RequestThrottled", Fault::Transient),
    (
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "TooManyEntriesInBatchRequest",
        Fault::Messages,
    ),
    (
        "AWS.SimpleQueueService.UnsupportedOperation",
        "UnsupportedOperation",
        Fault::Queue,
    ),
    (
        "InvalidMessageContents",
        "InvalidMessageContents",
        Fault::Messages,
    ),
    (
        "InvalidParameterValue",
        "InvalidParameterValueException",
        Fault::Messages,
    ),
    ("AccessDenied", "AccessDeniedException", Fault::Transient),
    ("ExpiredToken", "ExpiredTokenException", Fault::Transient),
    ("OverLimit", "OverLimit", Fault::Transient),
    ("InternalError", "InternalFailure", Fault::Transient),
    (
        "AWS.SimpleQueueService.InventedTomorrow",
        "InventedTomorrow",
        Fault::Transient,
    ),
];

/// An answer of SQS as it is on the wire.
fn refusal(code: &'static str, shape: &'static str) -> Rule {
    mock!(Client::send_message_batch).then_http_response(move || {
        let body = format!(r#"{{"__type":"com.amazonaws.sqs#{shape}","message":"Said."}}"#);
        let mut answer = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body));
        let header = format!("{code};Sender");
        answer.headers_mut().insert("x-amzn-query-error", header);
        answer
    })
}

fn plain_message(body: &str) -> Arc<Message> {
    Arc::new(Message {
        body: body.to_owned(),
        attributes: Vec::new(),
        offloaded_bytes: None,
        group: None,
        delay: None,
    })
}

#[tokio::test]
async fn each_error_of_sqs_is_known_by_what_is_really_sent() {
    for (code, shape, expected) in CODES {
        let answer = refusal(code, shape);
        let sent = queues(&[&answer]).client.send_message_batch();
        let error = sent.queue_url(QUEUE).send().await.unwrap_err();
        assert_eq!(fault(&error), expected, "{code}");
        assert_eq!(
            super::code(error.code()).as_deref(),
            Some(short(code)),
            "{code}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_consumers_queue_answers_what_it_did_not_take_comes_back() {
    for (code, shape, blamed) in CODES {
        // What may pass is tried again.
        let is_repeated = blamed == Fault::Transient;
        let tries = if is_repeated { TRIES as usize } else { 1 };
        let answers: Vec<Rule> = (0..tries).map(|_| refusal(code, shape)).collect();
        let rules: Vec<&Rule> = answers.iter().collect();
        let queues = queues(&rules);
        let offered = queues
            .offer(QUEUE, vec![plain_message("a")], Duration::from_secs(60))
            .await;
        let refused: Vec<_> = offered
            .refused
            .iter()
            .map(|refused| (&*refused.message.body, &*refused.code))
            .collect();
        assert_eq!(refused, [("a", short(code))]);
        assert_eq!(offered.closed.is_some(), blamed == Fault::Queue, "{code}");
        // The SDK repeats what it knows to be throttled, besides.
        let calls: usize = answers.iter().map(Rule::num_calls).sum();
        let is_more = code == "RequestThrottled" && calls > tries;
        assert!(calls == tries || is_more, "{code}: {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_batch_that_fails_costs_the_next_nothing() {
    let bodies: Vec<_> = (0..12).map(|id| id.to_string()).collect();
    let denied = || refusal("AccessDenied", "AccessDeniedException");
    let fails: Vec<Rule> = (0..TRIES).map(|_| denied()).collect();
    let works = batch(&["10", "11"], &[None, None]);
    let mut rules: Vec<_> = fails.iter().collect();
    rules.push(&works);
    let messages = bodies.iter().map(|body| plain_message(body)).collect();
    let offered = queues(&rules)
        .offer(QUEUE, messages, Duration::from_secs(60))
        .await;
    assert_eq!(works.num_calls(), 1);
    let refused: Vec<_> = offered
        .refused
        .iter()
        .map(|refused| &*refused.message.body)
        .collect();
    assert_eq!(refused, &bodies[..10]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_costs_a_consumer_nothing() {
    let fails = refusal("InventedTomorrow", "InventedTomorrow");
    let works = batch(&["a"], &[None]);
    let offered = queues(&[&fails, &works])
        .offer(QUEUE, vec![plain_message("a")], Duration::from_secs(60))
        .await;
    assert!(offered.refused.is_empty(), "{offered:?}");
}

#[tokio::test]
async fn a_queue_that_takes_nothing_is_asked_once() {
    let denies = refusal("KMS.AccessDeniedException", "KmsAccessDenied");
    let messages = (0..25).map(|id| plain_message(&id.to_string())).collect();
    let offered = queues(&[&denies])
        .offer(QUEUE, messages, Duration::from_secs(60))
        .await;
    assert_eq!(offered.refused.len(), 25);
    assert_eq!(offered.closed.as_deref(), Some("KMS.AccessDeniedException"));
}

#[tokio::test(start_paused = true)]
async fn of_a_consumers_batch_only_what_failed_comes_back() {
    let first = batch(&["a", "b", "c"], &[None, Some(true), Some(false)]);
    let again: Vec<Rule> = (1..TRIES).map(|_| batch(&["c"], &[Some(false)])).collect();
    let mut rules = vec![&first];
    rules.extend(&again);
    let messages = ["a", "b", "c"].map(plain_message).into();
    let offered = queues(&rules)
        .offer(QUEUE, messages, Duration::from_secs(60))
        .await;
    let refused: Vec<_> = offered
        .refused
        .iter()
        .map(|refused| (&*refused.message.body, &*refused.code))
        .collect();
    assert_eq!(refused, [("b", "Code"), ("c", "Code")]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_is_waited_for_no_longer_than_that() {
    let sent = batch(
        &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        &[None; 10],
    );
    let failing: Vec<Rule> = (1..TRIES).map(|_| batch(&["10"], &[Some(false)])).collect();
    let mut rules = vec![&sent];
    rules.extend(&failing);
    let messages = (0..11).map(|id| plain_message(&id.to_string())).collect();
    // The pause after the first failure ends later.
    let offered = queues(&rules).offer(QUEUE, messages, PAUSE / 2).await;
    let refused: Vec<_> = offered
        .refused
        .iter()
        .map(|refused| &*refused.message.body)
        .collect();
    assert_eq!(refused, ["10"]);
    assert!(
        offered
            .closed
            .is_some_and(|reason| reason.contains("took no messages"))
    );
}

#[tokio::test]
async fn a_queue_that_refuses_is_told_from_a_fault_that_may_pass() {
    let gone = refused_batch(&["a"], "AWS.SimpleQueueService.NonExistentQueue");
    let error = send(&[&gone], &["a"]).await.unwrap_err();
    assert_eq!(error.reason(), "NonExistentQueue", "{error}");
}

#[test]
fn messages_are_sent_ten_at_a_time_and_one_mebibyte() {
    let sizes = |sizes: &[usize]| {
        let batches = in_batches(sizes.to_vec(), |size| *size);
        batches.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&[]), [0; 0]);
    assert_eq!(sizes(&[1; MAX_ENTRIES]), [10]);
    assert_eq!(sizes(&[1; 2 * MAX_ENTRIES + 1]), [10, 10, 1]);
    assert_eq!(sizes(&[MAX_BYTES, 1, MAX_BYTES - 1, 1]), [1, 2, 1]);
    // One that is too large is for the queue to refuse.
    assert_eq!(sizes(&[1, MAX_BYTES + 1, 1]), [1, 1, 1]);
}

#[test]
fn plain_attributes_are_what_every_queue_takes() {
    let mut message = Message::clone(&plain_message("a"));
    message.attributes = vec![
        (
            "ce-id",
            "a\u{0}\u{1f}\u{b}b\t\n\r\u{fffe}\u{ffff}\u{fffd}\u{7f}é".to_owned(),
        ),
        ("ce-source", String::new()),
        ("ce-type", "\u{1}".to_owned()),
        ("reason", "é".repeat(MAX_PLAIN)),
    ];
    let plain = message.with_plain_attributes().attributes;
    let expected = [
        ("ce-id", "ab\t\n\r\u{fffd}\u{7f}é".to_owned()),
        ("reason", "é".repeat(MAX_PLAIN / 2)),
    ];
    assert_eq!(plain, expected);
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
