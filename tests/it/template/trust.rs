//! The protection by the template: stored data, access to it, and the permissions of the roles.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::template::{Template, list, text_of};

#[test]
fn everything_stored_is_encrypted() {
    let template = Template::deployed();
    let encrypted = [
        ("AWS::SQS::Queue", "/SqsManagedSseEnabled", json!(true)),
        (
            "AWS::S3::Bucket",
            "/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/SSEAlgorithm",
            json!("AES256"),
        ),
        (
            "AWS::SNS::Topic",
            "/KmsMasterKeyId",
            json!({"Fn::GetAtt": "NoticesKey.Arn"}),
        ),
    ];
    for (kind, property, wanted) in encrypted {
        for (name, resource) in template.of_type(kind) {
            let found = resource["Properties"].pointer(property);
            assert_eq!(
                found,
                Some(&wanted),
                "{name} is not encrypted as it is to be: {property}"
            );
        }
    }
}

#[test]
fn everything_stored_is_reached_by_tls_alone() {
    let template = Template::deployed();
    let policies = [
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ];
    for (kind, policy, of) in policies {
        for (name, _) in template.of_type(kind) {
            let closed = template.of_type(policy).iter().any(|(_, policy)| {
                let policy = &policy["Properties"];
                list(&policy[of]).contains(&json!({"Ref": name}))
                    && list(&policy["PolicyDocument"]["Statement"])
                        .iter()
                        .any(refuses_plain_http)
            });
            assert!(closed, "{name} has no {policy} that refuses plain HTTP");
        }
    }
}

#[test]
fn tables_are_encrypted_by_the_key_that_costs_nothing() {
    let template = Template::deployed();
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        // DynamoDB encrypts every table. With this setting it uses a key whose every use is billed.
        assert!(table["Properties"]["SSESpecification"].is_null(), "{name}");
    }
}

fn refuses_plain_http(statement: &Value) -> bool {
    statement["Effect"] == "Deny"
        && statement["Principal"] == "*"
        && statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
}

#[test]
fn data_outlives_the_stack() {
    let template = Template::deployed();
    let kinds = [
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    ];
    let data = kinds.iter().flat_map(|kind| template.of_type(kind));
    // Without the key, the secrets in the endpoints table are lost.
    let key = ("SecretsKey", template.at("Resources/SecretsKey"));
    for (name, resource) in data.chain([key]) {
        assert_eq!(
            resource["DeletionPolicy"], "RetainExceptOnCreate",
            "{name} goes with the stack, or stays after a creation that failed"
        );
        assert_eq!(
            resource["UpdateReplacePolicy"], "Retain",
            "{name} goes when it is replaced"
        );
    }
}

#[test]
fn a_creation_that_fails_leaves_nothing_behind() {
    let template = Template::deployed();
    for (name, resource) in template.at("Resources").as_object().unwrap() {
        assert_ne!(resource["DeletionPolicy"], "Retain", "{name}");
    }
}

#[test]
fn what_was_deleted_can_be_recovered_for_as_long_as_the_operator_says() {
    let template = Template::deployed();
    let days = "Parameters/RecoveryDays";
    assert_eq!(template.number(&format!("{days}/MinValue")), 1);
    assert_eq!(template.number(&format!("{days}/MaxValue")), 35);
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        let recovery = &table["Properties"]["PointInTimeRecoverySpecification"];
        assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{name}");
        // The endpoints are configuration and contain nothing of a webhook.
        let wanted = match name {
            "EndpointsTable" => json!(35),
            _ => json!({"Ref": "RecoveryDays"}),
        };
        assert_eq!(recovery["RecoveryPeriodInDays"], wanted, "{name}");
    }
    let kept = template.at("Parameters/RetentionDays/Default").as_str();
    let kept: u64 = kept.unwrap().parse().unwrap();
    // DynamoDB deletes an expired item up to 2 days late.
    let sum = kept + 2 + template.number(&format!("{days}/Default"));
    let told = format!("{sum} days with the defaults");
    let told_in = text_of("SECURITY.md").replace('\n', " ");
    assert!(told_in.contains(&told), "SECURITY.md does not say: {told}");
}

