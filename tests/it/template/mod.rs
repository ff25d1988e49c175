//! The rules of the template, read from the file without any AWS. The numbers are here, the protection in
//! `trust`, the alarms and their runbook in `monitoring`, and the documents in `documents`.
//!
//! Seen to fail: each assertion, with the template changed where it looks, and the longest wait with an hour
//! more.

mod documents;
mod monitoring;
mod trust;

use serde_json::json;
use std::time::Duration;
use testkit::template::{Template, list};
use webhook_gateway::aws::sqs::MAX_BYTES;
use webhook_gateway::backoff::{jittered, visibility};
use webhook_gateway::store::endpoints::{DEFAULT_RETRY, MAX_TIMEOUT};

/// The longest that SQS keeps a message invisible.
const MAX_INVISIBLE: Duration = Duration::from_hours(12);

fn with_jitter(wait: Duration) -> Duration {
    jittered(wait, 1.0)
}

#[test]
fn the_default_schedule_ends_before_the_queue_forgets() {
    let template = Template::deployed();
    let delivery = template.seconds("Resources/DeliveryQueue/Properties/MessageRetentionPeriod");
    let dead = template.seconds("Resources/DeadLetterQueue/Properties/MessageRetentionPeriod");
    let last = with_jitter(Duration::from_secs(DEFAULT_RETRY.iter().sum()));
    assert!(
        last < delivery,
        "the last attempt is due after {last:?}, but DeliveryQueue keeps a message for {delivery:?}"
    );
    assert!(
        delivery < dead,
        "what DeliveryQueue gives up after up to {delivery:?} has no time left on DeadLetterQueue, \
         which counts on: {dead:?}"
    );
}

#[test]
fn a_wait_is_no_longer_than_a_message_can_be_invisible() {
    for wait in DEFAULT_RETRY.map(Duration::from_secs) {
        let longest = with_jitter(wait);
        assert!(
            longest <= MAX_INVISIBLE,
            "a wait of {wait:?} may become {longest:?}, but SQS keeps a message invisible for \
             {MAX_INVISIBLE:?}"
        );
    }
}

#[test]
fn a_wait_leaves_room_for_the_time_that_lambda_holds_a_message() {
    let template = Template::deployed();
    let held = template.seconds("Resources/DeliveryQueue/Properties/VisibilityTimeout");
    let longest = visibility(MAX_INVISIBLE, Duration::ZERO);
    let longest = Duration::from_secs(longest.unsigned_abs().into());
    assert!(
        longest + held < MAX_INVISIBLE,
        "Lambda may hold a message for {held:?} while it is throttled; SQS then refuses a wait of {longest:?}"
    );
}

#[test]
fn a_function_that_may_send_to_the_queue_that_starts_it_is_not_stopped_as_a_loop() {
    let template = Template::deployed();
    let statements = template.statements();
    let mut loops = 0;
    for (name, source) in template.event_sources() {
        let function = name.split('.').next().unwrap();
        let properties = template.at(&format!("Resources/{function}/Properties"));
        let role = properties["Role"]["Fn::GetAtt"].as_str().unwrap();
        let role = role.trim_end_matches(".Arn");
        let queue = &source["Properties"]["Queue"];
        let may_send = statements.iter().any(|(sid, statement)| {
            sid.starts_with(&format!("{role}."))
                && list(&statement["Action"]).contains(&json!("sqs:SendMessage"))
                && list(&statement["Resource"]).contains(queue)
        });
        if may_send {
            loops += 1;
            assert_eq!(
                properties["RecursiveLoop"], "Allow",
                "Lambda stops {function} after 16 invocations in a chain"
            );
        }
    }
    assert_eq!(loops, 1, "the delivery function sends to its own queue");
}

#[test]
fn the_delivery_function_runs_as_often_as_the_operator_lets_it() {
    let template = Template::deployed();
    let source = "Resources/DeliveryFunction/Properties/Events/Queue/Properties";
    assert_eq!(
        *template.at(&format!("{source}/ScalingConfig/MaximumConcurrency")),
        json!({"Ref": "DeliveryConcurrency"})
    );
    let of = |limit| template.number(&format!("Parameters/DeliveryConcurrency/{limit}"));
    // The range that an event source mapping of SQS accepts.
    assert_eq!(
        (of("MinValue"), of("MaxValue"), of("Default")),
        (2, 1_000, 50)
    );
}

#[test]
fn a_batch_ends_before_its_messages_show_again() {
    let template = Template::deployed();
    let timeout = template.seconds("Resources/DeliveryFunction/Properties/Timeout");
    let visibility = template.seconds("Resources/DeliveryQueue/Properties/VisibilityTimeout");
    assert!(
        timeout > MAX_TIMEOUT,
        "an endpoint may take {MAX_TIMEOUT:?}, DeliveryFunction has {timeout:?} for it and everything else"
    );
    assert!(
        visibility >= 6 * timeout,
        "Lambda asks for a visibility timeout of 6 x {timeout:?}, DeliveryQueue has {visibility:?}"
    );
}

#[test]
fn the_queue_does_not_give_up_before_the_schedule_does() {
    let template = Template::deployed();
    let policy = "Resources/DeliveryQueue/Properties/RedrivePolicy";
    assert_eq!(
        *template.at(&format!("{policy}/deadLetterTargetArn")),
        json!({"Fn::GetAtt": "DeadLetterQueue.Arn"}),
        "what DeliveryQueue gives up is nowhere"
    );
    let receives = template.number(&format!("{policy}/maxReceiveCount"));
    let attempts = DEFAULT_RETRY.len() as u64 + 1;
    assert!(
        receives >= 2 * attempts,
        "throttled polls are receives too: {receives} leave no room above {attempts} attempts"
    );
}