#[test]
fn whoever_is_allowed_everything_is_the_account_with_its_key() {
    let template = Template::deployed();
    let root = json!({"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}});
    for (name, resource) in template.at("Resources").as_object().unwrap() {
        let properties = &resource["Properties"];
        let policies = ["PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"];
        let statements = policies
            .iter()
            .flat_map(|policy| list(&properties[policy]["Statement"]));
        for statement in statements.filter(|allowed| allowed["Effect"] == "Allow") {
            assert!(
                !list(&statement["Principal"]).contains(&json!("*")),
                "{name} admits everybody"
            );
            for action in list(&statement["Action"]) {
                let is_account =
                    resource["Type"] == "AWS::KMS::Key" && statement["Principal"] == root;
                assert!(
                    is_account || !action.as_str().unwrap().contains('*'),
                    "{name} allows {action}"
                );
            }
        }
    }
}

#[test]
fn logs_are_forgotten_in_time() {
    let template = Template::deployed();
    for (name, function) in template.of_type("AWS::Serverless::Function") {
        let group = &function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"];
        let group = group.as_str().unwrap_or_else(|| {
            panic!("{name} has no log group of its own, and Lambda's keeps lines for ever")
        });
        let path = format!("Resources/{group}/Properties/RetentionInDays");
        assert_eq!(
            *template.at(&path),
            json!({"Ref": "LogRetentionDays"}),
            "{group}"
        );
    }
}

#[test]
fn no_log_level_shows_what_libraries_are_given() {
    let template = Template::deployed();
    let levels = template.at("Parameters/LogLevel/AllowedValues");
    assert_eq!(
        *levels,
        json!(["DEBUG", "INFO"]),
        "at TRACE, libraries print requests"
    );
}

#[test]
fn roles_name_what_they_may_do_and_where() {
    let template = Template::deployed();
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let managed = &role["Properties"]["ManagedPolicyArns"];
        assert!(managed.is_null(), "{name} has policies of others");
    }
    for (name, statement) in template.statements() {
        for action in list(&statement["Action"]) {
            let action = action.as_str().unwrap();
            assert!(!action.contains('*'), "{name} allows {action}");
        }
        for resource in list(&statement["Resource"]) {
            assert!(
                is_of_the_stack(resource),
                "{name} reaches beyond the stack: {resource}"
            );
        }
    }
}

#[test]
fn only_the_stream_path_sends_to_the_queues_of_listeners_and_to_no_others_by_a_pattern() {
    let template = Template::deployed();
    let statements = template.statements();
    let by_pattern = |(_, statement): &&(String, &Value)| {
        list(&statement["Resource"]).iter().any(is_of_listeners)
    };
    let found: Vec<_> = statements.iter().filter(by_pattern).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let (name, statement) = found[0];
    assert!(name.starts_with("IngressRole."), "{name}");
    assert_eq!(statement["Action"], "sqs:SendMessage", "{name}");
    assert_eq!(list(&statement["Resource"]).len(), 1, "{name}");
    // The tool names its queues by this output.
    let prefix = template.at("Outputs/ListenerQueuePrefix/Value");
    assert_eq!(*prefix, json!({"Fn::Sub": "${AWS::StackName}-listen-"}));
}

#[test]
fn a_key_of_a_consumer_is_used_through_its_queue_alone() {
    let template = Template::deployed();
    let keys = json!({"Ref": "ConsumerKeyArns"});
    let statements = template.statements();
    let uses: Vec<_> = statements
        .iter()
        .filter(|(_, statement)| list(&statement["Resource"]).contains(&keys))
        .collect();
    assert_eq!(uses.len(), 1, "{uses:?}");
    let (name, statement) = uses[0];
    assert!(name.starts_with("IngressRole."), "{name}");
    let actions = json!(["kms:Decrypt", "kms:GenerateDataKey"]);
    assert_eq!(statement["Action"], actions, "{name}");
    let by_sqs = json!({"StringEquals": {"kms:ViaService": {"Fn::Sub": "sqs.${AWS::Region}.amazonaws.com"}}});
    assert_eq!(statement["Condition"], by_sqs, "{name}");
}

/// The queues of listeners: of this account and region, with the stack's name and no more than the characters
/// that the tool chooses.
const LISTENERS: &str = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:\
    ${AWS::StackName}-listen-????????????";

fn is_of_listeners(resource: &Value) -> bool {
    resource["Fn::Sub"] == LISTENERS
}

/// Whether it is a resource of the stack, a part of one, a resource that a parameter names, or the queue of a
/// listener.
fn is_of_the_stack(resource: &Value) -> bool {
    let below = resource["Fn::Sub"]
        .as_str()
        .is_some_and(|text| text.starts_with("${") && text.contains(".Arn}/"));
    below
        || is_of_listeners(resource)
        || resource["Ref"].is_string()
        || resource["Fn::GetAtt"].is_string()
}

#[test]
fn tools_are_installed_by_the_hashes_of_their_files() {
    let pinned = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| line.contains("=="));
        let names = lines.map(|line| line.trim_end_matches([' ', '\\']).to_owned());
        names.collect()
    };
    for name in ["local", "lint", "build", "moto"] {
        let folder = "infra/local/requirements";
        let hashed = text_of(&format!("{folder}/{name}.txt"));
        let pins = pinned(&hashed);
        assert_eq!(
            pins,
            pinned(&text_of(&format!("{folder}/{name}.in"))),
            "generate {name}.txt as local.in says"
        );
        assert!(!pins.is_empty());
        for pin in pins {
            let (_, after) = hashed
                .split_once(&format!("{pin} \\\n"))
                .unwrap_or_default();
            assert!(
                after.trim_start().starts_with("--hash=sha256:"),
                "{pin} has no hash"
            );
        }
    }
    assert!(text_of("Makefile").contains("--no-deps --require-hashes -r"));
}