#[test]
fn a_failed_message_is_reported_alone() {
    let template = Template::deployed();
    let sources = template.event_sources();
    let queues: Vec<_> = sources
        .iter()
        .filter(|source| source.1["Type"] == "SQS")
        .collect();
    assert!(!queues.is_empty(), "no function reads a queue");
    for (name, source) in queues {
        let size = source["Properties"]["BatchSize"].as_u64();
        assert!(
            size.is_some_and(|size| size <= 10),
            "{name}: a batch is one receive of at most 10 messages, not {size:?}"
        );
        let types = list(&source["Properties"]["FunctionResponseTypes"]);
        assert!(
            types.contains(&json!("ReportBatchItemFailures")),
            "{name}: without ReportBatchItemFailures one failed message brings back its whole \
             batch, or loses itself"
        );
    }
}

#[test]
fn the_stream_goes_on_where_the_function_says() {
    let template = Template::deployed();
    let sources = template.event_sources();
    let streams: Vec<_> = sources
        .iter()
        .filter(|source| source.1["Type"] == "DynamoDB")
        .collect();
    assert!(!streams.is_empty(), "no function reads a stream");
    for (name, source) in streams {
        let properties = &source["Properties"];
        assert!(
            list(&properties["FunctionResponseTypes"]).contains(&json!("ReportBatchItemFailures")),
            "{name}: without ReportBatchItemFailures Lambda takes a batch for done that is done in part"
        );
        assert_eq!(
            properties["BisectBatchOnFunctionError"], true,
            "{name}: a record that ends its function takes the others with it"
        );
    }
}

#[test]
fn every_queue_takes_what_the_functions_send() {
    let template = Template::deployed();
    for (name, queue) in template.of_type("AWS::SQS::Queue") {
        assert_eq!(
            queue["Properties"]["MaximumMessageSize"],
            json!(MAX_BYTES),
            "{name}: the code sends messages of up to {MAX_BYTES} bytes"
        );
    }
}

#[test]
fn history_expires() {
    let template = Template::deployed();
    for table in ["LedgerTable", "DeliveriesTable", "JournalTable"] {
        let path = format!("Resources/{table}/Properties/TimeToLiveSpecification");
        assert_eq!(
            *template.at(&path),
            json!({"AttributeName": "expires_at", "Enabled": true}),
            "{table}: the code sets expires_at"
        );
    }
}

#[test]
fn nothing_runs_while_nothing_happens() {
    let template = Template::deployed();
    for (name, resource) in template.at("Resources").as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        assert!(
            !kind.starts_with("AWS::Events::") && !kind.starts_with("AWS::Scheduler::"),
            "{name} is a {kind}, which runs by the clock"
        );
    }
    for (name, source) in template.event_sources() {
        let kind = source["Type"].as_str().unwrap();
        assert!(
            matches!(kind, "DynamoDB" | "SQS"),
            "{name} is a {kind}: functions are started by what arrives"
        );
    }
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        assert_eq!(
            table["Properties"]["BillingMode"], "PAY_PER_REQUEST",
            "{name} costs while it idles"
        );
    }
}

#[test]
fn a_slow_request_ends_with_the_function_and_not_with_the_api() {
    let template = Template::deployed();
    let function = template.seconds("Resources/IngressFunction/Properties/Timeout");
    let api = template.number("Resources/ApiIntegration/Properties/TimeoutInMillis");
    let api = Duration::from_millis(api);
    assert!(
        function < api,
        "IngressFunction has {function:?}, but the API gives up after {api:?}"
    );
}

#[test]
fn payloads_outlive_whatever_names_them() {
    let template = Template::deployed();
    let rows = template.at("Mappings/Retention").as_object().unwrap();
    let allowed = list(template.at("Parameters/RetentionDays/AllowedValues"));
    for retention in allowed {
        assert!(
            rows.contains_key(retention.as_str().unwrap()),
            "RetentionDays allows {retention}, which the mapping Retention does not know"
        );
    }
    for (retention, row) in rows {
        let days = row["PayloadDays"].as_u64().unwrap();
        let least = retention.parse::<u64>().unwrap() + 16;
        assert!(
            days >= least,
            "an item of {retention} days may be deleted 2 days late, and a message that names its \
             payload stays for 14 more: {days} < {least}"
        );
    }
}

/// SAM takes an output with the name of a parameter for that parameter, and fails if its value is a list.
#[test]
fn no_output_has_the_name_of_a_parameter_that_is_a_list() {
    let template = Template::deployed();
    let parameters = template.at("Parameters").as_object().unwrap();
    let lists = parameters
        .iter()
        .filter(|(_, parameter)| parameter["Type"] == "CommaDelimitedList");
    let lists: Vec<_> = lists.map(|(name, _)| name).collect();
    assert!(lists.len() >= 2, "{lists:?}");
    let outputs = template.at("Outputs").as_object().unwrap();
    for name in lists {
        assert!(!outputs.contains_key(name), "`sam build` fails for {name}");
    }
}

#[test]
fn a_deployment_tells_its_version() {
    let template = Template::deployed();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        template.at("Outputs/Version/Value"),
        version,
        "`webhookctl doctor` compares it with its own"
    );
}

#[test]
fn endpoints_are_public_unless_the_operator_says_otherwise() {
    let template = Template::deployed();
    assert_eq!(
        template.at("Parameters/EndpointPolicy/Default"),
        "public",
        "a deployment that names no policy is open to requests into its own network"
    );
}
